"""Runs and sweeps as series: what one learner of one seed has learned over its steps, with its config."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxsocial.config.fields import flat
from jaxsocial.sweep import table
from jaxsocial.sweep.command import SWEEP
from jaxsocial.sweep.work import read_settings
from jaxsocial.training import metrics
from jaxsocial.training.folder import CURVE, EPISODE, EVALUATION, config_of


class Series(NamedTuple):
    """What one learner of one seed has learned."""

    name: str
    """Unique in its run or sweep, such as seed3, seed3-learner1 or setting2-seed3."""
    group: str
    """The run, or the setting of the sweep."""
    seed: int
    scenario: str
    config: dict[str, Any]
    """All fields by their dotted names, as `flat` gives them."""
    points: list[tuple[int, dict[str, float]]]
    """Learner steps and metrics; those that are not known are left out."""
    pictures: dict[str, Path]
    """Of a finished run, by name."""
    results: dict[str, float]
    """Of its evaluation."""


def series_of(folder: Path) -> list[Series]:
    """Returns the series of a run or of a sweep, as far as it is trained.

    Raises:
      ValueError: the folder holds neither, or is damaged.
    """
    return list(_of_sweep(folder) if (folder / SWEEP).is_file() else _of_run(folder))


def _of_run(folder: Path) -> Iterator[Series]:
    config, points = config_of(folder), dict[tuple[int, int], list]()
    for row in metrics.read(folder / metrics.METRICS):
        points.setdefault((row["seed"], row.get("learner", 0)), []).append((row["step"], _known(row)))
    pictures = {path.stem: path for name in (CURVE, EPISODE) if (path := folder / name).is_file()}
    path = folder / EVALUATION
    evaluated = json.loads(path.read_text()) if path.is_file() else []
    for (seed, learner), own in points.items():
        name = f"seed{seed}" if config.sizes.learners == 1 else f"seed{seed}-learner{learner}"
        player = "learner" if config.sizes.learners == 1 else f"learner {learner}"
        results = {
            f"evaluation.{measure}": one[measure]["mean"]
            for one in evaluated
            for measure in ("return", "goals", "penalties")
            if (one["seed"], one["player"]) == (seed, player)
        }
        # They are of the first seed.
        shown = pictures if (seed, learner) == (config.seed, 0) else {}
        yield Series(name, folder.resolve().name, seed, config.world.name, flat(config), own, shown, results)


def _of_sweep(folder: Path) -> Iterator[Series]:
    settings = read_settings(folder)
    rows: dict[tuple[int, int, int], list[dict]] = {}
    for row in table.read(folder).to_dict(orient="records"):
        rows.setdefault((row["setting"], row["seed"], row["learner"]), []).append(row)
    for (setting, seed, learner), own in rows.items():
        config = settings[setting]
        fields = flat(config)
        points = [(row["step"], _known({name: row[name] for name in row.keys() - fields.keys()})) for row in own]
        name = f"setting{setting}-seed{seed}" + (f"-learner{learner}" if config.sizes.learners > 1 else "")
        yield Series(name, f"setting{setting}", seed, config.world.name, fields, points, {}, {})


def _known(row: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in row.items()
        if name not in table.KEYS and isinstance(value, int | float) and not math.isnan(value)
    }
