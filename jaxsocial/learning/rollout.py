"""Rollouts: T steps of N worlds. This module defines what row t of a trajectory means.

Row t holds what is known before acting (observation_t, first_t, whether the learner is present), the action and its
log-probability, and what follows (reward_{t+1}, discount_{t+1}, whether the episode ends with this step, and the next
observation of the same episode).
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.agents.networks.blocks import traced_platform
from jaxsocial.agents.networks.network import Network, Parameters
from jaxsocial.agents.policy import LastStep, Policy, distribution, perceived
from jaxsocial.env.core import Env, discount, episode_ended
from jaxsocial.env.types import NO_ACTION, Observation, Rules, State, Timestep
from jaxsocial.learning import sharding
from jaxsocial.learning.settings import Sizes


class AgentSetup(NamedTuple):
    """The static side of training: functions and sizes. The learners are the first agents of each world."""

    env: Env
    network: Network
    partners: Policy
    """Acts for the agents after the learners, or for all agents if ``imitates``."""
    sizes: Sizes
    imitates: bool = False
    """Whether ``partners`` acts for the learners too, and they imitate it."""
    axis: sharding.Axis = None
    """Name of the device axis that worlds are split along; None for one device."""


class Trajectory(NamedTuple):
    """What a learner observed, did and received, time-major. Fields with ``next`` belong to step t + 1.

    In the output of `rollout` an axis of learners follows the axis of time.
    """

    observation: Observation
    """Each field begins with the axes T, L and N."""
    first: Bool[Array, "T *L N"]
    present: Bool[Array, "T *L N"]
    """Whether the learner takes part; other rows are masked in losses."""
    action: Int[Array, "T *L N"]
    log_prob: Float[Array, "T *L N"]
    reward_next: Float[Array, "T *L N"]
    discount_next: Float[Array, "T *L N"]
    truncated_next: Bool[Array, "T *L N"]
    ended_next: Bool[Array, "T *L N"]
    observation_next: Observation
    """The next observation of the same episode: at an end the final one, not that of the next episode."""


class EpisodeStats(NamedTuple):
    """Sums over the current episode for every agent."""

    return_: Float[Array, "*N A"]
    """Rewards, undiscounted."""
    goals: Float[Array, "*N A"]
    """Steps with a positive reward."""
    penalties: Float[Array, "*N A"]
    """Steps with a negative reward."""
    steps: Float[Array, "*N A"]
    """Steps in which the agent was present."""


class RolloutState(NamedTuple):
    """All that a rollout carries from one step to the next."""

    state: State
    observation: Observation
    first: Bool[Array, " N"]
    present: Bool[Array, "N A"]
    memory: Any
    """Of every learner; axes are (world, learner, unit)."""
    partner_memory: Any
    episode_stats: EpisodeStats
    last: LastStep | None = None
    """For partners that observe by themselves; None without them."""


class Outcome(NamedTuple):
    """For each step, the sums over the episode so far, and whether the episode ended with the step."""

    episode_stats: EpisodeStats
    ended: Bool[Array, "T N"]


def start(key: Key[Array, ""], rules: Rules, setup: AgentSetup) -> RolloutState:
    """Resets N worlds and returns the state before their first step.

    Args:
      key: for all draws.
      rules: rules of each world; worlds are the first axis of every leaf.
      setup: static setup.
    """
    worlds, agents = rules.present.shape
    state, timestep = jax.vmap(setup.env.reset)(sharding.world_keys(key, worlds, setup.axis), rules)
    zeros = jnp.zeros((worlds, agents), jnp.float32)
    return RolloutState(
        state=state,
        observation=timestep.observation,
        first=jnp.ones(worlds, bool),
        present=timestep.present,
        memory=setup.network.initial_memory((worlds, setup.sizes.learners)),
        partner_memory=jax.tree.map(lambda m: jnp.broadcast_to(m, (worlds, *m.shape)), setup.partners.init()),
        episode_stats=EpisodeStats(*[zeros] * len(EpisodeStats._fields)),
        last=LastStep(zeros, jnp.full((worlds, agents), NO_ACTION, jnp.int32)) if setup.partners.observe else None,
    )


def rollout(
    key: Key[Array, ""],
    rollout_state: RolloutState,
    parameters: Parameters,
    partner_parameters: PyTree,
    rules: Rules,
    setup: AgentSetup,
    steps: int,
) -> tuple[RolloutState, Trajectory, Outcome]:
    """Plays ``steps`` steps of all worlds.

    Args:
      key: for all draws.
      rollout_state: the state before the first step, from `start` or an earlier rollout.
      parameters: of the learners' networks; learners are the first axis of every leaf.
      partner_parameters: parameters of ``setup.partners``.
      rules: rules of each world; worlds are the first axis of every leaf.
      setup: static setup.
      steps: number of steps T.
    """

    def one_step(before: RolloutState, step_key):
        world_keys = sharding.world_keys(step_key, len(before.first), setup.axis)
        # Split inside vmap: jax's check of key reuse takes columns of a batch of keys for one key used again.
        action_keys, partner_keys, env_keys = jax.vmap(lambda key: tuple(jax.random.split(key, 3)))(world_keys)
        seen = jax.vmap(functools.partial(perceived, setup.partners))(
            before.state, before.observation, before.last, rules
        )
        partner_memory, partner_actions = jax.vmap(setup.partners.apply, (None, 0, 0, 0, 0, 0))(
            partner_parameters, partner_keys, before.partner_memory, before.state, seen, before.first
        )
        action, log_prob, memory = _learner_actions(action_keys, before, parameters, partner_actions, setup)
        actions = partner_actions if setup.imitates else jnp.concatenate([action, partner_actions], axis=1)
        state, timestep = jax.vmap(setup.env.step)(env_keys, before.state, actions, rules)
        ended = jax.vmap(episode_ended)(timestep)
        increments = EpisodeStats(timestep.reward, timestep.reward > 0, timestep.reward < 0, before.present)
        episode_stats = jax.tree.map(jnp.add, before.episode_stats, increments)
        # A world whose episode ended has been reset in the same step, so ``ended`` is ``first`` of the next step.
        stats = jax.tree.map(lambda x: jnp.where(ended[:, None], 0.0, x), episode_stats)
        observation, present = timestep.observation, timestep.present
        last = before.last
        if last is not None:
            over = ended[:, None]
            last = LastStep(jnp.where(over, 0.0, timestep.reward), jnp.where(over, NO_ACTION, actions))
        after = RolloutState(state, observation, ended, present, memory, partner_memory, stats, last)
        row = _trajectory_row(before, action, log_prob, timestep, ended)
        return after, (row, Outcome(episode_stats, ended))

    # On GPUs two steps then share the loop's counter, and copy half as much of what they carry (docs/performance.md).
    unroll = 2 if traced_platform() == "gpu" else 1
    keys = jax.random.split(key, steps)
    rollout_state, (trajectory, outcome) = jax.lax.scan(one_step, rollout_state, keys, unroll=unroll)
    return rollout_state, trajectory, outcome


def _learner_actions(
    keys: Key[Array, " N"], before: RolloutState, parameters, partner_actions: Int[Array, "N _"], setup: AgentSetup
) -> tuple[Int[Array, "N L"], Float[Array, "N L"], Any]:
    """Draws the learners' actions, or takes the teacher's; returns (action, log-probability, recurrent state)."""
    learners = setup.sizes.learners

    def unroll(parameters, memory, observation):
        one_step = jax.tree.map(lambda x: x[None], observation)
        outputs = setup.network.unroll(parameters, memory, one_step, before.first[None])
        return outputs.logits[0], jax.tree.map(lambda m: m[0], outputs.after)

    observation = jax.tree.map(lambda x: x[:, :learners], before.observation)
    logits, memory = jax.vmap(unroll, (0, 1, 1), 1)(parameters, before.memory, observation)
    if setup.imitates:
        action = partner_actions[:, :learners]
        return action, jnp.asarray(distribution(logits).log_prob(action)), memory
    # Keys belong to worlds, so that draws do not depend on how worlds are split over devices.
    action, log_prob = jax.vmap(lambda key, logits: distribution(logits).sample_and_log_prob(seed=key))(keys, logits)
    return action, jnp.asarray(log_prob), memory


def _trajectory_row(
    before: RolloutState, action: Int[Array, "N L"], log_prob, timestep: Timestep, ended: Bool[Array, " N"]
) -> Trajectory:
    """Returns row t of a trajectory; learners are the first axis."""
    learners = action.shape[1]

    def of_learners(x):
        return jnp.moveaxis(x[:, :learners], 1, 0)

    def of_world(x):
        return jnp.broadcast_to(x, (learners, *x.shape))

    return Trajectory(
        observation=jax.tree.map(of_learners, before.observation),
        first=of_world(before.first),
        present=of_learners(before.present),
        action=of_learners(action),
        log_prob=of_learners(log_prob),
        reward_next=of_learners(timestep.reward),
        discount_next=of_learners(jax.vmap(discount)(timestep)),
        truncated_next=of_learners(timestep.truncated),
        ended_next=of_world(ended),
        observation_next=jax.tree.map(of_learners, timestep.final_observation),
    )
