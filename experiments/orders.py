"""Returns of one learner by the cyclic order of the goals, as a table in Markdown.

    python -m experiments.orders FOLDER

Goals are numbered by their angle around their centre, clockwise on the screen: 0123 goes once around, and 0321 the
other way.
"""

import argparse

import numpy as np

from jaxsocial.evaluate.decoding import watched
from jaxsocial.evaluate.episodes import episode_player, without_teacher
from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of
from jaxsocial.training.packaged import run_folder

EPISODES = 256
COLUMNS = ("order", "episodes", "its return", "its partners'", "above 3")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run's folder, of which the first seed is played, or pretrained:NAME")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    options = parser.parse_args()
    folder = run_folder(options.run)
    config = without_teacher(config_of(folder))
    if not config.partner_seats:
        raise SystemExit(f"{folder}: its learner was trained alone; choose a run with partners")
    parameters, _ = checkpoint.restore_parameters(folder, config)
    # Both play the same worlds.
    found = episode_player(config, options.episodes)(parameters)
    goals = watched(config, parameters, options.episodes)[0].goals[:, 0]
    returns = np.where(found.present[0], found.reward[0], 0.0).sum(1)
    orders = np.array([order_of(places) for places in goals])
    print("| " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * (len(COLUMNS) - 1))
    for order in sorted(set(orders)):
        own, partners = returns[orders == order, 0], returns[orders == order][:, list(config.partner_seats)]
        numbers = f"{own.mean():.2f}", f"{partners.mean():.2f}", f"{np.mean(own > 3):.0%}"
        print("| " + " | ".join((order, str(len(own)), *numbers)) + " |")


def order_of(places: np.ndarray) -> str:
    """Returns the cyclic order of goals at these (row, column), in which they have to be entered.

    >>> order_of(np.array([[0, 0], [0, 2], [2, 2], [2, 0]]))
    '0123'
    """
    row, column = (places - places.mean(0)).T
    rank = np.argsort(np.argsort(np.arctan2(row, column)))
    return "".join(map(str, (rank - rank[0]) % len(rank)))


if __name__ == "__main__":
    main()
