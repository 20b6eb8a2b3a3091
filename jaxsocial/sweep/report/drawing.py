"""Pictures of a sweep: curves of all settings, the effect of one field, the joint effect of two."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from jaxsocial.sweep.report.colours import CELLS, EMPTY, math_free, measure_colours, palette
from jaxsocial.sweep.report.fields import Field, Groups, groups, number, number_labels, plain
from jaxsocial.sweep.report.margins import limits, one_way, two_way
from jaxsocial.sweep.report.ranking import About, Ranking

STRONG = 10
"""Settings whose curves are emphasized."""
FEW = 12
"""With at most this many settings, all are emphasized."""
PANELS = 6
MOST_TICKS = 14
"""Ticks that fit side by side if each is labelled with its value."""
TEXT, TEXT_WIDTH = 7, 0.62
"""The size of the numbers in cells, in points, and the width of a character, in sizes."""
HUGE = 1e5
"""From here on numbers have an exponent."""
INK = "0.35"
ONE_COLOUR = "C0"
GOLDEN = 0.618034
SLANTED = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}


def curves(means: pd.DataFrame, ranking: Ranking, fields: Sequence[Field], about: About) -> Figure:
    """Draws the measure over training: a line per setting, a panel per field, coloured by its values.

    Args:
      means: `ranking.curves`.
      ranking: the ranked settings, of which the best are emphasized.
      fields: the fields with a panel.
      about: the sweep.
    """
    columns = min(math.ceil(math.sqrt(max(len(fields), 1))), 3)
    rows = max(math.ceil(len(fields) / columns), 1)
    size = 4.8 * columns if columns > 1 else 6.4, 3.4 * rows if rows > 1 else 4
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[max(len(fields), 1) :]:
        axes.remove()
    lines = {setting: own.dropna().reset_index().to_numpy() for setting, own in means.iterrows()}
    for axes, field in zip(panels, fields or [None], strict=False):
        _curves(axes, lines, ranking, field)
        if means.size:
            axes.set_xlim(0, max(means.columns) * 1.02)
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        set_limits(axes, means.to_numpy().ravel(), about)
        finish(axes, "learner steps", plain(about.measure))
    return figure


def _curves(axes: Axes, lines: Mapping, ranking: Ranking, field: Field | None) -> None:
    """Draws the (step, value) points of each setting as a line, the best ones last."""
    order = [setting for setting in ranking.settings.setting[::-1] if setting in lines]
    colours = dict.fromkeys(order, ONE_COLOUR)
    if field is not None:
        drawn = palette(field)
        drawn.explain(axes)
        colours = dict(zip(field.values.index, drawn.colours, strict=True))
    few = len(order) if len(order) <= FEW else STRONG
    faint, strong = order[:-few], order[-few:]
    alpha = float(np.clip(40 / max(len(faint), 1), 0.04, 0.5))
    shades = [colours[setting] for setting in faint]
    segments = [lines[setting] for setting in faint]
    axes.add_collection(LineCollection(segments, colors=shades, linewidths=0.5, alpha=alpha))
    for setting in strong:
        # A line of one point is invisible.
        marker = "o" if len(lines[setting]) < 2 else ""
        axes.plot(*lines[setting].T, color=colours[setting], linewidth=1.6, marker=marker, alpha=0.9)


def one_way_picture(ranking: Ranking, field: Field, about: About) -> Figure:
    """Draws each setting over its value of one field, and the interquartile mean over all other fields as a line.

    Args:
      ranking: the ranked settings.
      field: the field.
      about: the sweep.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    settings = ranking.settings.set_index("setting")
    values, x = settings.interquartile_mean, field.positions
    if field.categories:
        # Multiples of the golden ratio are evenly spread for any number of settings, and unrelated to their order.
        x = x + 0.5 * (x.groupby(x).cumcount() * GOLDEN % 1 - 0.5)
    low, high = set_limits(axes, values, about)
    for dropped, label in ((False, "a setting"), (True, "a dropped setting")):
        own = settings.index[ranking.dropped == dropped]
        if len(own):
            style = {"facecolors": "none" if dropped else INK, "edgecolors": INK, "linewidths": 0.7}
            alpha = float(np.clip(60 / len(own), 0.12, 0.6))
            axes.scatter(x[own], values[own], s=14, alpha=alpha, label=label, **style)
    _draw_middle(axes, ranking, field, alone=len(about.varied) == 1)
    _field_axis(axes, field)
    outside = int(((values < low) | (values > high)).sum())
    if outside:
        where = "below" if (values < low).any() else "above"
        axes.set_title(f"{outside} settings are {where} the picture", fontsize="small", loc="right")
    finish(axes, math_free(field.label), plain(about.measure))
    for handle in figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=8, handlelength=1.5
    ).legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return figure


def _draw_middle(axes: Axes, ranking: Ranking, field: Field, alone: bool) -> None:
    own = groups(field, alone=alone)
    same = alone and not own.binned  # the settings' dots are these means
    axes.plot(
        own.positions,
        one_way(ranking.outcomes, own),
        color="C1",
        linewidth=2,
        linestyle="none" if field.categories else "-",
        marker="" if same else "D" if field.categories else "o",
        markersize=5,
        zorder=0 if same else 3,
        label=None if same else "interquartile mean over all else" + (" (bins)" if own.binned else ""),
    )


