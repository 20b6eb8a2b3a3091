"""Runs and sweeps as files of other programs: CSV, Parquet, and the JSON of marl-eval."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from jaxsocial.loggers.series import Series, series_of
from jaxsocial.training.folder import write_at_once
from jaxsocial.training.metrics import learner_return

FORMATS = {"csv": ".csv", "parquet": ".parquet", "marl-eval": ".json"}


def export(folder: Path, kind: str, path: Path | None = None) -> Path:
    """Writes a run or a sweep as one file, and returns its path.

    Args:
      folder: of the run or the sweep.
      kind: among `FORMATS`.
      path: the file; metrics.csv and so on in the folder if None.

    Raises:
      ValueError: the folder holds neither, or an unknown format.
    """
    if kind not in FORMATS:
        raise ValueError(f"format {kind!r} is unknown: choose from {', '.join(FORMATS)}")
    path = path or folder / f"metrics{FORMATS[kind]}"
    every = series_of(folder)
    if kind == "marl-eval":
        write_at_once(path, json.dumps(_for_marl_eval(every), indent=1) + "\n")
    elif kind == "csv":
        _table(every).to_csv(path, index=False)
    else:
        _table(every).to_parquet(path, index=False)
    return path


def _table(every: list[Series]) -> pd.DataFrame:
    """Returns one row for each series and log point: metrics, and every field of the config."""
    keys = ({"series": one.name, "group": one.group, "seed": one.seed} for one in every)
    rows = [
        own | {"step": step} | values | one.config
        for own, one in zip(keys, every, strict=True)
        for step, values in one.points
    ]
    return pd.DataFrame(rows)


def _for_marl_eval(every: list[Series]) -> dict[str, Any]:
    """Returns environment, task, algorithm, seed and steps as marl-eval reads them (Gorsane et al., NeurIPS 2022)."""
    found: dict[str, Any] = {}
    for one in every:
        task = found.setdefault("jaxsocial", {}).setdefault(one.scenario, {})
        own: dict[str, Any] = {
            f"step_{number}": {"step_count": step, "mean_episode_return": [learner_return(values)]}
            for number, (step, values) in enumerate(p for p in one.points if not math.isnan(learner_return(p[1])))
        }
        last = one.results.get("evaluation.return")
        if own:
            final = own[f"step_{len(own) - 1}"]["mean_episode_return"] if last is None else [last]
            own["absolute_metrics"] = {"mean_episode_return": final}
        task.setdefault(one.group, {})[one.name] = own
    return found
