"""One training iteration: play, then minibatches with recurrent state, values and advantages kept fresh.

Pure, and blind to grids: it is handed an `Env`, a `Network` and a `Policy`.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.agents.network import LSTM, LSTMState, Network, Outputs, Parameters
from jaxsocial.agents.policy import Policy, distribution
from jaxsocial.env import Env
from jaxsocial.learning import ppo
from jaxsocial.learning.advantages import generalised_advantages
from jaxsocial.learning.prediction import prediction_loss
from jaxsocial.learning.rollout import Outcome, Play, Trajectory, rollout, start
from jaxsocial.learning.settings import Coefficients, Sizes
from jaxsocial.world import Rules

Metrics = dict[str, Float[Array, ""]]


class Learner(NamedTuple):
    """All that changes in training."""

    key: Key[Array, ""]
    parameters: Parameters
    optimiser_state: PyTree
    play: Play
    iteration: Int[Array, ""]


class Parts(NamedTuple):
    """All that does not change in training and is not a number."""

    env: Env
    network: Network
    partners: Policy
    sizes: Sizes


class Fresh(NamedTuple):
    """What a replay with the current weights yields, for every step of a trajectory."""

    memory: LSTMState
    advantage: Float[Array, "T N"]
    value_target: Float[Array, "T N"]


class Fitting(NamedTuple):
    """Where the minibatches of an iteration stand."""

    parameters: Parameters
    optimiser_state: PyTree
    stopped: Bool[Array, ""]
    divergence: Float[Array, ""]
    """Of the last minibatch that was looked at."""


def optimiser(coefficients: Coefficients) -> optax.GradientTransformation:
    """Adam, after clipping the LSTM's gradient, and no other, by its global norm."""

    def is_recurrent(parameters):
        return {name: name == LSTM for name in parameters}

    return optax.chain(
        optax.masked(optax.clip_by_global_norm(coefficients.lstm_gradient_norm), is_recurrent),
        optax.scale_by_adam(eps=1e-8),
        optax.scale_by_learning_rate(coefficients.learning_rate),
    )


def new_learner(key: Key[Array, ""], rules: Rules, coefficients: Coefficients, parts: Parts) -> Learner:
    """A learner before its first iteration; ``rules`` has the worlds as the first axis of every leaf."""
    next_key, network_key, play_key = jax.random.split(key, 3)
    parameters = parts.network.init(network_key)
    return Learner(
        key=next_key,
        parameters=parameters,
        optimiser_state=optimiser(coefficients).init(parameters),
        play=start(play_key, parts.env, rules, parts.network, parts.partners),
        iteration=jnp.int32(0),
    )


def one_iteration(learner: Learner, rules: Rules, coefficients: Coefficients, parts: Parts) -> tuple[Learner, Metrics]:
    """Plays ``steps`` steps of every world and learns from them.

    The metrics are means over minibatches, and over the episodes that ended (see `episode_means`).
    """
    next_key, play_key, segment_key = jax.random.split(learner.key, 3)
    memory = learner.play.memory
    play, trajectory, outcome = rollout(
        play_key, learner.play, learner.parameters, rules, parts.env, parts.network, parts.partners, parts.sizes.steps
    )
    fitting, metrics = fit(segment_key, learner, memory, trajectory, coefficients, parts)
    learner = Learner(next_key, fitting.parameters, fitting.optimiser_state, play, learner.iteration + 1)
    return learner, metrics | episode_means(outcome, rules)


