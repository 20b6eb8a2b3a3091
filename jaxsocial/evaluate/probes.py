"""A learner among other company than it was trained in: does it follow whom it should, and manage without?"""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from rich import box
from rich.table import Table

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.agents.seating import ABSENT
from jaxsocial.config.config import Config
from jaxsocial.config.traced import taken_seats
from jaxsocial.evaluate.episodes import Episodes, episode_player
from jaxsocial.evaluate.returns import Score, learner_names
from jaxsocial.evaluate.social import Events, cultural_transmission, measures, over_seeds

PROBES = {
    "company": "the partners that the run names",
    "alone": "no partners",
    "half": "those partners, gone from the middle of an episode on",
    "random": "partners that act at random",
    "anti_expert": "partners that know the order and go wrong on purpose",
}
"""Name: who is there."""
MEASURES = ("return", "goals", "penalties", "cycles", "following", "following_by_chance", "lag")
ERRORS = ("prediction_error_with_others", "prediction_error_without_others")
SHOWN = {
    "goals": "goals",
    "penalties": "penalties",
    "cycles": "cycles",
    "following": "led",
    "following_by_chance": "by chance",
    "lag": "lag",
    ERRORS[0]: "error beside",
    ERRORS[1]: "error alone",
}
"""What a table calls the measures below the return. Errors are in percent: of frames that show others, or nobody."""


class Probed(NamedTuple):
    """One learner in one probe: a score of each measure over seeds and episodes."""

    learner: str
    probe: str
    seeds: int
    episodes: int
    scores: dict[str, Score]


def chosen_probes(names: tuple[str, ...], config: Config) -> tuple[str, ...]:
    """The probes of these names; "all" for all that the run has the seats for.

    Raises:
      ValueError: there is no such probe, or it needs partners and the run has none.
    """
    possible = tuple(PROBES) if config.partners else ("alone",)
    if names == ("all",):
        return possible
    for name in names:
        if name not in PROBES:
            raise ValueError(f"--probes {name}: choose from {', '.join(PROBES)}, all")
        if name not in possible:
            raise ValueError(f"--probes {name} needs partners, and the run has none: name them by --partners")
    return names


def probe(config: Config, parameters: Parameters, names: tuple[str, ...], episodes: int) -> tuple[list[Probed], dict]:
    """The measures of each probe, and where the needed ones are among them each learner's cultural transmission."""
    played = {name: _play(config, parameters, name, episodes) for name in names}
    results = [
        Probed(learner, name, config.seeds, episodes, _scores(measured(found, config, seat)))
        for seat, learner in enumerate(learner_names(config))
        for name, found in played.items()
    ]
    return results, _transmissions(played, config) if {"company", "half", "alone"} <= set(played) else {}


def _play(config: Config, parameters: Parameters, name: str, episodes: int) -> Episodes:
    if name in ("random", "anti_expert"):
        # A seat that nobody takes stays empty.
        partners = tuple(ABSENT if partner == ABSENT else name for partner in config.partners)
        config = dataclasses.replace(config, partners=partners)
    halfway = config.world.max_steps // 2 if name == "half" else None
    return episode_player(config, episodes, name == "alone", halfway, foresight=True)(parameters)


def measured(found: Episodes, config: Config, seat: int) -> dict[str, Float[np.ndarray, "S E"]]:
    """What the agent in a seat did: a number for each seed and episode, by the names in `MEASURES` and `ERRORS`."""
    partners = tuple(range(config.sizes.learners, config.world.agents))
    each = [
        measures(Events(*(field[seed] for field in found[:4])), seat, partners, max(config.world.goals, 1))
        for seed in range(len(found.reward))
    ]
    by_name = {name: np.stack([one[name] for one in each]) for name in MEASURES}
    if found.prediction_error is None or found.other_in_view is None:
        return by_name
    error, in_view = found.prediction_error[..., seat], found.other_in_view[..., seat]
    there = found.present[..., seat]
    return by_name | dict(zip(ERRORS, (_mean(error, there & in_view), _mean(error, there & ~in_view)), strict=True))


def _mean(values: Float[np.ndarray, "S E T"], counted: Bool[np.ndarray, "S E T"]) -> Float[np.ndarray, "S E"]:
    """Over the steps that count; NaN where there are none."""
    number = counted.sum(-1)
    total = np.where(counted, values, 0.0).sum(-1)
    return np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)


def _scores(measured: dict[str, Float[np.ndarray, "S E"]]) -> dict[str, Score]:
    return {name: over_seeds(values) for name, values in measured.items()}


def _transmissions(played: dict[str, Episodes], config: Config) -> dict[str, Score]:
    """Each learner's score of cultural transmission; none where partners earn nothing, or of one episode."""
    returns = {name: np.where(found.present, found.reward, 0.0).sum(2, dtype=float) for name, found in played.items()}
    learners = config.sizes.learners
    expert = returns["company"][..., learners:][..., taken_seats(config)[learners:]]
    expert = expert.sum(-1) / max(expert.shape[-1], 1)
    if expert.size < 2 or expert.mean() <= 0:
        return {}
    scores = {}
    for seat, learner in enumerate(learner_names(config)):
        full, half, solo = (returns[name][..., seat] for name in ("company", "half", "alone"))
        scores[learner] = cultural_transmission(full, half, solo, expert)
    return scores


def table(results: list[Probed], title: str) -> Table:
    """Results for a terminal of 80 columns: a column for each probe, the means of each learner below each other."""
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column()
    for name in dict.fromkeys(result.probe for result in results):
        drawn.add_column(name, justify="right", no_wrap=True)
    for learner in dict.fromkeys(result.learner for result in results):
        scores = [result.scores for result in results if result.learner == learner]
        drawn.add_row(learner)
        drawn.add_row("return", *(_short(one["return"].mean) for one in scores))
        drawn.add_row("95 %", *(f"{one['return'].low:.1f}, {one['return'].high:.1f}" for one in scores))
        for name, label in SHOWN.items():
            drawn.add_row(label, *(_short(one[name].mean * (100 if name in ERRORS else 1)) for one in scores))
        drawn.add_section()
    return drawn


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def plain(results: list[Probed], transmission: dict[str, Score]) -> dict:
    """Results as what JSON can hold; what is not defined is null."""
    return {
        "probes": [
            result._replace(scores={name: _plain(score) for name, score in result.scores.items()})._asdict()
            for result in results
        ],
        "cultural_transmission": {learner: _plain(score) for learner, score in transmission.items()},
    }


def _plain(score: Score) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in score._asdict().items()}
