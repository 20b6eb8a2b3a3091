"""Figure 7: solo and social training mixed, after social training. Can the learner do the task alone then?

jaxsocial reproduce figure7 --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import at_most, more_than, times_as_much
from jaxsocial.reproduce.conditions import LOCAL_OPTIMUM, Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

FAR = 2.0
"""The factor over the return of a learner that was trained alone that is "far above" it."""


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: learners tested alone and with experts."""
    mixed, social = conditions.mixed(scale), conditions.social(scale)
    # Continued as mixed training continues SociAPL, for as many steps.
    solo = conditions.continued(conditions.solo(scale), conditions.mixed_steps(scale))
    rows = (
        Row("solo SociAPL", solo, "stays in the local optimum", at_most(LOCAL_OPTIMUM)),
        Row("SociAPL, tested alone", social, alone=True),
        Row(
            "mixed, tested alone", mixed, "far above solo", times_as_much("solo SociAPL", FAR), alone=True, episode=True
        ),
        Row("mixed, tested with experts", mixed, "still social", more_than("mixed, tested alone"), episode=True),
        Row("SociAPL, tested with experts", social),
    )
    notes = conditions.about(scale)
    return Figure("figure7", "Figure 7: solo and social training mixed", rows, draw, notes=notes)


def draw(found: Findings, picture) -> None:
    """Draws a column for each row."""
    plots.dots(picture.subplots(), found, list(found.rows))


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "figure7", *sys.argv[1:]]))
