"""Plays episodes of a run and records what the replay page shows of them, on the host."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.traced import evaluation_rules
from jaxsocial.env import objects
from jaxsocial.env.observations import pixels
from jaxsocial.env.types import Rules, visible_position
from jaxsocial.evaluate import media
from jaxsocial.evaluate.episodes import goal_entered, is_next_goal
from jaxsocial.evaluate.social import NONE, leading_entry
from jaxsocial.learning.rollout import AgentSetup, RolloutState, Trajectory
from jaxsocial.viewer import predictions


class States(NamedTuple):
    """The S = T + 1 states between an episode's T steps: before the first, and after each."""

    grid: Int[np.ndarray, "S H W"]
    """Indices in `pixels.atlas`."""
    position: Int[np.ndarray, "S A 2"]
    """(row, column); (-1, -1) for an agent that cannot be seen."""
    heading: Int[np.ndarray, "S A"]
    active: Bool[np.ndarray, "S A"]
    tint: UInt8[np.ndarray, "S A 3"]
    """Each agent's colour."""
    prestige: Float[np.ndarray, "S A"]
    last_goal: Int[np.ndarray, "S A"]
    carrying: Int[np.ndarray, "S A"]
    """The kind of what the agent holds; `objects.EMPTY` for nothing."""
    returns: Float[np.ndarray, "S A"]
    """Sum of rewards so far."""
    view: UInt8[np.ndarray, "S A P P 3"]
    """What each agent sees, as a picture."""


class Steps(NamedTuple):
    """The T steps of an episode."""

    goal: Int[np.ndarray, "T A"]
    """The goal entered in this step, -1 for none."""
    right: Bool[np.ndarray, "T A"]
    """The goal entered was the next in order, or any goal where there is no order."""
    action: Int[np.ndarray, "T L"]
    value: Float[np.ndarray, "T L"]
    probability: Float[np.ndarray, "T L actions"]
    entropy: Float[np.ndarray, "T L"]
    """Of the distribution of actions, in nats."""
    loss: Float[np.ndarray, "T L"] | None = None
    """Of the learner's prediction; None if it predicts nothing."""
    picture: UInt8[np.ndarray, "T L height width 3"] | None = None
    """The predicted view; None if there is no picture of the target."""
    error: Float[np.ndarray, "T L rows columns"] | None = None
    """Of each cell of the predicted view."""


class Lead(NamedTuple):
    """A right entry of a learner into a goal, led by an earlier entry of a partner."""

    follower: int
    leader: int
    goal: int
    led_at: int
    """The step of the partner's entry."""
    entered_at: int
    """The step of the learner's; the lag is the difference."""


class Episode(NamedTuple):
    """A recorded episode."""

    number: int
    goals: Int[np.ndarray, "G 2"]
    """Positions of the goals at first, in their order."""
    states: States
    steps: Steps
    leads: list[Lead]


EpisodeRecorder = Callable[..., Episode]
"""(number, alone=False) -> the episode of a number; if alone, without partners on the same level."""


def episode_recorder(
    config: Config, parameters: Parameters, setup: AgentSetup, play: media.PlayedEpisode
) -> EpisodeRecorder:
    """Returns a function, compiled once, that records episodes.

    Args:
      config: of the run.
      parameters: of one seed's learners.
      setup: environment, network and partners.
      play: plays them, from `media.moments`.
    """
    state_of, step_of = _state_recorder(config), _step_recorder(config, parameters, setup)

    def record(number: int, alone: bool = False) -> Episode:
        played = list(play(number, alone))
        rules = jax.tree.map(lambda x: x[0], evaluation_rules(config, 1, alone))
        states = States(**_stacked([state_of(moment.play, rules, jnp.asarray(moment.returns)) for moment in played]))
        pairs = itertools.pairwise(played)
        steps = Steps(**_stacked([step_of(before.play, after.row, after.play) for before, after in pairs]))
        goals = np.asarray(played[0].play.state.goals[0])
        return Episode(number, goals, states, steps, leads_of(steps, states.active[:-1], config))

    return record


