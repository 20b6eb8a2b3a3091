"""Figure 7: solo and social training mixed, after social training. Can the learner do the task alone then?

jaxsocial reproduce figure7 --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import at_most, more_than, times_as_much
from jaxsocial.reproduce.conditions import TRAP, Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

FAR = 2.0
"""How many times what a learner trained alone gets is "far above" it."""


def figure(scale: Scale) -> Figure:
    """Learners alone, and the mixed one with experts too."""
    mixed, social = conditions.mixed(scale), conditions.social(scale)
    rows = (
        Row("solo SociAPL", conditions.solo(scale), "stays in the trap", at_most(TRAP)),
        Row("SociAPL, alone", social, alone=True),
        Row("mixed, alone", mixed, "far above solo", times_as_much("solo SociAPL", FAR), alone=True, episode=True),
        Row("mixed, with experts", mixed, "still social", more_than("mixed, alone"), episode=True),
        Row("SociAPL, with experts", social),
    )
    notes = conditions.about(scale)
    return Figure("figure7", "Figure 7: solo and social training mixed", rows, draw, notes=notes)


def draw(found: Findings, picture) -> None:
    """A column for each."""
    plots.dots(picture.subplots(), found, list(found.rows))


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "figure7", *sys.argv[1:]]))
