"""The config fields that differ among settings, and the groups that their values fall into."""

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
"""Values of a grid that are still taken one by one."""
MOST_CATEGORIES = 24
LONGEST = 20
"""Characters of a category's name, in pictures."""
MISSING, OTHERS = "none", "others"


class Field(NamedTuple):
    """One config field, with its value in each setting."""

    name: str
    label: str
    """For people: as short as it can be told from the others."""
    values: pd.Series
    """By setting: floats, NaN where the setting has none, or ordered categories of strings."""

    @property
    def categories(self) -> list[str]:
        """The names its values have, in order; none where they are numbers."""
        return [] if self.values.dtype == float else list(self.values.cat.categories)

    @property
    def positions(self) -> pd.Series:
        """Where each setting stands on an axis: its number, or that of its category."""
        return self.values.cat.codes.astype(float) if self.categories else self.values

    @property
    def logarithmic(self) -> bool:
        """Whether its numbers span so much that a plain axis would crowd them at one end."""
        if self.categories or not 0 < WIDE * self.values.min() < self.values.max():
            return False
        # Of numbers drawn evenly some are close to 0, too: the axis that has the median nearer its middle is the one.
        low, median, high = self.values.quantile([0, 0.5, 1])
        off = abs(np.log(median / low) / np.log(high / low) - 0.5)
        return bool(off <= abs((median - low) / (high - low) - 0.5))


class Groups(NamedTuple):
    """Settings by what they have in common in one field."""

    codes: pd.Series
    """Setting to the number of its group, -1 for none."""
    labels: list[str]
    """One a group; of bins one an edge, so one more."""
    positions: Float[np.ndarray, " groups"]
    """Where each stands on the field's axis; a bin at its median."""

    @property
    def binned(self) -> bool:
        """Whether groups are ranges of numbers."""
        return len(self.labels) > len(self.positions)


def fields(settings: pd.DataFrame, names: Sequence[str]) -> list[Field]:
    """The fields of these names, from a table of one row a setting with the column ``setting``."""
    indexed = settings.set_index("setting")
    return [
        Field(name, label, _values(pd.Series(indexed[name]))) for name, label in zip(names, labels(names), strict=True)
    ]


def labels(names: Sequence[str]) -> list[str]:
    """Dotted names for people: the last part, and as many before it as tell it from the others."""
    return [_label(name.split("."), [other.split(".") for other in names]) for name in names]


def _label(parts: list[str], all_parts: list[list[str]]) -> str:
    for count in range(1, len(parts)):
        if sum(other[-count:] == parts[-count:] for other in all_parts) == 1:
            return plain(".".join(parts[-count:]))
    return plain(".".join(parts))


def plain(name: str) -> str:
    """A dotted name in words."""
    return name.replace(".", " ").replace("_", " ")


def _values(column: pd.Series) -> pd.Series:
    column = column.infer_objects()
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and column.notna().any():
        return pd.Series(column.to_numpy(float, na_value=np.nan), column.index)
    texts = column.astype(object).map(_text)
    common = texts.value_counts().index[: MOST_CATEGORIES - 1]
    if texts.nunique() > MOST_CATEGORIES:
        texts = texts.where(texts.isin(common), OTHERS)
    short = shortened(sorted(texts.unique(), key=_natural))
    return texts.map(short).astype(pd.CategoricalDtype(list(short.values()), ordered=True))


def shortened(texts: Sequence[str]) -> dict[str, str]:
    """Texts by what there is room for: the beginnings and ends of long ones, as much as tells them apart."""
    longest = max(map(len, texts))
    for length in range(LONGEST, longest, 8):
        short = [one if len(one) <= length else f"{one[: length // 2 - 1]}…{one[-length // 2 :]}" for one in texts]
        if len(set(short)) == len(texts):
            return dict(zip(texts, short, strict=True))
    return dict(zip(texts, texts, strict=True))


def _text(value: object) -> str:
    if value is None or value is pd.NA or value != value:
        return MISSING
    return str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value) or '""'


def _natural(text: str) -> list:
    """So that "8" comes before "16, 32"; what stands for several or for nothing comes last."""
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
    return [text in (OTHERS, MISSING), *parts]


def groups(field: Field, sides: int = 1, alone: bool = False) -> Groups:
    """Each value a group, or bins of about equally many settings where values were drawn rather than chosen.

    Args:
      field: what to group by.
      sides: how many fields are grouped at once: bins are fewer where settings are shared out among more.
      alone: whether no other field differs, so that a value that no two settings share was still chosen.
    """
    if field.categories:
        return Groups(field.values.cat.codes, field.categories, np.arange(len(field.categories), dtype=float))
    known = field.values.dropna()
    distinct = np.unique(known)
    chosen = alone or len(known) >= 2 * len(distinct)
    if len(distinct) > (MOST_VALUES if chosen else MOST_BINS):
        return _bins(field.values, int(np.clip(round((len(known) / sides) ** 0.5), 2, MOST_BINS)))
    codes = pd.Series(np.searchsorted(distinct, field.values), field.values.index).where(field.values.notna(), -1)
    return Groups(codes, number_labels(distinct, 3), distinct)


def _bins(values: pd.Series, number: int) -> Groups:
    # Ends are values that occur, so that no bin is empty.
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, number + 1), method="higher"))
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    codes = pd.Series(places, values.index).where(values.notna(), -1)
    medians = np.array([np.median(values.to_numpy()[codes == code]) for code in range(len(edges) - 1)])
    return Groups(codes, number_labels(edges, 2), medians)


def number_labels(values: Sequence[float] | np.ndarray, digits: int) -> list[str]:
    """Numbers in as few digits, but no fewer than these, as tell them apart."""
    for more in range(digits, 17):
        texts = [number(value, more) for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return [repr(float(value)) for value in values]


def number(value: float, digits: int) -> str:
    """A number in so many digits, without needless ones."""
    if not 0 < abs(value) < 0.001:
        return re.sub(r"e\+0*", "e", f"{value:.{digits}g}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
