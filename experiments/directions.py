"""Returns of every seed by the way round that the order of three goals goes, as a table in Markdown.

python -m experiments.directions RUN OTHER
"""

import argparse
from pathlib import Path

import numpy as np

from jaxsocial.evaluate.episodes import episode_player, without_teacher
from jaxsocial.evaluate.probes import TURNS, measured
from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of

EPISODES = 256
COLUMNS = ("run", "seed", "return", "clockwise", "counter-clockwise", "its better way", "the other way")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, of worlds with three goals")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="of each seed")
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * (len(COLUMNS) - 1))
    for folder in options.runs:
        config = without_teacher(config_of(folder))
        parameters, _ = checkpoint.restore_parameters(folder, config)
        values = measured(episode_player(config, options.episodes)(parameters), config, 0)
        if TURNS[0] not in values:
            raise SystemExit(
                f"{folder}: its world has {config.world.goals} goals, and only three go one way or another"
            )
        for index in range(config.seeds):
            ways = [np.nanmean(values[name][index]) for name in TURNS]
            numbers = values["return"][index].mean(), *ways, max(ways), min(ways)
            cells = [
                name if ":" in name else folder.resolve().name,
                str(config.seed + index),
                *(f"{number:.2f}" for number in numbers),
            ]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
