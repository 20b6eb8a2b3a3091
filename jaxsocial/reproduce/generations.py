"""Generations: learners that learn beside the learners before them (after Cook et al. 2024, arXiv 2406.00392).

A lineage is a chain: its learner of a generation is the partner of its next one. Lineages train side by side, one for
each seed, and never meet.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsocial.config.config import Config
from jaxsocial.env.values import Count, Index, fit_fields
from jaxsocial.evaluate.statistics import Score, interquartile_mean
from jaxsocial.reproduce import plots
from jaxsocial.reproduce.claims import more_than
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Condition, Figure, Findings, Row, TrainedPlayer
from jaxsocial.sweep.spec import BASE, base_of, check_names, checked_table, read_toml, typed_values

NAMES = ("preset", "scenario", *BASE, "fixed", "generations")
SEEDS_APART = 1000
"""Between the seeds of a lineage's generations, so that no learner begins with the weights that its teacher had."""
ONE_LEARNER = "one learner, as long"
ALONE, HALF, FIRST, LED, PARTNERS = ", alone", ", half", ", beside the first partners", ", following", ", its partners"
"""After "generation 2", the names of its rows."""
COLUMNS = ("generation", "return", "its partners", "led", "partners leave half way", "alone", "transmission")
DRAWN = {"": "beside its partners", FIRST: "beside the first partners", HALF: "partners leave half way", ALONE: "alone"}
COLOURS = dict(zip(DRAWN, ("tab:blue", "tab:purple", "tab:green", "tab:orange"), strict=True))


@dataclasses.dataclass(frozen=True)
class Generations:
    """Declared generations.

    Raises:
      ValueError: no generation follows the first, or the first partners keep no seat free.
    """

    base: Config
    """The learner of every generation. Its partners are those of the first; its seeds are the lineages."""
    number: Count = 5
    """Generations, 2 or more."""
    oldest: Index = 0
    """Seats, the last ones, in which the first partners stay in all generations, 0 or more; in the others are copies
    of the learner before."""

    def __post_init__(self):
        fit_fields(self)
        seats = len(self.base.partners)
        if self.number < 2:
            raise ValueError(f"generations.number={self.number}: choose 2 or more")
        if not self.oldest < seats:
            raise ValueError(
                f"generations.oldest={self.oldest}: the learner has {seats} partners, and one at least has to be of "
                "the generation before; choose fewer, or give partners below [fixed]"
            )
        if self.base.seeds > SEEDS_APART:
            raise ValueError(f"seeds={self.base.seeds}: choose {SEEDS_APART} or fewer")


def read_generations(path: Path) -> Generations:
    """Reads generations from a TOML file (docs/generations.md).

    Raises:
      ValueError: no such file, no TOML, or generations that cannot be trained; one line that says what to do.
    """
    return make_generations(read_toml(path, "generations (docs/generations.md)"))


def make_generations(plain: Mapping[str, Any]) -> Generations:
    """Makes generations from the contents of their file.

    >>> make_generations({"seeds": 3, "generations": {"number": 4, "oldest": 1}}).oldest
    1

    Raises:
      ValueError: see `read_generations`.
    """
    check_names(plain, NAMES, "fixed")
    table = checked_table(plain.get("generations", {}), ("number", "oldest"), "generations")
    return Generations(base_of(plain), **typed_values(table, Generations, "generations."))


def scale_of(declared: Generations) -> Scale:
    """Returns the scale at which `figure` is reproduced."""
    base, players = declared.base, declared.base.partners
    return Scale(base.preset, base, players, players, (), {}, base.evaluation_episodes)


def lineages(declared: Generations) -> list[Condition]:
    """Returns the condition of each generation. In all, a seed's partners are those of its own lineage."""
    base = declared.base
    stay = len(base.partners) - declared.oldest
    made = [Condition("generation 1", base)]
    for number in range(2, declared.number + 1):
        config = dataclasses.replace(base, seed=base.seed + SEEDS_APART * (number - 1))
        before = (TrainedPlayer(made[-1], seed=None),) * stay
        made.append(Condition(f"generation {number}", config, partners=before + base.partners[stay:]))
    return made


