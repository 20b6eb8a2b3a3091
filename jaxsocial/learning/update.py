"""One training iteration: a rollout, then minibatches with a periodic replay under the current weights.

Pure functions of an `Env`, a `Network` and a `Policy`. Learners of a world train side by side, each on its own
trajectory: `fit` and all that it calls are written for one learner.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.env.types import Rules
from jaxsocial.learning import sharding
from jaxsocial.learning.minibatch import (
    SHARES,
    Metrics,
    UpdateState,
    draw_segments,
    one_minibatch,
    optimiser,
)
from jaxsocial.learning.replay import replay
from jaxsocial.learning.rollout import AgentSetup, Outcome, RolloutState, Trajectory, rollout, start
from jaxsocial.learning.settings import Coefficients


class Learner(NamedTuple):
    """All that changes in training."""

    key: Key[Array, ""]
    parameters: Parameters
    """Of each learner; learners are the first axis of every leaf, also of the optimiser's state."""
    optimiser_state: PyTree
    rollout_state: RolloutState
    iteration: Int[Array, ""]


def new_learner(key: Key[Array, ""], rules: Rules, coefficients: Coefficients, setup: AgentSetup) -> Learner:
    """Initialises networks, optimisers and worlds.

    Args:
      key: for all draws of the training run.
      rules: rules of each world; worlds are the first axis of every leaf.
      coefficients: traced coefficients.
      setup: static setup.
    """
    next_key, network_key, rollout_key = jax.random.split(key, 3)
    parameters = jax.vmap(setup.network.init)(jax.random.split(network_key, setup.sizes.learners))
    return Learner(
        key=next_key,
        parameters=parameters,
        optimiser_state=jax.vmap(optimiser(coefficients).init)(parameters),
        rollout_state=start(rollout_key, rules, setup),
        iteration=jnp.int32(0),
    )


def one_iteration(
    learner: Learner, partner_parameters: PyTree, rules: Rules, coefficients: Coefficients, setup: AgentSetup
) -> tuple[Learner, Metrics]:
    """Plays ``steps`` steps of every world and trains each learner on its own trajectory.

    Args:
      learner: the learners and their worlds.
      partner_parameters: parameters of ``setup.partners``.
      rules: rules of each world; worlds are the first axis of every leaf.
      coefficients: traced coefficients.
      setup: static setup.

    Returns:
      The learners after the iteration, and metrics of each: means over minibatches, and those of `episode_means`.
    """
    next_key, rollout_key, segment_key = jax.random.split(learner.key, 3)
    rollout_state, trajectory, outcome = rollout(
        rollout_key, learner.rollout_state, learner.parameters, partner_parameters, rules, setup, setup.sizes.steps
    )
    update_state, metrics = jax.vmap(functools.partial(fit, coefficients=coefficients, setup=setup), (0, 0, 0, 1, 1))(
        jax.random.split(segment_key, setup.sizes.learners),
        learner.parameters,
        learner.optimiser_state,
        learner.rollout_state.memory,
        trajectory,
    )
    learner = Learner(
        next_key, update_state.parameters, update_state.optimiser_state, rollout_state, learner.iteration + 1
    )
    return learner, metrics | episode_means(outcome, setup)


def episode_means(outcome: Outcome, setup: AgentSetup) -> Metrics:
    """Computes means over the episodes that ended: of each learner with others and alone, and of the partners.

    A learner was alone if no other agent was present at any time. A mean over no episodes is NaN. ``episodes`` counts
    all episodes.
    """
    learners = setup.sizes.learners
    stats = outcome.episode_stats
    present = stats.steps > 0
    with_others = jnp.stack([jnp.delete(present, agent, axis=-1).any(-1) for agent in range(learners)], axis=-1)
    ended = outcome.ended[..., None] & present
    social, solo = ended[..., :learners] & with_others, ended[..., :learners] & ~with_others
    means = {}
    for name, sums in (("return", stats.return_), ("goals", stats.goals), ("penalties", stats.penalties)):
        means[f"social_{name}"] = _mean_where(social, sums[..., :learners], setup.axis)
        means[f"solo_{name}"] = _mean_where(solo, sums[..., :learners], setup.axis)
        mean = _mean_where(ended[..., learners:, None], sums[..., learners:, None], setup.axis, over=(0, 1, 2))
        means[f"partner_{name}"] = jnp.broadcast_to(mean, (learners,))
    episodes = sharding.total(outcome.ended.sum(), setup.axis).astype(jnp.float32)
    return means | {"episodes": jnp.broadcast_to(episodes, (learners,))}