def _stacked(rows: list[dict[str, Array]]) -> dict[str, np.ndarray]:
    on_host = jax.device_get(rows)
    return {name: np.stack([row[name] for row in on_host]) for name in rows[0]}


def _state_recorder(config: Config) -> Callable[..., dict[str, Array]]:
    """Returns a function from a moment of play to the fields of `States`."""

    @jax.jit
    def state_of(play: RolloutState, rules: Rules, returns) -> dict[str, Array]:
        state = jax.tree.map(lambda x: x[0], play.state)
        return {
            "grid": pixels.atlas_index(state.grid, config.world),
            "position": visible_position(state),
            "heading": state.heading,
            "active": state.active,
            "tint": pixels.tint(state, rules, config.world).astype(jnp.uint8),
            "prestige": state.prestige,
            "last_goal": state.last_goal,
            "carrying": objects.kind_of(state.carrying),
            "returns": returns,
            "view": media.views(play, state, rules, config.world),
        }

    return state_of


def _step_recorder(config: Config, parameters: Parameters, setup: AgentSetup) -> Callable[..., dict[str, Array]]:
    """Returns a function from a step, and the play before and after it, to the fields of `Steps`."""
    parameters = jax.tree.map(jnp.asarray, parameters)  # for the same reason as in `media.moments`
    network, target = setup.network, setup.network.target
    draw = predictions.picture_maker(config.sizes.prediction, config.world)

    def of_learner(parameters, memory, row: Trajectory) -> dict[str, Any]:
        one_step = jax.tree.map(lambda x: x[None], row)
        # The rollout does not keep outputs of the network: one step more of it.
        outputs = network.unroll(parameters, memory, one_step.observation, one_step.first)
        log_probability = jax.nn.log_softmax(outputs.logits)
        probability = jnp.exp(log_probability)
        found = {
            "action": row.action,
            "value": outputs.value[0],
            "probability": probability[0],
            "entropy": -jnp.sum(probability * log_probability, axis=-1)[0],
        }
        if target is not None:
            prediction = network.predict(parameters, outputs.hidden, one_step.action)
            found["loss"] = target.loss(prediction, one_step.observation, one_step.observation_next)[0]
            if draw is not None:
                truth = one_step.observation_next if target.of_next else one_step.observation
                picture, error = draw(prediction, truth)
                found |= {"picture": picture[0], "error": error[0]}
        return jax.tree.map(lambda x: x[0], found)

    @jax.jit
    def step_of(before: RolloutState, row: Trajectory, after: RolloutState) -> dict[str, Array]:
        goal = jax.vmap(goal_entered)(before.state, after.state)
        right = is_next_goal(goal, before.state.last_goal, config.world)
        # Learners are the first axis of parameters and rows, and the second of memories.
        found = jax.vmap(of_learner, (0, 1, 0))(parameters, before.memory, row)
        return {"goal": goal[0], "right": right[0], **found}

    return step_of


def leads_of(steps: Steps, present: Bool[np.ndarray, "T A"], config: Config) -> list[Lead]:
    """Returns the entries of each learner that a partner led, as `social.measures` counts them.

    Args:
      steps: of an episode.
      present: whether each agent acted in each step.
      config: of the run.
    """
    learners = config.sizes.learners
    taken = np.where(present & steps.right, steps.goal, NONE)
    others, found = taken[:, learners:], []
    for learner in range(learners):
        own = taken[:, learner]
        leading = leading_entry(own[None], others[None], max(config.world.goals, 1))[0]
        for entered_at in np.flatnonzero(leading > NONE).tolist():
            led_at, goal = int(leading[entered_at]), int(own[entered_at])
            partner = int(np.flatnonzero(others[led_at] == goal)[0])
            found.append(Lead(learner, learners + partner, goal, led_at, entered_at))
    return found