def _field_axis(axes: Axes, field: Field) -> None:
    """Sets the scale of the x axis, with ticks at the field's own values if they fit."""
    if field.logarithmic:
        axes.set_xscale("log")
    if field.categories:
        labels = [math_free(name) for name in field.categories]
        axes.set_xticks(range(len(labels)), labels, **(SLANTED if sum(map(len, field.categories)) > 50 else {}))
        axes.set_xlim(-0.6, len(labels) - 0.4)
        return
    distinct = np.unique(field.values.dropna())
    x = np.log(distinct) if field.logarithmic else distinct
    apart = len(distinct) == 1 or (len(distinct) and np.diff(x).min() * MOST_TICKS >= np.ptp(x))
    if apart and len(distinct) <= MOST_TICKS:
        labels = number_labels(distinct, 3)
        axes.set_xticks(distinct, labels, **(SLANTED if sum(map(len, labels)) > 50 else {}))
        axes.minorticks_off()


def two_way_picture(ranking: Ranking, first: Field, second: Field, about: About) -> Figure:
    """Draws the joint effect of two fields as a heat map: the interquartile mean over all other fields and seeds.

    Args:
      ranking: the ranked settings.
      first: the field of the columns.
      second: the field of the rows.
      about: the sweep.
    """
    across, down = groups(first, sides=2), groups(second, sides=2)
    cells = two_way(ranking.outcomes, across, down).to_numpy()
    rows, columns = cells.shape
    width, height = np.clip(6.4 / columns, 0.24, 0.9), np.clip(4.6 / rows, 0.22, 0.6)
    beside, below = (max(map(len, one.labels)) * TEXT_WIDTH * 9 / 72 for one in (down, across))
    size = (width * columns + 1.7 + beside, height * rows + 0.7 + (below if below > width else 0.2))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    colours, norm = measure_colours(cells.ravel(), about.larger_is_better, CELLS)
    axes.set_facecolor(EMPTY)
    mesh = axes.pcolormesh(cells, cmap=colours, norm=norm, edgecolors="white", linewidth=0.5)
    texts = cell_texts(cells, *limits(cells, about.larger_is_better))
    if max(len(text) for text in texts.ravel()) * TEXT_WIDTH * TEXT <= 0.92 * 72 * width:
        brightness = mesh.cmap(norm(cells))[..., :3] @ np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601
        for (row, column), text in np.ndenumerate(texts):
            ink = "black" if brightness[row, column] > 0.5 else "white"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=TEXT, color=ink)
    _cell_axis(axes, "x", across, width)
    _cell_axis(axes, "y", down, height)
    bar = figure.colorbar(mesh, ax=axes, label=math_free(plain(about.measure)), pad=0.02)
    bar.outline.set_visible(False)
    axes.set(xlabel=math_free(first.label), ylabel=math_free(second.label))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0 if not (across.binned or down.binned) else 3)
    return figure


def cell_texts(cells: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns numbers as text, to about a hundredth of a range; empty for NaN.

    >>> cell_texts(np.array([-8.25, 3.14, np.nan]), -8.25, 3.14).tolist()
    ['-8.2', '3.1', '']

    Args:
      cells: the numbers.
      low: the beginning of the range.
      high: its end.
    """
    decimals = max(1 - math.floor(math.log10((high - low) / 3)), 0)

    def text(value: float) -> str:
        if not np.isfinite(value):
            return ""
        # "z": no minus before a zero.
        return number(value, 2) if decimals > 4 or abs(value) >= HUGE else f"{value:z.{decimals}f}"

    return np.vectorize(text, otypes=[object])(cells)


def _cell_axis(axes: Axes, which: str, groups: Groups, inches: float) -> None:
    """Puts values at the centres of their cells, and edges of bins between cells."""
    ticks = np.arange(len(groups.labels)) + (0.0 if groups.binned else 0.5)
    labels = [math_free(label) for label in groups.labels]
    too_long = max(map(len, labels), default=0) * TEXT_WIDTH * 9 > 72 * inches
    style = SLANTED if which == "x" and too_long else {}
    (axes.set_xticks if which == "x" else axes.set_yticks)(ticks, labels, fontsize=9, **style)


def set_limits(axes: Axes, values, about: About) -> tuple[float, float]:
    """Sets the range of the y axis, with a margin of 5 %, and returns it without the margin.

    Args:
      axes: the axes.
      values: what is drawn; see `margins.limits`.
      about: the sweep.
    """
    low, high = limits(values, about.larger_is_better)
    margin = 0.05 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    return low, high


def finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Names the axes, and removes the frame.

    Args:
      axes: the axes.
      xlabel: the label of x, which the caller escapes by `math_free`.
      ylabel: the label of y, which is escaped here.
    """
    axes.set_xlabel(xlabel)
    axes.set_ylabel(math_free(ylabel))
    axes.spines[["top", "right"]].set_visible(False)
