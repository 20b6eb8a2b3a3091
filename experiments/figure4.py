"""Figure 4: which learners learn from experts? Returns over training, of every condition.

jaxsocial reproduce figure4 --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import about, above, all_of, at_most, between, more_often_above, within
from jaxsocial.reproduce.conditions import LEFT, LOCAL_OPTIMUM, TUNED_VANILLA, Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

PIXELS = "SociAPL on pixels"
SOLO = ("solo vanilla", "solo SociAPL")
CURVES = (*SOLO, "social vanilla", TUNED_VANILLA, "social autoencoder", PIXELS, "SociAPL")


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale."""
    sociapl = conditions.social(scale)
    pixels = [] if scale.base.sizes.prediction == "frame" else [conditions.on_pixels(scale)]
    tuned = conditions.tuned_vanilla(scale)
    # In the paper's own world the claim includes a number.
    level = [within(*scale.level)] if scale.level else []
    others = ["social vanilla", *(each.name for each in tuned)]
    escapes = all_of(above(LOCAL_OPTIMUM), *(more_often_above(LEFT, other) for other in others), *level)
    rows = (
        Row("solo vanilla", conditions.solo(scale, "none"), "stays in the local optimum", at_most(LOCAL_OPTIMUM)),
        Row("solo SociAPL", conditions.solo(scale), "stays in the local optimum", at_most(LOCAL_OPTIMUM)),
        Row(
            "social vanilla",
            conditions.vanilla(scale),
            "stays in the local optimum",
            at_most(LOCAL_OPTIMUM),
            episode=True,
        ),
        *(Row(each.name, each, "stays in the local optimum", at_most(LOCAL_OPTIMUM)) for each in tuned),
        Row(
            "social autoencoder",
            conditions.autoencoder(scale),
            "between, unreliable",
            between("social vanilla", "SociAPL"),
        ),
        *(Row(PIXELS, each, "escapes it (15-20 in its world)", escapes) for each in pixels),
        Row("SociAPL", sociapl, "escapes it (15-20 in its world)", escapes, episode=True),
        *conditions.beside_experts(scale, sociapl),
        Row("imitation", conditions.imitation(scale), "about the expert", about(conditions.searchers_name(scale))),
    )
    return Figure("figure4", "Figure 4: who learns from experts", rows, draw, notes=conditions.about(scale))


def draw(found: Findings, picture) -> None:
    """Draws curves of the reinforcement learners, and levels for experts and imitation."""
    axes = picture.subplots()
    plots.curves(axes, found, CURVES, levels=("experts", "searching experts", "imitation"))
    plots.legend(axes)


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "figure4", *sys.argv[1:]]))
