"""One picture of all probes: returns, what was led, and what was decoded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxsocial.evaluate.decoding import DECODED, Decoded
from jaxsocial.evaluate.probes import Probed

RETURN, LED, CHANCE = "tab:blue", "tab:green", "0.6"


def draw(path: Path, results: Sequence[Probed], decoded: Sequence[Decoded], title: str) -> None:
    """Draws the probes of the first learner.

    Args:
      path: of the picture.
      results: of `probes.probe`; the panels of returns and of what was led are left out if there are none.
      decoded: of `decoding.decode`; its panel is left out if there are none.
      title: above all.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415, slow to import

    results = [one for one in results if one.learner == results[0].learner]
    decoded = [one for one in decoded if one.learner == decoded[0].learner]
    widths = [0.8 + 0.45 * len(part) for part in (results, results, decoded) if part]
    figure = Figure(figsize=(2 + 1.1 * sum(widths), 4.2), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    panels = iter(figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0])
    if results:
        names = [one.probe.replace("_", " ") for one in results]
        axes = next(panels)
        _bars(axes, names, [[one.scores["return"] for one in results]], (RETURN,), ("",))
        axes.set_ylabel("return of an episode")
        axes, both = next(panels), ("following", "following_by_chance")
        _bars(
            axes, names, [[one.scores[name] for one in results] for name in both], (LED, CHANCE), ("led", "by chance")
        )
        axes.set(ylabel="share of its goals that a partner led", ylim=(0, 1))
    if decoded:
        axes = next(panels)
        names = [f"{one.what.replace('_', ' ')} ({DECODED[one.what][1]})" for one in decoded]
        scores = [[one.score for one in decoded], [one.shuffled for one in decoded]]
        _bars(axes, names, scores, (RETURN, CHANCE), ("recurrent state", "labels of other episodes"))
        axes.set_ylabel("score of a linear decoder")
    # Names may be long: the picture grows with them.
    figure.savefig(path, dpi=150, bbox_inches="tight")


def _bars(axes, names: Sequence[str], groups: Sequence, colours: Sequence[str], labels: Sequence[str]) -> None:
    """Draws scores with their intervals side by side; none where a score is not defined."""
    width = 0.8 / len(groups)
    for index, (scores, colour, label) in enumerate(zip(groups, colours, labels, strict=True)):
        mean, low, high = np.array(scores, float).T
        places = np.arange(len(names)) + width * (index - (len(groups) - 1) / 2)
        axes.bar(places, mean, width, color=colour, label=label, yerr=np.stack([mean - low, high - mean]), ecolor="0.3")
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize="small")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    if any(labels):
        axes.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
