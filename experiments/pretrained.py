"""Packs the learners that come with the package: seeds of conditions of figures 4, 5 and 7; and the tour.

python -m experiments.pretrained --runs runs/reproduce

It needs the trained runs of `jaxsocial reproduce figure4 --scale laptop` and their records, figure 5's experts, and
the mixed learners of figure 7.
"""

import argparse
import dataclasses
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.figure4 import figure
from jaxsocial.api import Run
from jaxsocial.reproduce import command, store
from jaxsocial.reproduce.claims import Finding
from jaxsocial.reproduce.conditions import mixed
from jaxsocial.reproduce.figures import Condition, TrainedPlayer
from jaxsocial.reproduce.scales import make_scale
from jaxsocial.training.folder import PROVENANCE
from jaxsocial.training.packaged import CARD, PACKAGED, Card
from jaxsocial.training.pretrained import export_policy
from jaxsocial.training.provenance import read_provenance
from jaxsocial.viewer import tour

EXPERT, MIXED = "expert", "mixed"
"""The conditions of figure 5's early experts, and of figure 7's mixed learners."""
COMMANDS = {EXPERT: "jaxsocial reproduce figure5 --scale laptop", MIXED: "jaxsocial reproduce figure7 --scale laptop"}


class Learner(NamedTuple):
    """Which learner is packed."""

    row: str
    """A row of figure 4, or `EXPERT` or `MIXED`."""
    about: str
    """How it was trained."""
    seed: int | None = None
    """The one whose return in figure 4 is the median if None."""
    steps: int | None = None
    """Learner steps of an earlier checkpoint; the last one if None."""
    chosen: str = ""
    """How the seed was chosen, if it is not the median one."""


LEARNERS = {
    "sociapl": Learner(
        "SociAPL",
        "Trained beside two searching experts, predicting the symbols that it will see next. It follows them where the "
        "order of goals goes clockwise; alone it gets less than one goal.",
    ),
    "sociapl_counterclockwise": Learner(
        "SociAPL",
        "Another seed of sociapl. It follows where the order of goals goes counter-clockwise.",
        seed=2,
        chosen="the best of those that go counter-clockwise, of seeds 0 to 9",
    ),
    "sociapl_early": Learner(
        "SociAPL",
        "Another seed of sociapl, after 2.0 of 3.2 million steps, when it had begun to follow.",
        seed=3,
        steps=1_996_800,
        chosen="the one with a return in training that was between those before and after they begin to follow, of "
        "seeds 0 to 9",
    ),
    "mixed": Learner(
        MIXED,
        "A seed of sociapl, trained for 6.2 million steps more, three quarters of them alone. It follows as before, "
        "and alone it searches, and earns where the order of goals goes clockwise.",
        seed=6,
        chosen="the median return alone of the three that left the local optimum alone, of seeds 0 to 9",
    ),
    "mixed_both_ways": Learner(
        MIXED,
        "Another seed of mixed. It follows whichever way round the order of goals goes; alone it takes one goal and "
        "stops.",
        seed=8,
        chosen="the best return beside experts, of seeds 0 to 9",
    ),
    "vanilla": Learner(
        "social vanilla",
        "Trained beside two searching experts, without prediction. It takes one goal and stops.",
    ),
    "solo": Learner("solo vanilla", "Trained alone, without prediction. It takes one goal and stops."),
    "expert": Learner(
        EXPERT,
        "Trained alone on symbols, without prediction, under a penalty that grows from 0.25 to 2 in four stages. It "
        "searches, and earns where the order of goals goes clockwise.",
        seed=0,
        chosen="the better one, of seeds 0 and 1",
    ),
    "imitator": Learner(
        "imitation",
        "Trained to predict the actions of a searching expert in its own seat, alone. Alone it searches as the expert "
        "does; beside others, which it has never seen, it gets less.",
    ),
}
"""By name, in the order of the tour's menu."""
EPISODES = 256
SHOWN = range(4)
"""Numbers of the episodes of the tour."""


def pack(
    name: str, learner: Learner, condition: Condition, found: Finding | None, beside: tuple[str, ...], runs: Path
) -> Card:
    """Packs a learner and returns its card.

    Args:
      name: in the package.
      learner: which one.
      condition: of its row, whose run is trained.
      found: what figure 4 shows of it; needed where the median seed is packed.
      beside: the partners of its evaluation.
      runs: the folder of all runs of the scale.
    """
    folder, place = store.folder_of(condition, runs), PACKAGED / name
    seed, chosen = learner.seed, learner.chosen
    if seed is None:
        assert found is not None
        seed = found.seeds[int(np.argsort(found.values, stable=True)[len(found.seeds) // 2])]
        chosen = f"the median return in figure 4 of seeds {min(found.seeds)} to {max(found.seeds)}"
    shutil.rmtree(place, ignore_errors=True)
    export_policy(f"{folder}@{learner.steps}#{seed}" if learner.steps else f"{folder}#{seed}", place)
    (place / PROVENANCE).unlink()  # it names folders of the machine; the card says what matters
    packed = Run(place)
    results = {
        "beside": packed.evaluate(EPISODES, partners=beside)[0],
        "alone": packed.evaluate(EPISODES, alone=True)[0],
    }
    card = Card(
        name=name,
        about=learner.about,
        command=COMMANDS.get(learner.row, "jaxsocial reproduce figure4 --scale laptop"),
        commit=read_provenance(folder)["git"],
        seed=seed,
        chosen=chosen,
        steps=learner.steps or packed.config.total_steps,
        episodes=EPISODES,
        beside=beside,
        returns={
            place: {part: round(value, 4) for part, value in result.return_._asdict().items()}
            for place, result in results.items()
        },
    )
    (place / CARD).write_text(json.dumps(dataclasses.asdict(card), indent=1) + "\n")
    return card


def main() -> None:
    """Packs learners, and records the tour."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("learners", nargs="*", default=list(LEARNERS), help="by default all")
    parser.add_argument("--runs", type=Path, default=Path("runs/reproduce"))
    parser.add_argument("--results", type=Path, default=Path("experiments/results"))
    chosen, scale = parser.parse_args(), make_scale("laptop")
    for name in chosen.learners:
        if name not in LEARNERS:
            raise SystemExit(f"learner {name!r} is unknown: choose from {', '.join(LEARNERS)}")
    places = command.Places(chosen.runs / scale.name, chosen.results / scale.name)
    found, _ = command.view(figure, scale, store.read_records(places.records))
    player = scale.early_experts[0]
    assert isinstance(player, TrainedPlayer)
    conditions = {row.name: row.condition for row in figure(scale).rows}
    conditions |= {EXPERT: player.condition, MIXED: mixed(scale)}
    for name in chosen.learners:
        learner = LEARNERS[name]
        row = learner.row
        card = pack(name, learner, conditions[row], found.rows.get(row), scale.base.partners, places.runs)
        print(f"{name}: seed {card.seed}, {card.returns}", flush=True)
    tour.record([name for name in LEARNERS if (PACKAGED / name).is_dir()], SHOWN)


if __name__ == "__main__":
    main()
