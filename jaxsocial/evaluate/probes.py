"""Probes: a learner beside other partners than in training. Whom does it follow, and what can it do alone?"""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.agents.policy import ABSENT
from jaxsocial.config.config import Config
from jaxsocial.env.objects import BONUS
from jaxsocial.evaluate.episodes import EpisodeProgram, Episodes, beside, episode_player, episode_program
from jaxsocial.evaluate.interventions import INTERVENTIONS, afterwards, since_change
from jaxsocial.evaluate.returns import learner_names
from jaxsocial.evaluate.social import Events, cultural_transmission, measures
from jaxsocial.evaluate.statistics import Score, masked_mean, mean_over_seeds, plain_score
from jaxsocial.training.tables import Table

PROBES = {
    "partners": "the run's own partners",
    "alone": "no partners",
    "half": "the run's partners, until the middle of each episode",
    "random": "partners that act at random",
    "anti_expert": "partners that know the order and enter wrong goals on purpose",
    "expert_and_random": "an expert beside one that acts at random: whom does it follow?",
    "expert_and_anti_expert": "an expert beside an anti-expert: whom does it follow?",
    "no_prestige": "the run's own partners; no agent's colour shows its prestige",
    "swapped_prestige": "an expert and one that acts at random, each in the colour of the other's prestige",
    "frozen_prestige": "an expert and one that acts at random, both as blue as can be, whatever they do",
    "gone_after_round": "the run's own partners, until the learner has entered as many right goals as there are",
    "moved_after_round": "the same; then the learner is put where its first partner was",
    "reversed_order": "experts that know the order; it is reversed in the middle of each episode",
}
"""Name to the partners that are present."""
REPLACED = {
    "random": ("random",),
    "anti_expert": ("anti_expert",),
    "expert_and_random": ("expert", "random"),
    "expert_and_anti_expert": ("expert", "anti_expert"),
    "swapped_prestige": ("expert", "random"),
    "frozen_prestige": ("expert", "random"),
    "reversed_order": ("expert",),
}
"""Probe to the players in the seats of the run's partners, in turn."""
NEED_ORDER = ("gone_after_round", "moved_after_round", "reversed_order")
NEED_FIRST_SEATS = ("moved_after_round", "swapped_prestige")
HIDDEN_SCALE = 1e30
"""A ``prestige_scale`` at which all agents look as they do without prestige."""
HIDDEN_STATE = "hidden_state"
"""Named among probes, though it is none: see `evaluate.decoding`."""
RENAMED = {"company": "partners"}
"""Name in earlier versions to name."""
MEASURES = ("return", "goals", "penalties", "cycles", "following", "following_by_chance", "lag")
TURNS = ("return_clockwise", "return_counterclockwise")
"""The return in episodes in which the order of three goals goes this way round, and the other: many learners know only
one (docs/results.md)."""
FOLLOWING = "following_"
"""Before the kind of partner, the name of what was led by partners of that kind."""
ERRORS = ("prediction_error_with_others", "prediction_error_without_others")
SHOWN = {
    "goals": "goals",
    "penalties": "penalties",
    "following": "led",
    "following_by_chance": "by chance",
    "lag": "lag",
}
"""Measure to its label in the first table, beside the return."""
OTHERS = {
    "cycles": "cycles",
    TURNS[0]: "clock- wise",
    TURNS[1]: "counter- clockwise",
    "goals_after": "goals after",
    "right_after": "right after",
    ERRORS[0]: "error beside",
    ERRORS[1]: "error alone",
}
"""Measure to its label in the second table. Errors are those of views with others, and without."""


class Probed(NamedTuple):
    """One learner in one probe: a score of each measure over seeds and episodes."""

    learner: str
    probe: str
    seeds: int
    episodes: int
    scores: dict[str, Score]


