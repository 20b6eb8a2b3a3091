"""Replays, segments and next values against a step-by-step replay."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxsocial.agents.networks.network import MEMORY_NAME, Outputs
from jaxsocial.env.types import Observation
from jaxsocial.learning.minibatch import draw_segments, minibatch_loss, optimiser, segments_at
from jaxsocial.learning.replay import _next_values, replay
from jaxsocial.learning.rollout import AgentSetup, rollout, start
from jaxsocial.learning.settings import Coefficients, Sizes
from tests.compiling import quick_jit
from tests.learning.probes import Probe, make_probe, no_partners, probe_rules
from tests.learning.training import single_learner, tiny_network

WORLDS, STEPS, EARLIER = 6, 14, 3
SIZES = Sizes(worlds=WORLDS, steps=STEPS, minibatches=1, segments=300, segment_length=5, refresh_interval=1)
NUMBERS = Coefficients().traced()
# After 3 steps the worlds have different clocks. The first has as many truncations as possible, 4 in 14 steps.
LENGTH, TERMINATES = [4, 4, 5, 5, 7, 40], [False, True, False, True, False, False]


@pytest.fixture(scope="module")
def setup():
    env = make_probe()
    return AgentSetup(env, tiny_network(env), no_partners(), SIZES)


@pytest.fixture(scope="module")
def window(setup):
    """Weights, the memory before the first row, and a trajectory."""
    rules = probe_rules(Probe(at_end=1.0), WORLDS)
    rules = rules._replace(reward=rules.reward._replace(length=jnp.array(LENGTH), terminates=jnp.array(TERMINATES)))

    @quick_jit
    def play(key):
        network_key, start_key, early_key, key = jax.random.split(key, 4)
        parameters = setup.network.init(network_key)
        # Values from the paper's initialisation are small; these differ clearly between frames.
        parameters["value"]["last"]["kernel"] *= 20.0
        learners = jax.tree.map(lambda x: x[None], parameters)
        early, _, _ = rollout(early_key, start(start_key, rules, setup), learners, (), rules, setup, EARLIER)
        _, trajectory, _ = rollout(key, early, learners, (), rules, setup, STEPS)
        return single_learner(learners, early.memory, trajectory)

    return play(jax.random.key(0))


@pytest.fixture(scope="module")
def stepwise(setup, window):
    """For each row: memory before, value, and the next value of the same episode."""
    parameters, memory, trajectory = window
    unroll = jax.jit(setup.network.unroll)
    rows = []
    for t in range(STEPS):
        seen = Observation(trajectory.observation.image[t, None])
        outputs = unroll(parameters, memory, seen, trajectory.first[t, None])
        after = jax.tree.map(lambda m: m[0], outputs.after)
        never = jnp.zeros((1, WORLDS), bool)
        following = unroll(parameters, after, Observation(trajectory.observation_next.image[t, None]), never)
        rows.append((memory, outputs.value[0], following.value[0]))
        memory = after
    return jax.tree.map(lambda *x: np.stack(x), *rows)


@pytest.fixture(scope="module")
def replayed(setup, window):
    return quick_jit(lambda *window: replay(*window, NUMBERS, setup))(*window)


def test_the_trajectory_has_terminations_truncations_and_memory(window):
    _, memory, trajectory = window
    assert trajectory.truncated_next[:, 0].sum() == 4
    assert trajectory.truncated_next.sum(0).tolist() == [4, 0, 3, 0, 2, 0]
    assert trajectory.ended_next.sum(0).tolist() == [4, 4, 3, 3, 2, 0]
    assert (trajectory.discount_next == 1.0 - (trajectory.ended_next & ~trajectory.truncated_next)).all()
    assert (trajectory.first[1:] == trajectory.ended_next[:-1]).all()
    assert np.abs(memory.hidden).min(-1).max() > 0


def test_a_final_observation_is_not_that_of_the_next_episode(window):
    trajectory = window[2]
    same = (trajectory.observation_next.image[:-1] == trajectory.observation.image[1:]).all((-3, -2, -1))
    np.testing.assert_array_equal(same, ~trajectory.ended_next[:-1])


def test_next_values_are_of_the_same_episode(setup, window, stepwise):
    parameters, memory, trajectory = window

    @quick_jit
    def values(parameters, memory, trajectory):
        outputs = setup.network.unroll(parameters, memory, trajectory.observation, trajectory.first)
        return _next_values(parameters, outputs, trajectory, setup)

    found, expected = np.asarray(values(parameters, memory, trajectory)), stepwise[2]
    # After a termination the value is multiplied by 0.
    alive = np.asarray(trajectory.discount_next) == 1
    np.testing.assert_allclose(found[alive], expected[alive], atol=1e-5)
    next_row = np.append(stepwise[1][1:], np.zeros((1, WORLDS)), axis=0)
    assert np.abs(expected - next_row)[np.asarray(trajectory.truncated_next)].min() > 0.01


def test_a_replay_equals_single_steps(replayed, window, stepwise):
    memory, value, following = stepwise
    trajectory = jax.tree.map(np.asarray, window[2])
    for found, expected in zip(replayed.memory, memory, strict=True):
        np.testing.assert_allclose(found, np.roll(expected, -1, axis=0), atol=1e-5)  # the state before the next row
    advantage = np.zeros((STEPS + 1, WORLDS))
    for t in reversed(range(STEPS)):
        discount = 0.993 * trajectory.discount_next[t]
        error = trajectory.reward_next[t] + discount * following[t] - value[t]
        advantage[t] = error + 0.97 * discount * ~trajectory.ended_next[t] * advantage[t + 1]
    advantage = advantage[:-1]
    np.testing.assert_allclose(replayed.value_target, advantage + value, atol=1e-4)
    np.testing.assert_allclose(replayed.advantage, (advantage - advantage.mean()) / advantage.std(), atol=1e-3)


def test_the_state_of_a_memory_has_any_number_of_axes(setup, window):
    parameters, _, trajectory = window

    def unroll(parameters, state, observation, first):
        steps, worlds = first.shape
        assert (state["count"].shape, state["window"].shape) == ((worlds,), (worlds, 2, 3))
        after = jax.tree.map(lambda m: jnp.broadcast_to(m, (steps, *m.shape)), state)
        row = jnp.zeros((steps, worlds))
        return Outputs(row[..., None], row, row[..., None], after)

    state = {"count": jnp.zeros(WORLDS, jnp.int32), "window": jnp.zeros((WORLDS, 2, 3))}
    own = setup._replace(network=setup.network._replace(unroll=unroll))
    found = jax.eval_shape(lambda state: replay(parameters, state, trajectory, NUMBERS, own), state)
    assert found.memory["count"].dtype == jnp.int32
    assert found.memory["window"].shape == (STEPS, WORLDS, 2, 3)


def some_segments(seed):
    return jax.tree.map(lambda x: x[0, 0], draw_segments(jax.random.key(seed), SIZES))


def test_segments_are_consecutive_and_have_the_memory_of_the_replay(setup, window, replayed):
    trajectory = window[2]
    number = jnp.arange(STEPS)[:, None] * WORLDS + jnp.arange(WORLDS)
    marked = trajectory._replace(action=number)
    numbered = replayed._replace(advantage=number * 1.0, value_target=number + 0.5)
    segment, memory, (advantage, target) = segments_at(some_segments(3), marked, numbered, setup)
    begin, world = np.divmod(segment.action[0], WORLDS)
    np.testing.assert_array_equal(segment.action, (begin + np.arange(5)[:, None]) * WORLDS + world)
    np.testing.assert_array_equal(advantage, segment.action)
    np.testing.assert_array_equal(target, segment.action + 0.5)
    np.testing.assert_array_equal(segment.first, np.asarray(trajectory.first)[begin + np.arange(5)[:, None], world])
    np.testing.assert_array_equal(memory.hidden, np.asarray(replayed.memory.hidden)[begin - 1, world])
    np.testing.assert_array_equal(memory.cell, np.asarray(replayed.memory.cell)[begin - 1, world])
    assert set(begin) == set(range(STEPS - 5 + 1))
    assert set(world) == set(range(WORLDS))


def test_a_segment_has_the_probabilities_of_the_rollout(setup, window, replayed):
    """Segments begin anywhere, also at and before the end of an episode: |ratio - 1| < 1e-5."""
    segment, memory, targets = segments_at(some_segments(4), window[2], replayed, setup)
    assert segment.first[0].any()
    assert segment.first[1:].any()
    lossless = AgentSetup(*setup[:3], Sizes(segment_length=5, prediction="none"))
    _, metrics = quick_jit(lambda *a: minibatch_loss(*a, NUMBERS, lossless))(window[0], segment, memory, targets)
    assert metrics["ratio_error"] < 1e-5
    empty = jax.tree.map(jnp.zeros_like, memory)
    _, metrics = quick_jit(lambda *a: minibatch_loss(*a, NUMBERS, lossless))(window[0], segment, empty, targets)
    assert metrics["ratio_error"] > 1e-4


@pytest.mark.parametrize(("size", "clipped_to"), [(100.0, 10.0), (1e-3, None)])
def test_only_the_gradient_of_the_lstm_is_clipped_by_its_own_norm(window, size, clipped_to):
    parameters = window[0]
    gradient = jax.tree.map(lambda x: jnp.full_like(x, size), parameters)
    adam = optimiser(NUMBERS)
    _, state = adam.update(gradient, adam.init(parameters), parameters)
    # After one step Adam's first moment is a tenth of its input.
    given = jax.tree.map(lambda m: 10.0 * m, optax.tree.get(state, "mu"))
    norm = optax.tree.norm(given.pop(MEMORY_NAME))
    np.testing.assert_allclose(norm, clipped_to or optax.tree.norm(gradient[MEMORY_NAME]), rtol=1e-4)
    assert set(given) == {"encoder", "policy", "value"}
    assert all(np.allclose(leaf, size) for leaf in jax.tree.leaves(given))


def test_advantages_are_normalised_over_the_batch_if_configured(setup, window, replayed):
    unnormalised = setup._replace(sizes=dataclasses.replace(SIZES, normalise_advantages=False))
    raw = quick_jit(lambda *window: replay(*window, NUMBERS, unnormalised))(*window)
    np.testing.assert_allclose(raw.value_target, replayed.value_target, atol=1e-6)
    assert abs(float(raw.advantage.mean())) > 0.05 or abs(float(raw.advantage.std()) - 1) > 0.05
    normalised = (raw.advantage - raw.advantage.mean()) / raw.advantage.std()
    np.testing.assert_allclose(replayed.advantage, normalised, atol=1e-4)


def test_rows_without_the_learner_do_not_count(setup, window, replayed):
    parameters, memory, trajectory = window
    present = np.random.default_rng(0).random((STEPS, WORLDS)) < 0.7
    partly_absent = trajectory._replace(present=jnp.asarray(present))
    replayed = quick_jit(lambda *window: replay(*window, NUMBERS, setup))(parameters, memory, partly_absent)
    raw = np.asarray(replayed.value_target)
    kept = np.asarray(replayed.advantage)[present]
    np.testing.assert_allclose([kept.mean(), kept.std()], [0, 1], atol=1e-4)
    np.testing.assert_allclose(replayed.value_target, raw, atol=1e-5)

    index = some_segments(6)
    loss = quick_jit(
        lambda *given: minibatch_loss(
            *given, NUMBERS, AgentSetup(*setup[:3], Sizes(segment_length=5, prediction="none"))
        )
    )
    segment, before, (advantage, target) = segments_at(index, partly_absent, replayed, setup)
    absurd = jnp.where(segment.present, target, 1e6)
    one, metrics = loss(parameters, segment, before, (advantage, target))
    other, _ = loss(parameters, segment, before, (advantage, absurd))
    np.testing.assert_allclose(one, other, rtol=1e-6)
    counted = np.asarray(segment.present)
    outputs = setup.network.unroll(parameters, before, segment.observation, segment.first)
    errors = np.square(np.asarray(outputs.value) - np.asarray(target))
    np.testing.assert_allclose(metrics["value_loss"], errors[counted].mean(), rtol=1e-4)
