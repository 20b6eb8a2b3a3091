"""T steps of N worlds, and THE statement of what row t of a trajectory means.

Row t holds what was known before acting (observation_t, first_t, whether the learner took part), what was done
(action_t and its log-probability), and what came of it (reward_{t+1}, discount_{t+1}, whether the episode ended with
this step, and the observation that followed in the same episode).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt8

from jaxsocial.agents.networks.lstm import LSTMState
from jaxsocial.agents.networks.network import Network, Parameters
from jaxsocial.agents.policy import Policy, distribution
from jaxsocial.env.core import Env, discount, episode_ended
from jaxsocial.env.types import Observation, Rules, State
from jaxsocial.learning import sharding
from jaxsocial.learning.settings import Sizes


class AgentSetup(NamedTuple):
    """All that does not change in training and is not a number. The learners sit in the first seats."""

    env: Env
    network: Network
    partners: Policy
    """Acts for the seats after the learners'; where ``imitates``, for all."""
    sizes: Sizes
    imitates: bool = False
    """Whether ``partners`` acts in the learners' seats too, and they learn to do as it does."""
    axis: sharding.Axis = None
    """The axis of devices that worlds are laid along; None for one device."""


class Trajectory(NamedTuple):
    """What a learner saw, did and got; time-major. ``next`` fields belong to step t + 1.

    As played, an axis of learners follows that of time.
    """

    observation: UInt8[Array, "T *L N P P 3"]
    first: Bool[Array, "T *L N"]
    present: Bool[Array, "T *L N"]
    """Whether it took part: rows where it did not teach nothing."""
    action: Int[Array, "T *L N"]
    log_prob: Float[Array, "T *L N"]
    reward_next: Float[Array, "T *L N"]
    discount_next: Float[Array, "T *L N"]
    truncated_next: Bool[Array, "T *L N"]
    ended_next: Bool[Array, "T *L N"]
    observation_next: UInt8[Array, "T *L N P P 3"]
    """What followed in the same episode: at an end the final observation, not the restarted world's."""


class EpisodeStats(NamedTuple):
    """Sums over an episode so far, for every agent."""

    return_: Float[Array, "*N A"]
    """Rewards."""
    goals: Float[Array, "*N A"]
    """Steps with a positive reward."""
    penalties: Float[Array, "*N A"]
    """Steps with a negative reward."""
    steps: Float[Array, "*N A"]
    """Steps in which the agent took part."""


class RolloutState(NamedTuple):
    """Where playing stands between two steps: worlds, memories, and what the agents now see."""

    state: State
    observation: Observation
    first: Bool[Array, " N"]
    present: Bool[Array, "N A"]
    memory: LSTMState
    """Of every learner, worlds before learners."""
    partner_memory: Any
    episode_stats: EpisodeStats


class Outcome(NamedTuple):
    """After each step: the sums over the episode so far, and whether it ended with the step."""

    episode_stats: EpisodeStats
    ended: Bool[Array, "T N"]


