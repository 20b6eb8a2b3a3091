"""The kinds of pictures: each seed thin or as a dot, and the interquartile mean over seeds."""

import itertools
import math
import re
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from jaxsocial.evaluate.media import draw_penalty
from jaxsocial.evaluate.statistics import middle_mean
from jaxsocial.reproduce.claims import Finding
from jaxsocial.reproduce.figures import Findings

COLOURS = {
    "SociAPL": "tab:blue",
    "SociAPL on pixels": "deepskyblue",
    "solo SociAPL": "tab:brown",
    "social vanilla": "tab:green",
    "social vanilla, its best learning rate": "yellowgreen",
    "solo vanilla": "tab:orange",
    "social autoencoder": "tab:purple",
    "SociAPL on symbols": "midnightblue",
    "social vanilla on symbols": "darkgreen",
    "imitation": "crimson",
    "mixed": "tab:cyan",
    "SociAPL, noisy experts": "tab:olive",
    "SociAPL, early experts": "tab:pink",
    "SociAPL, an expert and a random one": "navy",
    "expert": "black",
}
"""The colour of each condition in all pictures, with any penalty. Partners are grey."""
PARTNERS, UNKNOWN = "tab:gray", "darkgoldenrod"
STYLES = ("--", ":", "-.")
SMOOTHED = 0.02
"""The share of a training over which curves are averaged."""
LABEL = 13
"""Characters of a line below a column."""
WIDTH = 0.25
"""Half of the width over which the dots of a row are spread."""
ASIDE = 0.03
"""The distance between dots of different rows at one place, as a share of the axis."""


def colour_of(finding: Finding | str) -> str:
    """Returns the colour of a condition, or of a row.

    >>> colour_of("solo SociAPL, penalty 0.5") == colour_of("solo SociAPL")
    True
    """
    if isinstance(finding, Finding):
        return PARTNERS if finding.of_partners else colour_of(finding.condition)
    # What comes after these is a detail of the same condition.
    name = re.split(", penalty|, continued|, [0-9.]+ M steps", finding)[0]
    return COLOURS["mixed"] if name.startswith("mixed, from") else COLOURS.get(name, UNKNOWN)


def curves(axes: Axes, found: Findings, conditions: Sequence[str], levels: Sequence[str] = ()) -> None:
    """Draws returns over training, and the results of some rows as levels. What is missing is left out.

    Args:
      axes: where to draw.
      found: the findings.
      conditions: the conditions whose curves are drawn.
      levels: the rows that are drawn as levels.
    """
    there = [condition for condition in conditions if condition in found.curves]
    for condition in there:
        colour, seeds = colour_of(condition), _by_seed(found.curves[condition])
        for steps, returns in seeds:
            axes.plot(steps, _smoothed(returns), color=colour, linewidth=0.6, alpha=0.5)
        if not seeds:
            continue
        # Runs of different lengths of chunk log at different steps: they are compared at those of the longest.
        # A shorter one counts as far as it goes.
        steps = max((steps for steps, _ in seeds), key=lambda steps: steps[-1])
        each = [np.interp(steps, *one, left=np.nan, right=np.nan) for one in seeds]
        middle = middle_mean(np.stack(each, axis=-1))
        label = f"{condition} ({len(seeds)} seeds)"
        axes.plot(steps, _smoothed(middle), color=colour, linewidth=2, label=label)
    for style, row in zip(itertools.cycle(STYLES), [row for row in levels if row in found.rows], strict=False):
        mean = found.rows[row].score.mean
        axes.axhline(mean, color="0.35", linewidth=1, linestyle=style, label=f"{row} ({mean:.1f})")
    _plain(axes, "learner steps (millions)", "return of an episode")
    draw_penalty(axes, found.curves[there[0]] if there else [])


