"""What a figure is declared with: conditions to be trained, rows to be measured, and what the paper says."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from jaxsocial.config.config import Config
from jaxsocial.env.scenario import Scenario
from jaxsocial.reproduce.claims import Expectation
from jaxsocial.reproduce.findings import Findings


@dataclasses.dataclass(frozen=True)
class Condition:
    """Something that is trained, all its seeds at once."""

    name: str
    config: Config
    partners: "tuple[Player, ...]" = ()
    """Who sits beside the learners in place of the config's partners, where any are given."""
    teacher: "Player | None" = None
    """Whom it imitates in place of the config's teacher, if given."""
    start_from: "Condition | None" = None
    """What it goes on from, weights and optimiser."""

    def needs(self) -> "Iterator[Condition]":
        """The conditions that have to be trained first."""
        players = (*self.partners, self.teacher)
        yield from (player.condition for player in players if isinstance(player, Trained))
        if self.start_from is not None:
            yield self.start_from


class Trained(NamedTuple):
    """A seed of a condition as a partner of another one."""

    condition: Condition
    seed: int = 0
    steps: int | None = None
    """Learner steps of an earlier checkpoint; the last one if None."""


Player = str | Trained
"""A partner: a name that `Config.partners` takes, or what is trained first."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a figure's table: a trained condition, measured over whole episodes beside some partners."""

    name: str
    condition: Condition
    paper: str = ""
    """What the paper says, in a few words."""
    expectation: Expectation | None = None
    """What should come out, tested on what does."""
    alone: bool = False
    """Whether partners are missing."""
    partners: tuple[Player, ...] | None = None
    """Others than it was trained beside, if given."""
    world: Scenario | None = None
    """Another world than it was trained in, with equal views, if given; with as many agents as there are players."""
    of_partners: bool = False
    """Whether the line is about the partners."""
    measure: str = "return"
    """What is compared: one of `probes.MEASURES`, or of `findings.RATIOS`."""
    episode: bool = False
    """Whether a typical episode is to be shown."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published figure, or another result."""

    name: str
    title: str
    rows: tuple[Row, ...]
    draw: Callable[[Findings, Any], None]
    """Draws findings onto a matplotlib figure."""
    size: tuple[float, float] = (7.0, 4.2)
    """Inches."""
    notes: str = ""
    """What a reader of its table has to know."""

    def __post_init__(self):
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name}: two rows have the same name: {names}")

    def conditions(self) -> list[Condition]:
        """All that has to be trained, each after what it needs."""
        return conditions_of(self.rows)


def conditions_of(rows: Iterable[Row]) -> list[Condition]:
    """All that these rows need trained, each after what it needs itself."""
    found: dict[Condition, None] = {}
    for row in rows:
        for condition in (*players_of(row), row.condition):
            _add(condition, found)
    return list(found)


def players_of(row: Row) -> list[Condition]:
    """The conditions that sit beside the one that a row measures."""
    return [player.condition for player in row.partners or () if isinstance(player, Trained)]


def _add(condition: Condition, found: dict[Condition, None]) -> None:
    for needed in condition.needs():
        _add(needed, found)
    found.setdefault(condition)
