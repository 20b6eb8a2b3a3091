"""Where the numbers of a figure's rows come from: some results.json, a run that is here, or one still to be trained."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsocial.reproduce.conditions import Scale, seed_batches
from jaxsocial.reproduce.figures import Figure, Row
from jaxsocial.reproduce.findings import Findings, Part
from jaxsocial.reproduce.store import can_be_measured, folder_of, partners_are_trained, row_key, run_name
from jaxsocial.train import checkpoint

Measured = list[tuple[Row, Part]]
"""Rows, each for every run of it that was measured."""


@dataclasses.dataclass(frozen=True)
class Origins:
    """Every row, once for every lot of seeds, by where it comes from."""

    taken: Measured
    """Some results.json has them to their end, wherever they were trained, of however many seeds."""
    source: dict[str, Findings]
    """Run to the results that its rows are taken from, or have their training in common with."""
    trained: list[Row]
    """Trained here to the end: to be measured here."""
    begun: list[Row]
    """In training here: can be measured in part."""
    missing: list[Row]
    """Not begun here, or known in part from a run that was trained elsewhere to its end."""

    @property
    def left(self) -> list[Row]:
        """All that is not taken."""
        return [*self.trained, *self.begun, *self.missing]


class Training(NamedTuple):
    """What some results.json have of one training of a run: the same run may have been trained twice."""

    source: Findings
    """The first of them."""
    parts: dict[str, Part]
    """By key."""


def origins(
    make: Callable[[Scale], Figure], scale: Scale, seeds: int | None, there: Sequence[Findings], runs: Path
) -> Origins:
    """What is where at this moment.

    All rows of a run are of one training: where one of them is measured here, all are, also those that are known from
    elsewhere, since the same seed may have come to something else there. A run that is known whole is not measured in
    part.

    Args:
      make: what to make of a scale.
      scale: at which size.
      seeds: how many of each condition are asked for, the scale's own if not given.
      there: all results, those that come first before others that have as much.
      runs: where trained conditions lie.

    Raises:
      ValueError: ``seeds`` cannot be had.
    """
    known, source = _known(make, scale, there)
    keys = {part.key for _, part in known}
    left = [row for row in _rows(make, scale, seeds) if row_key(row, scale.episodes) not in keys]
    trained = [row for row in left if can_be_measured(row, runs)]
    here = {run_name(row.condition) for row in trained}
    again = [row for row, part in known if part.run in here]
    taken = [(row, part) for row, part in known if part.run not in here]
    elsewhere = {part.run for _, part in taken}
    begun, missing = [], []
    for row in left:
        if not can_be_measured(row, runs):
            in_part = _has_begun(row, runs) and run_name(row.condition) not in elsewhere
            (begun if in_part else missing).append(row)
    return Origins(taken, {run: source[run] for run in elsewhere}, [*trained, *again], begun, missing)


def _rows(make: Callable[[Scale], Figure], scale: Scale, seeds: int | None) -> list[Row]:
    return [row for lot in seed_batches(scale, seeds) for row in make(lot).rows]


def _known(
    make: Callable[[Scale], Figure], scale: Scale, there: Sequence[Findings]
) -> tuple[Measured, dict[str, Findings]]:
    """Rows that some results.json has to their end, those of a run all of one training; and where each run is from."""
    whole = [(found, part) for found in there for part in _whole_parts(found)]
    rows = [(row, row_key(row, scale.episodes)) for row in _rows(make, scale, _lots_of(scale, whole))]
    about: dict[str, list[Row]] = {}
    for row, key in rows:
        about.setdefault(key, []).append(row)
    trainings: dict[str, dict[str, Training]] = {}
    for found, part in whole:
        # An older version may not have measured what a row is about: then nothing of that company counts as known.
        if part.key in about and all(part.has(row.measure, row.of_partners) for row in about[part.key]):
            begun = json.dumps(found.trained[part.run], sort_keys=True)
            training = trainings.setdefault(part.run, {}).setdefault(begun, Training(found, {}))
            training.parts.setdefault(part.key, part)
    best = {run: max(each.values(), key=lambda training: len(training.parts)) for run, each in trainings.items()}
    known = {key: part for training in best.values() for key, part in training.parts.items()}
    taken = [(row, known[key]) for row, key in rows if key in known]
    return taken, {run: training.source for run, training in best.items()}


def _whole_parts(found: Findings) -> list[Part]:
    return [part for finding in found.rows.values() for part in finding.parts if part.is_whole]


def _lots_of(scale: Scale, whole: Iterable[tuple[Findings, Part]]) -> int:
    """How many seeds take in all of theirs."""
    each, last = scale.base.seeds, max((seed for _, part in whole for seed in part.seeds), default=0)
    return each * max(1, math.ceil((last + 1 - scale.base.seed) / each))


def _has_begun(row: Row, runs: Path) -> bool:
    """Whether it can be measured in part: what is kept of a number does not say how far partners had come."""
    begun = checkpoint.latest(folder_of(row.condition, runs)) is not None
    return begun and partners_are_trained(row, runs)
