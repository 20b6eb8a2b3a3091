"""A sweep as its TOML file declares it: a preset, axes and seeds, and the settings that result."""

import dataclasses
import itertools
import math
import sys
import tomllib
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.config.fields import type_of, with_fields
from jaxsocial.config.presets import preset
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.settings import in_place_of
from jaxsocial.env.values import Count, Index, NotNegative, Positive, declared, fit_fields, fitting
from jaxsocial.sweep.search import Search, suggested, values_of
from jaxsocial.training.member import metric_names
from jaxsocial.training.pretrained import with_pinned_runs

Values = dict[str, Any]
"""Values of fields by their dotted names."""
EPISODES = 64
"""Default number of episodes per seed at each evaluation."""
GRIDS = ("linear", "log")
DRAWS = ("uniform", "log_uniform", "integers", "choice")
OPTIONS = ("evaluations", "measure", "larger_is_better", "save_seconds")
BASE = {"seed": "seed", "seeds": "seeds", "episodes": "evaluation_episodes"}
"""Names at the top of the file, and the config fields that they set."""
MEASURED = ("return", "goals", "penalties")
"""What whole episodes are measured for: columns of the table after ``evaluation.``"""
NAMES = ("preset", "scenario", *BASE, *OPTIONS, "fixed", "grid", "list", "draw", "halving", "search", "population")


class Halving(NamedTuple):
    """Successive halving: the worse settings are dropped at given steps (Jamieson and Talwalkar, AISTATS 2016)."""

    steps: tuple[Positive, ...] = ()
    """Learner steps of each seed at which settings are compared, above 0 and increasing; empty for no halving."""
    keep: float = 0.5
    """The share of settings that continues, above 0 and below 1."""


class Population(NamedTuple):
    """Population-based training (Jaderberg et al. 2017): the worse settings go on as changed copies of the better."""

    every: NotNegative = 0.0
    """Learner steps of each seed between two exchanges, 0 or more; 0 for no exchanges."""
    replaced: float = 0.25
    """The share of settings that is replaced, above 0 and at most 0.5."""
    factor: float = 1.2
    """Each number of a copy is multiplied or divided by it, above 1."""
    seed: Index = 0
    """Of the random numbers, 0 or more."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A declared sweep.

    Raises:
      ValueError: it cannot be run.
    """

    settings: tuple[Config, ...]
    """A setting's number is its index."""
    halving: Halving = Halving()
    search: Search = Search()
    population: Population = Population()
    measure: str = "evaluation.return"
    """The column that settings are ranked by."""
    larger_is_better: bool = True
    evaluations: Count = 1
    """The number of evenly spaced evaluations, 1 or more; the last is at the end."""
    save_seconds: NotNegative = 60.0
    """Seconds between two checkpoints, 0 or more."""
    repeated: Index = 0
    """The number of declared settings that equal an earlier one, and are left out, 0 or more."""

    def __post_init__(self):
        fit_fields(self)
        steps, keep = self.halving
        if not 0 < keep < 1:
            raise ValueError(f"halving.keep={keep}: choose above 0 and below 1, such as 0.5")
        if list(steps) != sorted(set(steps)):
            raise ValueError(f"halving.steps={list(steps)}: choose increasing numbers")
        if not 0 < self.population.replaced <= 0.5:
            raise ValueError(f"population.replaced={self.population.replaced}: choose above 0 and at most 0.5")
        if not self.population.factor > 1:
            raise ValueError(f"population.factor={self.population.factor}: choose above 1, such as 1.2")
        if self.measure not in (known := measures(self.settings)):
            raise ValueError(f"measure={self.measure!r} will be no column: choose from {', '.join(known)}")

    @property
    def comparisons(self) -> tuple[float, ...]:
        """Returns the learner steps at which settings are compared, of halving or of a population."""
        every, end = self.population.every, max(config.total_steps for config in self.settings)
        if not every:
            return self.halving.steps
        return tuple(every * number for number in range(1, math.ceil(end / every)))


