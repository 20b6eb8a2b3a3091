"""Figure 6: new worlds with new experts, without any further training.

jaxsocial reproduce figure6 --scale laptop
"""

import sys

from jaxsocial.cli import main
from jaxsocial.reproduce import conditions, plots
from jaxsocial.reproduce.claims import all_of, more_than, times_as_much
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row, TrainedPlayer

SOLO = 2.0
"""The least factor over the return of a learner that was trained alone."""


def figure(scale: Scale) -> Figure:
    """Returns the figure at a scale: every condition in every world."""
    transferred = {
        "SociAPL": conditions.social(scale),
        "solo SociAPL": conditions.solo(scale),
        "social vanilla": conditions.vanilla(scale),
        "imitation": conditions.imitation(scale),
    }
    # Scripted experts know every world: only trained ones can be transferred.
    if isinstance(scale.experts[0], TrainedPlayer):
        transferred["expert"] = scale.experts[0].condition
    rows = []
    for where, place in scale.places.items():
        names = {name: f"{where}: {name}" for name in transferred}
        lesser = [more_than(row) for name, row in names.items() if name not in ("SociAPL", "solo SociAPL")]
        others = all_of(times_as_much(names["solo SociAPL"], SOLO), *lesser)
        best = others._replace(text=f"more than all others, and {SOLO:g} times solo")
        for name, condition in transferred.items():
            is_sociapl = name == "SociAPL"
            rows.append(
                Row(
                    names[name],
                    condition,
                    "best, 2-3 times solo" if is_sociapl else "",
                    best if is_sociapl else None,
                    partners=place.experts,
                    world=place.world,
                    episode=is_sociapl,
                )
            )
    notes = f"{conditions.about(scale)} In the new worlds experts are scripted at every scale; the paper's are trained."
    if any(place.world.respawn for place in scale.places.values()):
        notes += (
            " In Four Rooms and Maze an agent that enters the goal starts again, so that a follower can be rewarded "
            "more than once; in the paper its episode ends."
        )
    size = 3.7 * len(scale.places), 4.2
    return Figure("figure6", "Figure 6: zero-shot transfer", tuple(rows), draw, size=size, notes=notes)


def draw(found: Findings, picture) -> None:
    """Draws a panel for each world."""
    places = list(dict.fromkeys(row.partition(": ")[0] for row in found.rows))
    for axes, place in zip(picture.subplots(1, len(places), squeeze=False)[0], places, strict=True):
        plots.dots(axes, found, [row for row in found.rows if row.startswith(f"{place}: ")], prefix=f"{place}: ")
        axes.set_title(place, fontsize="medium")


if __name__ == "__main__":
    sys.exit(main.main(["reproduce", "figure6", *sys.argv[1:]]))
