"""How the learner acts: does it wait for experts and follow them, and pay fewer penalties than they do?

jaxsocial reproduce behaviour --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import below_its_partners, more_than
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

PANELS = {
    "penalties in an episode": ("penalties", "experts' penalties"),
    "penalties per goal": ("penalties per goal", "experts' penalties per goal"),
    "share of goals that an expert led": ("following", "by chance", "following, vanilla", "by chance, vanilla"),
    "steps behind the expert": ("lag",),
}


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: measures of SociAPL, and of a learner that predicts nothing."""
    own, vanilla, searchers = conditions.social(scale), conditions.vanilla(scale), conditions.searchers_apart(scale)
    paid = {"": "penalties", " per goal": "penalties_per_goal"}
    rows = [Row("return", own, episode=True)]
    for each, measure in paid.items():
        # A learner that does nothing pays nothing, so penalties are also divided by goals.
        cheap = "fewer than the expert", below_its_partners()
        rows += [
            Row(f"penalties{each}", own, *cheap, partners=searchers, measure=measure),
            Row(f"experts' penalties{each}", own, partners=searchers, of_partners=True, measure=measure),
        ]
    rows += [
        Row("following", own, "follows", more_than("by chance"), measure="following"),
        Row("by chance", own, measure="following_by_chance"),
        Row("following, vanilla", vanilla, measure="following"),
        Row("by chance, vanilla", vanilla, measure="following_by_chance"),
        Row("lag", own, "waits, then follows", measure="lag"),
    ]
    notes = conditions.about(scale)
    return Figure("behaviour", "How SociAPL acts", tuple(rows), draw, size=(13.0, 3.8), notes=notes)


def draw(found: Findings, picture) -> None:
    """Draws a panel for each measure."""
    for axes, (label, rows) in zip(picture.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        plots.dots(axes, found, rows, label)


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "behaviour", *sys.argv[1:]]))
