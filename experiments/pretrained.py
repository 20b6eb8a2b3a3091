"""Packs the learners that come with the package: one seed of conditions of figure 4, with its card; and the tour.

python -m experiments.pretrained --runs runs/reproduce

It needs the trained runs of `jaxsocial reproduce figure4 --scale laptop`.
"""

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

from experiments.figure4 import figure
from jaxsocial.api import Run
from jaxsocial.evaluate.statistics import Score
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.scales import make_scale
from jaxsocial.reproduce.store import folder_of
from jaxsocial.training.packaged import CARD, PACKAGED, Card
from jaxsocial.training.pretrained import export_policy
from jaxsocial.training.provenance import read_provenance
from jaxsocial.viewer import tour

LEARNERS = {
    "sociapl": ("SociAPL", "Trained beside two searching experts, predicting the symbols that it will see next."),
    "vanilla": ("social vanilla", "Trained beside two searching experts, without prediction."),
    "solo": ("solo vanilla", "Trained alone, without prediction."),
    "imitator": ("imitation", "Trained to predict the actions of a searching expert in its own seat."),
}
"""Name to the condition of figure 4, and how it was trained."""
EPISODES = 256
TOUR = ("sociapl", "vanilla", "solo", "imitator"), range(4)
"""Learners of the tour in the order of its menu, and the numbers of the episodes."""


def pack(name: str, condition: Condition, about: str, beside: tuple[str, ...], runs: Path) -> Card:
    """Packs the seed with the median return beside partners, and returns its card.

    Args:
      name: in the package.
      condition: whose run is trained.
      about: how it was trained.
      beside: the partners of its evaluation.
      runs: the folder of all runs of the scale.
    """
    folder = folder_of(condition, runs)
    every = [one for one in Run.load(folder).evaluate(EPISODES, partners=beside) if one.player == "learner"]
    seed = sorted(every, key=lambda one: one.return_.mean)[len(every) // 2].seed
    place = PACKAGED / name
    shutil.rmtree(place, ignore_errors=True)
    export_policy(f"{folder}#{seed}", place)
    packed = Run(place)
    results = {
        "beside": packed.evaluate(EPISODES, partners=beside)[0],
        "alone": packed.evaluate(EPISODES, alone=True)[0],
    }
    returns = {name: _rounded(result.return_) for name, result in results.items()}
    card = Card(
        name=name,
        about=about,
        command="jaxsocial reproduce figure4 --scale laptop",
        commit=read_provenance(folder)["git"],
        seed=seed,
        chosen=f"the median return beside partners of seeds {every[0].seed} to {every[-1].seed}",
        steps=packed.config.total_steps,
        episodes=EPISODES,
        beside=beside,
        returns=returns,
    )
    (place / CARD).write_text(json.dumps(dataclasses.asdict(card), indent=1) + "\n")
    return card


def _rounded(score: Score) -> dict[str, float]:
    return {name: round(value, 4) for name, value in score._asdict().items()}


def main() -> None:
    """Packs all learners, and records the tour."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/reproduce"))
    runs, scale = parser.parse_args().runs / "laptop", make_scale("laptop")
    rows = {row.name: row.condition for row in figure(scale).rows}
    for name, (condition, about) in LEARNERS.items():
        beside = tuple(map(str, scale.searching))
        card = pack(name, rows[condition], about, beside, runs)
        print(f"{name}: seed {card.seed}, {card.returns}", flush=True)
    tour.record(*TOUR)


if __name__ == "__main__":
    main()
