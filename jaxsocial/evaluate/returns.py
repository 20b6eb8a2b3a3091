"""Returns, goals and penalties of every player over whole episodes, with intervals."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsocial.config.config import Config
from jaxsocial.evaluate.episodes import Episodes
from jaxsocial.evaluate.statistics import Score, score
from jaxsocial.training.metrics import Health
from jaxsocial.training.tables import Table


class Result(NamedTuple):
    """Scores of one kind of player of one seed, over episodes."""

    player: str
    seed: int
    episodes: int
    return_: Score
    goals: Score
    penalties: Score
    healthy: bool | None = None
    """Whether all numbers of the learner stayed finite in training; None for other players."""
    last_good_step: int | None = None
    """Learner steps after which they were finite."""


def learner_names(config: Config) -> list[str]:
    """Returns the name of each learner in tables and pictures.

    >>> from jaxsocial.config.presets import preset
    >>> learner_names(preset("quickstart"))
    ['learner']
    """
    learners = config.sizes.learners
    return ["learner"] if learners == 1 else [f"learner {number}" for number in range(learners)]


def evaluate(config: Config, episodes: Episodes, alone: bool = False) -> list[Result]:
    """Scores each learner and each kind of partner.

    Args:
      config: of the run that played the episodes.
      episodes: of every seed.
      alone: whether partners were absent; then only learners are scored.

    Returns:
      Learners first, then partners; one result for each player and seed.
    """
    results = []
    for seat, name in enumerate(learner_names(config)):
        results += results_of(episodes, config, name, [seat])
    partners = dict.fromkeys(config.partners[seat - config.sizes.learners] for seat in config.partner_seats)
    for name in {} if alone else partners:
        seats = [seat for seat, partner in enumerate(config.partners, config.sizes.learners) if partner == name]
        results += results_of(episodes, config, name, seats)
    return results


def with_health(results: Sequence[Result], config: Config, health: Mapping[int, Health]) -> list[Result]:
    """Returns results that say of each learner whether its numbers stayed finite in training.

    Args:
      results: of `evaluate`.
      config: of the run.
      health: by seed, see `training.metrics.health`.
    """
    names = learner_names(config)
    return [
        result._replace(**health[result.seed]._asdict()) if result.player in names and result.seed in health else result
        for result in results
    ]


def results_of(episodes: Episodes, config: Config, player: str, seats: list[int]) -> list[Result]:
    """Scores one kind of player.

    Args:
      episodes: of every seed.
      config: of the run that played them.
      player: its name.
      seats: of the agents that are averaged in each episode.

    Returns:
      One result for each seed.
    """
    sums = episode_sums(episodes, seats)
    results = []
    for index, own in enumerate(sums["return"]):
        return_, goals, penalties = (score(values[index]) for values in sums.values())
        results.append(Result(player, config.seed + index, len(own), return_, goals, penalties))
    return results


def episode_sums(episodes: Episodes, seats: list[int]) -> dict[str, Float[np.ndarray, "S E"]]:
    """Computes return, goals and penalties of each episode, averaged over the agents in some seats.

    Goals and penalties are the numbers of steps with a reward above and below 0.

    >>> reward, nothing = np.array([[[[1.0], [-0.5], [1.0]]]]), np.zeros((1, 1, 3, 1))
    >>> episodes = Episodes(reward, nothing.astype(int), nothing > 0, nothing == 0)
    >>> {name: values.item() for name, values in episode_sums(episodes, [0]).items()}
    {'return': 1.5, 'goals': 2.0, 'penalties': 1.0}
    """
    reward = np.where(episodes.present[..., seats], episodes.reward[..., seats], 0.0)
    # Summed in 64 bits: long sums of 32-bit rewards lose digits.
    by_step = {"return": reward, "goals": reward > 0, "penalties": reward < 0}
    return {name: values.sum(2, dtype=float).mean(-1) for name, values in by_step.items()}


def table(results: list[Result], title: str) -> Table:
    """Returns a table of results."""
    rows = []
    for result in results:
        bad = f" (not finite after step {result.last_good_step:,})" if result.healthy is False else ""
        means = (f"{each.mean:.2f}" for each in (result.goals, result.penalties))
        rows.append((result.player + bad, str(result.seed), str(result.episodes), str(result.return_), *means))
    return Table(title, ("who", "seed", "episodes", "return [95 %]", "goals", "penalties"), rows)


def plain(results: list[Result]) -> list[dict]:
    """Converts results to values that JSON can hold; what is None is left out.

    >>> plain([Result("learner", 3, 16, Score(1, 0, 2), Score(2, 1, 3), Score(0, 0, 0))])[0]["return"]
    {'mean': 1, 'low': 0, 'high': 2}
    """
    scores = ("return_", "goals", "penalties")
    return [
        {
            name.rstrip("_"): value._asdict() if name in scores else value
            for name, value in result._asdict().items()
            if value is not None
        }
        for result in results
    ]
