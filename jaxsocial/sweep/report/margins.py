"""What one or two fields do to a sweep's measure, whatever the others are: the numbers that pictures show."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from jaxsocial.evaluate.statistics import middle_mean
from jaxsocial.sweep.report.fields import Field, Groups, groups

MOST_PAIRS = 6
MOST_PAIRED = 4
"""Fields that have as many pairs."""
EXPLODED = 100
"""How many times what the better three quarters span the worst may lie away before it is left out of pictures."""


def one_way(outcomes: pd.DataFrame, groups: Groups) -> pd.Series:
    """Group to the interquartile mean over all seeds of all its settings."""
    return _middle(outcomes, [groups]).reindex(range(len(groups.positions)))


def two_way(outcomes: pd.DataFrame, across: Groups, down: Groups) -> pd.DataFrame:
    """The same for what two fields have in common: a row a group of ``down``, a column a group of ``across``.

    NaN where no setting is, or none of which anything is known.
    """
    cells = _middle(outcomes, [down, across]).unstack()
    return cells.reindex(index=range(len(down.positions)), columns=range(len(across.positions)))


def _middle(outcomes: pd.DataFrame, fields: list[Groups]) -> pd.Series:
    codes = [one.codes.reindex(outcomes.setting).to_numpy() for one in fields]
    return outcomes.value.groupby(codes).apply(lambda own: float(middle_mean(own.to_numpy())))


def importance(values: pd.Series, groups: Groups) -> float:
    """The share of the variance among settings that the means of a field's groups explain, 0 to 1.

    Adjusted for how many groups there are, since many small groups explain something by chance; 0 where nothing can be
    said.

    Args:
      values: setting to what it came to.
      groups: of the field.
    """
    known = values.dropna()
    codes = groups.codes.reindex(known.index)
    count = codes.nunique()
    whole = float(np.var(known.to_numpy(), ddof=1)) if len(known) > 1 else 0.0
    if count < 2 or len(known) <= count or whole == 0:
        return 0.0
    within = ((known - known.groupby(codes).transform("mean")) ** 2).sum() / (len(known) - count)
    return float(max(0.0, 1 - within / whole))


def importances(values: pd.Series, fields: Sequence[Field], larger_is_better: bool) -> dict[str, float]:
    """Field to its importance, the greatest first. Numbers that exploded would be all the variance: they are cut."""
    usual = values.clip(*limits(values, larger_is_better))
    found = {field.name: importance(usual, groups(field)) for field in fields}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def pairs(fields: Sequence[Field], importances: dict[str, float]) -> list[tuple[Field, Field]]:
    """Every two fields, in their order; where those are too many, of the most important ones."""
    if len(fields) * (len(fields) - 1) // 2 > MOST_PAIRS:
        fields = most_important(fields, importances, MOST_PAIRED)
    return list(itertools.combinations(fields, 2))


def most_important(fields: Sequence[Field], importances: dict[str, float], most: int) -> list[Field]:
    """As many, in their order."""
    names = list(importances)[:most]
    return [field for field in fields if field.name in names]


def limits(values: np.ndarray | pd.Series, larger_is_better: bool) -> tuple[float, float]:
    """What an axis should span: all that is known, save numbers that exploded. Good ones are never left out."""
    known = np.asarray(values, float)[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 1.0
    if not larger_is_better:
        high, low = limits(-known, True)
        return -low, -high
    low, usual, high = np.quantile(known, [0, 0.25, 1])
    if high - low > EXPLODED * (high - usual) > 0:
        low = known[known >= usual - (high - usual)].min()
    return (float(low), float(high)) if low < high else (float(low) - 0.5, float(high) + 0.5)
