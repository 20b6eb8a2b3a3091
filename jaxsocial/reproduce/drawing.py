"""The kinds of pictures that figures are drawn as: every seed thinly or as a dot, their mean over it."""

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from jaxsocial.reproduce.findings import Findings
from jaxsocial.run.media import draw_penalty

COLOURS = ("tab:orange", "tab:brown", "tab:green", "tab:purple", "tab:blue", "tab:pink", "tab:olive")
STYLES = ("--", ":", "-.")
SMOOTHED = 0.02
"""Share of a training over which curves are averaged."""
LABEL = 13
"""Characters of a line below a column."""
WIDTH = 0.25
"""Half of what the dots of a row are spread over."""


def curves(axes: Axes, found: Findings, conditions: Sequence[str], levels: Sequence[str] = ()) -> None:
    """Returns over training of these conditions, and what some rows came to as levels; of those that are there."""
    # Of all, so that each has the same colour whatever is still missing.
    there = [(colour, name) for colour, name in zip(COLOURS, conditions, strict=False) if name in found.curves]
    for colour, condition in there:
        seeds = _by_seed(found.curves[condition])
        for steps, returns in seeds:
            axes.plot(steps, _smoothed(returns), color=colour, linewidth=0.6, alpha=0.5)
        steps = seeds[0][0]
        mean = np.nanmean([np.interp(steps, *one) for one in seeds], axis=0)
        axes.plot(steps, _smoothed(mean), color=colour, linewidth=2, label=condition)
    for style, row in zip(STYLES, [row for row in levels if row in found.rows], strict=False):
        mean = found.score(row).mean
        axes.axhline(mean, color="0.35", linewidth=1, linestyle=style, label=f"{row} ({mean:.1f})")
    _plain(axes, "learner steps (millions)", "return of an episode")
    draw_penalty(axes, found.curves[there[0][1]] if there else [])


def _by_seed(rows: Sequence[Mapping]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(millions of steps, returns) of each seed."""
    found = []
    for seed in dict.fromkeys(row["seed"] for row in rows):
        own = [row for row in rows if row["seed"] == seed and row["return"] is not None]
        found.append((np.array([row["step"] / 1e6 for row in own]), np.array([row["return"] for row in own])))
    return found


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Means over neighbours, fewer at the ends."""
    width = min(2 * math.ceil(len(values) * SMOOTHED / 2) + 1, len(values))
    weights = np.convolve(np.ones(len(values)), np.ones(width), "same")
    return np.convolve(values, np.ones(width), "same") / weights


def dots(
    axes: Axes, found: Findings, rows: Sequence[str], ylabel: str = "return of an episode", prefix: str = ""
) -> None:
    """A column for each row that is there: seeds as dots, the interquartile mean and its interval over them.

    What all names begin with can be left out of what stands below.
    """
    rows = [row for row in rows if row in found.rows]
    for place, row in enumerate(rows):
        finding, score = found.rows[row], found.score(row)
        values = finding.values(finding.measure, finding.of_partners)
        spread = np.linspace(-WIDTH, WIDTH, len(values)) if len(values) > 1 else np.zeros(1)
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(place + spread, values, "o", color=colour, markersize=4, alpha=0.5, markeredgewidth=0)
        axes.plot([place - WIDTH, place + WIDTH], [score.mean] * 2, color=colour, linewidth=2)
        axes.plot([place] * 2, [score.low, score.high], color=colour, linewidth=1)
    labels = [textwrap.fill(row.removeprefix(prefix), LABEL) for row in rows]
    axes.set_xticks(range(len(rows)), labels, fontsize="small")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    _plain(axes, None, ylabel)


def lines(axes: Axes, found: Findings, x: Sequence[float], rows: Mapping[str, Sequence[str]], xlabel: str) -> None:
    """A line for each kind of row, over a number that changes between them."""
    for colour, (label, names) in zip(COLOURS, rows.items(), strict=False):
        scores = [found.score(name) for name in names]
        for place, name in zip(x, names, strict=True):
            finding = found.rows[name]
            values = finding.values(finding.measure, finding.of_partners)
            axes.plot([place] * len(values), values, "o", color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
        axes.plot(x, [score.mean for score in scores], color=colour, linewidth=2, label=label)
    _plain(axes, xlabel, "return of an episode")


def legend(axes: Axes) -> None:
    """Names of lines, below the picture where they cover nothing."""
    axes.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)


def _plain(axes: Axes, xlabel: str | None, ylabel: str) -> None:
    axes.set_ylabel(ylabel)
    if xlabel is not None:
        axes.set_xlabel(xlabel)
    axes.spines[["top", "right"]].set_visible(False)
