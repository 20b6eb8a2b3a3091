"""Figure 5: imperfect experts. Does the learner still learn from them, and does it get more than they do?

jaxsocial reproduce figure5 --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import above, below_their_learner
from jaxsocial.reproduce.conditions import LOCAL_OPTIMUM, Scale
from jaxsocial.reproduce.figures import Figure, Findings, Player, Row


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: a learner with each kind of expert, early ones only if experts are trained."""
    sociapl = conditions.social(scale)
    rows = [Row("SociAPL", sociapl, "learns", above(LOCAL_OPTIMUM)), *conditions.beside_experts(scale, sociapl)]
    beside: dict[str, tuple[tuple[Player, ...], float]] = {
        "noisy experts": (scale.experts, scale.noise),
        "early experts": (scale.early_experts, 0.0),
        "an expert and a random one": ((scale.experts[0], "random"), 0.0),
    }
    for name, (partners, noise) in beside.items():
        if not partners:
            continue
        own = conditions.social(scale, experts=partners, name=f"SociAPL, {name}", noise=noise)
        # To get more than the mean of an expert and a random agent proves nothing.
        paper, claim = ("", None) if "random" in partners else ("below their learner", below_their_learner())
        rows.append(Row(own.name, own, "learns", above(LOCAL_OPTIMUM), episode=True))
        rows.append(Row(name, own, paper, claim, of_partners=True))
    notes = conditions.about(scale)
    return Figure("figure5", "Figure 5: imperfect experts", tuple(rows), draw, size=(9.0, 4.2), notes=notes)


def draw(found: Findings, picture) -> None:
    """Draws learners, each followed by its partners."""
    plots.dots(picture.subplots(), found, list(found.rows))


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "figure5", *sys.argv[1:]]))
