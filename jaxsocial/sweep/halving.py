"""Successive halving: which settings go on (Jamieson and Talwalkar, AISTATS 2016)."""

import math
from collections.abc import Sequence

import pandas as pd

from jaxsocial.sweep.report.ranking import About, rank
from jaxsocial.sweep.spec import Sweep


def survivors(table: pd.DataFrame, sweep: Sweep, alive: Sequence[int]) -> list[int]:
    """The better share of the settings that are still in, by the interquartile mean over their seeds; one at least.

    Settings of which nothing is known are the worst.
    """
    own = table.loc[table["setting"].isin(alive), :]
    about = About("", (), sweep.measure, sweep.larger_is_better)
    best_first = rank(own, about).settings["setting"].tolist()
    return sorted(best_first[: math.ceil(sweep.halving.keep * len(best_first))])
