"""What makes a skill survive alone? Return alone after mixed training, against goals alone before it.

jaxsocial reproduce alone --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import rises_with
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row

KINDS = ("SociAPL", "social vanilla", "SociAPL on symbols", "social vanilla on symbols")
BEFORE, AFTER = "{}, alone before: goals", "{}, alone after: return"


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: learners with and without prediction, of pictures and of symbols."""
    symbols = conditions.on_symbols(scale)
    learners = (
        conditions.social(scale),
        conditions.vanilla(scale),
        conditions.social(symbols, name=KINDS[2]),
        conditions.vanilla(symbols, name=KINDS[3]),
    )
    claim = rises_with({AFTER.format(kind): BEFORE.format(kind) for kind in KINDS})._replace(
        text="rises with goals before"
    )
    rows = []
    for kind, learner in zip(KINDS, learners, strict=True):
        after = conditions.mixed(scale, learner)
        rows += [
            Row(BEFORE.format(kind), learner, alone=True, measure="goals"),
            Row(f"{kind}, alone before: return", learner, alone=True),
            Row(AFTER.format(kind), after, "not in the paper", claim if kind == KINDS[0] else None, alone=True),
            Row(f"{kind}, with experts after: return", after),
        ]
    notes = f"{conditions.about(scale)} The claim is about the seeds of all four kinds together."
    return Figure("alone", "What makes a skill survive alone", tuple(rows), draw, notes=notes)


def draw(found: Findings, picture) -> None:
    """Draws a dot for each seed: goals alone before mixed training, return alone after it."""
    axes = picture.subplots()
    for kind in KINDS:
        before, after = (found.rows.get(name.format(kind)) for name in (BEFORE, AFTER))
        if before and after:
            label, colour = f"{kind} (n = {len(after.seeds)})", plots.colour_of(kind)
            axes.plot(before.values, after.values, "o", color=colour, alpha=0.7, label=label)
    axes.set(xlabel="goals alone before mixed training", ylabel="return alone after mixed training")
    axes.axhline(1, color="0.6", linewidth=1, linestyle="--", label="one goal, then nothing")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(left=0)
    plots.legend(axes)


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "alone", *sys.argv[1:]]))
