"""The effect of one or two fields on a sweep's measure, over all others: the numbers that pictures show."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from jaxsocial.evaluate.statistics import middle_mean
from jaxsocial.sweep.report.fields import Field, Groups, groups

MOST_PAIRS = 6
MOST_PAIRED = 4
"""The number of fields that have so many pairs."""
EXPLODED = 100
"""Values are left out of pictures if they are worse than the best three quarters by this many times their span."""


def one_way(outcomes: pd.DataFrame, groups: Groups) -> pd.Series:
    """Returns, by group, the interquartile mean over all seeds of all its settings."""
    return _middle(outcomes, [groups]).reindex(range(len(groups.positions)))


def two_way(outcomes: pd.DataFrame, across: Groups, down: Groups) -> pd.DataFrame:
    """Returns the same for two fields at once; NaN if there is no setting, or none with a known value.

    Args:
      outcomes: `ranking.outcomes`.
      across: the groups of the columns.
      down: the groups of the rows.
    """
    cells = _middle(outcomes, [down, across]).unstack()
    return cells.reindex(index=range(len(down.positions)), columns=range(len(across.positions)))


def _middle(outcomes: pd.DataFrame, fields: list[Groups]) -> pd.Series:
    codes = [one.codes.reindex(outcomes.setting).to_numpy() for one in fields]
    return outcomes.value.groupby(codes).apply(lambda own: float(middle_mean(own.to_numpy())))


def importance(values: pd.Series, groups: Groups) -> float:
    """Returns the share of the variance among settings that the means of a field's groups explain, 0 to 1.

    It is adjusted for the number of groups, since many small groups explain something by chance (adjusted R^2). It is 0
    if there are too few values.

    Args:
      values: the measure by setting.
      groups: the groups of the field.
    """
    known = values.dropna()
    codes = groups.codes.reindex(known.index)
    count = codes.nunique()
    whole = float(np.var(known.to_numpy(), ddof=1)) if len(known) > 1 else 0.0
    if count < 2 or len(known) <= count or whole == 0:
        return 0.0
    within = ((known - known.groupby(codes).transform("mean")) ** 2).sum() / (len(known) - count)
    return float(max(0.0, 1 - within / whole))


def spare(values: pd.Series, groups: Groups) -> int:
    """Returns by how many the settings with a known value exceed the groups that they are in."""
    known = values.dropna()
    return len(known) - groups.codes.reindex(known.index).nunique()


def importances(values: pd.Series, fields: Sequence[Field], larger_is_better: bool) -> dict[str, float]:
    """Returns the importance of each field by name, the greatest first.

    Args:
      values: the measure by setting. Exploded values are clipped: they would be all of the variance.
      fields: the fields.
      larger_is_better: the direction of the measure.
    """
    usual = values.clip(*limits(values, larger_is_better))
    found = {field.name: importance(usual, groups(field)) for field in fields}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def changing_with(field: Field, fields: Sequence[Field]) -> list[Field]:
    """Returns the other fields that differ between settings exactly where this one does, as fields of a list may.

    There are none if no two settings share a value: drawn fields would be taken for such.
    """
    own = groups(field).codes
    count, found = own.nunique(), []
    for other in fields if count < len(own) else ():
        codes = groups(other).codes.reindex(own.index)
        if other.name != field.name and count == codes.nunique() == len(set(zip(own, codes, strict=True))):
            found.append(other)
    return found


def pairs(fields: Sequence[Field], importances: dict[str, float]) -> list[tuple[Field, Field]]:
    """Returns all pairs of fields; if those are too many, the pairs of the most important fields."""
    if len(fields) * (len(fields) - 1) // 2 > MOST_PAIRS:
        fields = most_important(fields, importances, MOST_PAIRED)
    return list(itertools.combinations(fields, 2))


def most_important(fields: Sequence[Field], importances: dict[str, float], most: int) -> list[Field]:
    """Returns the most important fields, in their own order.

    Args:
      fields: the fields.
      importances: as `importances` returns them.
      most: the largest number of fields.
    """
    names = list(importances)[:most]
    return [field for field in fields if field.name in names]


def limits(values: np.ndarray | pd.Series, larger_is_better: bool) -> tuple[float, float]:
    """Returns the range of an axis: all known values except exploded bad ones.

    >>> limits(np.array([-1e9, 1.0, 2.0, 3.0, 4.0]), larger_is_better=True)
    (1.0, 4.0)
    """
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
