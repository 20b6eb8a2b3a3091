"""The price of a mistake: only where exploring alone is costly does a learner rely on others.

jaxsocial reproduce penalty --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import Expectation, about, above, times_as_much
from jaxsocial.reproduce.conditions import TRAP, Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

PENALTIES = (0.0, 0.5, 1.0, 1.5, 2.0)
USUAL = 1.5
"""The paper's own price."""
LOW = 0.5
"""The highest price at which the paper sees learners explore alone; our choice among these."""
KINDS = ("SociAPL", "SociAPL, alone", "solo SociAPL")


def figure(scale: Scale) -> Figure:
    """Learners trained beside experts and alone, at every price; all of a kind train together."""
    rows = []
    for penalty in PENALTIES:
        social, solo = (
            conditions.with_penalty(condition, penalty)
            for condition in (conditions.social(scale), conditions.solo(scale))
        )
        names = _names(penalty)
        rows += [
            Row(names["SociAPL"], social, *_reliance(penalty, names)),
            Row(names["SociAPL, alone"], social, alone=True),
            Row(names["solo SociAPL"], solo, *_exploration(penalty)),
        ]
    notes = f"{conditions.about(scale)} Here every row has its own penalty in place of {scale.base.rules.penalty:g}."
    return Figure("penalty", "The price of a mistake", tuple(rows), draw, notes=notes)


def _names(penalty: float) -> dict[str, str]:
    return {kind: f"{kind}, penalty {penalty:g}" for kind in KINDS}


def _reliance(penalty: float, names: dict[str, str]) -> tuple[str, Expectation | None]:
    """The paper speaks of no or a low penalty, and of its own."""
    if penalty <= LOW:
        return "no reliance on others", about(names["SociAPL, alone"])
    if penalty == USUAL:
        return "relies on others", times_as_much(names["SociAPL, alone"], 2.0)
    return "", None


def _exploration(penalty: float) -> tuple[str, Expectation | None]:
    return ("explores alone", above(TRAP)) if penalty <= LOW else ("", None)


def draw(found: Findings, picture) -> None:
    """Returns over the price."""
    there = [p for p in PENALTIES if all(name in found.rows for name in _names(p).values())]
    axes = picture.subplots()
    plots.lines(axes, found, there, {kind: [_names(p)[kind] for p in there] for kind in KINDS}, "penalty")
    plots.legend(axes)


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "penalty", *sys.argv[1:]]))
