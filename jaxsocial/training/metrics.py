"""Metrics as JSON lines: one line per seed, learner and log point."""

import itertools
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.training import distributed
from jaxsocial.training.folder import write_at_once

METRICS = "metrics.jsonl"
Row = dict[str, Any]


def rows_of(metrics: dict[str, np.ndarray], step: int, first_seed: int) -> list[Row]:
    """Computes means over a chunk's iterations, for each seed and learner.

    >>> rows_of({"loss": np.array([[[1.0], [3.0]], [[np.nan], [np.nan]]])}, step=64, first_seed=5)
    [{'step': 64, 'seed': 5, 'learner': 0, 'loss': 2.0}, {'step': 64, 'seed': 6, 'learner': 0, 'loss': None}]

    Args:
      metrics: arrays of shape (seeds, iterations, learners). Values that are not finite are left out of means.
      step: learner steps taken.
      first_seed: the seed of the first entry.
    """
    seeds, _, learners = next(iter(metrics.values())).shape
    rows = []
    for index, learner in itertools.product(range(seeds), range(learners)):
        row: Row = {"step": step, "seed": first_seed + index, "learner": learner}
        for name, values in metrics.items():
            own = values[index, :, learner]
            finite = own[np.isfinite(own)]
            row[name] = float(finite.mean()) if finite.size else None
        rows.append(row)
    return rows


def write_rows(
    metrics: dict[str, np.ndarray], configs: Sequence[Config], folders: Sequence[Path], step: int
) -> list[Row]:
    """Appends the rows of members that train together, each config's to its own folder; the first host writes.

    Args:
      metrics: arrays of shape (members, iterations, learners), the members of all configs in their order.
      configs: the configs.
      folders: the run folder of each.
      step: learner steps taken.

    Returns:
      The rows of all configs.
    """
    rows, first = [], 0
    for config, folder in zip(configs, folders, strict=True):
        own = rows_of(
            {name: values[first : first + config.seeds] for name, values in metrics.items()}, step, config.seed
        )
        if distributed.is_first():
            append(folder / METRICS, own)
        rows += own
        first += config.seeds
    return rows


def append(path: Path, rows: list[Row]) -> None:
    """Appends rows in one write, so that a killed run leaves whole lines.

    Raises:
      OSError: the disk is full; the file is as it was.
    """
    rest = memoryview(_lines(rows).encode())
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())  # before a checkpoint that covers them
        except OSError:
            file.truncate(size)
            raise


def _lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path: Path) -> list[Row]:
    """Returns all rows of a run, without a last line that a killed process left incomplete.

    Raises:
      ValueError: a line is damaged.
    """
    # Whatever follows the last line break is incomplete.
    lines = path.read_text(errors="replace").rpartition("\n")[0].splitlines() if path.is_file() else []
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            raise ValueError(f"{path}, line {number} is damaged: restore it, or delete it") from None
    return rows


def cut(path: Path, rows: list[Row]) -> None:
    """Drops all rows but the first, which `rows_until` has returned. A resumed run writes the others again."""
    write_at_once(path, _lines(rows))


def rows_until(path: Path, config: Config, iteration: int) -> list[Row]:
    """Returns the rows up to an iteration: each log point once, with a row for each seed and learner in their order.

    Args:
      path: the file.
      config: the run's config.
      iteration: that of a checkpoint. What follows in the file is not looked at.

    Raises:
      ValueError: a row is damaged, missing, there twice, or of another run; with the file and the number of the line.
    """
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    seeds, end = range(config.seed, config.seed + config.seeds), iteration * config.iteration_steps
    rows, step = [], 0
    while step < end:
        # A run that became longer has a first point that is nearer.
        nearest, farthest = step + 1, min(step + config.chunk_iterations * config.iteration_steps, end)
        for seed, learner in itertools.product(seeds, range(config.sizes.learners)):
            try:
                row = json.loads(lines[len(rows)])
                found = row["seed"], row.get("learner", 0)
                step = int(row["step"])
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                row, found = {}, None
            if found != (seed, learner) or not nearest <= step <= farthest:
                raise ValueError(
                    f"{path}, line {len(rows) + 1}: expected the row of seed {seed}, learner {learner} of a step from "
                    f"{nearest} to {farthest}. Restore the file, or go on in a new run: --start-from {path.parent}"
                )
            nearest = farthest = step
            rows.append(row)
    return rows


class Health(NamedTuple):
    """Whether all numbers of a seed stayed finite."""

    healthy: bool
    last_good_step: int
    """Learner steps after which all were finite; the seed keeps what it had learned then."""


def health(rows: Iterable[Row]) -> dict[int, Health]:
    """Returns the health of each seed of a run, from all rows of its training.

    >>> health([{"step": step, "seed": 3, "learner": 0, "healthy": share} for step, share in ((64, 1.0), (128, 0.5))])
    {3: Health(healthy=False, last_good_step=96)}
    """
    found: dict[int, Health] = {}
    last: dict[int, int] = {}
    for row in rows:
        if row.get("learner", 0) == 0:
            # A row is the mean over the iterations since the last one. Early versions wrote none.
            seed, share = row["seed"], row.get("healthy", 1.0)
            before = found.get(seed, Health(True, 0))
            good = before.last_good_step + round(share * (row["step"] - last.get(seed, 0)))
            found[seed], last[seed] = Health(before.healthy and share == 1, good), row["step"]
    return found


def learner_return(row: Row) -> float:
    """Returns the learner's mean return beside partners, or else alone; NaN if no episode ended.

    >>> learner_return({"social_return": None, "solo_return": 2.5})
    2.5
    """
    for name in ("social_return", "solo_return"):
        if row.get(name) is not None:
            return row[name]
    return math.nan
