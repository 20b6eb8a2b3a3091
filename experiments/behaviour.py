"""How the learner acts: does it wait for experts and follow them, and pay less than they do?

jaxsocial reproduce behaviour --scale laptop
"""

import sys

from jaxsocial import cli
from jaxsocial.reproduce import conditions, drawing
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.expectations import below_its_partners, more_than
from jaxsocial.reproduce.figures import Figure, Row
from jaxsocial.reproduce.findings import Findings

PANELS = {
    "penalties in an episode": ("penalties", "experts' penalties"),
    "share of goals that an expert led": ("following", "following by chance"),
    "steps behind the expert": ("lag",),
}


def figure(scale: Scale) -> Figure:
    """Measures of one condition (docs/company.md says what they are)."""
    own, searchers = conditions.social(scale), conditions.searchers_apart(scale)
    rows = (
        Row("return", own, episode=True),
        Row(
            "penalties",
            own,
            "fewer than the expert",
            below_its_partners(),
            partners=searchers,
            measure="penalties",
        ),
        Row("experts' penalties", own, partners=searchers, of_partners=True, measure="penalties"),
        Row("following", own, "follows", more_than("following by chance"), measure="following"),
        Row("following by chance", own, measure="following_by_chance"),
        Row("lag", own, "waits, then follows", measure="lag"),
    )
    notes = conditions.about_experts(scale)
    return Figure("behaviour", "How SociAPL acts", rows, draw, size=(9.0, 3.8), notes=notes)


def draw(found: Findings, picture) -> None:
    """A panel for each measure."""
    for axes, (label, rows) in zip(picture.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        drawing.dots(axes, found, rows, label)


if __name__ == "__main__":
    sys.exit(cli.main(["reproduce", "behaviour", *sys.argv[1:]]))
