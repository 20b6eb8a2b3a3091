"""Pictures of a sweep: curves of all settings, what one field does, what two do together."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from jaxsocial.sweep.report.colours import NOWHERE, cells_of_measure, math_free, palette
from jaxsocial.sweep.report.fields import Field, Groups, groups, number, number_labels, plain
from jaxsocial.sweep.report.margins import limits, one_way, two_way
from jaxsocial.sweep.report.ranking import About, Ranking

STRONG = 10
"""Settings whose curves stand out."""
FEW = 12
"""Settings of which all do."""
PANELS = 6
MOST_TICKS = 14
"""Ticks that fit side by side where each is labelled with its value."""
TEXT, TEXT_WIDTH = 7, 0.62
"""Size of the numbers in cells, in points, and what a character is wide, in sizes."""
HUGE = 1e5
"""From here on numbers are written with an exponent."""
INK = "0.35"
ONE_COLOUR = "C0"
GOLDEN = 0.618034


def curves(means: pd.DataFrame, ranking: Ranking, fields: Sequence[Field], about: About) -> Figure:
    """The measure over training, a line a setting, once for each field, coloured by its values.

    Args:
      means: `ranking.curves`.
      ranking: whose best settings stand out.
      fields: as many as there are to be panels.
      about: the sweep.
    """
    columns = min(math.ceil(math.sqrt(max(len(fields), 1))), 3)
    rows = max(math.ceil(len(fields) / columns), 1)
    figure = Figure(
        figsize=(4.8 * columns if columns > 1 else 6.4, 3.4 * rows if rows > 1 else 4), layout="constrained"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[max(len(fields), 1) :]:
        axes.remove()
    lines = {setting: _known(own) for setting, own in means.iterrows()}
    for axes, field in zip(panels, fields or [None], strict=False):
        _curves(axes, lines, ranking, field)
        if means.size:
            axes.set_xlim(0, max(means.columns) * 1.02)
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        set_limits(axes, means.to_numpy().ravel(), about)
        finish(axes, "learner steps", plain(about.measure))
    return figure


def _known(curve: pd.Series) -> np.ndarray:
    """(step, value) of each point."""
    return curve.dropna().reset_index().to_numpy()


def _curves(axes: Axes, lines: Mapping, ranking: Ranking, field: Field | None) -> None:
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
    axes.add_collection(
        LineCollection([lines[setting] for setting in faint], colors=shades, linewidths=0.5, alpha=alpha)
    )
    for setting in strong:
        # A line of one point would not be seen.
        marker = "o" if len(lines[setting]) < 2 else ""
        axes.plot(*lines[setting].T, color=colours[setting], linewidth=1.6, marker=marker, alpha=0.9)


def one_way_picture(ranking: Ranking, field: Field, about: About) -> Figure:
    """What each setting came to over one field's values, and the interquartile mean over all other fields as a line."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    settings = ranking.settings.set_index("setting")
    values, places = settings.interquartile_mean, _spread(field)
    low, high = set_limits(axes, values, about)
    for dropped, label in ((False, "a setting"), (True, "a dropped setting")):
        own = settings.index[ranking.dropped == dropped]
        if len(own):
            face = "none" if dropped else INK
            alpha = float(np.clip(60 / len(own), 0.12, 0.6))
            axes.scatter(
                places[own],
                values[own],
                s=14,
                facecolors=face,
                edgecolors=INK,
                linewidths=0.7,
                alpha=alpha,
                label=label,
            )
    _draw_middle(axes, ranking, field, alone=len(about.varied) == 1)
    _field_axis(axes, field)
    _say_what_is_outside(axes, values, low, high)
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


def _spread(field: Field) -> pd.Series:
    """Where each setting's dot stands: those of one category beside each other."""
    if not field.categories:
        return field.positions
    # Multiples of the golden ratio lie evenly however many there are, and say nothing of the order.
    beside = field.positions.groupby(field.positions).cumcount() * GOLDEN % 1 - 0.5
    return field.positions + 0.5 * beside


