"""What was found: numbers of every row and seed, and their interquartile means, as results.json keeps them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsocial.evaluate.statistics import Score, interquartile_mean
from jaxsocial.train.folder import write_at_once

RESULTS = "results.json"
RATIOS = {"penalties_per_goal": ("penalties", "goals")}
"""Measures that are made of two others: name to what is divided by what, both means over episodes."""


class NothingMeasured(ValueError):  # noqa: N818, asked for too early rather than wrong
    """Of a figure there are no results, and nothing that they could be made of."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What a row came to with the seeds of one run."""

    run: str
    """The name of the run's folder; it ends in a hash of the resolved config."""
    key: str
    """A hash of all that decides on these numbers (`store.row_key`)."""
    steps: int
    """Learner steps that each seed was trained for."""
    planned_steps: int
    """How many there are to be."""
    seeds: list[int]
    measures: dict[str, list[float | None]]
    """Of the learner: name to a mean over episodes for each seed, null where it is not defined."""
    partners: dict[str, list[float | None]]
    """The same of its partners, a mean over them; empty where there are none."""

    @property
    def is_whole(self) -> bool:
        """Whether all seeds were trained to the end."""
        return self.steps == self.planned_steps

    def has(self, measure: str, of_partners: bool) -> bool:
        """Whether this was measured."""
        return set(RATIOS.get(measure, (measure,))) <= (self.partners if of_partners else self.measures).keys()

    def values(self, measure: str, of_partners: bool) -> list[float | None]:
        """A number for each seed, None where there is none."""
        if measure in RATIOS:
            above, below = (self.values(name, of_partners) for name in RATIOS[measure])
            return [None if x is None or not y else x / y for x, y in zip(above, below, strict=True)]
        return (self.partners if of_partners else self.measures).get(measure, [None] * len(self.seeds))


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one row came to."""

    condition: str
    episodes: int
    """Episodes of each seed."""
    parts: list[Part]
    """A run each, with other seeds."""
    measure: str = "return"
    """Which of its measures the row is about."""
    of_partners: bool = False
    """Whether it is about the partners."""

    @property
    def seeds(self) -> list[int]:
        """Of all runs."""
        return [seed for part in self.parts for seed in part.seeds]

    @property
    def steps(self) -> int:
        """Learner steps that each seed was trained for, at least."""
        return min(part.steps for part in self.parts)

    @property
    def planned_steps(self) -> int:
        """How many there are to be."""
        return max(part.planned_steps for part in self.parts)

    def values(self, measure: str, of_partners: bool = False) -> Float[np.ndarray, " seeds"]:
        """A number for each seed, NaN where there is none."""
        found = [value for part in self.parts for value in part.values(measure, of_partners)]
        return np.array([np.nan if value is None else value for value in found], float)


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that a figure's table and picture are made of."""

    figure: str
    scale: str
    rows: dict[str, Finding]
    curves: dict[str, list[dict[str, Any]]]
    """Condition to its metrics while training: step, seed, return."""
    configs: dict[str, dict]
    """Run to its resolved config."""
    seconds: dict[str, float]
    """Run to how long it trained: of a program with other runs, its share."""
    trained: dict[str, dict[str, Any]]
    """Run to where, when and with what its training began."""
    provenance: dict[str, Any]
    """The same of the last measurement."""

    def score(self, row: str) -> Score:
        """What the row is about: the interquartile mean over seeds, with its interval."""
        found = self.rows[row]
        return interquartile_mean(found.values(found.measure, found.of_partners))


def write(findings: Findings, folder: Path) -> None:
    """Into results.json, at once or not at all."""
    write_at_once(folder / RESULTS, json.dumps(dataclasses.asdict(findings), indent=1) + "\n")


def read(folder: Path) -> Findings:
    """The inverse of `write`.

    Raises:
      NothingMeasured: there are no results in the folder.
      ValueError: there are such as this version cannot read.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise NothingMeasured(f"{path} does not exist: leave --report out, and results are made first")
    try:
        plain = json.loads(path.read_text())
        rows = {name: _finding(row) for name, row in plain["rows"].items()}
        return Findings(**plain | {"rows": rows})
    except (KeyError, TypeError, ValueError) as cause:
        raise ValueError(f"{path} is not as this version writes it ({cause}): restore it, or delete it") from cause


def _finding(plain: dict[str, Any]) -> Finding:
    parts: Any = [Part(**part) for part in plain["parts"]]
    return Finding(**plain | {"parts": parts})
