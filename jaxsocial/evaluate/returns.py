"""How well everyone does: returns, goals and penalties over whole episodes, with intervals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from rich.table import Table
from scipy import stats

from jaxsocial.config.config import Config
from jaxsocial.evaluate.episodes import Episodes

CONFIDENCE = 0.95
RESAMPLES = 2000
TRIMMED = 0.25
"""Share of values that an interquartile mean leaves out at either end."""


class Score(NamedTuple):
    """A mean over episodes or seeds and its bootstrap interval (95 %)."""

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


def learner_names(config: Config) -> list[str]:
    """What each learner is called in tables and pictures."""
    learners = config.sizes.learners
    return ["learner"] if learners == 1 else [f"learner {number}" for number in range(learners)]


def evaluate(config: Config, episodes: Episodes, alone: bool = False) -> list[Result]:
    """Each learner, and each kind of partner beside them."""
    results = []
    for seat, name in enumerate(learner_names(config)):
        results += results_of(episodes, config, name, [seat])
    for name in {} if alone else dict.fromkeys(config.partners):
        seats = [seat for seat, partner in enumerate(config.partners, config.sizes.learners) if partner == name]
        results += results_of(episodes, config, name, seats)
    return results


def results_of(episodes: Episodes, config: Config, player: str, seats: list[int]) -> list[Result]:
    """One result a seed, from the mean over these agents in each episode."""
    sums = episode_sums(episodes, seats)
    return [
        Result(player, config.seed + index, len(own), *(score(values[index]) for values in sums.values()))
        for index, own in enumerate(sums["return"])
    ]


def episode_sums(episodes: Episodes, seats: list[int]) -> dict[str, Float[np.ndarray, "S E"]]:
    """Return, goals and penalties (steps with a reward above and below 0) of each episode: means over these agents."""
    reward = np.where(episodes.present[..., seats], episodes.reward[..., seats], 0.0)
    counted = {"return": reward, "goals": reward > 0, "penalties": reward < 0}
    return {name: _per_episode(values) for name, values in counted.items()}


def _per_episode(values: Float[np.ndarray, "S E T A"] | Bool[np.ndarray, "S E T A"]) -> Float[np.ndarray, "S E"]:
    return values.sum(2, dtype=float).mean(-1)


def score(values: Float[np.ndarray, " episodes"]) -> Score:
    """The mean of some episodes with its bootstrap interval (percentiles of 2,000 resamples)."""
    return _with_interval(values, np.mean)


def interquartile_mean(values: Float[np.ndarray, " seeds"]) -> Score:
    """The mean of the middle half, and its bootstrap interval (95 %, percentiles); of one value, that value.

    What is not defined is left out; all NaN where nothing is.
    """
    known = values[~np.isnan(values)]
    return _with_interval(known, _trimmed) if known.size else Score(np.nan, np.nan, np.nan)


def middle_mean(values: Float[np.ndarray, "*batch values"]) -> Float[np.ndarray, "*batch"]:
    """Interquartile means without their intervals, which take a thousand times as long; NaN where nothing is known."""
    if values.size and not np.isnan(values).any():
        return np.asarray(_trimmed(values))
    return np.asarray(np.apply_along_axis(_of_known, -1, values))


def _of_known(values):
    known = values[~np.isnan(values)]
    return _trimmed(known) if known.size else np.nan


def _trimmed(values, axis=-1):
    return stats.trim_mean(values, TRIMMED, axis=axis)


def _with_interval(values, mean) -> Score:
    if np.ptp(values) == 0:  # nothing to resample
        return Score(float(values[0]), float(values[0]), float(values[0]))
    interval = stats.bootstrap(
        (values,), mean, confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="percentile", rng=0
    ).confidence_interval
    return Score(float(mean(values)), float(interval.low), float(interval.high))


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
