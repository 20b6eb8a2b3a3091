"""How a figure is declared: conditions to train, rows to measure and the paper's claims; and what was found."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from jaxsocial.config.config import Config
from jaxsocial.env.scenario import Scenario
from jaxsocial.reproduce.claims import Expectation, Finding


@dataclasses.dataclass(frozen=True)
class Condition:
    """A config to train, all its seeds at once, with partners that are trained first."""

    name: str
    config: Config
    partners: "tuple[Player, ...]" = ()
    """The learners' partners, in place of the config's; the config's if empty."""
    teacher: "Player | None" = None
    """The player that it imitates, in place of the config's teacher."""
    start_from: "Condition | None" = None
    """The condition whose weights and optimiser state it continues."""

    def needs(self) -> "Iterator[Condition]":
        """Yields the conditions that have to be trained first."""
        players = (*self.partners, self.teacher)
        yield from (player.condition for player in players if isinstance(player, TrainedPlayer))
        if self.start_from is not None:
            yield self.start_from


class TrainedPlayer(NamedTuple):
    """A seed of a condition as a partner of another one."""

    condition: Condition
    seed: int | None = 0
    """Counted from the condition's first seed; None if each seed has the partner of its own number."""
    steps: int | None = None
    """Learner steps of an earlier checkpoint; the last one if None."""


Player = str | TrainedPlayer
"""A partner: a name that `Config.partners` takes, or a condition that is trained first."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a figure's table: a trained condition, measured over whole episodes."""

    name: str
    condition: Condition
    paper: str = ""
    """What the paper says, in a few words."""
    expectation: Expectation | None = None
    """The claim that is tested."""
    alone: bool = False
    """Whether partners are missing."""
    half: bool = False
    """Whether partners leave in the middle of each episode."""
    partners: tuple[Player, ...] | None = None
    """Partners in the test, if others than in training."""
    world: Scenario | None = None
    """The world of the test, if another than in training; its views must have the same shape."""
    of_partners: bool = False
    """Whether the row is about the partners."""
    measure: str = "return"
    """One of `evaluate.probes.MEASURES` or `store.RATIOS`."""
    episode: bool = False
    """Whether a typical episode is shown."""


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that a figure's table and pictures show: a view of the records of its runs."""

    figure: str
    scale: str
    rows: dict[str, Finding]
    curves: dict[str, list[dict[str, Any]]]
    """Condition to points of its training: step, seed, penalty, return."""
    seconds: dict[str, float]
    """Run to the time that it trained."""
    trained: dict[str, dict[str, Any]]
    """Run to the provenance of its training."""
    evaluated: dict[str, Any]
    """The provenance of the last measurement."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published figure, or another result."""

    name: str
    title: str
    rows: tuple[Row, ...]
    draw: Callable[[Findings, Any], None]
    """(findings, matplotlib figure) -> None."""
    size: tuple[float, float] = (7.0, 4.2)
    """Width and height in inches."""
    notes: str = ""
    """What a reader of its table has to know."""
    command: str = ""
    """What makes it again; `jaxsocial reproduce` if empty."""
    summary: Callable[[Findings], str] | None = None
    """A table in Markdown that stands before that of the rows."""

    def __post_init__(self):
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name}: two rows have the same name: {names}")

    def conditions(self) -> list[Condition]:
        """Returns all conditions to train, each after those that it needs."""
        return conditions_of(self.rows)


def conditions_of(rows: Iterable[Row]) -> list[Condition]:
    """Returns all conditions that these rows need trained, each after those that it needs itself."""
    found: dict[Condition, None] = {}

    def add(condition: Condition) -> None:
        for needed in condition.needs():
            add(needed)
        found.setdefault(condition)

    for row in rows:
        for condition in (*players_of(row), row.condition):
            add(condition)
    return list(found)


def players_of(row: Row) -> list[Condition]:
    """Returns the conditions that are partners in a row's test."""
    return [player.condition for player in row.partners or () if isinstance(player, TrainedPlayer)]
