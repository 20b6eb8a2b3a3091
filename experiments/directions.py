"""Returns of every seed by the way round that the order of three goals goes, as a table in Markdown.

python -m experiments.directions RUN pretrained:sociapl
"""

import argparse

import numpy as np

from jaxsocial.evaluate.episodes import episode_player, without_teacher
from jaxsocial.evaluate.probes import TURNS, measured
from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of
from jaxsocial.training.packaged import run_folder

EPISODES = 256
COLUMNS = ("run", "seed", "return", "clockwise", "counter-clockwise", "its better way", "the other way")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="run folders, of worlds with three goals, or pretrained:NAME")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="of each seed")
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * (len(COLUMNS) - 1))
    for name in options.runs:
        folder = run_folder(name)
        config = without_teacher(config_of(folder))
        parameters, _ = checkpoint.restore_parameters(folder, config)
        values = measured(episode_player(config, options.episodes)(parameters), config, 0)
        if TURNS[0] not in values:
            raise SystemExit(f"{folder}: its world has no order of three goals, the only ones with two ways round")
        for index in range(config.seeds):
            ways = [np.nanmean(values[turn][index]) for turn in TURNS]
            numbers = values["return"][index].mean(), *ways, max(ways), min(ways)
            shown = name if ":" in name else folder.resolve().name
            cells = [shown, str(config.seed + index), *(f"{number:.2f}" for number in numbers)]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
