"""What a learner's recurrent state holds: linear decoders, and the same decoders with the labels of other episodes.

A ridge regression maps the state after each observation to what is decoded. It is fitted on the first half of the
episodes and scored on the other half. Positions are those in the agent's own frame: cells ahead, and to its right.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.agents.policy import ABSENT
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.env import objects
from jaxsocial.env.types import visible_position
from jaxsocial.evaluate.episodes import (
    EpisodeProgram,
    beside,
    episode_inputs,
    episode_program,
    goal_entered,
    played,
    without_teacher,
)
from jaxsocial.evaluate.probes import HIDDEN_STATE
from jaxsocial.evaluate.returns import learner_names
from jaxsocial.evaluate.statistics import Score, interquartile_mean, plain_score
from jaxsocial.learning.rollout import RolloutState
from jaxsocial.training.tables import Table

AHEAD = 5
"""Steps between the state and where others will be."""
PAIR = "expert", "random"
"""Partners whose skills are told apart. Agents look alike but for their prestige, so it is asked of the nearest one."""
PENALTY = 0.01
"""Of the squared weights, for each row, with inputs of variance 1."""
DECODED = {
    "next_goal": ("the goal that it enters next", "R2"),
    "others_ahead": (f"where its partners are {AHEAD} steps later", "R2"),
    "skill": ("whether its nearest partner is the expert, of an expert and a random one", "accuracy"),
}
"""Name to (description, the kind of score)."""


class Decoded(NamedTuple):
    """How well something is decoded from one learner's state: interquartile means over seeds."""

    learner: str
    what: str
    """One of `DECODED`."""
    score: Score
    """R2, 1 at best and 0 for a constant; or the share of steps that are told rightly, a mean over both answers, 0.5 by
    guessing."""
    shuffled: Score
    """With the labels of other episodes."""


class Watched(NamedTuple):
    """What decoders are fitted on: E episodes of T steps of one seed."""

    hidden: Float[np.ndarray, "E T L units"]
    """The recurrent state after the observation of the step."""
    position: Int[np.ndarray, "E T A 2"]
    """(row, column) before the step; -1 for an agent that is not there."""
    heading: Int[np.ndarray, "E T A"]
    goals: Int[np.ndarray, "E T G 2"]
    entered: Int[np.ndarray, "E T A"]
    """The goal entered in the step, -1 for none."""
    present: Bool[np.ndarray, "E T A"]
    """Acts in the step, and the episode has not ended."""


def decode(config: Config, parameters: Parameters, episodes: int) -> list[Decoded]:
    """Decodes from every learner's recurrent state.

    Args:
      config: of the run.
      parameters: of all seeds and learners.
      episodes: number for each seed, 4 or more.

    Returns:
      For each learner what its partners allow: nothing about skills with fewer than two seats for partners.

    Raises:
      ValueError: the network has no recurrent state, or too few episodes.
    """
    if not jax.tree.leaves(network_of(config).initial_memory(())):
        raise ValueError(f"probe {HIDDEN_STATE}: the run's network has no recurrent state, leave the probe out")
    if episodes < 4:
        raise ValueError(f"episodes={episodes}: probe {HIDDEN_STATE} fits and tests decoders, choose 4 or more")
    own = watched(config, parameters, episodes)
    others = np.array(config.partner_seats, int)
    pair, seats = None, (0, 0)
    if len(others) >= 2:
        players = iter(PAIR)
        names = tuple(ABSENT if partner == ABSENT else next(players, ABSENT) for partner in config.partners)
        pair = watched(beside(config, names), parameters, episodes)
        seats = config.sizes.learners + names.index(PAIR[0]), config.sizes.learners + names.index(PAIR[1])
    found = []
    for seat, learner in enumerate(learner_names(config)):
        scores: dict[str, list[tuple[float, float]]] = {}
        for seed, seen in enumerate(own):
            hidden = seen.hidden[:, :, seat]
            if config.world.goals:
                scores.setdefault("next_goal", []).append(decoded(hidden, *next_goal(seen, seat)))
            if len(others):
                scores.setdefault("others_ahead", []).append(decoded(hidden, *others_ahead(seen, seat, others)))
            if pair is not None:
                label, valid = nearest_is(pair[seed], seat, *seats)
                skill = decoded(pair[seed].hidden[:, :, seat], label, valid, of_signs=True)
                scores.setdefault("skill", []).append(skill)
        for what, values in scores.items():
            score, shuffled = (interquartile_mean(np.array(one)) for one in zip(*values, strict=True))
            found.append(Decoded(learner, what, score, shuffled))
    return found


def watched(config: Config, parameters: Parameters, episodes: int) -> list[Watched]:
    """Plays episodes and returns what each seed's learners had in their recurrent state, and what happened.

    Args:
      config: of the run.
      parameters: of all seeds and learners.
      episodes: number for each seed.
    """
    config = without_teacher(config)
    found = played(watched_program(config), parameters, [config], [episode_inputs(config, episodes)])
    return [Watched(**{name: found[name][seed] for name in Watched._fields}) for seed in range(config.seeds)]


def watched_program(config: Config) -> EpisodeProgram:
    """Returns what plays the episodes of `watched`."""
    return episode_program(config, watch=_watch)


def _watch(before: RolloutState, after: RolloutState) -> dict[str, jax.Array]:
    leaves = jax.tree.leaves(after.memory)
    return {
        "hidden": jnp.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in leaves], axis=-1),
        "position": jax.vmap(visible_position)(before.state),
        "heading": before.state.heading,
        "goals": before.state.goals,
        "entered": jax.vmap(goal_entered)(before.state, after.state),
    }


