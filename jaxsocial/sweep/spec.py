"""A sweep as its TOML file declares it: a preset, axes and seeds, and the settings that result."""

import dataclasses
import itertools
import tomllib
import typing
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.config.fields import fitting, type_of, with_fields
from jaxsocial.config.presets import preset
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.settings import in_place_of

Values = dict[str, Any]
"""Values of fields by their dotted names."""
EPISODES = 64
"""Default number of episodes per seed at each evaluation."""
GRIDS = {"linear": np.linspace, "log": np.geomspace}
DRAWS = ("uniform", "log_uniform", "integers", "choice")
OPTIONS = ("evaluations", "measure", "larger_is_better", "save_seconds")
BASE = {"seed": "seed", "seeds": "seeds", "episodes": "evaluation_episodes"}
"""Names at the top of the file, and the config fields that they set."""
NAMES = ("preset", "scenario", *BASE, *OPTIONS, "fixed", "grid", "list", "draw", "halving")


class Halving(NamedTuple):
    """Successive halving: the worse settings are dropped at given steps (Jamieson and Talwalkar, AISTATS 2016)."""

    steps: tuple[float, ...] = ()
    """Learner steps of each seed at which settings are compared, increasing; empty for no halving."""
    keep: float = 0.5
    """The share of settings that continues, above 0 and below 1."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A declared sweep. Raises ValueError if it cannot be run."""

    settings: tuple[Config, ...]
    """A setting's number is its index."""
    halving: Halving = Halving()
    measure: str = "evaluation.return"
    """The column that settings are ranked by."""
    larger_is_better: bool = True
    evaluations: int = 1
    """The number of evenly spaced evaluations; the last is at the end."""
    save_seconds: float = 60.0
    """Seconds between two checkpoints."""

    def __post_init__(self):
        if self.evaluations < 1:
            raise ValueError(f"evaluations={self.evaluations}: choose 1 or more")
        steps, keep = self.halving
        if not 0 < keep < 1:
            raise ValueError(f"halving.keep={keep}: choose above 0 and below 1, such as 0.5")
        if list(steps) != sorted(set(steps)) or min(steps, default=1) <= 0:
            raise ValueError(f"halving.steps={list(steps)}: choose increasing numbers above 0")