def figure(declared: Generations, scale: Scale, command: str = "") -> Figure:
    """Returns the figure of some generations: rows for each, and for one learner that trains as long as all.

    Args:
      declared: the generations.
      scale: as `scale_of` returns it, or with another first seed.
      command: what makes it again.
    """
    declared = dataclasses.replace(declared, base=scale.base)
    first, *_ = generations = lineages(declared)
    steps = (declared.number - 1) * declared.base.total_steps
    longer = dataclasses.replace(declared.base, total_steps=steps)
    one = Condition(ONE_LEARNER, longer, start_from=first)
    rows = [Row(one.name, one), Row(one.name + ALONE, one, alone=True)]
    for condition in generations:
        name = condition.name
        last = condition is generations[-1]
        claim = ("more than one learner in its whole life", more_than(ONE_LEARNER)) if last else ("", None)
        rows += [
            Row(name, condition, *claim),
            Row(name + PARTNERS, condition, of_partners=True),
            Row(name + LED, condition, measure="following"),
            Row(name + HALF, condition, half=True),
            Row(name + ALONE, condition, alone=True),
        ]
        rows += [] if condition is first else [Row(name + FIRST, condition, partners=declared.base.partners)]
    names = [condition.name for condition in generations]

    def draw(found: Findings, picture) -> None:
        _draw(found, picture, names)

    title = f"{declared.number} generations of {declared.base.preset}"
    kept = f" In {declared.oldest} of the seats the first partners stay." if declared.oldest else ""
    notes = (
        f"Each generation learns {declared.base.total_steps / 1e6:g} M steps beside the one before; the first beside "
        f"{' and '.join(declared.base.partners)}.{kept} Lineages are independent, one a seed."
    )
    return Figure(
        "generations",
        title,
        tuple(rows),
        draw,
        size=(9.0, 4.2),
        notes=notes,
        command=command,
        summary=lambda found: summary(found, names),
    )


def transmissions(found: Findings, name: str) -> Float[np.ndarray, " seeds"]:
    """Computes each lineage's cultural transmission in a generation (`evaluate.social.cultural_transmission`).

    Args:
      found: the findings.
      name: of the generation.

    Returns:
      NaN where partners earn nothing: they have nothing to transmit.
    """
    full, half, solo, partners = (found.rows[name + row].values for row in ("", HALF, ALONE, PARTNERS))
    return (0.5 * (full + half) - solo) / np.where(partners > 0, partners, np.nan)


def summary(found: Findings, names: list[str]) -> str:
    """Returns a table in Markdown: one line a generation, interquartile means over lineages.

    Args:
      found: the findings.
      names: of the generations.
    """
    lines = ["| " + " | ".join(COLUMNS) + " |", "| --- |" + " ---: |" * (len(COLUMNS) - 1)]
    for name in (name for name in names if name in found.rows):
        scores = [found.rows[name + row].score for row in ("", PARTNERS, LED, HALF, ALONE)]
        scores.append(interquartile_mean(transmissions(found, name)))
        cells = [name, *("-" if np.isnan(score.mean) else str(score) for score in scores)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _draw(found: Findings, picture, names: list[str]) -> None:
    """Draws returns over generations beside those of one learner, and transmission."""
    left, right = picture.subplots(1, 2, width_ratios=(2, 1))
    there = {number: name for number, name in enumerate(names, 1) if name in found.rows}
    for row, label in DRAWN.items():
        own = {number: found.rows[name + row] for number, name in there.items() if name + row in found.rows}
        for number, finding in own.items():
            left.plot([number] * len(finding.values), finding.values, ".", color=COLOURS[row], ms=4, alpha=0.4)
        _line(left, {number: finding.score for number, finding in own.items()}, COLOURS[row], label)
    if ONE_LEARNER in found.rows:
        level = found.rows[ONE_LEARNER].score.mean
        left.axhline(level, color="0.35", linestyle="--", linewidth=1, label=f"{ONE_LEARNER} ({level:.1f})")
    _line(right, {number: interquartile_mean(transmissions(found, name)) for number, name in there.items()}, "black")
    for axes, label in ((left, "return of an episode"), (right, "cultural transmission")):
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.set(xlabel="generation", ylabel=label, xticks=list(there))
        axes.spines[["top", "right"]].set_visible(False)
    plots.legend(left)


def _line(axes, scores: Mapping[int, Score], colour: str, label: str | None = None) -> None:
    if scores:
        means, lows, highs = np.array(list(scores.values())).T
        axes.errorbar(list(scores), means, (means - lows, highs - means), color=colour, label=label, marker="o", ms=4)
