"""Metrics as JSON lines: one line a seed, learner and log point."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.train import distributed
from jaxsocial.train.folder import write_at_once

METRICS = "metrics.jsonl"
Row = dict[str, Any]


def rows_of(metrics: dict[str, np.ndarray], step: int, first_seed: int) -> list[Row]:
    """Means over a chunk's iterations, for each seed and learner; metrics are (seeds, iterations, learners).

    What is no finite number counts as absent: JSON has no name for it.
    """
    seeds, _, learners = next(iter(metrics.values())).shape
    rows = []
    for index, learner in itertools.product(range(seeds), range(learners)):
        means = {name: _mean(values[index, :, learner]) for name, values in metrics.items()}
        rows.append({"step": step, "seed": first_seed + index, "learner": learner} | means)
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
        own = {name: values[first : first + config.seeds] for name, values in metrics.items()}
        rows.append(rows_of(own, step, config.seed))
        if distributed.is_first():
            append(folder / METRICS, rows[-1])
        first += config.seeds
    return [row for of_one in rows for row in of_one]


def _mean(values: np.ndarray) -> float | None:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else None


def append(path: Path, rows: list[Row]) -> None:
    """Adds lines in one write, so that a killed run leaves whole lines."""
    with path.open("a") as file:
        file.write(_lines(rows))


def _lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path: Path) -> list[Row]:
    """All rows of a run; a last line that a kill has left torn is none."""
    lines = path.read_text().rpartition("\n")[0].splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def cut(path: Path, step: int) -> None:
    """Drops the rows after a step: those that a resumed run will write again."""
    kept = [row for row in read(path) if row["step"] <= step]
    write_at_once(path, _lines(kept))


def learner_return(row: Row) -> float:
    """The learner's mean return in company, or alone where it was never in company; NaN if no episode ended."""
    for name in ("social_return", "solo_return"):
        if row.get(name) is not None:
            return row[name]
    return math.nan