def read_sweep(path: Path) -> Sweep:
    """Reads a sweep from a TOML file (docs/sweeps.md).

    Raises:
      ValueError: no such file, no TOML, or a sweep that cannot be run; one line that says what to do.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file: name one that declares a sweep (docs/sweeps.md)")
    try:
        plain = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    return make_sweep(plain)


def make_sweep(plain: Mapping[str, Any]) -> Sweep:
    """Makes a sweep from the contents of its file: every combination of grid, list and draws.

    >>> sweep = make_sweep({"seeds": 2, "grid": {"rules.penalty": [0.5, 1.0], "coefficients.gamma": [0.9, 0.99]}})
    >>> len(sweep.settings), sweep.settings[1].rules.penalty, sweep.settings[1].coefficients.gamma
    (4, 0.5, 0.99)

    Raises:
      ValueError: see `read_sweep`.
    """
    for name in plain:
        if name not in NAMES:
            raise ValueError(f"{name!r} is unknown here: choose from {', '.join(NAMES)}; fields go below one")
    base, settings = _base(plain), []
    for combination in itertools.product(*_axes(base, plain)):
        values = {name: value for one in combination for name, value in one.items()}
        if len(values) < sum(map(len, combination)):
            raise ValueError(f"a field is in more than one of grid, list and draw: {sorted(values)}")
        try:
            settings.append(with_fields(base, values))
        except ValueError as error:
            text = ", ".join(f"{name} = {value}" for name, value in values.items()) or "without changes"
            raise ValueError(f"the setting {text} cannot be built: {error}") from None
    halving = _checked(plain.get("halving", {}), Halving._fields, "halving")
    options = _typed({name: plain[name] for name in OPTIONS if name in plain}, Sweep, "")
    return Sweep(tuple(settings), Halving(**_typed(halving, Halving, "halving.")), **options)


def _base(plain: Mapping[str, Any]) -> Config:
    """Returns the config that all settings begin from."""
    base = dataclasses.replace(preset(plain.get("preset", "quickstart")), evaluation_episodes=EPISODES)
    if "scenario" in plain:
        base = dataclasses.replace(base, world=in_place_of(base.world, make_scenario(plain["scenario"])))
    given = {field: fitting(plain[name], int, name) for name, field in BASE.items() if name in plain}
    return with_fields(dataclasses.replace(base, **given), flattened(plain.get("fixed", {})))


def _axes(base: Config, plain: Mapping[str, Any]) -> list[list[Values]]:
    """Returns the alternatives that grid, list and draw declare."""
    grid = {
        name: axis_values(name, axis, type_of(base, name) is int)
        for name, axis in flattened(plain.get("grid", {})).items()
    }
    points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    tables = plain.get("list", [{}])
    if not isinstance(tables, list) or not tables:
        raise ValueError("list is empty or no list: write each setting below [[list]]")
    rows = [flattened(table) for table in tables]
    for name in itertools.chain(*rows):
        type_of(base, name)
    if "draw" not in plain:
        return [points, rows]
    draw = _checked(plain["draw"], ("count", "seed", "fields"), "draw")
    count, fields = draw.get("count", 0), flattened(draw.get("fields", {}))
    if not isinstance(count, int) or count < 1 or not fields:
        raise ValueError("draw has nothing to draw: give draw.count, 1 or more, and fields below [draw.fields]")
    for name in fields:
        type_of(base, name)
    columns = [drawn_values(name, axis, count, draw.get("seed", 0)) for name, axis in fields.items()]
    return [points, rows, [dict(zip(fields, row, strict=True)) for row in zip(*columns, strict=True)]]


def axis_values(name: str, axis: Any, whole: bool = False) -> list[Any]:
    """Returns the values of one axis of a grid.

    >>> axis_values("coefficients.learning_rate", {"log": [1, 100, 3]})
    [1.0, 10.0, 100.0]
    >>> axis_values("network.memory", {"linear": [8, 32, 4]}, whole=True)
    [8, 16, 24, 32]

    Args:
      name: the field's dotted name, for messages.
      axis: a list of values, or ``{"linear" or "log": [first, last, how many]}``.
      whole: whether to round to whole numbers.

    Raises:
      ValueError: it is no axis.
    """
    if isinstance(axis, dict):
        (kind, given), *more = axis.items()
        if more or kind not in GRIDS or len(given) != 3:
            raise ValueError(f"grid.{name}={axis}: give a list, or linear or log = [first, last, how many]")
        axis = GRIDS[kind](float(given[0]), float(given[1]), int(given[2])).tolist()
        axis = [round(point) for point in axis] if whole else axis
    if not isinstance(axis, list):
        raise ValueError(f"grid.{name}={axis!r} is no axis: give a list; one value for all settings goes into [fixed]")
    if not axis:
        raise ValueError(f"grid.{name} is empty: give at least one value, or leave it out")
    return axis


def drawn_values(name: str, axis: Any, count: int, seed: int) -> list[Any]:
    """Draws values of one field. They depend on the field's name and the seed only, not on other fields.

    >>> drawn_values("network.memory", {"choice": [8, 16, 32]}, count=4, seed=0)
    [32, 16, 8, 8]

    Args:
      name: the field's dotted name.
      axis: a table with one of uniform, log_uniform, integers (bounds included) and choice.
      count: how many values, 1 or more.
      seed: of the random numbers, 0 or more.

    Raises:
      ValueError: it is no distribution.
    """
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    match axis:
        case {"uniform": [low, high]} if low < high:
            return generator.uniform(low, high, count).tolist()
        case {"log_uniform": [low, high]} if 0 < low < high:
            return np.exp(generator.uniform(np.log(low), np.log(high), count)).tolist()
        case {"integers": [int(low), int(high)]} if low <= high:
            return generator.integers(low, high, count, endpoint=True).tolist()
        case {"choice": [_, *_] as values}:
            return [values[index] for index in generator.integers(len(values), size=count)]
    raise ValueError(
        f"draw.fields.{name}={axis}: give uniform = [low, high], log_uniform = [low, high] with low above 0, "
        "integers = [low, high] or choice = [one value or more]"
    )


def flattened(table: Mapping[str, Any], prefix: str = "") -> Values:
    """Returns nested tables as one level of dotted names; tables that declare an axis stay whole.

    >>> flattened({"rules": {"penalty": 1.0}, "coefficients": {"gamma": {"linear": [0.9, 1.0, 3]}}})
    {'rules.penalty': 1.0, 'coefficients.gamma': {'linear': [0.9, 1.0, 3]}}
    """
    values: Values = {}
    for name, value in table.items():
        # TOML reads a dotted key as tables in tables.
        nested = isinstance(value, dict) and not set(value) & {*GRIDS, *DRAWS}
        values |= flattened(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return values


def _checked(table: Mapping[str, Any], names: tuple[str, ...], where: str) -> Mapping[str, Any]:
    for name in table:
        if name not in names:
            raise ValueError(f"{where}.{name} is unknown here: choose from {', '.join(names)}")
    return table


def _typed(given: Mapping[str, Any], record: type, prefix: str) -> Values:
    types = typing.get_type_hints(record)
    return {name: fitting(value, types[name], f"{prefix}{name}") for name, value in given.items()}
