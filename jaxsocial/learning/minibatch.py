"""One gradient step: segments, their loss, and the trust region."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, Num, PyTree

from jaxsocial.agents.networks.network import MEMORY_NAME, Outputs, Parameters
from jaxsocial.agents.policy import distribution
from jaxsocial.learning import losses, sharding
from jaxsocial.learning.replay import ReplayTargets
from jaxsocial.learning.rollout import AgentSetup, Trajectory
from jaxsocial.learning.settings import Coefficients, Sizes

Targets = tuple[Float[Array, "T N"], Float[Array, "T N"]]
"""(advantage, value target) of each step."""
Metrics = dict[str, Float[Array, "*L"]]
SHARES = {f"prediction_loss_{which}_others": f"views_{which}_others" for which in ("with", "without")}
"""Of the predicted views with another agent, and of those without: the mean over all steps of the prediction loss where
the view is one of them, 0 elsewhere, to the share of these views. `prediction_means` divides them."""


class SegmentIndex(NamedTuple):
    """Where the S segments of a minibatch begin."""

    world: Int[Array, "*M S"]
    """Index among the worlds of all devices."""
    begin: Int[Array, "*M S"]
    """First row."""


def draw_segments(key: Key[Array, ""], sizes: Sizes) -> SegmentIndex:
    """Draws the segments of an iteration, [round, minibatch, segment], uniformly with replacement."""
    world_key, begin_key = jax.random.split(key)
    # The upper limit of randint is exclusive: the last segment ends with the last row.
    shape = (sizes.rounds, sizes.refresh_interval, sizes.segments)
    world = jax.random.randint(world_key, shape, 0, sizes.worlds, jnp.int32)
    return SegmentIndex(
        world, jax.random.randint(begin_key, shape, 0, sizes.steps - sizes.segment_length + 1, jnp.int32)
    )


class UpdateState(NamedTuple):
    """What the minibatches of an iteration change."""

    parameters: Parameters
    optimiser_state: PyTree
    stopped: Bool[Array, ""]
    """Whether the policy has left the trust region; later minibatches change nothing."""
    approx_kl: Float[Array, ""]
    """Of the last minibatch that was evaluated."""


def optimiser(coefficients: Coefficients) -> optax.GradientTransformation:
    """Returns Adam, preceded by clipping the gradient of the memory alone by its global norm."""

    def is_recurrent(parameters):
        return {name: name == MEMORY_NAME for name in parameters}

    return optax.chain(
        optax.masked(optax.clip_by_global_norm(coefficients.lstm_gradient_norm), is_recurrent),
        optax.scale_by_adam(eps=1e-8),
        optax.scale_by_learning_rate(coefficients.learning_rate),
    )


def one_minibatch(
    update_state: UpdateState, index: SegmentIndex, trajectory, replayed: ReplayTargets, coefficients, setup: AgentSetup
) -> tuple[UpdateState, tuple[Metrics, Float[Array, ""]]]:
    """Evaluates a minibatch, and takes a gradient step unless its KL divergence exceeds ``kl_stop``.

    Args:
      update_state: the state before the step.
      index: segments of the minibatch.
      trajectory: of all worlds.
      replayed: recurrent states and targets for ``trajectory``.
      coefficients: traced coefficients.
      setup: static setup.

    Returns:
      The state after the step, and (metrics, 1.0), or zeros where an earlier minibatch has stopped the iteration.
    """
    segment, memory, targets = segments_at(index, trajectory, replayed, setup)
    local_gradient, metrics = jax.grad(minibatch_loss, has_aux=True)(
        update_state.parameters, segment, memory, targets, coefficients, setup
    )
    gradient = jax.tree.map(lambda x: sharding.total(x, setup.axis), local_gradient)
    evaluated = ~update_state.stopped
    # Not ``>``: a divergence that is NaN has to stop too.
    stopped = update_state.stopped | ~(metrics["approx_kl"] <= coefficients.kl_stop)
    updates, optimiser_state = optimiser(coefficients).update(
        gradient, update_state.optimiser_state, update_state.parameters
    )
    parameters, optimiser_state = jax.tree.map(
        lambda old, new: jnp.where(stopped, old, new),
        (update_state.parameters, update_state.optimiser_state),
        (optax.apply_updates(update_state.parameters, updates), optimiser_state),
    )
    approx_kl = jnp.where(evaluated, metrics["approx_kl"], update_state.approx_kl)
    metrics = jax.tree.map(lambda x: jnp.where(evaluated, x, 0.0), metrics)
    return UpdateState(parameters, optimiser_state, stopped, approx_kl), (metrics, evaluated.astype(jnp.float32))


def segments_at(
    index: SegmentIndex, trajectory: Trajectory, replayed: ReplayTargets, setup: AgentSetup
) -> tuple[Trajectory, Any, Targets]:
    """Gathers segments of a trajectory.

    Args:
      index: S segments.
      trajectory: of all worlds.
      replayed: recurrent states and targets for ``trajectory``.
      setup: static setup.

    Returns:
      Segments with axes (step, segment), the recurrent state before the first step of each, and its targets.
    """
    chex.assert_rank((index.world, index.begin), 1)
    chex.assert_equal_shape((index.world, index.begin))
    row = index.begin + jnp.arange(setup.sizes.segment_length, dtype=jnp.int32)[:, None]
    segment, targets = jax.tree.map(
        lambda x: sharding.gathered(x, row, index.world, setup.axis),
        (trajectory, (replayed.advantage, replayed.value_target)),
    )

    def before(memory):
        return sharding.gathered(memory, (row[:1] - 1) % len(memory), index.world, setup.axis)[0]

    memory = jax.tree.map(before, replayed.memory)
    return segment, memory, targets


def minibatch_loss(
    parameters: Parameters, segment: Trajectory, memory, targets: Targets, coefficients: Coefficients, setup: AgentSetup
) -> tuple[Float[Array, ""], Metrics]:
    """Computes the weighted loss of a minibatch, averaged over the steps in which the learner is present.

    Args:
      parameters: of the network.
      segment: segments of this device.
      memory: recurrent state before each segment.
      targets: of each step.
      coefficients: weights of the terms.
      setup: static setup.

    Returns:
      This device's share of the mean loss, and the metrics over all devices.
    """
    outputs = setup.network.unroll(parameters, memory, segment.observation, segment.first)
    terms = (_imitation_terms if setup.imitates else _ppo_terms)(outputs, segment, targets, coefficients)
    terms |= _prediction_terms(parameters, outputs, segment, coefficients, setup)
    present, predicted = segment.present.astype(jnp.float32), _predicted(setup)

    def mean(values):
        here = present if values.shape == present.shape else present[:, predicted]
        # The learner may be absent in all rows, and 0 / 0 would spoil the weights.
        return (values * here).sum() / jnp.maximum(sharding.total(here.sum(), setup.axis), 1)

    shares = {name: mean(term.values) for name, term in terms.items()}
    shares["loss"] = jnp.sum(jnp.stack([terms[name].weight * share for name, share in shares.items()]))
    metrics = {name: sharding.total(share, setup.axis) for name, share in shares.items()}
    if not setup.imitates:
        ratio_errors = terms["ratio_error"].values * segment.present
        metrics["ratio_error"] = sharding.largest(ratio_errors.max(), setup.axis)
    return shares["loss"], metrics


class _Term(NamedTuple):
    """A term of the loss: a value for each step, and a weight; 0 for a metric."""

    values: Num[Array, "T N"]
    weight: Float[Array, ""] | float = 0.0


def _ppo_terms(outputs: Outputs, segment: Trajectory, targets, coefficients: Coefficients) -> dict[str, _Term]:
    """Computes policy loss + value_weight * value loss - entropy_weight * entropy (PROTOCOL: loss)."""
    advantage, value_target = targets
    policy = distribution(outputs.logits)
    log_ratio = jnp.asarray(policy.log_prob(segment.action)) - segment.log_prob
    return {
        "policy_loss": _Term(losses.surrogate_loss(log_ratio, advantage, coefficients.clip), 1.0),
        "value_loss": _Term(losses.value_loss(outputs.value, value_target), coefficients.value_weight),
        "entropy": _Term(jnp.asarray(policy.entropy()), -coefficients.entropy_weight),
        "approx_kl": _Term(losses.approx_kl(log_ratio)),
        "ratio_error": _Term(jnp.abs(jnp.expm1(log_ratio))),
    }


def _prediction_terms(
    parameters, outputs: Outputs, segment: Trajectory, coefficients: Coefficients, setup: AgentSetup
) -> dict[str, _Term]:
    """Computes the prediction loss, and its parts and shares of views with and without another agent, see `SHARES`.

    Segments are drawn uniformly, so every few of them are a uniform sample too.
    """
    target = setup.network.target
    if target is None:
        return {}
    hidden, segment = jax.tree.map(lambda x: x[:, _predicted(setup)], (outputs.hidden, segment))
    prediction = setup.network.predict(parameters, hidden, segment.action)
    loss = target.loss(prediction, segment.observation, segment.observation_next)
    terms = {"prediction_loss": _Term(loss, coefficients.prediction_weight)}
    others = (segment.observation_next if target.of_next else segment.observation).others
    if others is not None:
        for (name, share), chosen in zip(SHARES.items(), (others, ~others), strict=True):
            terms |= {name: _Term(loss * chosen), share: _Term(chosen)}
    return terms


def _predicted(setup: AgentSetup) -> slice:
    """Returns the segments on which is predicted. Any number of devices has the same ones (`devices.devices_for`)."""
    return slice(None, None, setup.sizes.prediction_interval)


def _imitation_terms(outputs: Outputs, segment: Trajectory, targets, coefficients) -> dict[str, _Term]:
    """Computes the terms of behaviour cloning. It has no old policy, so the KL divergence is 0."""
    policy = distribution(outputs.logits)
    return {
        "imitation_loss": _Term(losses.imitation_loss(jnp.asarray(policy.log_prob(segment.action))), 1.0),
        "agreement": _Term(losses.agreement(outputs.logits, segment.action)),
        "entropy": _Term(jnp.asarray(policy.entropy())),
        "approx_kl": _Term(jnp.zeros_like(segment.log_prob)),
    }