def start(key: Key[Array, ""], rules: Rules, setup: AgentSetup) -> RolloutState:
    """N fresh worlds; every leaf of ``rules`` has the worlds as its first axis."""
    worlds, agents = rules.present.shape
    state, timestep = jax.vmap(setup.env.reset)(sharding.world_keys(key, worlds, setup.axis), rules)
    nothing = jnp.zeros((worlds, agents))
    return RolloutState(
        state=state,
        observation=timestep.observation,
        first=jnp.ones(worlds, bool),
        present=timestep.present,
        memory=setup.network.initial_memory((worlds, setup.sizes.learners)),
        partner_memory=jax.tree.map(lambda m: jnp.broadcast_to(m, (worlds, *m.shape)), setup.partners.init()),
        episode_stats=EpisodeStats(*[nothing] * len(EpisodeStats._fields)),
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
    """Plays ``steps`` steps of all worlds; the carry goes on where it stopped.

    Args:
      key: what all draws begin from.
      play: where the worlds stand.
      parameters: of the learners' networks, learners as the first axis of every leaf.
      partner_parameters: what ``parts.partners`` is called with.
      rules: of each world.
      parts: environment, network and partners.
      steps: how many.
    """

    def one_step(rollout_state: RolloutState, step_key):
        world_keys = sharding.world_keys(step_key, len(rollout_state.first), setup.axis)
        action_keys, partner_keys, env_keys = jax.vmap(_three)(world_keys)
        partner_memory, answers = jax.vmap(setup.partners.apply, (None, 0, 0, 0, 0, 0))(
            partner_parameters,
            partner_keys,
            rollout_state.partner_memory,
            rollout_state.state,
            rollout_state.observation,
            rollout_state.first,
        )
        chosen = _learners_act(action_keys, rollout_state, parameters, answers, setup)
        actions = answers if setup.imitates else jnp.concatenate([chosen.action, answers], axis=1)
        state, timestep = jax.vmap(setup.env.step)(env_keys, rollout_state.state, actions, rules)
        ended = jax.vmap(episode_ended)(timestep)
        episode_stats = _add(rollout_state.episode_stats, timestep.reward, rollout_state.present)
        seen, left = timestep.observation, _restarted(episode_stats, ended)
        after = RolloutState(state, seen, ended, timestep.present, chosen.memory, partner_memory, left)
        return after, (
            _row(rollout_state, chosen, timestep, ended, setup.sizes.learners),
            Outcome(episode_stats, ended),
        )

    rollout_state, (trajectory, outcome) = jax.lax.scan(one_step, rollout_state, jax.random.split(key, steps))
    return rollout_state, trajectory, outcome


def _three(key: Key[Array, ""]) -> tuple[Key[Array, ""], ...]:
    # Unpacked under vmap, since jax's check of keys takes columns of a batch of keys for one key used again.
    one, two, three = jax.random.split(key, 3)
    return one, two, three


class _Chosen(NamedTuple):
    """What the learners do in one step."""

    action: Int[Array, "N L"]
    log_prob: Float[Array, "N L"]
    memory: LSTMState


def _learners_act(
    keys: Key[Array, " N"], rollout_state: RolloutState, parameters, answers, setup: AgentSetup
) -> _Chosen:
    learners = setup.sizes.learners

    def unroll(parameters, memory, image):
        outputs = setup.network.unroll(parameters, memory, image[None], rollout_state.first[None])
        return outputs.logits[0], jax.tree.map(lambda m: m[0], outputs.after)

    image = rollout_state.observation.image[:, :learners]
    logits, memory = jax.vmap(unroll, (0, 1, 1), 1)(parameters, rollout_state.memory, image)
    if setup.imitates:
        action = answers[:, :learners]
        return _Chosen(action, jnp.asarray(distribution(logits).log_prob(action)), memory)
    action, log_prob = jax.vmap(lambda key, logits: distribution(logits).sample_and_log_prob(seed=key))(keys, logits)
    return _Chosen(action, jnp.asarray(log_prob), memory)


def _row(rollout_state: RolloutState, chosen: _Chosen, timestep, ended, learners: int) -> Trajectory:
    """One row of a trajectory, learners as the first axis."""

    def of_learners(x):
        return jnp.moveaxis(x[:, :learners], 1, 0)

    def of_each(x):
        return jnp.broadcast_to(x, (learners, *x.shape))

    return Trajectory(
        observation=of_learners(rollout_state.observation.image),
        first=of_each(rollout_state.first),
        present=of_learners(rollout_state.present),
        action=of_learners(chosen.action),
        log_prob=of_learners(chosen.log_prob),
        reward_next=of_learners(timestep.reward),
        discount_next=of_learners(jax.vmap(discount)(timestep)),
        truncated_next=of_learners(timestep.truncated),
        ended_next=of_each(ended),
        observation_next=of_learners(timestep.final_observation.image),
    )


def _add(episode_stats: EpisodeStats, reward: Float[Array, "N A"], present: Bool[Array, "N A"]) -> EpisodeStats:
    return EpisodeStats(
        episode_stats.return_ + reward,
        episode_stats.goals + (reward > 0),
        episode_stats.penalties + (reward < 0),
        episode_stats.steps + present,
    )


def _restarted(episode_stats: EpisodeStats, ended: Bool[Array, " N"]) -> EpisodeStats:
    return jax.tree.map(lambda x: jnp.where(ended[:, None], 0.0, x), episode_stats)