def _by_seed(rows: Sequence[Mapping]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns (millions of steps, returns) of each seed with a known return."""
    found = []
    for seed in dict.fromkeys(row["seed"] for row in rows):
        own = [row for row in rows if row["seed"] == seed and row["return"] is not None]
        if own:
            found.append((np.array([row["step"] / 1e6 for row in own]), np.array([row["return"] for row in own])))
    return found


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Returns means over neighbours, over fewer at the ends."""
    width = min(2 * math.ceil(len(values) * SMOOTHED / 2) + 1, len(values))
    # Zeros beyond the ends would pull the curve down there.
    weights = np.convolve(np.ones(len(values)), np.ones(width), "same")
    return np.convolve(values, np.ones(width), "same") / weights


def dots(
    axes: Axes, found: Findings, rows: Sequence[str], ylabel: str = "return of an episode", prefix: str = ""
) -> None:
    """Draws a column for each row that is there: seeds as dots, the interquartile mean and its interval over them.

    Dots of learners that are tested alone are hollow.

    Args:
      axes: where to draw.
      found: the findings.
      rows: the rows' names.
      ylabel: the measure.
      prefix: the beginning of all names, which is left out below the columns.
    """
    rows = [row for row in rows if row in found.rows]
    for index, row in enumerate(rows):
        finding, score, colour = found.rows[row], found.rows[row].score, colour_of(found.rows[row])
        # Spread out, because bimodal outcomes lie on top of each other.
        values = finding.values
        spread = np.linspace(-WIDTH, WIDTH, len(values)) if len(values) > 1 else np.zeros(1)
        _dots(axes, index + spread, finding, 4)
        axes.plot([index - WIDTH, index + WIDTH], [score.mean] * 2, color=colour, linewidth=2)
        axes.plot([index] * 2, [score.low, score.high], color=colour, linewidth=1)
    labels = [f"{textwrap.fill(row.removeprefix(prefix), LABEL)}\nn = {_seeds(found.rows[row])}" for row in rows]
    axes.set_xticks(range(len(rows)), labels, fontsize="small")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    _plain(axes, None, ylabel)


def _seeds(finding: Finding) -> int:
    """Returns the number of seeds for which the measure is defined."""
    return int(np.isfinite(finding.values).sum())


def _dots(axes: Axes, x: np.ndarray, finding: Finding, size: int) -> None:
    colour = colour_of(finding)
    face, edge = ("none", 0.8) if finding.alone else (colour, 0)
    axes.plot(x, finding.values, "o", color=colour, markerfacecolor=face, markeredgewidth=edge, ms=size, alpha=0.5)


def lines(axes: Axes, found: Findings, rows: Mapping[str, Mapping[float, str]], xlabel: str) -> None:
    """Draws a line for each kind of row over a number, through the points that it has.

    A line is interrupted where it has no point and another one has: it would state a value that is not known. Seeds are
    dots; interquartile means have intervals. Learners that are tested alone are hollow and dashed.

    Args:
      axes: where to draw.
      found: the findings.
      rows: kind to the name of its row for each number.
      xlabel: what the number is.
    """
    numbers = sorted({x for names in rows.values() for x, name in names.items() if name in found.rows})
    step = ASIDE * (max(numbers, default=0.0) - min(numbers, default=0.0) or 1.0)
    for index, (label, names) in enumerate(rows.items()):
        there = {x: found.rows[name] for x, name in names.items() if name in found.rows}
        if not there:
            continue
        places = np.array(numbers) + step * (index - (len(rows) - 1) / 2)
        for place, x in zip(places, numbers, strict=True):
            if x in there:
                _dots(axes, np.full(len(there[x].seeds), place - step / 3), there[x], 3)
        scores = np.array([there[x].score if x in there else (np.nan,) * 3 for x in numbers]).T
        first, counts = next(iter(there.values())), sorted({_seeds(finding) for finding in there.values()})
        ends, style = np.abs(scores[1:] - scores[0]), "--" if first.alone else "-"
        bars = axes.errorbar(places, scores[0], ends, color=colour_of(first), lw=1, elinewidth=1.5, marker="_", ms=12)
        bars[0].set_linestyle(style)
        bars.set_label(f"{label} ({' or '.join(map(str, counts))} seeds)")
    axes.set_xticks(numbers)
    _plain(axes, xlabel, "return of an episode")


def legend(axes: Axes) -> None:
    """Adds a legend below the picture, where it covers nothing."""
    axes.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)


def _plain(axes: Axes, xlabel: str | None, ylabel: str) -> None:
    axes.set_ylabel(ylabel)
    if xlabel is not None:
        axes.set_xlabel(xlabel)
    axes.spines[["top", "right"]].set_visible(False)
