"""T steps of N worlds, and THE statement of what row t of a trajectory means.

Row t holds what was known before acting (observation_t, first_t), what was done (action_t and its
log-probability), and what came of it (reward_{t+1}, discount_{t+1}, whether the episode ended with this
step, and the observation that followed in the same episode).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxsocial.agents.network import LSTMState, Network, Parameters
from jaxsocial.agents.policy import Policy, distribution
from jaxsocial.env import Env, discount, episode_ended
from jaxsocial.world import Observation, Rules, State

LEARNER = 0
"""The learner's seat; partners sit in the seats after it."""


class Trajectory(NamedTuple):
    """What the learner saw, did and got; time-major. ``next`` fields belong to step t + 1."""

    observation: UInt8[Array, "T N P P 3"]
    first: Bool[Array, "T N"]
    action: Int[Array, "T N"]
    log_prob: Float[Array, "T N"]
    reward_next: Float[Array, "T N"]
    discount_next: Float[Array, "T N"]
    truncated_next: Bool[Array, "T N"]
    ended_next: Bool[Array, "T N"]
    observation_next: UInt8[Array, "T N P P 3"]
    """What followed in the same episode: at an end the final observation, not the restarted world's."""


class Tally(NamedTuple):
    """Sums over an episode so far, for every agent."""

    return_: Float[Array, "*N A"]
    """Rewards."""
    goals: Float[Array, "*N A"]
    """Steps with a positive reward."""
    penalties: Float[Array, "*N A"]
    """Steps with a negative reward."""


class Play(NamedTuple):
    """Where playing stands between two steps: worlds, memories, and what the agents now see."""

    state: State
    observation: Observation
    first: Bool[Array, " N"]
    memory: LSTMState
    partner_memory: Any
    tally: Tally


class Outcome(NamedTuple):
    """After each step: the sums over the episode so far, and whether it ended with the step."""

    tally: Tally
    ended: Bool[Array, "T N"]


def start(key: Key[Array, ""], env: Env, rules: Rules, network: Network, partners: Policy) -> Play:
    """N fresh worlds; every leaf of ``rules`` has the worlds as its first axis."""
    worlds, agents = rules.present.shape
    state, timestep = jax.vmap(env.reset)(jax.random.split(key, worlds), rules)
    partner_memory = jax.tree.map(lambda m: jnp.broadcast_to(m, (worlds, *m.shape)), partners.init())
    nothing = jnp.zeros((worlds, agents))
    return Play(
        state=state,
        observation=timestep.observation,
        first=jnp.ones(worlds, bool),
        memory=network.initial_memory((worlds,)),
        partner_memory=partner_memory,
        tally=Tally(nothing, nothing, nothing),
    )


def rollout(
    key: Key[Array, ""],
    play: Play,
    parameters: Parameters,
    rules: Rules,
    env: Env,
    network: Network,
    partners: Policy,
    steps: int,
) -> tuple[Play, Trajectory, Outcome]:
    """Plays ``steps`` steps of all worlds; the carry goes on where it stopped."""

    def one_step(play: Play, key):
        action_key, partner_key, env_key = jax.random.split(key, 3)
        outputs = network.unroll(parameters, play.memory, play.observation.image[None, :, LEARNER], play.first[None])
        policy = distribution(outputs.logits[0])
        action, log_prob = policy.sample_and_log_prob(seed=action_key)
        partner_memory, partner_actions = _partners_act(partner_key, play, partners)
        actions = jnp.concatenate([action[:, None], partner_actions], axis=1)
        worlds = len(play.first)
        state, timestep = jax.vmap(env.step)(jax.random.split(env_key, worlds), play.state, actions, rules)
        ended = jax.vmap(episode_ended)(timestep)
        row = Trajectory(
            observation=play.observation.image[:, LEARNER],
            first=play.first,
            action=action,
            log_prob=jnp.asarray(log_prob),
            reward_next=timestep.reward[:, LEARNER],
            discount_next=jax.vmap(discount)(timestep)[:, LEARNER],
            truncated_next=timestep.truncated[:, LEARNER],
            ended_next=ended,
            observation_next=timestep.final_observation.image[:, LEARNER],
        )
        tally = _add(play.tally, timestep.reward)
        memory = jax.tree.map(lambda m: m[0], outputs.after)
        after = Play(state, timestep.observation, ended, memory, partner_memory, _restarted(tally, ended))
        return after, (row, Outcome(tally, ended))

    play, (trajectory, outcome) = jax.lax.scan(one_step, play, jax.random.split(key, steps))
    return play, trajectory, outcome


def _partners_act(key, play: Play, partners: Policy):
    keys = jax.random.split(key, len(play.first))
    return jax.vmap(partners.apply)(keys, play.partner_memory, play.state, play.observation, play.first)


def _add(tally: Tally, reward: Float[Array, "N A"]) -> Tally:
    return Tally(tally.return_ + reward, tally.goals + (reward > 0), tally.penalties + (reward < 0))


def _restarted(tally: Tally, ended: Bool[Array, " N"]) -> Tally:
    return jax.tree.map(lambda x: jnp.where(ended[:, None], 0.0, x), tally)
