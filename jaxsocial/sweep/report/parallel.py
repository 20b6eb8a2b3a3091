"""Parallel coordinates: all fields and the measure at once."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from jaxsocial.sweep.report.colours import lines_of_measure, math_free
from jaxsocial.sweep.report.fields import Field, number_labels, plain
from jaxsocial.sweep.report.ranking import About, Ranking

AXES = 9
"""The number of fields that fit side by side."""
FEW_VALUES = 7
"""So many values are marked one by one."""
STRONG = 10
"""Settings whose lines are emphasized."""
APART = 0.05
"""The smallest distance of marks, as a share of the axis."""


def parallel(ranking: Ranking, fields: Sequence[Field], about: About) -> Figure:
    """Draws an axis per field and one for the measure, and a line per setting through its values, the best last.

    Args:
      ranking: the ranked settings.
      fields: the fields with an axis.
      about: the sweep.
    """
    figure = Figure(figsize=(1.6 * len(fields) + 2.4, 4.4), layout="constrained")
    axes = figure.subplots()
    values = ranking.settings.set_index("setting").interquartile_mean.dropna()[::-1]
    colours, norm = lines_of_measure(values, about.larger_is_better)
    columns = [_heights(field)[values.index] for field in fields] + [np.clip(norm(values), 0, 1)]
    heights = np.column_stack([np.asarray(column, float) for column in columns])
    whole = np.isfinite(heights).all(1)
    corners = [np.column_stack([np.arange(len(columns)), own]) for own in heights[whole]]
    shades = colours(norm(values[whole]))
    alpha = float(np.clip(60 / max(len(corners), 1), 0.05, 0.6))
    faint, strong = slice(None, -STRONG), slice(-STRONG, None)
    for own, style in ((faint, {"linewidths": 0.8, "alpha": alpha}), (strong, {"linewidths": 1.6})):
        axes.add_collection(LineCollection(corners[own], colors=shades[own], clip_on=False, **style))
    beneath = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    for x, field in enumerate(fields):
        axes.axvline(x, color="0.2", linewidth=0.8, zorder=3)
        for y, label in zip(*marks(field), strict=True):
            axes.plot([x - 0.015, x + 0.015], [y] * 2, color="0.2", linewidth=0.8, zorder=3, clip_on=False)
            axes.text(x - 0.03, y, math_free(label), ha="right", va="center", fontsize=7.5, bbox=beneath, zorder=4)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, pad=0.0, aspect=40, fraction=0.05)
    bar.set_label(math_free(plain(about.measure)))
    bar.outline.set_visible(False)
    axes.set(xlim=(-0.1, len(fields)), ylim=(0, 1), yticks=[])
    axes.set_xticks(range(len(fields)), [math_free(textwrap.fill(field.label, 14)) for field in fields])
    axes.tick_params(axis="x", length=0, pad=8)
    axes.spines[:].set_visible(False)
    return figure


def _heights(field: Field) -> pd.Series:
    """Returns each setting's height on the field's axis, 0 to 1; 0.5 if all values are equal."""
    positions = field.positions.to_numpy()
    scaled = np.log(positions) if field.logarithmic else positions
    low, high = np.nanmin(scaled), np.nanmax(scaled)
    return pd.Series((scaled - low) / (high - low) if high > low else scaled * 0 + 0.5, field.positions.index)


def marks(field: Field) -> tuple[list[float], list[str]]:
    """Returns heights on the field's axis and their labels: categories, a few values, or the ends and the middle."""
    if field.categories:
        count = len(field.categories)
        return [index / (count - 1) if count > 1 else 0.5 for index in range(count)], field.categories
    values, heights = (np.unique(one.dropna()) for one in (field.values, _heights(field)))
    if len(values) <= FEW_VALUES and (len(values) < 2 or np.diff(heights).min() >= APART):
        return list(heights), number_labels(values, 3)
    low, high = values[0], values[-1]
    middle = np.sqrt(low * high) if field.logarithmic else (low + high) / 2
    return [0.0, 0.5, 1.0], number_labels([low, middle, high], 2)
