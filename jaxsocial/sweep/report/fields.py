"""The config fields that differ among settings, and groups of their values."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

WIDE = 20
"""Positive numbers that span more than this factor may be drawn on a logarithmic axis."""
MOST_BINS = 12
MOST_VALUES = 32
"""Values of a grid that are not binned."""
MOST_CATEGORIES = 24
LONGEST = 20
"""Characters of a category's name in pictures."""
MISSING, OTHERS = "none", "others"


class Field(NamedTuple):
    """One config field, with its value in each setting."""

    name: str
    label: str
    """The shortest name that differs from those of the other fields."""
    values: pd.Series
    """By setting: floats, NaN if the setting has none, or ordered categories of strings."""

    @property
    def categories(self) -> list[str]:
        """Returns the names of the values in order; none for numbers."""
        return [] if self.values.dtype == float else list(self.values.cat.categories)

    @property
    def positions(self) -> pd.Series:
        """Returns each setting's position on an axis: its number, or that of its category."""
        return self.values.cat.codes.astype(float) if self.categories else self.values

    @property
    def logarithmic(self) -> bool:
        """Returns whether the numbers span so much that a linear axis would crowd them at one end."""
        if self.categories or not 0 < WIDE * self.values.min() < self.values.max():
            return False
        # Uniform draws may include numbers near 0: prefer the axis on which the median is nearer to the middle.
        low, median, high = self.values.quantile([0, 0.5, 1])
        off = abs(np.log(median / low) / np.log(high / low) - 0.5)
        return bool(off <= abs((median - low) / (high - low) - 0.5))


class Groups(NamedTuple):
    """Settings grouped by the value of one field."""

    codes: pd.Series
    """By setting, the number of its group; -1 for none."""
    labels: list[str]
    """One per group; for bins one per edge, so one more."""
    positions: Float[np.ndarray, " groups"]
    """The position of each group on the field's axis; for a bin its median."""

    @property
    def binned(self) -> bool:
        """Returns whether groups are ranges of numbers."""
        return len(self.labels) > len(self.positions)


def fields(settings: pd.DataFrame, names: Sequence[str]) -> list[Field]:
    """Returns the fields of these names, from a table with one row per setting and the column ``setting``."""
    indexed = settings.set_index("setting")
    return [
        Field(name, label, _values(pd.Series(indexed[name]))) for name, label in zip(names, labels(names), strict=True)
    ]


def labels(names: Sequence[str]) -> list[str]:
    """Returns names for people: the last part, and as many parts before it as make it unique.

    >>> labels(["coefficients.learning_rate", "rules.penalty", "world.penalty"])
    ['learning rate', 'rules penalty', 'world penalty']
    """
    all_parts, found = [name.split(".") for name in names], []
    for parts in all_parts:
        lengths = range(1, len(parts))
        unique = (n for n in lengths if sum(other[-n:] == parts[-n:] for other in all_parts) == 1)
        found.append(plain(".".join(parts[-next(unique, len(parts)) :])))
    return found


def plain(name: str) -> str:
    """Returns a dotted name in words.

    >>> plain("evaluation.return")
    'evaluation return'
    """
    return name.replace(".", " ").replace("_", " ")


def _values(column: pd.Series) -> pd.Series:
    """Returns numbers as floats, and all else as ordered categories."""
    column = column.infer_objects()
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and column.notna().any():
        return pd.Series(column.to_numpy(float, na_value=np.nan), column.index)

    def text(value: object) -> str:
        if value is None or value is pd.NA or value != value:
            return MISSING
        return str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value) or '""'

    def natural(text: str) -> list:
        # "8" comes before "16, 32"; the names for several values or none come last.
        parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
        return [text in (OTHERS, MISSING), *parts]

    texts = column.astype(object).map(text)
    common = texts.value_counts().index[: MOST_CATEGORIES - 1]
    if texts.nunique() > MOST_CATEGORIES:
        texts = texts.where(texts.isin(common), OTHERS)
    short = shortened(sorted(texts.unique(), key=natural))
    return texts.map(short).astype(pd.CategoricalDtype(list(short.values()), ordered=True))


def shortened(texts: Sequence[str]) -> dict[str, str]:
    """Returns short forms of texts: the beginnings and ends of long ones, as much as makes them unique.

    >>> shortened(["expert", "run:runs/reproduce/laptop/expert@1000"])["run:runs/reproduce/laptop/expert@1000"]
    'run:runs/…xpert@1000'
    """
    for length in range(LONGEST, max(map(len, texts)), 8):
        short = [one if len(one) <= length else f"{one[: length // 2 - 1]}…{one[-length // 2 :]}" for one in texts]
        if len(set(short)) == len(texts):
            return dict(zip(texts, short, strict=True))
    return dict(zip(texts, texts, strict=True))


def groups(field: Field, sides: int = 1, alone: bool = False) -> Groups:
    """Groups settings by value, or drawn numbers into bins of about equally many settings.

    Args:
      field: the field to group by.
      sides: the number of fields that are grouped at once; with more there are fewer bins.
      alone: whether no other field differs. Otherwise numbers that no two settings share count as drawn.
    """
    values = field.values
    if field.categories:
        return Groups(values.cat.codes, field.categories, np.arange(len(field.categories), dtype=float))
    known = values.dropna()
    distinct = np.unique(known)
    chosen = alone or len(known) >= 2 * len(distinct)
    if len(distinct) <= (MOST_VALUES if chosen else MOST_BINS):
        codes = pd.Series(np.searchsorted(distinct, values), values.index).where(values.notna(), -1)
        return Groups(codes, number_labels(distinct, 3), distinct)
    bins = int(np.clip(round((len(known) / sides) ** 0.5), 2, MOST_BINS))
    # Edges are values that occur, so that no bin is empty.
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1), method="higher"))
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    codes = pd.Series(index, values.index).where(values.notna(), -1)
    medians = np.array([np.median(values.to_numpy()[codes == code]) for code in range(len(edges) - 1)])
    return Groups(codes, number_labels(edges, 2), medians)


def number_labels(values: Sequence[float] | np.ndarray, digits: int) -> list[str]:
    """Returns numbers as text, with at least ``digits`` digits and as many as make them unique.

    >>> number_labels([1.0001, 1.0002], 3)
    ['1.0001', '1.0002']
    """
    for more in range(digits, 17):
        texts = [number(value, more) for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return [repr(float(value)) for value in values]


def number(value: float, digits: int) -> str:
    """Returns a number as text, with at most ``digits`` digits.

    >>> number(0.25, 3), number(1e6, 3), number(0.0000398, 2)
    ('0.25', '1e6', '4e-5')
    """
    if not 0 < abs(value) < 0.001:
        return re.sub(r"e\+0*", "e", f"{value:.{digits}g}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