def _field_axis(axes: Axes, field: Field) -> None:
    """The scale of the axis, and its ticks at the field's own values where they have room."""
    if field.logarithmic:
        axes.set_xscale("log")
    if field.categories:
        long = sum(map(len, field.categories)) > 50
        labels = [math_free(name) for name in field.categories]
        axes.set_xticks(range(len(labels)), labels, **(SLANTED if long else {}))
        axes.set_xlim(-0.6, len(labels) - 0.4)
        return
    distinct = np.unique(field.values.dropna())
    places = np.log(distinct) if field.logarithmic else distinct
    if 1 <= len(distinct) <= MOST_TICKS and (
        len(distinct) == 1 or np.diff(places).min() * MOST_TICKS >= np.ptp(places)
    ):
        labels = number_labels(distinct, 3)
        axes.set_xticks(distinct, labels, **(SLANTED if sum(map(len, labels)) > 50 else {}))
        axes.minorticks_off()


SLANTED = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}


def two_way_picture(ranking: Ranking, first: Field, second: Field, about: About) -> Figure:
    """A heat map of what two fields come to together: the interquartile mean over all other fields and seeds."""
    across, down = groups(first, sides=2), groups(second, sides=2)
    cells = two_way(ranking.outcomes, across, down)
    rows, columns = cells.shape
    width, height = np.clip(6.4 / columns, 0.24, 0.9), np.clip(4.6 / rows, 0.22, 0.6)
    beside, below = (max(map(len, one.labels)) * TEXT_WIDTH * 9 / 72 for one in (down, across))
    size = (width * columns + 1.7 + beside, height * rows + 0.7 + (below if below > width else 0.2))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    colours, norm = cells_of_measure(cells.to_numpy().ravel(), about.larger_is_better)
    axes.set_facecolor(NOWHERE)
    mesh = axes.pcolormesh(cells.to_numpy(), cmap=colours, norm=norm, edgecolors="white", linewidth=0.5)
    texts = cell_texts(cells.to_numpy(), *limits(cells.to_numpy(), about.larger_is_better))
    if max(len(text) for text in texts.ravel()) * TEXT_WIDTH * TEXT <= 0.92 * 72 * width:
        _write_in_cells(axes, texts, mesh.cmap(norm(cells.to_numpy())))
    _cell_axis(axes, "x", across, width)
    _cell_axis(axes, "y", down, height)
    bar = figure.colorbar(mesh, ax=axes, label=math_free(plain(about.measure)), pad=0.02)
    bar.outline.set_visible(False)
    axes.set(xlabel=math_free(first.label), ylabel=math_free(second.label))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0 if not (across.binned or down.binned) else 3)
    return figure


def cell_texts(cells: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers to about a hundredth of what pictures span, from low to high; empty where there is none."""
    decimals = max(1 - math.floor(math.log10((high - low) / 3)), 0)

    def text(value: float) -> str:
        if not np.isfinite(value):
            return ""
        # "z": no minus before a zero.
        return number(value, 2) if decimals > 4 or abs(value) >= HUGE else f"{value:z.{decimals}f}"

    return np.vectorize(text, otypes=[object])(cells)


def _write_in_cells(axes: Axes, texts: np.ndarray, colours: np.ndarray) -> None:
    brightness = colours[..., :3] @ np.array([0.299, 0.587, 0.114])
    for (row, column), text in np.ndenumerate(texts):
        ink = "black" if brightness[row, column] > 0.5 else "white"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=TEXT, color=ink)


def _cell_axis(axes: Axes, which: str, groups: Groups, inches: float) -> None:
    """Values below the middle of their cells, the ends of bins between them."""
    places = np.arange(len(groups.labels)) + (0.0 if groups.binned else 0.5)
    labels = [math_free(label) for label in groups.labels]
    too_long = max(map(len, labels), default=0) * TEXT_WIDTH * 9 > 72 * inches
    style = SLANTED if which == "x" and too_long else {}
    (axes.set_xticks if which == "x" else axes.set_yticks)(places, labels, fontsize=9, **style)


def set_limits(axes: Axes, values, about: About) -> tuple[float, float]:
    """Has the axis span what is usual, and a little more."""
    low, high = limits(values, about.larger_is_better)
    margin = 0.05 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    return low, high


def _say_what_is_outside(axes: Axes, values: pd.Series, low: float, high: float) -> None:
    outside = int(((values < low) | (values > high)).sum())
    if outside:
        where = "below" if (values < low).any() else "above"
        axes.set_title(f"{outside} settings lie {where} the picture", fontsize="small", loc="right")


def finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Names of axes, and no frame."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(math_free(ylabel))
    axes.spines[["top", "right"]].set_visible(False)
