"""Which settings did best."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxsocial.evaluate.statistics import interquartile_mean

KEYS = ["setting", "seed", "learner", "step"]
"""Columns that a sweep's table has at least."""


@dataclasses.dataclass(frozen=True)
class About:
    """What a sweep's table is of."""

    name: str
    varied: tuple[str, ...]
    """The config fields that differ among settings, by dotted names."""
    measure: str
    """The column that settings are ranked by."""
    larger_is_better: bool = True
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What else to say of it at the top of its page: date, versions, devices, command."""


class Ranking(NamedTuple):
    """Settings from best to worst, and what they are judged by."""

    settings: pd.DataFrame
    """Best first, one row a setting: rank, setting, the varied fields, interquartile_mean, its interval (low, high),
    seeds, healthy_seeds (whose numbers stayed good) and steps (learner steps trained)."""
    outcomes: pd.DataFrame
    """One row a setting and seed: setting, seed, value (NaN where it was never known), healthy."""

    @property
    def dropped(self) -> pd.Series:
        """Setting to whether it was given up before others."""
        steps = self.settings.set_index("setting").steps
        return steps < steps.max()


def check(table: pd.DataFrame, about: About) -> None:
    """That the table has what is asked of it.

    Raises:
      ValueError: columns are missing, or there are no rows.
    """
    wanted = [*KEYS, *about.varied, about.measure]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise ValueError(f"the table has no column {', '.join(missing)}: it has {', '.join(table.columns)}")
    if table.empty:
        raise ValueError("the table has no rows: let the sweep run until its first log point")


def rank(table: pd.DataFrame, about: About) -> Ranking:
    """Settings by the interquartile mean over seeds of what each came to.

    Those that were dropped come after all that went on for longer, those of which nothing is known come last.
    """
    found = outcomes(table, about.measure)
    by_setting = found.groupby("setting")
    scores = {setting: interquartile_mean(own.to_numpy()) for setting, own in by_setting["value"]}
    settings = pd.DataFrame.from_dict(scores, orient="index", columns=["interquartile_mean", "low", "high"])
    settings["seeds"] = by_setting["seed"].nunique()
    settings["healthy_seeds"] = by_setting["healthy"].sum()
    settings["steps"] = table.groupby("setting")["step"].max()
    varied = table.drop_duplicates("setting").set_index("setting")[list(about.varied)]
    return Ranking(_best_first(varied.join(settings).reset_index(), about.larger_is_better), found)


def _best_first(settings: pd.DataFrame, larger_is_better: bool) -> pd.DataFrame:
    keys = ["unknown", "steps", "interquartile_mean", "setting"]
    unknown = settings["interquartile_mean"].isna()
    ordered = settings.assign(unknown=unknown).sort_values(keys, ascending=[True, False, not larger_is_better, True])
    ordered = ordered.drop(columns="unknown").reset_index(drop=True)
    ordered.insert(0, "rank", np.arange(1, len(ordered) + 1))
    return ordered


def outcomes(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """What each seed of each setting came to: the last that is known of each learner, and the mean over learners."""
    finite = table.assign(value=table[measure].astype(float).replace([np.inf, -np.inf], np.nan))
    if "healthy" not in finite:
        finite["healthy"] = 1.0
    last = finite.sort_values("step").groupby(["setting", "seed", "learner"]).agg({"value": "last", "healthy": "min"})
    seeds = last.groupby(["setting", "seed"]).agg({"value": "mean", "healthy": "min"}).reset_index()
    return seeds.assign(healthy=seeds["healthy"] != 0)


def curves(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The measure over training: a row for each setting, a column for each step, means over seeds and learners."""
    finite = table[np.isfinite(table[measure].astype(float))]
    return finite.pivot_table(index="setting", columns="step", values=measure, aggfunc="mean")
