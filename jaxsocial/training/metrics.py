"""Metrics as JSON lines: one line per seed, learner and log point."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    """Appends rows in one write, so that a killed run leaves whole lines."""
    with path.open("a") as file:
        file.write(_lines(rows))


def _lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path: Path) -> list[Row]:
    """Returns all rows of a run, without a last line that a killed process left incomplete."""
    # Whatever follows the last line break is incomplete.
    lines = path.read_text().rpartition("\n")[0].splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def cut(path: Path, step: int) -> None:
    """Drops the rows after a step, which a resumed run writes again."""
    write_at_once(path, _lines([row for row in read(path) if row["step"] <= step]))


def learner_return(row: Row) -> float:
    """Returns the learner's mean return beside partners, or else alone; NaN if no episode ended.

    >>> learner_return({"social_return": None, "solo_return": 2.5})
    2.5
    """
    for name in ("social_return", "solo_return"):
        if row.get(name) is not None:
            return row[name]
    return math.nan
