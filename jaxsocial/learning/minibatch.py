"""One step of the optimiser: segments, their loss, and the trust region."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, Num, PyTree

from jaxsocial.agents.networks.network import LSTM_NAME, Outputs, Parameters
from jaxsocial.agents.policy import distribution
from jaxsocial.learning import losses, sharding
from jaxsocial.learning.replay import ReplayTargets
from jaxsocial.learning.rollout import AgentSetup, Trajectory
from jaxsocial.learning.settings import Coefficients, Sizes


class SegmentIndex(NamedTuple):
    """Where the segments of a minibatch lie, among all worlds."""

    world: Int[Array, "*M S"]
    begin: Int[Array, "*M S"]
    """The first row of each."""


def draw_segments(key: Key[Array, ""], sizes: Sizes) -> SegmentIndex:
    """Segments for every minibatch of an iteration, [round, minibatch, segment], uniformly with replacement."""
    world_key, begin_key = jax.random.split(key)
    shape = (sizes.rounds, sizes.refresh_interval, sizes.segments)
    world = jax.random.randint(world_key, shape, 0, sizes.worlds)
    return SegmentIndex(world, jax.random.randint(begin_key, shape, 0, sizes.steps - sizes.segment_length + 1))


class UpdateState(NamedTuple):
    """Where the minibatches of an iteration stand."""

    parameters: Parameters
    optimiser_state: PyTree
    stopped: Bool[Array, ""]
    approx_kl: Float[Array, ""]
    """Of the last minibatch that was looked at."""


def optimiser(coefficients: Coefficients) -> optax.GradientTransformation:
    """Adam, after clipping the LSTM's gradient, and no other, by its global norm."""

    def is_recurrent(parameters):
        return {name: name == LSTM_NAME for name in parameters}

    return optax.chain(
        optax.masked(optax.clip_by_global_norm(coefficients.lstm_gradient_norm), is_recurrent),
        optax.scale_by_adam(eps=1e-8),
        optax.scale_by_learning_rate(coefficients.learning_rate),
    )


def one_minibatch(
    index: SegmentIndex, update_state: UpdateState, trajectory, replayed, coefficients, setup: AgentSetup
):
    """One look at a minibatch, and one step of the optimiser unless the policy has moved too far."""
    segment, memory, targets = segments_at(index, trajectory, replayed, setup)
    share, metrics = jax.grad(_loss, has_aux=True)(
        update_state.parameters, segment, memory, targets, coefficients, setup
    )
    gradient = jax.tree.map(lambda x: sharding.total(x, setup.axis), share)
    looked_at = ~update_state.stopped
    stopped = update_state.stopped | ~(metrics["approx_kl"] <= coefficients.kl_stop)
    updates, optimiser_state = optimiser(coefficients).update(
        gradient, update_state.optimiser_state, update_state.parameters
    )
    parameters = optax.apply_updates(update_state.parameters, updates)
    kept, kept_state = jax.tree.map(
        lambda old, new: jnp.where(stopped, old, new),
        (update_state.parameters, update_state.optimiser_state),
        (parameters, optimiser_state),
    )
    approx_kl = jnp.where(looked_at, metrics["approx_kl"], update_state.approx_kl)
    counted = jax.tree.map(lambda x: jnp.where(looked_at, x, 0.0), metrics)
    return UpdateState(kept, kept_state, stopped, approx_kl), (counted, looked_at.astype(jnp.float32))


def segments_at(index: SegmentIndex, trajectory: Trajectory, replayed: ReplayTargets, setup: AgentSetup):
    """Segments of a trajectory, with the recurrent state before each and what each step is to learn."""
    row = index.begin + jnp.arange(setup.sizes.segment_length)[:, None]
    segment, targets = jax.tree.map(
        lambda x: sharding.gathered(x, row, index.world, setup.axis),
        (trajectory, (replayed.advantage, replayed.value_target)),
    )
    memory = jax.tree.map(lambda m: sharding.gathered(m, row[:1], index.world, setup.axis)[0], replayed.memory)
    return segment, memory, targets


def _loss(parameters, segment: Trajectory, memory, targets, coefficients: Coefficients, setup: AgentSetup):
    """The loss on the segments that lie here, as their share of the mean over all, and the metrics of all.

    Rows in which the learner took no part do not count.
    """
    outputs = setup.network.unroll(parameters, memory, segment.observation, segment.first)
    terms = (_imitation_terms if setup.imitates else _policy_terms)(outputs, segment, targets, coefficients)
    if setup.sizes.prediction != "none":
        target = segment.observation_next if setup.sizes.prediction == "next" else segment.observation
        frame = setup.network.predict(parameters, outputs.hidden, segment.action)
        terms["prediction_loss"] = _Term(losses.prediction_loss(frame, target), coefficients.prediction_weight)
    count = jnp.maximum(sharding.total(segment.present.sum(), setup.axis), 1)
    shares = {name: (term.values * segment.present).sum() / count for name, term in terms.items()}
    shares["loss"] = jnp.sum(jnp.stack([terms[name].weight * share for name, share in shares.items()]))
    metrics = {name: sharding.total(share, setup.axis) for name, share in shares.items()}
    if not setup.imitates:
        ratio_errors = terms["ratio_error"].values * segment.present
        metrics["ratio_error"] = sharding.largest(ratio_errors.max(), setup.axis)
    return shares["loss"], metrics


class _Term(NamedTuple):
    """One number a step, and its weight in the loss; 0 for what is only watched."""

    values: Num[Array, "T N"]
    weight: Float[Array, ""] | float = 0.0


def _policy_terms(outputs: Outputs, segment: Trajectory, targets, coefficients: Coefficients) -> dict[str, _Term]:
    """Policy + value_weight value - entropy_weight entropy (PROTOCOL: loss)."""
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


def _imitation_terms(outputs: Outputs, segment: Trajectory, targets, coefficients) -> dict[str, _Term]:
    """The teacher's actions; there is no old policy to stay near, so nothing diverges."""
    policy = distribution(outputs.logits)
    return {
        "imitation_loss": _Term(losses.imitation_loss(jnp.asarray(policy.log_prob(segment.action))), 1.0),
        "agreement": _Term(losses.agreement(outputs.logits, segment.action)),
        "entropy": _Term(jnp.asarray(policy.entropy())),
        "approx_kl": _Term(jnp.zeros_like(segment.log_prob)),
    }
