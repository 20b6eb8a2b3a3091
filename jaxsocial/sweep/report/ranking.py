"""The ranking of settings."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxsocial.evaluate.statistics import interquartile_mean
from jaxsocial.sweep.plan import step_ends
from jaxsocial.sweep.spec import Sweep
from jaxsocial.sweep.table import KEYS


@dataclasses.dataclass(frozen=True)
class About:
    """What a report is about."""

    name: str
    varied: tuple[str, ...]
    """The config fields that differ among settings, by dotted names."""
    measure: str
    """The column that settings are ranked by."""
    larger_is_better: bool = True
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Facts for the top of the page: date, versions, devices, command."""
    ends: Mapping[int, Sequence[int]] = dataclasses.field(default_factory=dict)
    """Setting to the learner steps at which its rungs end: those of several sizes round to different steps. Settings
    are compared by their steps if it is empty."""


class Ranking(NamedTuple):
    """Settings from best to worst, and the values that rank them."""

    settings: pd.DataFrame
    """Best first, one row per setting: rank, setting, the varied fields, interquartile_mean, its interval (low, high),
    seeds, healthy_seeds (whose numbers stayed finite), steps (learner steps trained) and dropped (whether others were
    trained for more rungs)."""
    outcomes: pd.DataFrame
    """One row per setting and seed: setting, seed, value (NaN if unknown), healthy."""

    @property
    def dropped(self) -> pd.Series:
        """Returns whether each setting, by its number, trained for fewer rungs than others."""
        return self.settings.set_index("setting").dropped


def check(table: pd.DataFrame, about: About) -> None:
    """Checks that the table has the columns that a report needs, and rows.

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
    """Ranks settings by the interquartile mean over seeds of their outcomes.

    Settings that were dropped follow those that trained for longer, and settings without a known value are last.

    >>> table = pd.DataFrame({"setting": [0, 1], "seed": 0, "learner": 0, "step": 100, "return": [1.0, 2.0]})
    >>> rank(table, About("example", (), "return")).settings[["rank", "setting", "interquartile_mean"]].values.tolist()
    [[1.0, 1.0, 2.0], [2.0, 0.0, 1.0]]
    """
    found = outcomes(table, about.measure)
    by_setting = found.groupby("setting")
    scores = {setting: interquartile_mean(own.to_numpy()) for setting, own in by_setting["value"]}
    settings = pd.DataFrame.from_dict(scores, orient="index", columns=["interquartile_mean", "low", "high"])
    settings["seeds"] = by_setting["seed"].nunique()
    settings["healthy_seeds"] = by_setting["healthy"].sum()
    settings["steps"] = table.groupby("setting")["step"].max()
    varied = table.drop_duplicates("setting").set_index("setting")[list(about.varied)]
    settings = varied.join(settings).reset_index()
    steps = zip(settings["setting"], settings["steps"], strict=True)
    length = pd.Series([sum(end <= own for end in about.ends[number]) if about.ends else own for number, own in steps])
    settings = settings.assign(dropped=length < length.max(), length=length)
    keys = {"unknown": True, "length": False, "interquartile_mean": not about.larger_is_better, "setting": True}
    settings = settings.assign(unknown=settings["interquartile_mean"].isna())
    settings = settings.sort_values(list(keys), ascending=list(keys.values()))
    settings = settings.drop(columns=["unknown", "length"]).reset_index(drop=True)
    settings.insert(0, "rank", np.arange(1, len(settings) + 1))
    return Ranking(settings, found)


def best_first(table: pd.DataFrame, sweep: Sweep) -> list[int]:
    """Returns the numbers of a sweep's settings in the order of its report.

    Args:
      table: rows of some or all settings.
      sweep: the sweep.
    """
    about = About("", (), sweep.measure, sweep.larger_is_better, ends=step_ends(sweep))
    return rank(table, about).settings["setting"].tolist()


def outcomes(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the outcome of each seed of each setting: the last known value of each learner, averaged over learners.

    >>> table = pd.DataFrame({"setting": 0, "seed": 0, "learner": 0, "step": [1, 2, 3], "return": [1.0, 2.0, np.nan]})
    >>> outcomes(table, "return").to_dict("records")
    [{'setting': 0, 'seed': 0, 'value': 2.0, 'healthy': True}]
    """
    finite = table.assign(value=table[measure].astype(float).replace([np.inf, -np.inf], np.nan))
    if "healthy" not in finite:
        finite["healthy"] = 1.0
    # "last" skips NaN.
    last = finite.sort_values("step").groupby(["setting", "seed", "learner"]).agg({"value": "last", "healthy": "min"})
    seeds = last.groupby(["setting", "seed"]).agg({"value": "mean", "healthy": "min"}).reset_index()
    # A row has the share of its iterations in which the numbers were finite.
    return seeds.assign(healthy=seeds["healthy"].fillna(1.0) >= 1.0)


def curves(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the measure over training, averaged over seeds and learners: one row per setting, one column per step."""
    finite = table[np.isfinite(table[measure].astype(float))]
    return finite.pivot_table(index="setting", columns="step", values=measure, aggfunc="mean")