def episode_means(outcome: Outcome, rules: Rules) -> Metrics:
    """Means over the episodes that ended: of the learner, alone and in company, and of its partners.

    Where no such episode ended the mean is NaN; ``episodes`` says how many there were in all.
    """
    social = rules.present[:, 1:].any(-1)
    learner = jax.tree.map(lambda x: x[..., 0], outcome.tally)
    partners = jax.tree.map(lambda x: x[..., 1:].sum(-1), outcome.tally)
    partners_present = jnp.maximum(rules.present[:, 1:].sum(-1), 1)
    groups = {
        "social": (learner, outcome.ended & social),
        "solo": (learner, outcome.ended & ~social),
        "partner": (jax.tree.map(lambda x: x / partners_present, partners), outcome.ended & social),
    }
    means = {
        f"{who}_{name.rstrip('_')}": (sums * ended).sum() / ended.sum()
        for who, (tally, ended) in groups.items()
        for name, sums in tally._asdict().items()
    }
    return means | {"episodes": outcome.ended.sum().astype(jnp.float32)}


def fit(
    key: Key[Array, ""],
    learner: Learner,
    memory: LSTMState,
    trajectory: Trajectory,
    coefficients: Coefficients,
    parts: Parts,
) -> tuple[Fitting, Metrics]:
    """All minibatches of one iteration, within the trust region; ``memory`` is that before the first row."""

    def one_round(fitting: Fitting, round_key):
        learn = functools.partial(_one_round, round_key, fitting, memory, trajectory, coefficients, parts)
        nothing_seen = jax.tree.map(jnp.zeros_like, jax.eval_shape(learn)[1])
        return jax.lax.cond(fitting.stopped, lambda: (fitting, nothing_seen), learn)

    rounds = parts.sizes.minibatches // parts.sizes.refresh_interval
    before = Fitting(learner.parameters, learner.optimiser_state, jnp.bool_(False), jnp.float32(0.0))
    after, (metrics, looked_at) = jax.lax.scan(one_round, before, jax.random.split(key, rounds))
    # Written so that a divergence that is no number counts as too far.
    too_far = ~(after.divergence <= coefficients.kl_restore)
    parameters, optimiser_state = jax.tree.map(
        lambda old, new: jnp.where(too_far, old, new),
        (before.parameters, before.optimiser_state),
        (after.parameters, after.optimiser_state),
    )
    means = jax.tree.map(lambda x: (x * looked_at).sum() / jnp.maximum(looked_at.sum(), 1.0), metrics)
    means |= {"minibatches": looked_at.sum(), "restored": too_far.astype(jnp.float32)}
    return Fitting(parameters, optimiser_state, after.stopped, after.divergence), means


def _one_round(key, fitting: Fitting, memory, trajectory, coefficients, parts: Parts):
    """A refresh, and the minibatches that learn from it."""
    fresh = refresh(fitting.parameters, memory, trajectory, coefficients, parts)

    def one_minibatch(fitting, key):
        return _one_minibatch(key, fitting, trajectory, fresh, coefficients, parts)

    return jax.lax.scan(one_minibatch, fitting, jax.random.split(key, parts.sizes.refresh_interval))


def refresh(
    parameters: Parameters, memory: LSTMState, trajectory: Trajectory, coefficients: Coefficients, parts: Parts
) -> Fresh:
    """Replays whole trajectories with the current weights: recurrent states, advantages, value targets."""
    outputs = parts.network.unroll(parameters, memory, trajectory.observation, trajectory.first)
    value_next = _values_that_follow(parameters, outputs, trajectory, parts)
    advantage = generalised_advantages(
        trajectory.reward_next,
        coefficients.gamma * trajectory.discount_next,
        outputs.value,
        value_next,
        trajectory.ended_next,
        coefficients.gae_lambda,
    )
    target = advantage + outputs.value
    if parts.sizes.normalise_advantages:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    return Fresh(outputs.before, advantage, target)


