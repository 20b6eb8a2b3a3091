"""Where the numbers of a figure's rows come from: some results.json, a run that is here, or one still to be trained."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from jaxsocial.reproduce.conditions import Scale, lots
from jaxsocial.reproduce.figures import Figure, Row, players_of
from jaxsocial.reproduce.findings import Findings, Part
from jaxsocial.reproduce.store import folder_of, is_trained, row_key, run_name
from jaxsocial.run import checkpoint

Measured = list[tuple[Row, Part]]
"""Rows, each for every run of it that was measured."""


@dataclasses.dataclass(frozen=True)
class Origins:
    """Every row, once for every lot of seeds, by where it comes from."""

    taken: Measured
    """Some results.json has them to their end, wherever they were trained, of however many seeds."""
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


def origins(
    make: Callable[[Scale], Figure], scale: Scale, seeds: int | None, there: Sequence[Findings], runs: Path
) -> Origins:
    """What is where at this moment.

    All rows of a run that is measured here are, also those that are known from elsewhere: the same seed may have come
    to something else there. A run that is known whole is not measured in part.

    Args:
      make: what to make of a scale.
      scale: at which size.
      seeds: how many of each condition are asked for, the scale's own if not given.
      there: all results, those that come first before others that have the same.
      runs: where trained conditions lie.

    Raises:
      ValueError: ``seeds`` cannot be had.
    """
    known = _known(make, scale, there)
    keys = {part.key for _, part in known}
    left = [row for row in _rows(make, scale, seeds) if row_key(row, scale.episodes) not in keys]
    trained = [row for row in left if _is_trained(row, runs)]
    here = {run_name(row.condition) for row in trained}
    taken = [(row, part) for row, part in known if part.run not in here]
    elsewhere = {part.run for _, part in taken}
    begun, missing = [], []
    for row in left:
        if not _is_trained(row, runs):
            in_part = _has_begun(row, runs) and run_name(row.condition) not in elsewhere
            (begun if in_part else missing).append(row)
    again = [row for row, part in known if part.run in here]
    return Origins(taken, [*trained, *again], begun, missing)


def _rows(make: Callable[[Scale], Figure], scale: Scale, seeds: int | None) -> list[Row]:
    return [row for lot in lots(scale, seeds) for row in make(lot).rows]


def _known(make: Callable[[Scale], Figure], scale: Scale, there: Sequence[Findings]) -> Measured:
    """Rows that some results.json has to their end."""
    old = [finding for found in reversed(there) for finding in found.rows.values()]
    whole = {part.key: part for finding in old for part in finding.parts if part.is_whole}
    rows = _rows(make, scale, _lots_of(scale, whole.values()))
    found = [(row, whole[key]) for row in rows if (key := row_key(row, scale.episodes)) in whole]
    # An older version may not have measured what a row is about: then nothing of that company counts as known.
    lacking = {part.key for row, part in found if not part.has(row.measure, row.of_partners)}
    return [(row, part) for row, part in found if part.key not in lacking]


def _lots_of(scale: Scale, parts: Iterable[Part]) -> int:
    """How many seeds take in all of theirs."""
    each, last = scale.base.seeds, max((seed for part in parts for seed in part.seeds), default=0)
    return each * max(1, math.ceil((last + 1 - scale.base.seed) / each))


def _is_trained(row: Row, runs: Path) -> bool:
    """Whether it can be measured: whoever is in it is trained."""
    return all(is_trained(condition, runs) for condition in (row.condition, *players_of(row)))


def _has_begun(row: Row, runs: Path) -> bool:
    return checkpoint.latest(folder_of(row.condition, runs)) is not None