def _mean_where(chosen, values, axis: sharding.Axis, over=(0, 1)) -> Float[Array, " L"]:
    """Returns the mean of the chosen values over time and worlds; NaN if none is chosen."""
    return sharding.total((values * chosen).sum(over), axis) / sharding.total(chosen.sum(over), axis)


def prediction_means(metrics: Metrics) -> Metrics:
    """Replaces the sums over views with and without another agent, and their shares, by means of the loss.

    A mean over no views is NaN.

    >>> name, share = next(iter(SHARES.items()))
    >>> prediction_means({name: jnp.float32(1.0), share: jnp.float32(0.25)})
    {'prediction_loss_with_others': Array(4., dtype=float32)}
    """
    means = {name: metrics[name] / metrics[share] for name, share in SHARES.items() if share in metrics}
    return {name: value for name, value in metrics.items() if name not in SHARES.values()} | means


def fit(
    key: Key[Array, ""],
    parameters: Parameters,
    optimiser_state: PyTree,
    memory: Any,
    trajectory: Trajectory,
    coefficients: Coefficients,
    setup: AgentSetup,
) -> tuple[UpdateState, Metrics]:
    """Trains one learner on the minibatches of an iteration, within the trust region.

    Args:
      key: for drawing segments.
      parameters: weights before the iteration.
      optimiser_state: the optimiser's state before the iteration.
      memory: recurrent state before the first row.
      trajectory: T steps of N worlds.
      coefficients: traced coefficients.
      setup: static setup.
    """
    index = draw_segments(key, setup.sizes)

    def one_round(number, update_state):
        """Replays the trajectory and takes ``refresh_interval`` steps; returns sums of metrics."""
        replayed = replay(update_state.parameters, memory, trajectory, coefficients, setup)
        of_round = jax.tree.map(lambda x: x[number], index)
        step = functools.partial(
            one_minibatch, trajectory=trajectory, replayed=replayed, coefficients=coefficients, setup=setup
        )
        update_state, metrics = jax.lax.scan(step, update_state, of_round)
        return update_state, jax.tree.map(lambda x: x.sum(0), metrics)

    def add_round(carry):
        number, update_state, sums = carry
        update_state, metrics = one_round(number, update_state)
        return number + 1, update_state, jax.tree.map(jnp.add, sums, metrics)

    before = UpdateState(parameters, optimiser_state, jnp.bool_(False), jnp.float32(0.0))
    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(one_round, 0, before)[1])
    # Not a scan: the loop ends once the learner has stopped; under vmap, once all have.
    _, after, (sums, evaluated) = jax.lax.while_loop(
        lambda carry: (carry[0] < setup.sizes.rounds) & ~carry[1].stopped, add_round, (jnp.int32(0), before, zeros)
    )
    # Not ``>``: a divergence that is NaN has to restore the weights too.
    too_far = ~(after.approx_kl <= coefficients.kl_restore)
    parameters, optimiser_state = jax.tree.map(
        lambda old, new: jnp.where(too_far, old, new),
        (before.parameters, before.optimiser_state),
        (after.parameters, after.optimiser_state),
    )
    means = jax.tree.map(lambda x: x / jnp.maximum(evaluated, 1.0), sums)
    means = prediction_means(means) | {"minibatches": evaluated, "restored": too_far.astype(jnp.float32)}
    return UpdateState(parameters, optimiser_state, after.stopped, after.approx_kl), means
