"""Does the learner outdo the experts that it has learned from? Training until the return is flat.

jaxsocial reproduce experts --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import below_their_learner
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

MEASURES = {"return": "return", "goals": "goals", "penalties": "penalties"}
KINDS = ("SociAPL", "social vanilla")


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: returns, goals and penalties of learners and of their experts, and the lag."""
    rows = []
    for kind, learner in zip(KINDS, (conditions.social(scale), conditions.vanilla(scale)), strict=True):
        trained = conditions.longer(scale, learner)
        for label, measure in MEASURES.items():
            claim = "below SociAPL in most seeds", below_their_learner()
            expected = claim if kind == KINDS[0] and measure == "return" else ("", None)
            rows += [
                Row(f"{label}: {kind}", trained, measure=measure, episode=measure == "return"),
                Row(f"{label}: experts of {kind}", trained, *expected, measure=measure, of_partners=True),
            ]
        rows.append(Row(f"steps behind the expert: {kind}", trained, measure="lag"))
    notes = conditions.about(scale)
    return Figure("experts", "Does the learner outdo its experts", tuple(rows), draw, size=(13.0, 4.0), notes=notes)


def draw(found: Findings, picture) -> None:
    """Draws a panel for each measure."""
    panels = list(dict.fromkeys(row.partition(": ")[0] for row in found.rows))
    for axes, panel in zip(picture.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        rows = [row for row in found.rows if row.startswith(f"{panel}: ")]
        plots.dots(axes, found, rows, f"{panel} in an episode" if panel in MEASURES else panel, prefix=f"{panel}: ")


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "experts", *sys.argv[1:]]))
