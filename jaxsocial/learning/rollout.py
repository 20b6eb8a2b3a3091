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


class Parts(NamedTuple):
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


class Tally(NamedTuple):
    """Sums over an episode so far, for every agent."""

    return_: Float[Array, "*N A"]
    """Rewards."""
    goals: Float[Array, "*N A"]
    """Steps with a positive reward."""
    penalties: Float[Array, "*N A"]
    """Steps with a negative reward."""
    steps: Float[Array, "*N A"]
    """Steps in which the agent took part."""


class Play(NamedTuple):
    """Where playing stands between two steps: worlds, memories, and what the agents now see."""

    state: State
    observation: Observation
    first: Bool[Array, " N"]
    present: Bool[Array, "N A"]
    memory: LSTMState
    """Of every learner, worlds before learners."""
    partner_memory: Any
    tally: Tally


class Outcome(NamedTuple):
    """After each step: the sums over the episode so far, and whether it ended with the step."""

    tally: Tally
    ended: Bool[Array, "T N"]


def start(key: Key[Array, ""], rules: Rules, parts: Parts) -> Play:
    """N fresh worlds; every leaf of ``rules`` has the worlds as its first axis."""
    worlds, agents = rules.present.shape
    state, timestep = jax.vmap(parts.env.reset)(sharding.world_keys(key, worlds, parts.axis), rules)
    nothing = jnp.zeros((worlds, agents))
    return Play(
        state=state,
        observation=timestep.observation,
        first=jnp.ones(worlds, bool),
        present=timestep.present,
        memory=parts.network.initial_memory((worlds, parts.sizes.learners)),
        partner_memory=jax.tree.map(lambda m: jnp.broadcast_to(m, (worlds, *m.shape)), parts.partners.init()),
        tally=Tally(*[nothing] * len(Tally._fields)),
    )


def rollout(
    key: Key[Array, ""],
    play: Play,
    parameters: Parameters,
    partner_parameters: PyTree,
    rules: Rules,
    parts: Parts,
    steps: int,
) -> tuple[Play, Trajectory, Outcome]:
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

    def one_step(play: Play, step_key):
        world_keys = sharding.world_keys(step_key, len(play.first), parts.axis)
        action_keys, partner_keys, env_keys = jax.vmap(_three)(world_keys)
        partner_memory, answers = jax.vmap(parts.partners.apply, (None, 0, 0, 0, 0, 0))(
            partner_parameters, partner_keys, play.partner_memory, play.state, play.observation, play.first
        )
        chosen = _learners_act(action_keys, play, parameters, answers, parts)
        actions = answers if parts.imitates else jnp.concatenate([chosen.action, answers], axis=1)
        state, timestep = jax.vmap(parts.env.step)(env_keys, play.state, actions, rules)
        ended = jax.vmap(episode_ended)(timestep)
        tally = _add(play.tally, timestep.reward, play.present)
        seen, left = timestep.observation, _restarted(tally, ended)
        after = Play(state, seen, ended, timestep.present, chosen.memory, partner_memory, left)
        return after, (_row(play, chosen, timestep, ended, parts.sizes.learners), Outcome(tally, ended))

    play, (trajectory, outcome) = jax.lax.scan(one_step, play, jax.random.split(key, steps))
    return play, trajectory, outcome


def _three(key: Key[Array, ""]) -> tuple[Key[Array, ""], ...]:
    # Unpacked under vmap, since jax's check of keys takes columns of a batch of keys for one key used again.
    one, two, three = jax.random.split(key, 3)
    return one, two, three


class _Chosen(NamedTuple):
    """What the learners do in one step."""

    action: Int[Array, "N L"]
    log_prob: Float[Array, "N L"]
    memory: LSTMState


def _learners_act(keys: Key[Array, " N"], play: Play, parameters, answers, parts: Parts) -> _Chosen:
    learners = parts.sizes.learners

    def unroll(parameters, memory, image):
        outputs = parts.network.unroll(parameters, memory, image[None], play.first[None])
        return outputs.logits[0], jax.tree.map(lambda m: m[0], outputs.after)

    image = play.observation.image[:, :learners]
    logits, memory = jax.vmap(unroll, (0, 1, 1), 1)(parameters, play.memory, image)
    if parts.imitates:
        action = answers[:, :learners]
        return _Chosen(action, jnp.asarray(distribution(logits).log_prob(action)), memory)
    action, log_prob = jax.vmap(lambda key, logits: distribution(logits).sample_and_log_prob(seed=key))(keys, logits)
    return _Chosen(action, jnp.asarray(log_prob), memory)


def _row(play: Play, chosen: _Chosen, timestep, ended, learners: int) -> Trajectory:
    """One row of a trajectory, learners as the first axis."""

    def of_learners(x):
        return jnp.moveaxis(x[:, :learners], 1, 0)

    def of_each(x):
        return jnp.broadcast_to(x, (learners, *x.shape))

    return Trajectory(
        observation=of_learners(play.observation.image),
        first=of_each(play.first),
        present=of_learners(play.present),
        action=of_learners(chosen.action),
        log_prob=of_learners(chosen.log_prob),
        reward_next=of_learners(timestep.reward),
        discount_next=of_learners(jax.vmap(discount)(timestep)),
        truncated_next=of_learners(timestep.truncated),
        ended_next=of_each(ended),
        observation_next=of_learners(timestep.final_observation.image),
    )


def _add(tally: Tally, reward: Float[Array, "N A"], present: Bool[Array, "N A"]) -> Tally:
    return Tally(
        tally.return_ + reward, tally.goals + (reward > 0), tally.penalties + (reward < 0), tally.steps + present
    )


def _restarted(tally: Tally, ended: Bool[Array, " N"]) -> Tally:
    return jax.tree.map(lambda x: jnp.where(ended[:, None], 0.0, x), tally)
