"""The penalty for a mistake: does a learner rely on others only if exploring alone is costly?

jaxsocial reproduce penalty --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import Expectation, about, above, times_as_much
from jaxsocial.reproduce.conditions import LOCAL_OPTIMUM, Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

PENALTIES = (0.0, 0.5, 1.0, 1.5, 2.0)
LOW = 0.5
"""The highest penalty at which the paper sees learners explore alone; our choice among these."""
KINDS = ("SociAPL", "SociAPL, tested alone", "solo SociAPL")


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: learners trained with experts and alone, at every penalty."""
    rows = []
    for penalty in PENALTIES:
        social, solo = (
            conditions.with_penalty(condition, penalty)
            for condition in (conditions.social(scale), conditions.solo(scale))
        )
        tested_alone = _name("SociAPL, tested alone", penalty)
        reliance: tuple[str, Expectation | None] = ("", None)
        if penalty <= LOW:
            reliance = "no reliance on others", about(tested_alone)
        elif penalty == scale.base.rules.penalty:
            reliance = "relies on others", times_as_much(tested_alone, 2.0)
        exploration = ("explores alone", above(LOCAL_OPTIMUM)) if penalty <= LOW else ("", None)
        rows += [
            Row(_name("SociAPL", penalty), social, *reliance),
            Row(tested_alone, social, alone=True),
            Row(_name("solo SociAPL", penalty), solo, *exploration),
        ]
    notes = f"{conditions.about(scale)} Here every row has its own penalty in place of {scale.base.rules.penalty:g}."
    return Figure("penalty", "The penalty for a mistake", tuple(rows), draw, notes=notes)


def _name(kind: str, penalty: float) -> str:
    return f"{kind}, penalty {penalty:g}"


def draw(found: Findings, picture) -> None:
    """Draws returns over the penalty."""
    axes = picture.subplots()
    plots.lines(axes, found, {kind: {p: _name(kind, p) for p in PENALTIES} for kind in KINDS}, "penalty")
    plots.legend(axes)


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "penalty", *sys.argv[1:]]))
