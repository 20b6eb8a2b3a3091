"""Figure 4: who learns from experts? Returns over training, of every condition.

jaxsocial reproduce figure4 --scale laptop
"""

import sys

from jaxsocial import cli
from jaxsocial.reproduce import conditions, drawing
from jaxsocial.reproduce.conditions import TRAP, Scale
from jaxsocial.reproduce.expectations import about, at_most, below_their_learner, between, more_than
from jaxsocial.reproduce.figures import Figure, Row
from jaxsocial.reproduce.findings import Findings

CURVES = ("solo vanilla", "solo SociAPL", "social vanilla", "social autoencoder", "SociAPL")


def figure(scale: Scale) -> Figure:
    """All conditions at this scale."""
    sociapl, searchers = conditions.social(scale), conditions.searchers_apart(scale)
    experts = "experts that search" if searchers else "experts"
    rows = [
        Row("solo vanilla", conditions.solo(scale, "none"), "stays in the trap", at_most(TRAP)),
        Row("solo SociAPL", conditions.solo(scale), "stays in the trap", at_most(TRAP)),
        Row("social vanilla", conditions.vanilla(scale), "stays in the trap", at_most(TRAP), episode=True),
        Row(
            "social autoencoder",
            conditions.autoencoder(scale),
            "between, unreliable",
            between("social vanilla", "SociAPL"),
        ),
        Row("SociAPL", sociapl, "leaves it: 15-20", more_than("social vanilla"), episode=True),
        Row(
            experts,
            sociapl,
            "below SociAPL in most seeds",
            below_their_learner(),
            partners=searchers,
            of_partners=True,
        ),
        Row("imitation", conditions.imitation(scale), "about the expert", about(experts)),
    ]
    if searchers:
        rows.insert(-2, Row("experts", sociapl, of_partners=True))
    notes = conditions.about_experts(scale)
    return Figure("figure4", "Figure 4: who learns from experts", tuple(rows), draw, notes=notes)


def draw(found: Findings, picture) -> None:
    """Curves of what is trained by reinforcement, levels for experts and imitation."""
    axes = picture.subplots()
    drawing.curves(axes, found, CURVES, levels=("experts", "experts that search", "imitation"))
    drawing.legend(axes)


if __name__ == "__main__":
    sys.exit(cli.main(["reproduce", "figure4", *sys.argv[1:]]))
