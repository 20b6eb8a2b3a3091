"""One training iteration: play, then minibatches with recurrent state, values and advantages kept fresh.

Pure, and blind to grids: it is handed an `Env`, a `Network` and a `Policy`. Learners of a world learn side by side,
each from what it saw itself: from `fit` on everything is written for one.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from jaxsocial.agents.networks.lstm import LSTMState
from jaxsocial.agents.networks.network import Parameters
from jaxsocial.env.types import Rules
from jaxsocial.learning import sharding
from jaxsocial.learning.minibatch import SegmentIndex, UpdateState, draw_segments, one_minibatch, optimiser
from jaxsocial.learning.replay import replay
from jaxsocial.learning.rollout import AgentSetup, EpisodeStats, Outcome, RolloutState, Trajectory, rollout, start
from jaxsocial.learning.settings import Coefficients

Metrics = dict[str, Float[Array, "*L"]]


class Learner(NamedTuple):
    """All that changes in training."""

    key: Key[Array, ""]
    parameters: Parameters
    """Of each learner, learners as the first axis of every leaf; so with the optimiser's state."""
    optimiser_state: PyTree
    rollout_state: RolloutState
    iteration: Int[Array, ""]


def new_learner(key: Key[Array, ""], rules: Rules, coefficients: Coefficients, setup: AgentSetup) -> Learner:
    """Learners before their first iteration; ``rules`` has the worlds as the first axis of every leaf."""
    next_key, network_key, play_key = jax.random.split(key, 3)
    parameters = jax.vmap(setup.network.init)(jax.random.split(network_key, setup.sizes.learners))
    return Learner(
        key=next_key,
        parameters=parameters,
        optimiser_state=jax.vmap(optimiser(coefficients).init)(parameters),
        rollout_state=start(play_key, rules, setup),
        iteration=jnp.int32(0),
    )


def one_iteration(
    learner: Learner, partner_parameters: PyTree, rules: Rules, coefficients: Coefficients, setup: AgentSetup
) -> tuple[Learner, Metrics]:
    """Plays ``steps`` steps of every world, and each learner learns from what it saw.

    The metrics, one of each learner, are means over minibatches, and over the episodes that ended (see
    `episode_means`).
    """
    next_key, play_key, segment_key = jax.random.split(learner.key, 3)
    memory = learner.rollout_state.memory
    rollout_state, trajectory, outcome = rollout(
        play_key, learner.rollout_state, learner.parameters, partner_parameters, rules, setup, setup.sizes.steps
    )
    learn = functools.partial(fit, coefficients=coefficients, setup=setup)
    update_state, metrics = jax.vmap(learn, (0, 0, 0, 1, 1))(
        jax.random.split(segment_key, setup.sizes.learners),
        learner.parameters,
        learner.optimiser_state,
        memory,
        trajectory,
    )
    learner = Learner(
        next_key, update_state.parameters, update_state.optimiser_state, rollout_state, learner.iteration + 1
    )
    return learner, metrics | episode_means(outcome, setup)


def episode_means(outcome: Outcome, setup: AgentSetup) -> Metrics:
    """Means over the episodes that ended: of each learner, alone and in company, and of the partners.

    A learner was alone where no other agent took part at any time. Where no such episode ended the mean is NaN;
    ``episodes`` says how many there were in all.
    """
    learners = setup.sizes.learners
    took_part = outcome.episode_stats.steps > 0
    accompanied = jnp.stack([jnp.delete(took_part, seat, axis=-1).any(-1) for seat in range(learners)], axis=-1)
    ended = outcome.ended[..., None] & took_part[..., :learners]
    means = {}
    for name, sums in _counted(outcome.episode_stats).items():
        for who, of_these in (("social", ended & accompanied), ("solo", ended & ~accompanied)):
            means[f"{who}_{name}"] = _mean_where(of_these, sums[..., :learners], setup.axis)
        partners = (outcome.ended[..., None] & took_part)[..., learners:]
        mean = _mean_where(partners[..., None], sums[..., learners:, None], setup.axis, over=(0, 1, 2))
        means[f"partner_{name}"] = jnp.broadcast_to(mean, (learners,))
    episodes = sharding.total(outcome.ended.sum(), setup.axis).astype(jnp.float32)
    return means | {"episodes": jnp.broadcast_to(episodes, (learners,))}


def _counted(episode_stats: EpisodeStats) -> dict[str, Float[Array, "T N A"]]:
    return {"return": episode_stats.return_, "goals": episode_stats.goals, "penalties": episode_stats.penalties}


def _mean_where(chosen, values, axis: sharding.Axis, over=(0, 1)) -> Float[Array, " L"]:
    """The mean over time and worlds; NaN where nothing is chosen."""
    return sharding.total((values * chosen).sum(over), axis) / sharding.total(chosen.sum(over), axis)


def fit(
    key: Key[Array, ""],
    parameters: Parameters,
    optimiser_state: PyTree,
    memory: LSTMState,
    trajectory: Trajectory,
    coefficients: Coefficients,
    setup: AgentSetup,
) -> tuple[UpdateState, Metrics]:
    """All minibatches of one learner's iteration, within the trust region; ``memory`` is that before the first row."""
    index = draw_segments(key, setup.sizes)
    learn = functools.partial(_one_round, memory=memory, trajectory=trajectory, coefficients=coefficients, setup=setup)
    before = UpdateState(parameters, optimiser_state, jnp.bool_(False), jnp.float32(0.0))
    nothing_seen = jax.tree.map(jnp.zeros_like, jax.eval_shape(learn, before, _of_round(0, index))[1])

    def one_round(carried):
        number, update_state, sums = carried
        update_state, seen = learn(update_state, _of_round(number, index))
        return number + 1, update_state, jax.tree.map(jnp.add, sums, seen)

    def goes_on(carried):
        number, update_state, _ = carried
        return (number < setup.sizes.rounds) & ~update_state.stopped

    # Not a scan: it ends once the learner has stopped, under vmap once all have.
    _, after, (sums, looked_at) = jax.lax.while_loop(goes_on, one_round, (jnp.int32(0), before, nothing_seen))
    # Written so that a divergence that is no number counts as too far.
    too_far = ~(after.approx_kl <= coefficients.kl_restore)
    parameters, optimiser_state = jax.tree.map(
        lambda old, new: jnp.where(too_far, old, new),
        (before.parameters, before.optimiser_state),
        (after.parameters, after.optimiser_state),
    )
    means = jax.tree.map(lambda x: x / jnp.maximum(looked_at, 1.0), sums)
    means |= {"minibatches": looked_at, "restored": too_far.astype(jnp.float32)}
    return UpdateState(parameters, optimiser_state, after.stopped, after.approx_kl), means


def _of_round(number, index: SegmentIndex) -> SegmentIndex:
    return jax.tree.map(lambda x: x[number], index)


def _one_round(update_state: UpdateState, index: SegmentIndex, memory, trajectory, coefficients, setup: AgentSetup):
    """A refresh, and the minibatches that learn from it; the sums of their metrics, and how many were looked at."""
    replayed = replay(update_state.parameters, memory, trajectory, coefficients, setup)

    def one_more(update_state, index):
        return one_minibatch(index, update_state, trajectory, replayed, coefficients, setup)

    update_state, seen = jax.lax.scan(one_more, update_state, index)
    return update_state, jax.tree.map(lambda x: x.sum(0), seen)