def chosen_probes(names: tuple[str, ...], config: Config) -> tuple[str, ...]:
    """Returns the probes of these names; for "all", those that the run has partners for.

    Raises:
      ValueError: a probe does not exist, or it needs partners or an order of goals that the run has not.

    >>> from jaxsocial.config.presets import preset
    >>> chosen_probes(("all",), preset("quickstart-solo"))
    ('alone',)
    """
    taken = len(config.partner_seats)
    possible = tuple(name for name in PROBES if taken >= len(REPLACED.get(name, "1"))) if taken else ("alone",)
    ordered = config.world.may_hold(BONUS) and config.world.goals > 1
    if not ordered:
        possible = tuple(name for name in possible if name not in NEED_ORDER)
    scattered = taken > 0 and config.partner_seats[-1] != config.sizes.learners + taken - 1
    if scattered:
        possible = tuple(name for name in possible if name not in NEED_FIRST_SEATS)
    if names == ("all",):
        return possible
    for name in names:
        if name in RENAMED:
            raise ValueError(f"probe {name}: this probe has a new name, choose {RENAMED[name]}")
        if name == HIDDEN_STATE:
            raise ValueError(f"probe {name} is not played: Run.decode and `jaxsocial evaluate --probes {name}` make it")
        if name == "all":
            raise ValueError("probe all stands for every probe: give it without others")
        if name not in PROBES:
            raise ValueError(f"probe {name}: choose from {', '.join(PROBES)}, {HIDDEN_STATE}, all")
        if name not in possible:
            if name in NEED_ORDER and taken and not ordered:
                raise ValueError(f"probe {name} needs goals with an order, which {config.world.name} has not")
            if name in NEED_FIRST_SEATS and scattered:
                raise ValueError(f"probe {name} needs partners in the first seats: name absent ones last")
            has = "none" if taken == 0 else str(taken)
            needs = "partners" if len(REPLACED.get(name, "1")) == 1 else "two partners"
            raise ValueError(f"probe {name} needs {needs}, and the run has {has}: name them as partners")
    return names


def probe(
    config: Config, parameters: Parameters, names: tuple[str, ...], episodes: int
) -> tuple[list[Probed], dict[str, Score]]:
    """Plays probes and measures every learner in each.

    Args:
      config: of the run.
      parameters: of all seeds and learners.
      names: of probes in `PROBES`.
      episodes: number for each seed.

    Returns:
      The measures of each learner in each probe, and each learner's cultural transmission. The latter is empty
      unless "partners", "half" and "alone" are all played.
    """
    played, programs = {}, {}
    for name in names:
        own = probed_config(config, name)
        halfway = config.world.max_steps // 2 if name == "half" else None
        # Other probes of the same partners differ in numbers.
        kind = own.partners, name if name in INTERVENTIONS else ""
        if kind not in programs:
            programs[kind] = probe_program(own, name)
        play = episode_player(own, episodes, name == "alone", halfway, True, programs[kind])
        played[name] = play(parameters)
    results = []
    for seat, learner in enumerate(learner_names(config)):
        for name, found in played.items():
            own = probed_config(config, name)
            values = measured(found, own, seat) | followed(found, own, seat)
            since = since_change(found, own, name)
            values |= {} if since is None else afterwards(found, seat, since)
            scores = {measure: mean_over_seeds(each) for measure, each in values.items()}
            results.append(Probed(learner, name, config.seeds, episodes, scores))
    return results, _transmissions(played, config) if {"partners", "half", "alone"} <= set(played) else {}


def probe_program(probed: Config, name: str) -> EpisodeProgram:
    """Returns what plays the episodes of a probe with the config of `probed_config`."""
    return episode_program(probed, foresight=True, intervention=INTERVENTIONS.get(name))


def probed_config(config: Config, name: str) -> Config:
    """Returns the config that a probe plays. Partners that replace the run's own take no random actions."""
    if name == "no_prestige":
        return dataclasses.replace(config, rules=dataclasses.replace(config.rules, prestige_scale=HIDDEN_SCALE))
    if name not in REPLACED:
        return config
    players = itertools.cycle(REPLACED[name])
    # An empty seat stays empty.
    partners = tuple(ABSENT if partner == ABSENT else next(players) for partner in config.partners)
    return beside(config, partners)


def followed(found: Episodes, config: Config, seat: int) -> dict[str, Float[np.ndarray, "S E"]]:
    """Computes ``following`` of each kind of partner by itself, where partners of several kinds are present.

    Args:
      found: episodes of each seed.
      config: of the run that played them.
      seat: of the agent.

    Returns:
      Values by ``following_KIND``, such as ``following_expert``. A goal that partners of both kinds had taken before
      counts for both.
    """
    seats: dict[str, list[int]] = {}
    for number in config.partner_seats:
        seats.setdefault(config.partners[number - config.sizes.learners], []).append(number)
    if len(seats) < 2:
        return {}
    goals, every = max(config.world.goals, 1), range(len(found.reward))
    return {
        FOLLOWING + kind: np.stack(
            [measures(Events(*(field[s] for field in found[:4])), seat, tuple(own), goals)["following"] for s in every]
        )
        for kind, own in seats.items()
    }


