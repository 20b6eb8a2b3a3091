"""How well everyone does: returns, goals and penalties over whole episodes, with intervals."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key
from rich.table import Table
from scipy import stats

from jaxsocial.agents.network import Parameters
from jaxsocial.learning.rollout import Outcome, Tally
from jaxsocial.learning.update import Parts
from jaxsocial.run.config import Config, world_rules
from jaxsocial.run.program import play_episodes, seed_keys

CONFIDENCE = 0.95


class Score(NamedTuple):
    """A mean over episodes and its bootstrap interval (95 %)."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


class Result(NamedTuple):
    """One kind of player of one seed."""

    player: str
    seed: int
    episodes: int
    return_: Score
    goals: Score
    penalties: Score


def evaluation_keys(config: Config) -> Key[Array, " seeds"]:
    """Keys of evaluation, apart from those of training."""
    return jax.vmap(lambda key: jax.random.fold_in(key, 2**31 - 1))(seed_keys(config))


def episode_player(config: Config, parts: Parts, episodes: int, alone: bool = False) -> Callable[[Parameters], Tally]:
    """A function, compiled once, that plays whole episodes with the parameters of each seed.

    It returns sums of shape (seeds, episodes, agents), and always plays the same episodes.
    """
    sizes = dataclasses.replace(config.sizes, worlds=episodes)
    rules = world_rules(dataclasses.replace(config, sizes=sizes, solo_worlds=episodes if alone else 0))
    keys = evaluation_keys(config)

    @jax.jit
    def play(parameters, keys, rules):
        return jax.vmap(lambda p, key: play_episodes(key, p, rules, parts))(parameters, keys)

    return lambda parameters: _at_the_end(play(parameters, keys, rules))


def _at_the_end(outcome: Outcome) -> Tally:
    """The sums when each world's first episode ended; outcomes are (seeds, steps, episodes, agents)."""
    end = np.asarray(outcome.ended).argmax(axis=1)[:, None, :, None]
    return jax.tree.map(lambda x: np.take_along_axis(np.asarray(x), end, axis=1)[:, 0], outcome.tally)


def results_of(tally: Tally, config: Config, player: str, seats: list[int]) -> list[Result]:
    """One result a seed, from the mean over these agents in each episode."""
    results = []
    for index in range(config.seeds):
        each = [np.asarray(values)[index][:, seats].mean(-1) for values in tally]
        results.append(Result(player, config.seed + index, len(each[0]), *(score(values) for values in each)))
    return results


def score(values: Float[np.ndarray, " episodes"]) -> Score:
    """The mean of some episodes with its bootstrap interval (percentiles of 2,000 resamples)."""
    if np.ptp(values) == 0:  # nothing to resample
        return Score(float(values[0]), float(values[0]), float(values[0]))
    interval = stats.bootstrap(
        (values,), np.mean, confidence_level=CONFIDENCE, n_resamples=2000, method="percentile", rng=0
    ).confidence_interval
    return Score(float(values.mean()), float(interval.low), float(interval.high))


def evaluate(config: Config, tally: Tally, alone: bool = False) -> list[Result]:
    """The learner, and each kind of partner beside it, from the episodes of an `episode_player`."""
    results = results_of(tally, config, "learner", [0])
    for name in {} if alone else dict.fromkeys(config.partners):
        seats = [seat for seat, partner in enumerate(config.partners, 1) if partner == name]
        results += results_of(tally, config, name, seats)
    return results


def table(results: list[Result], title: str) -> Table:
    """Results for a terminal."""
    drawn = Table(title=title, title_justify="left")
    for heading in ("who", "seed", "episodes", "return [95 %]", "goals", "penalties"):
        drawn.add_column(heading, justify="left" if heading == "who" else "right", no_wrap=heading != "who")
    for result in results:
        drawn.add_row(
            result.player,
            str(result.seed),
            str(result.episodes),
            str(result.return_),
            f"{result.goals.mean:.2f}",
            f"{result.penalties.mean:.2f}",
        )
    return drawn


def plain(results: list[Result]) -> list[dict]:
    """Results as what JSON can hold."""
    scores = ("return_", "goals", "penalties")
    return [
        {name.rstrip("_"): value._asdict() if name in scores else value for name, value in result._asdict().items()}
        for result in results
    ]