def share_of(share: float, count: int) -> int:
    """Returns how many of ``count`` are a share of them, rounded up.

    >>> share_of(0.28, 25), 0.28 * 25
    (7, 7.000000000000001)
    """
    return math.ceil(Fraction(str(share)) * count)  # the decimal of the file, and not the binary number nearest to it


def measures(settings: Sequence[Config]) -> list[str]:
    """Returns the columns of the table that settings can be ranked by."""
    names = (name for config in settings for name in metric_names(config))
    return ["return", *(f"evaluation.{name}" for name in MEASURED), *dict.fromkeys(names)]


def read_sweep(path: Path) -> Sweep:
    """Reads a sweep from a TOML file (docs/sweeps.md).

    Raises:
      ValueError: no such file, no TOML, or a sweep that cannot be run; one line that says what to do.
    """
    return make_sweep(read_toml(path, "a sweep (docs/sweeps.md)"))


def read_toml(path: Path, declares: str) -> dict[str, Any]:
    """Reads a TOML file.

    Args:
      path: the file.
      declares: what it declares, and the page that says how, for messages.

    Raises:
      ValueError: no such file, or no TOML.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"{path} is no file: name one that declares {declares}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None


def make_sweep(plain: Mapping[str, Any]) -> Sweep:
    """Makes a sweep from the contents of its file: every combination of grid, list and draws.

    >>> sweep = make_sweep({"seeds": 2, "grid": {"rules.penalty": [0.5, 1.0], "coefficients.gamma": [0.9, 0.99]}})
    >>> len(sweep.settings), sweep.settings[1].rules.penalty, sweep.settings[1].coefficients.gamma
    (4, 0.5, 0.99)

    Raises:
      ValueError: see `read_sweep`.
    """
    check_names(plain, NAMES, "one")
    base, settings = base_of(plain), []
    search = _search(base, plain)
    for combination in itertools.product(*_axes(base, plain, search)):
        values = {name: value for one in combination for name, value in one.items()}
        if len(values) < sum(map(len, combination)):
            raise ValueError(f"a field is in more than one of grid, list and draw: {sorted(values)}")
        try:
            settings.append(built(base, values))
        except ValueError as error:
            text = ", ".join(f"{name} = {value}" for name, value in values.items()) or "without changes"
            raise ValueError(f"the setting {text} cannot be built: {error}") from None
    halving = checked_table(plain.get("halving", {}), Halving._fields, "halving")
    options = typed_values({name: plain[name] for name in OPTIONS if name in plain}, Sweep, "")
    population = checked_table(plain.get("population", {}), Population._fields, "population")
    population = Population(**typed_values(population, Population, "population."))
    once, halving = tuple(dict.fromkeys(settings)), Halving(**typed_values(halving, Halving, "halving."))
    if "population" in plain:
        _check_population(population, once, plain)
    return Sweep(once, halving, search, population, **options, repeated=len(settings) - len(once))


def check_names(plain: Mapping[str, Any], names: Sequence[str], below: str) -> None:
    """Checks the names at the top of a file.

    Args:
      plain: the contents of the file.
      names: the known ones.
      below: the table that fields go below, for the message.

    Raises:
      ValueError: a name is unknown.
    """
    for name in plain:
        if name not in names:
            raise ValueError(f"{name!r} is unknown here: choose from {', '.join(names)}; fields go below {below}")


def _check_population(population: Population, settings: Sequence[Config], plain: Mapping[str, Any]) -> None:
    if both := [name for name in ("halving", "search") if name in plain]:
        raise ValueError(f"both population and {both[0]}: leave one of them out")
    if not population.every:
        raise ValueError("population.every is missing: give the learner steps between two exchanges")
    if len(settings) < 2:
        raise ValueError("a population has two settings or more: declare them by [draw], [grid] or [[list]]")
    if len({config.total_steps for config in settings}) > 1:
        raise ValueError(
            "total_steps differs among settings, and a population is compared at equal steps: leave it out"
        )
    between = max(config.chunk_iterations * config.iteration_steps for config in settings)
    if population.every < between:
        raise ValueError(
            f"population.every={population.every:g}: exchanges are at log points, which are {between} steps apart; "
            "choose as many or more, or a smaller log_steps"
        )
    if population.every >= settings[0].total_steps:
        raise ValueError(
            f"population.every={population.every:g}: settings train for {settings[0].total_steps} steps; choose fewer"
        )


def built(base: Config, values: Values) -> Config:
    """Returns a setting: a config with other values of some fields.

    Raises:
      ValueError: there is no such setting.
    """
    # A resumed sweep, in another folder, has to find the same networks.
    return with_pinned_runs(with_fields(base, values))


def base_of(plain: Mapping[str, Any]) -> Config:
    """Returns the config that all settings begin from: a preset, with the values at the top and below ``fixed``.

    Raises:
      ValueError: there is no such preset, scenario or field, or a value that does not fit.
    """
    named = {name: fitting(plain[name], str, name) for name in ("preset", "scenario") if name in plain}
    base = dataclasses.replace(preset(named.get("preset", "quickstart")), evaluation_episodes=EPISODES)
    if "scenario" in named:
        base = dataclasses.replace(base, world=in_place_of(base.world, make_scenario(named["scenario"])))
    given = {field: fitting(plain[name], int, name) for name, field in BASE.items() if name in plain}
    return with_fields(dataclasses.replace(base, **given), flattened(plain.get("fixed", {}), "fixed"))


def _search(base: Config, plain: Mapping[str, Any]) -> Search:
    """Returns the search that is declared, or one without trials."""
    if "search" not in plain:
        return Search()
    if both := [name for name in ("grid", "list", "draw", "halving") if name in plain]:
        raise ValueError(f"both search and {both[0]}: leave one of them out; values for all settings go into [fixed]")
    table = checked_table(plain["search"], Search._fields, "search")
    fields = flattened(table.get("fields", {}), "search.fields")
    search = Search(**typed_values({**table, "fields": fields}, Search, "search."))
    if search.trials < 1 or not fields:
        raise ValueError("search has nothing to try: give search.trials, 1 or more, and fields below [search.fields]")
    for name, axis in fields.items():
        type_of(base, name)
        drawn_values(name, axis, 1, 0, "search")
    if "total_steps" in fields:
        raise ValueError("search.fields.total_steps: results of different lengths do not compare, so leave it out")
    return search


def _axes(base: Config, plain: Mapping[str, Any], search: Search) -> list[list[Values]]:
    """Returns the alternatives that grid, list and draw declare, and the first batch of a search."""
    if search.trials:
        # Without results the direction makes no difference.
        first = suggested(search, [], min(search.batch, search.trials), larger_is_better=True)
        return [[values_of(search, suggestion) for suggestion in first]]
    grid = {
        name: axis_values(name, axis, type_of(base, name) is int)
        for name, axis in flattened(plain.get("grid", {}), "grid").items()
    }
    points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    tables = plain.get("list", [{}])
    if not isinstance(tables, list) or not tables:
        raise ValueError("list is empty or no list: write each setting below [[list]]")
    rows = [flattened(table, "list") for table in tables]
    for name in itertools.chain(*rows):
        type_of(base, name)
    if "draw" not in plain:
        return [points, rows]
    draw = checked_table(plain["draw"], ("count", "seed", "fields"), "draw")
    count, seed = (fitting(draw.get(name, 0), int, f"draw.{name}") for name in ("count", "seed"))
    fields = flattened(draw.get("fields", {}), "draw.fields")
    if seed < 0:
        raise ValueError(f"draw.seed={seed}: choose 0 or more")
    if count < 1 or not fields:
        raise ValueError("draw has nothing to draw: give draw.count, 1 or more, and fields below [draw.fields]")
    for name in fields:
        type_of(base, name)
    columns = [drawn_values(name, axis, count, seed) for name, axis in fields.items()]
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
        match axis:
            case {"linear": [first, last, int(count)], **rest} if _finite(first, last, count) and not rest:
                axis = np.linspace(first, last, max(0, count)).tolist()
            case {"log": [first, last, int(count)], **rest} if (
                _finite(first, last, count) and min(first, last) > 0 and not rest
            ):
                axis = np.geomspace(first, last, max(0, count)).tolist()
            case _:
                raise ValueError(
                    f"grid.{name}={axis}: give a list, or linear or log = [first, last, how many], log with both "
                    "above 0"
                )
        axis = [round(point) for point in axis] if whole else axis
    if not isinstance(axis, list):
        raise ValueError(f"grid.{name}={axis!r} is no axis: give a list; one value for all settings goes into [fixed]")
    if not axis:
        raise ValueError(f"grid.{name} is empty: give at least one value, or leave it out")
    return axis


def drawn_values(name: str, axis: Any, count: int, seed: int, where: str = "draw") -> list[Any]:
    """Draws values of one field. They depend on the field's name and the seed only, not on other fields.

    >>> drawn_values("network.memory", {"choice": [8, 16, 32]}, count=4, seed=0)
    [32, 16, 8, 8]

    Args:
      name: the field's dotted name.
      axis: a table with one of uniform, log_uniform, integers (bounds included) and choice.
      count: how many values, 1 or more.
      seed: of the random numbers, 0 or more.
      where: the table that declares it, for messages.

    Raises:
      ValueError: it is no distribution.
    """
    # `hash` of a string differs from process to process.
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    match axis:
        case {"uniform": [low, high]} if _finite(low, high) and low < high:
            return generator.uniform(low, high, count).tolist()
        case {"log_uniform": [low, high]} if _finite(low, high) and 0 < low < high:
            return np.exp(generator.uniform(np.log(low), np.log(high), count)).tolist()
        case {"integers": [int(low), int(high)]} if _finite(low, high) and low <= high:
            return generator.integers(low, high, count, endpoint=True).tolist()
        case {"choice": [_, *_] as values}:
            return [values[index] for index in generator.integers(len(values), size=count)]
    raise ValueError(
        f"{where}.fields.{name}={axis}: give uniform = [low, high], log_uniform = [low, high] with low above 0, "
        "integers = [low, high] or choice = [one value or more]"
    )


def flattened(table: Any, where: str, prefix: str = "") -> Values:
    """Returns nested tables as one level of dotted names; tables that declare an axis stay whole.

    >>> flattened({"rules": {"penalty": 1.0}, "coefficients": {"gamma": {"linear": [0.9, 1.0, 3]}}}, "grid")
    {'rules.penalty': 1.0, 'coefficients.gamma': {'linear': [0.9, 1.0, 3]}}

    Args:
      table: the table, as TOML has it.
      where: its name, for messages.
      prefix: the beginning of all names.

    Raises:
      ValueError: it is no table, or a field's is empty.
    """
    values: Values = {}
    for name, value in _table(table, where).items():
        if value == {}:
            raise ValueError(f"{where}.{prefix}{name} is an empty table: give a value, or leave it out")
        # TOML reads a dotted key as tables in tables.
        nested = isinstance(value, dict) and not set(value) & {*GRIDS, *DRAWS}
        values |= flattened(value, where, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return values


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} = {value!r} is no table: write its fields below [{where}]")
    return value


def _finite(*values: Any) -> bool:
    """Returns whether all are numbers that a float can hold. A bool is none, though it is an int in Python."""
    kinds = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return kinds and all(abs(value) <= sys.float_info.max for value in values)


def checked_table(table: Any, names: Sequence[str], where: str) -> Mapping[str, Any]:
    """Returns a table of a file.

    Args:
      table: the table, as TOML has it.
      names: those that it may have.
      where: its name, for messages.

    Raises:
      ValueError: it is no table, or a name is unknown.
    """
    for name in _table(table, where):
        if name not in names:
            raise ValueError(f"{where}.{name} is unknown here: choose from {', '.join(names)}")
    return table


def typed_values(given: Mapping[str, Any], record: type, prefix: str) -> Values:
    """Returns values as the types that a record declares for its fields of these names.

    Args:
      given: the values by name.
      record: the record.
      prefix: what comes before names in messages.

    Raises:
      ValueError: a value does not fit.
    """
    return {name: fitting(value, declared(record)[name], f"{prefix}{name}") for name, value in given.items()}