def measured(found: Episodes, config: Config, seat: int) -> dict[str, Float[np.ndarray, "S E"]]:
    """Computes the measures of the agent in a seat, for each seed and episode.

    Args:
      found: episodes of each seed.
      config: of the run that played them.
      seat: of the agent.

    Returns:
      Values by the names in `MEASURES`; in `TURNS` if there are three goals; in `ERRORS` if prediction errors were
      recorded.
    """
    partners = tuple(range(config.sizes.learners, config.world.agents))
    each = [
        measures(Events(*(field[seed] for field in found[:4])), seat, partners, max(config.world.goals, 1))
        for seed in range(len(found.reward))
    ]
    by_name = {name: np.stack([one[name] for one in each]) for name in MEASURES}
    if found.turn is not None:
        first = found.turn[:, :, 0]
        turns = (np.where(first == turn, by_name["return"], np.nan) for turn in (1, -1))
        by_name |= dict(zip(TURNS, turns, strict=True))
    if found.prediction_error is None or found.other_in_view is None:
        return by_name
    error, in_view = found.prediction_error[..., seat], found.other_in_view[..., seat]
    present = found.present[..., seat]
    errors = masked_mean(error, present & in_view), masked_mean(error, present & ~in_view)
    return by_name | dict(zip(ERRORS, errors, strict=True))


def _transmissions(played: dict[str, Episodes], config: Config) -> dict[str, Score]:
    """Computes each learner's cultural transmission; empty if partners earn nothing, or with one episode."""
    returns = {name: np.where(found.present, found.reward, 0.0).sum(2, dtype=float) for name, found in played.items()}
    expert = returns["partners"][..., list(config.partner_seats)]
    expert = expert.sum(-1) / max(expert.shape[-1], 1)
    if expert.size < 2 or expert.mean() <= 0:
        return {}
    full, half, solo = (returns[name] for name in ("partners", "half", "alone"))
    return {
        learner: cultural_transmission(full[..., seat], half[..., seat], solo[..., seat], expert)
        for seat, learner in enumerate(learner_names(config))
    }


def tables(results: list[Probed], title: str) -> list[Table]:
    """Returns a table of returns and goals with a row for each learner and probe, and one of the other measures.

    Args:
      results: of `probe`.
      title: of the first table.
    """
    several = len({result.learner for result in results}) > 1
    names = [f"{result.learner}, {result.probe}" if several else result.probe for result in results]
    scores = [result.scores for result in results]
    intervals = [(_short(one["return"].mean), f"{one['return'].low:.1f}, {one['return'].high:.1f}") for one in scores]
    kinds = dict.fromkeys(name for one in scores for name in one if name.startswith(FOLLOWING))
    others = OTHERS | {name: f"led by {name.removeprefix(FOLLOWING)}" for name in kinds if name not in SHOWN}
    others = {
        name: label
        for name, label in others.items()
        if any(name in one and not np.isnan(one[name].mean) for one in scores)
    }
    rows = [(name, *known, *_cells(one, SHOWN)) for name, known, one in zip(names, intervals, scores, strict=True)]
    found = [Table(title, ("", "return", "95 %", *SHOWN.values()), rows)]
    if others:
        more = [(name, *_cells(one, others)) for name, one in zip(names, scores, strict=True)]
        found.append(Table("", ("", *others.values()), more))
    return found


def _cells(scores: dict[str, Score], measures: Mapping[str, str]) -> list[str]:
    # Losses of different targets differ in scale.
    digits = {name: ".3g" if name in ERRORS else ".2f" for name in measures}
    return [_short(scores[name].mean, digits[name]) if name in scores else "-" for name in measures]


def _short(value: float, digits: str = ".2f") -> str:
    return "-" if np.isnan(value) else format(value, digits)


def plain(results: list[Probed], transmission: dict[str, Score]) -> dict:
    """Converts results to values that JSON can hold; NaN becomes null."""
    return {
        "probes": [
            result._replace(scores={name: plain_score(score) for name, score in result.scores.items()})._asdict()
            for result in results
        ],
        "cultural_transmission": {learner: plain_score(score) for learner, score in transmission.items()},
    }
