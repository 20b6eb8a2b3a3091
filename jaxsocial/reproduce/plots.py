"""The kinds of pictures that figures are drawn as: every seed thinly or as a dot, their mean over it."""

import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from jaxsocial.evaluate.media import draw_penalty
from jaxsocial.reproduce.figures import Findings

COLOURS = {
    "solo vanilla": "tab:orange",
    "solo SociAPL": "tab:brown",
    "social vanilla": "tab:green",
    "social autoencoder": "tab:purple",
    "SociAPL": "tab:blue",
    "partners": "tab:gray",
}
"""Of the paper's conditions, the same in all pictures."""
OTHER_COLOURS = ("tab:pink", "tab:olive", "tab:cyan", "tab:red")
STYLES = ("--", ":", "-.")
SMOOTHED = 0.02
"""Share of a training over which curves are averaged."""
LABEL = 13
"""Characters of a line below a column."""
WIDTH = 0.25
"""Half of what the dots of a row are spread over."""
ASIDE = 0.03
"""Share of an axis by which dots of different rows stand apart that would cover each other."""


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each: its own where it has one, the others' in turn."""
    others = itertools.cycle(OTHER_COLOURS)
    return {name: COLOURS[name] if name in COLOURS else next(others) for name in dict.fromkeys(names)}


def curves(axes: Axes, found: Findings, conditions: Sequence[str], levels: Sequence[str] = ()) -> None:
    """Returns over training of these conditions, and what some rows came to as levels; of those that are there."""
    # Of all, so that each has the same colour whatever is still missing.
    there = {name: colour for name, colour in colours_of(conditions).items() if name in found.curves}
    for condition, colour in there.items():
        seeds = _by_seed(found.curves[condition])
        for steps, returns in seeds:
            axes.plot(steps, _smoothed(returns), color=colour, linewidth=0.6, alpha=0.5)
        steps = seeds[0][0]
        mean = np.nanmean([np.interp(steps, *one) for one in seeds], axis=0)
        axes.plot(steps, _smoothed(mean), color=colour, linewidth=2, label=condition)
    for style, row in zip(STYLES, [row for row in levels if row in found.rows], strict=False):
        mean = found.rows[row].score.mean
        axes.axhline(mean, color="0.35", linewidth=1, linestyle=style, label=f"{row} ({mean:.1f})")
    _plain(axes, "learner steps (millions)", "return of an episode")
    draw_penalty(axes, found.curves[next(iter(there))] if there else [])


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
    who = {row: "partners" if found.rows[row].of_partners else found.rows[row].condition for row in rows}
    colours = colours_of(who.values())
    for place, row in enumerate(rows):
        finding, score, colour = found.rows[row], found.rows[row].score, colours[who[row]]
        values = finding.values
        spread = np.linspace(-WIDTH, WIDTH, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(place + spread, values, "o", color=colour, markersize=4, alpha=0.5, markeredgewidth=0)
        axes.plot([place - WIDTH, place + WIDTH], [score.mean] * 2, color=colour, linewidth=2)
        axes.plot([place] * 2, [score.low, score.high], color=colour, linewidth=1)
    labels = [textwrap.fill(row.removeprefix(prefix), LABEL) for row in rows]
    axes.set_xticks(range(len(rows)), labels, fontsize="small")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    _plain(axes, None, ylabel)


def lines(axes: Axes, found: Findings, x: Sequence[float], rows: Mapping[str, Sequence[str]], xlabel: str) -> None:
    """For each kind of row, over a number that changes between them: seeds as dots, the interquartile means with their
    intervals, and a thin line from one to the next."""
    step = ASIDE * (max(x, default=0.0) - min(x, default=0.0) or 1.0)
    for number, (label, colour) in enumerate(colours_of(rows).items()):
        findings = [found.rows[name] for name in rows[label]]
        scores = [finding.score for finding in findings]
        places = np.array(x) + step * (number - (len(rows) - 1) / 2)
        for place, finding in zip(places, findings, strict=True):
            values = finding.values
            beside = np.full(len(values), place - step / 3)
            axes.plot(beside, values, "o", color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
        means = np.array([score.mean for score in scores])
        ends = np.abs(np.array([(score.low, score.high) for score in scores]).T - means)
        axes.errorbar(places, means, ends, color=colour, linewidth=1, elinewidth=1.5, marker="_", ms=12, label=label)
    axes.set_xticks(x)
    _plain(axes, xlabel, "return of an episode")


def legend(axes: Axes) -> None:
    """Names of lines, below the picture where they cover nothing."""
    axes.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)


def _plain(axes: Axes, xlabel: str | None, ylabel: str) -> None:
    axes.set_ylabel(ylabel)
    if xlabel is not None:
        axes.set_xlabel(xlabel)
    axes.spines[["top", "right"]].set_visible(False)