def _values_that_follow(parameters, outputs: Outputs, trajectory: Trajectory, parts: Parts) -> Float[Array, "T N"]:
    """v(s_{t+1}) within the same episode.

    It is the next row's value, but where the clock ended an episode, and in the last row. Those few are worked
    out from the observation that followed: the clock ends at most one episode in ``max_steps`` steps.
    """
    steps, worlds = trajectory.first.shape
    following = jnp.concatenate([outputs.value[1:], jnp.zeros((1, worlds))])
    at_most = min(-(-steps // parts.env.scenario.max_steps), steps)
    cut = trajectory.truncated_next.at[-1].set(True)
    rows = jnp.argsort(~cut, axis=0, stable=True)[: at_most + 1]
    world = jnp.arange(worlds)
    memory = jax.tree.map(lambda m: m[rows, world].reshape(-1, m.shape[-1]), outputs.after)
    frames = trajectory.observation_next[rows, world]
    not_first = jnp.zeros((1, rows.size), bool)
    value = parts.network.unroll(parameters, memory, frames.reshape(1, -1, *frames.shape[2:]), not_first).value
    value = jnp.where(cut[rows, world], value.reshape(rows.shape), following[rows, world])
    return following.at[rows, world].set(value)


def _one_minibatch(key, fitting: Fitting, trajectory, fresh, coefficients, parts: Parts):
    """One look at a minibatch, and one step of the optimiser unless the policy has moved too far."""
    segment, memory, targets = draw_segments(key, trajectory, fresh, parts.sizes)
    gradient, metrics = jax.grad(_loss, has_aux=True)(fitting.parameters, segment, memory, targets, coefficients, parts)
    looked_at = ~fitting.stopped
    stopped = fitting.stopped | ~(metrics["divergence"] <= coefficients.kl_stop)
    updates, optimiser_state = optimiser(coefficients).update(gradient, fitting.optimiser_state, fitting.parameters)
    parameters = optax.apply_updates(fitting.parameters, updates)
    kept, kept_state = jax.tree.map(
        lambda old, new: jnp.where(stopped, old, new),
        (fitting.parameters, fitting.optimiser_state),
        (parameters, optimiser_state),
    )
    divergence = jnp.where(looked_at, metrics["divergence"], fitting.divergence)
    return Fitting(kept, kept_state, stopped, divergence), (metrics, looked_at.astype(jnp.float32))


def draw_segments(key, trajectory: Trajectory, fresh: Fresh, sizes: Sizes):
    """Segments of a trajectory, with the recurrent state before each and what each step is to learn."""
    world_key, step_key = jax.random.split(key)
    steps, worlds = trajectory.first.shape
    world = jax.random.randint(world_key, (sizes.segments,), 0, worlds)
    begin = jax.random.randint(step_key, (sizes.segments,), 0, steps - sizes.segment_length + 1)
    row = begin + jnp.arange(sizes.segment_length)[:, None]
    segment, targets = jax.tree.map(lambda x: x[row, world], (trajectory, (fresh.advantage, fresh.value_target)))
    return segment, jax.tree.map(lambda m: m[begin, world], fresh.memory), targets


def _loss(parameters, segment: Trajectory, memory, targets, coefficients: Coefficients, parts: Parts):
    """Policy + value_weight value + prediction_weight prediction - entropy_weight entropy (PROTOCOL: loss)."""
    advantage, value_target = targets
    outputs = parts.network.unroll(parameters, memory, segment.observation, segment.first)
    policy = distribution(outputs.logits)
    log_ratio = jnp.asarray(policy.log_prob(segment.action)) - segment.log_prob
    means = {
        "policy_loss": ppo.surrogate_loss(log_ratio, advantage, coefficients.clip).mean(),
        "value_loss": ppo.value_loss(outputs.value, value_target).mean(),
        "entropy": policy.entropy().mean(),
        "divergence": ppo.divergence(log_ratio).mean(),
        "ratio_error": jnp.abs(jnp.expm1(log_ratio)).max(),
    }
    loss = (
        means["policy_loss"]
        + coefficients.value_weight * means["value_loss"]
        - coefficients.entropy_weight * means["entropy"]
    )
    if parts.sizes.prediction != "none":
        target = segment.observation_next if parts.sizes.prediction == "next" else segment.observation
        frame = parts.network.predict(parameters, outputs.hidden, segment.action)
        means["prediction_loss"] = prediction_loss(frame, target).mean()
        loss = loss + coefficients.prediction_weight * means["prediction_loss"]
    return loss, means | {"loss": loss}
