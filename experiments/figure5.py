"""Figure 5: imperfect experts. Does the learner still learn from those who err, and does it do better than they?

jaxsocial reproduce figure5 --scale laptop
"""

import sys

from jaxsocial import cli
from jaxsocial.reproduce import conditions, drawing
from jaxsocial.reproduce.conditions import TRAP, Scale
from jaxsocial.reproduce.expectations import above, below_their_learner
from jaxsocial.reproduce.figures import Figure, Player, Row
from jaxsocial.reproduce.findings import Findings

NOISE = 0.3
"""How often noisy experts act at random."""


def figure(scale: Scale) -> Figure:
    """A learner beside each kind of them; early ones only where experts are trained."""
    company: dict[str, tuple[tuple[Player, ...], float]] = {
        "experts": (scale.experts, 0.0),
        "noisy experts": (scale.experts, NOISE),
        "early experts": (scale.early_experts, 0.0),
        "an expert and a random one": ((scale.experts[0], "random"), 0.0),
    }
    rows, searchers = [], conditions.searchers_apart(scale)
    for name, (partners, noise) in company.items():
        if not partners:
            continue
        own_name = "SociAPL" if name == "experts" else f"SociAPL, {name}"
        own = conditions.social(scale, experts=partners, name=own_name, noise=noise)
        rows += [
            Row(own_name, own, "learns", above(TRAP)),
            Row(name, own, "below their learner", below_their_learner(), of_partners=True),
        ]
    if searchers:
        name, own = "experts that search", conditions.social(scale)
        rows += [
            Row(f"SociAPL, sent to {name}", own, "learns", above(TRAP), partners=searchers),
            Row(name, own, "below their learner", below_their_learner(), partners=searchers, of_partners=True),
        ]
    notes = conditions.about_experts(scale)
    return Figure("figure5", "Figure 5: imperfect experts", tuple(rows), draw, size=(9.0, 4.2), notes=notes)


def draw(found: Findings, picture) -> None:
    """Learners, each beside those it learned from."""
    drawing.dots(picture.subplots(), found, list(found.rows))


if __name__ == "__main__":
    sys.exit(cli.main(["reproduce", "figure5", *sys.argv[1:]]))