def next_goal(seen: Watched, seat: int) -> tuple[Float[np.ndarray, "E T 2"], Bool[np.ndarray, "E T"]]:
    """Returns where the goal is that an agent enters next, and in which steps there is one.

    Args:
      seen: what happened.
      seat: of the agent.
    """
    entered, steps = seen.entered[:, :, seat], np.arange(seen.entered.shape[1])
    # The step of the next entry, at or after each step; that of no entry is beyond the end.
    at = np.where(entered >= 0, steps, len(steps))
    at = np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1]
    there = np.minimum(at, len(steps) - 1)
    goal = np.maximum(np.take_along_axis(entered, there, axis=1), 0)
    place = np.take_along_axis(seen.goals, goal[:, :, None, None], axis=2)[:, :, 0]
    return in_own_frame(seen, seat, place), seen.present[:, :, seat] & (at < len(steps))


def others_ahead(
    seen: Watched, seat: int, others: Int[np.ndarray, " P"]
) -> tuple[Float[np.ndarray, "E T K"], Bool[np.ndarray, "E T"]]:
    """Returns where others are `AHEAD` steps later, and in which steps all of them are there then.

    Args:
      seen: what happened.
      seat: of the agent in whose frame, as it is now.
      others: their seats.
    """
    later = np.minimum(np.arange(seen.present.shape[1]) + AHEAD, seen.present.shape[1] - 1)
    places = [in_own_frame(seen, seat, seen.position[:, later, other]) for other in others]
    there = seen.present[:, later][..., others].all(-1) & (np.arange(len(later)) + AHEAD == later)
    return np.concatenate(places, axis=-1), seen.present[:, :, seat] & there


def in_own_frame(seen: Watched, seat: int, place: Int[np.ndarray, "E T 2"]) -> Float[np.ndarray, "E T 2"]:
    """Returns places as an agent sees them: cells ahead of it, and to its right.

    Args:
      seen: where the agent is, and its heading.
      seat: of the agent.
      place: (row, column).
    """
    heading, offset = seen.heading[:, :, seat], place - seen.position[:, :, seat]
    forward, right = objects.STEP[heading], objects.STEP[(heading + 1) % 4]
    return np.stack([(offset * forward).sum(-1), (offset * right).sum(-1)], axis=-1).astype(float)


def nearest_is(
    seen: Watched, seat: int, one: int, other: int
) -> tuple[Float[np.ndarray, "E T 1"], Bool[np.ndarray, "E T"]]:
    """Returns 1 where one agent is nearer than another and -1 where it is farther, and where both are there.

    Args:
      seen: what happened.
      seat: of the agent to which they are near.
      one: the seat of one.
      other: that of the other.
    """
    away = np.abs(seen.position - seen.position[:, :, seat, None]).max(-1)
    nearer = np.sign(away[:, :, other] - away[:, :, one]).astype(float)
    return nearer[..., None], seen.present[:, :, [seat, one, other]].all(-1) & (nearer != 0)


def decoded(
    hidden: Float[np.ndarray, "E T units"],
    labels: Float[np.ndarray, "E T K"],
    valid: Bool[np.ndarray, "E T"],
    of_signs: bool = False,
) -> tuple[float, float]:
    """Fits and scores a linear decoder, and one with the labels of other episodes.

    Args:
      hidden: what is decoded from.
      labels: what is decoded.
      valid: the steps that count.
      of_signs: whether labels are 1 or -1, and the score is the share of steps with the right sign; else it is R2.

    Returns:
      The score, and the score with the labels of other episodes. NaN with no steps in a half of the episodes.
    """
    order = np.random.default_rng(0).permutation(len(hidden))
    score = _score(hidden, labels, valid, of_signs)
    return score, _score(hidden, labels[order], valid & valid[order], of_signs)


def _score(hidden, labels, valid, of_signs: bool) -> float:
    half = len(hidden) // 2
    if not (valid[:half].any() and valid[half:].any()):
        return float("nan")
    x, y = hidden[:half][valid[:half]].astype(float), labels[:half][valid[:half]]
    mean, deviation, constant = x.mean(0), x.std(0) + 1e-6, y.mean(0)
    x = (x - mean) / deviation
    weights = np.linalg.solve(x.T @ x + PENALTY * len(x) * np.eye(x.shape[1]), x.T @ (y - constant))
    tested = labels[half:][valid[half:]]
    predicted = (hidden[half:][valid[half:]] - mean) / deviation @ weights + constant
    if of_signs:
        is_right = np.sign(predicted) == tested
        each = [is_right[tested == answer].mean() for answer in (1, -1) if (tested == answer).any()]
        return float(np.mean(each))
    error, spread = ((tested - predicted) ** 2).sum(), ((tested - constant) ** 2).sum()
    return float(1 - error / spread) if spread > 0 else float("nan")


def table(found: list[Decoded], title: str) -> Table:
    """Returns a table with a row for each learner and what is decoded."""
    rows = [
        (one.learner, DECODED[one.what][0], DECODED[one.what][1], str(one.score), str(one.shuffled)) for one in found
    ]
    return Table(title, ("learner", "decoded", "score", "of the learner", "labels of other episodes"), rows, texts=3)


def plain(found: list[Decoded]) -> list[dict]:
    """Converts results to values that JSON can hold; NaN becomes null."""
    return [
        one._replace(score=plain_score(one.score), shuffled=plain_score(one.shuffled))._asdict()  # pyright: ignore
        for one in found
    ]
