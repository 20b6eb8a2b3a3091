"""A sweep as its file declares it: a preset, axes, seeds; and the settings that they come to."""

import dataclasses
import itertools
import tomllib
import typing
import zlib
from collections.abc import Iterator, Mapping
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
"""Of each seed at each evaluation, unless the file says so."""
GRIDS = {"linear": np.linspace, "log": np.geomspace}
OPTIONS = ("evaluations", "measure", "larger_is_better", "save_seconds")
DRAWS = ("uniform", "log_uniform", "integers", "choice")


class Halving(NamedTuple):
    """Successive halving: at given steps the worse settings are dropped, and the rest have their room."""

    steps: tuple[float, ...] = ()
    """Learner steps of each seed at which settings are compared, rising; none for no halving."""
    keep: float = 0.5
    """Share of settings that goes on, above 0 and below 1."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What a file declares. Raises ValueError, with the cure, where it cannot be run."""

    settings: tuple[Config, ...]
    """Each a whole config, its number its place."""
    halving: Halving = Halving()
    measure: str = "evaluation.return"
    """The column that settings are ranked by."""
    larger_is_better: bool = True
    evaluations: int = 1
    """At how many evenly spaced moments settings are evaluated, the last at the end."""

    save_seconds: float = 60.0
    """Seconds between two checkpoints: what a kill may cost."""

    def __post_init__(self):
        if self.evaluations < 1:
            raise ValueError(f"evaluations = {self.evaluations}: choose 1 or more")
        steps, keep = self.halving
        if not 0 < keep < 1:
            raise ValueError(f"halving.keep = {keep}: choose above 0 and below 1, such as 0.5")
        if list(steps) != sorted(set(steps)) or min(steps, default=1) <= 0:
            raise ValueError(f"halving.steps = {list(steps)}: let them rise from above 0")


def read_sweep(path: Path) -> Sweep:
    """The sweep that a TOML file declares (docs/sweeps.md).

    Raises:
      ValueError: no such file, no TOML, or something in it that cannot be run; one line with the cure.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file: name one that declares a sweep (docs/sweeps.md)")
    try:
        plain = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    return make_sweep(plain)


def make_sweep(plain: Mapping[str, Any]) -> Sweep:
    """The sweep that a dict declares, as TOML is read.

    Raises:
      ValueError: see `read_sweep`.
    """
    known = ("preset", "scenario", "seed", "seeds", "episodes", *OPTIONS)
    tables = ("fixed", "grid", "list", "draw", "halving")
    for name in plain:
        if name not in known + tables:
            raise ValueError(
                f"{name!r} means nothing here: choose from {', '.join(known + tables)}; fields go below one"
            )
    base = with_fields(_base(plain), _flat(plain.get("fixed", {})))
    halving = _only(plain.get("halving", {}), Halving._fields, "halving")
    options = _typed({name: plain[name] for name in OPTIONS if name in plain}, Sweep, "")
    return Sweep(_settings(base, plain), Halving(**_typed(halving, Halving, "halving.")), **options)


def _typed(given: Mapping[str, Any], record: type, before: str) -> Values:
    kinds = typing.get_type_hints(record)
    return {name: fitting(value, kinds[name], f"{before}{name}") for name, value in given.items()}


def _base(plain: Mapping[str, Any]) -> Config:
    """The config that all settings begin from."""
    base = preset(plain.get("preset", "quickstart"))
    if "scenario" in plain:
        base = dataclasses.replace(base, world=in_place_of(base.world, make_scenario(plain["scenario"])))
    names = {"seed": "seed", "seeds": "seeds", "episodes": "evaluation_episodes"}
    base = dataclasses.replace(base, evaluation_episodes=EPISODES)
    given = {field: fitting(plain[name], int, name) for name, field in names.items() if name in plain}
    return dataclasses.replace(base, **given)


def _settings(base: Config, plain: Mapping[str, Any]) -> tuple[Config, ...]:
    """Every combination of grid, list and draws."""
    axes = [_grid(base, plain.get("grid", {})), _list(base, plain.get("list", [{}])), _draws(base, plain.get("draw"))]
    made = []
    for combined in itertools.product(*axes):
        values = {name: value for one in combined for name, value in one.items()}
        if len(values) < sum(map(len, combined)):
            raise ValueError(f"a field stands in more than one of grid, list and draw: {sorted(values)}")
        made.append(_setting(base, values))
    return tuple(made)


def _setting(base: Config, values: Values) -> Config:
    try:
        return with_fields(base, values)
    except ValueError as error:
        told = ", ".join(f"{name} = {value}" for name, value in values.items())
        raise ValueError(f"the setting {told or 'without changes'} cannot be built: {error}") from None


def _grid(base: Config, table: Mapping[str, Any]) -> list[Values]:
    axes = {name: _points(base, name, axis) for name, axis in _flat(table).items()}
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def _points(base: Config, name: str, axis: Any) -> list[Any]:
    """The values of one axis of a grid."""
    whole = type_of(base, name) is int
    if isinstance(axis, dict):
        (kind, traced), *more = axis.items()
        if more or kind not in GRIDS or len(traced) != 3:
            raise ValueError(f"grid.{name} = {axis}: give a list, or linear or log = [first, last, how many]")
        points = GRIDS[kind](float(traced[0]), float(traced[1]), int(traced[2])).tolist()
        axis = [round(point) for point in points] if whole else points
    if not isinstance(axis, list):
        raise ValueError(
            f"grid.{name} = {axis!r} is no axis: give a list of values; one value for all goes into [fixed]"
        )
    if not axis:
        raise ValueError(f"grid.{name} is empty: give at least one value, or leave it out")
    return axis


def _list(base: Config, tables: Any) -> list[Values]:
    if not isinstance(tables, list) or not tables:
        raise ValueError("list is empty or no list: write each setting below [[list]]")
    rows = [_flat(table) for table in tables]
    for row in rows:
        for name in row:
            type_of(base, name)
    return rows


def _draws(base: Config, table: Mapping[str, Any] | None) -> list[Values]:
    """As many draws as are asked for. A field's draws depend on its own name and the seed alone."""
    if table is None:
        return [{}]
    _only(table, ("count", "seed", "fields"), "draw")
    count, fields = table.get("count", 0), _flat(table.get("fields", {}))
    if not isinstance(count, int) or count < 1 or not fields:
        raise ValueError("draw has nothing to draw: give draw.count, 1 or more, and fields below [draw.fields]")
    columns = {name: _drawn(base, name, axis, count, table.get("seed", 0)) for name, axis in fields.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _drawn(base: Config, name: str, axis: Any, count: int, seed: int) -> list[Any]:
    type_of(base, name)
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
        f"draw.fields.{name} = {axis}: give uniform = [low, high], log_uniform = [low, high] with low above 0, "
        "integers = [low, high] or choice = [one value or more]"
    )


def _only(table: Mapping[str, Any], names: tuple[str, ...], where: str) -> Mapping[str, Any]:
    for name in table:
        if name not in names:
            raise ValueError(f"{where}.{name} means nothing here: choose from {', '.join(names)}")
    return table


def _flat(table: Mapping[str, Any]) -> Values:
    """Dotted keys as one level: TOML reads them as tables in tables."""
    return dict(_flattened(table, ""))


def _flattened(table: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and not set(value) & {*GRIDS, *DRAWS}:
            yield from _flattened(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
