"""Replays of whole trajectories with the current weights: recurrent states, advantages, value targets."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsocial.agents.networks.network import Outputs, Parameters
from jaxsocial.learning import sharding
from jaxsocial.learning.advantages import generalised_advantages
from jaxsocial.learning.rollout import AgentSetup, Trajectory
from jaxsocial.learning.settings import Coefficients


class ReplayTargets(NamedTuple):
    """What a replay with the current weights yields for each step of a trajectory."""

    memory: Any
    """The recurrent state before the next row, or in the last row, before the first."""
    advantage: Float[Array, "T N"]
    value_target: Float[Array, "T N"]


def replay(
    parameters: Parameters, memory: Any, trajectory: Trajectory, coefficients: Coefficients, setup: AgentSetup
) -> ReplayTargets:
    """Replays whole trajectories and computes recurrent states, advantages and value targets.

    Args:
      parameters: current weights of one learner.
      memory: recurrent state before the first row.
      trajectory: T steps of N worlds.
      coefficients: gamma and gae_lambda are used.
      setup: static setup.
    """
    outputs = setup.network.unroll(parameters, memory, trajectory.observation, trajectory.first)
    advantage = generalised_advantages(
        trajectory.reward_next,
        coefficients.gamma * trajectory.discount_next,
        outputs.value,
        _next_values(parameters, outputs, trajectory, setup),
        trajectory.ended_next,
        coefficients.gae_lambda,
    )
    target = advantage + outputs.value
    if setup.sizes.normalise_advantages:
        present = trajectory.present
        count = jnp.maximum(sharding.total(present.sum(), setup.axis), 1)
        centred = advantage - sharding.total((advantage * present).sum(), setup.axis) / count
        variance = sharding.total((jnp.square(centred) * present).sum(), setup.axis) / count
        # Equal advantages have variance 0.
        advantage = centred / (jnp.sqrt(variance) + 1e-8)
    # Not the state before each row: moving all by a row would copy them.
    before_next = jax.tree.map(lambda after, start: after.at[-1].set(start), outputs.after, memory)
    return ReplayTargets(before_next, advantage, target)


def _next_values(parameters, outputs: Outputs, trajectory: Trajectory, setup: AgentSetup) -> Float[Array, "T N"]:
    """Computes v(s_{t+1}) within the same episode.

    It is the value of the next row, except after a truncation and in the last row. Those values are computed from
    the final observation.
    """
    steps, worlds = trajectory.first.shape
    value_next = jnp.concatenate([outputs.value[1:], jnp.zeros((1, worlds), jnp.float32)])
    # Truncations are at least ``max_steps`` steps apart, so a static number of rows per world has room for all.
    truncations = min(-(-steps // setup.env.scenario.max_steps), steps)
    needed = trajectory.truncated_next.at[-1].set(True)
    rows = jnp.argsort(~needed, axis=0, stable=True)[: truncations + 1]
    world = jnp.arange(worlds, dtype=jnp.int32)
    memory = jax.tree.map(lambda m: m[rows, world].reshape(-1, *m.shape[2:]), outputs.after)
    final = jax.tree.map(lambda x: x[rows, world].reshape(1, -1, *x.shape[2:]), trajectory.observation_next)
    not_first = jnp.zeros((1, rows.size), bool)
    value = setup.network.unroll(parameters, memory, final, not_first).value
    value = jnp.where(needed[rows, world], value.reshape(rows.shape), value_next[rows, world])
    return value_next.at[rows, world].set(value)
