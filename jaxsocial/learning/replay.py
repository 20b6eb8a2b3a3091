"""Replays of whole trajectories with the current weights: recurrent states, advantages, value targets."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsocial.agents.networks.lstm import LSTMState
from jaxsocial.agents.networks.network import Outputs, Parameters
from jaxsocial.learning import sharding
from jaxsocial.learning.advantages import generalised_advantages
from jaxsocial.learning.rollout import AgentSetup, Trajectory
from jaxsocial.learning.settings import Coefficients


class ReplayTargets(NamedTuple):
    """What a replay with the current weights yields, for every step of a trajectory."""

    memory: LSTMState
    advantage: Float[Array, "T N"]
    value_target: Float[Array, "T N"]


def replay(
    parameters: Parameters, memory: LSTMState, trajectory: Trajectory, coefficients: Coefficients, setup: AgentSetup
) -> ReplayTargets:
    """Replays whole trajectories with the current weights: recurrent states, advantages, value targets."""
    outputs = setup.network.unroll(parameters, memory, trajectory.observation, trajectory.first)
    value_next = _values_that_follow(parameters, outputs, trajectory, setup)
    advantage = generalised_advantages(
        trajectory.reward_next,
        coefficients.gamma * trajectory.discount_next,
        outputs.value,
        value_next,
        trajectory.ended_next,
        coefficients.gae_lambda,
    )
    target = advantage + outputs.value
    if setup.sizes.normalise_advantages:
        advantage = _normalised(advantage, trajectory.present, setup.axis)
    return ReplayTargets(outputs.before, advantage, target)


def _normalised(values: Float[Array, "T N"], counted: Bool[Array, "T N"], axis: sharding.Axis) -> Float[Array, "T N"]:
    """With mean 0 and deviation 1 over the rows that count."""
    count = jnp.maximum(sharding.total(counted.sum(), axis), 1)
    centred = values - sharding.total((values * counted).sum(), axis) / count
    variance = sharding.total((jnp.square(centred) * counted).sum(), axis) / count
    return centred / (jnp.sqrt(variance) + 1e-8)


def _values_that_follow(parameters, outputs: Outputs, trajectory: Trajectory, setup: AgentSetup) -> Float[Array, "T N"]:
    """v(s_{t+1}) within the same episode.

    It is the next row's value, but where the clock ended an episode, and in the last row. Those few are worked
    out from the observation that followed: the clock ends at most one episode in ``max_steps`` steps.
    """
    steps, worlds = trajectory.first.shape
    following = jnp.concatenate([outputs.value[1:], jnp.zeros((1, worlds))])
    at_most = min(-(-steps // setup.env.scenario.max_steps), steps)
    cut = trajectory.truncated_next.at[-1].set(True)
    rows = jnp.argsort(~cut, axis=0, stable=True)[: at_most + 1]
    world = jnp.arange(worlds)
    memory = jax.tree.map(lambda m: m[rows, world].reshape(-1, m.shape[-1]), outputs.after)
    frames = trajectory.observation_next[rows, world]
    not_first = jnp.zeros((1, rows.size), bool)
    value = setup.network.unroll(parameters, memory, frames.reshape(1, -1, *frames.shape[2:]), not_first).value
    value = jnp.where(cut[rows, world], value.reshape(rows.shape), following[rows, world])
    return following.at[rows, world].set(value)
