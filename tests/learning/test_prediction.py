"""A predictable frame is predicted; the prediction loss of views with and without another agent."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.agents.networks.network import make_network
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.networks.targets import frame_error
from jaxsocial.agents.policy import random_policy
from jaxsocial.env.scenarios import goal_cycle
from jaxsocial.learning.minibatch import SHARES, draw_segments, minibatch_loss, segments_at
from jaxsocial.learning.replay import ReplayTargets
from jaxsocial.learning.rollout import AgentSetup, rollout, start
from jaxsocial.learning.settings import Coefficients, Sizes
from jaxsocial.learning.update import new_learner, one_iteration, prediction_means
from jaxsocial.training.metrics import rows_of
from tests.compiling import quick_jit
from tests.learning.probes import no_partners
from tests.learning.training import single_learner, tiny_network

SIZES = Sizes(worlds=32, steps=32, minibatches=8, segments=32, segment_length=16, refresh_interval=8)
SMALL = NetworkSizes(channels=(16, 32), dense=64, memory=64, heads=(16,))
# The entropy bonus keeps play random, so that frames vary.
NUMBERS = Coefficients(learning_rate=3e-3, entropy_weight=1.0, kl_stop=1e3, kl_restore=1e3)


def one_layout(key, scenario):
    """Returns a constant layout; only the heading is drawn."""
    del key
    return goal_cycle.GoalCycle()(jax.random.key(1), scenario)


def one_world():
    sizes = {"height": 6, "width": 6, "goals": 2, "clutter": 3, "agents": 1, "max_steps": 32, "view_size": 5}
    built = jaxsocial.make_scenario("goal_cycle", **sizes)
    return jaxsocial.make_env(dataclasses.replace(built, layout=one_layout))


@pytest.mark.slow
def test_on_one_layout_the_next_frame_is_predicted():
    env = one_world()
    setup = AgentSetup(env, tiny_network(env, SMALL, prediction="frame"), no_partners(), SIZES)
    rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (SIZES.worlds, *x.shape)), env.rules)

    @jax.jit
    def train(key):
        def one(learner, _):
            return one_iteration(learner, (), rules, NUMBERS.traced(), setup)

        return jax.lax.scan(one, new_learner(key, rules, NUMBERS.traced(), setup), length=200)

    @jax.jit
    def errors(key, learner):
        """Returns the error of the prediction, and that of the current frame as prediction."""
        _, trajectory, _ = rollout(key, learner.rollout_state, learner.parameters, (), rules, setup, 64)
        parameters, memory, trajectory = single_learner(learner.parameters, learner.rollout_state.memory, trajectory)
        outputs = setup.network.unroll(parameters, memory, trajectory.observation, trajectory.first)
        predicted = setup.network.predict(parameters, outputs.hidden, trajectory.action)
        current = trajectory.observation.image.astype(jnp.float32) / 255.0
        return [frame_error(frame, trajectory.observation_next.image).mean() for frame in (predicted, current)]

    learner, metrics = train(jax.random.key(0))
    assert metrics["prediction_loss"][0] > 0.1
    assert metrics["entropy"][-1] > 1.8
    predicted, unchanged = errors(jax.random.key(1), learner)
    assert predicted < 0.02 < unchanged


@pytest.mark.parametrize(
    ("prediction", "interval"),
    [("symbols", 1), ("symbols", 2), pytest.param("current_symbols", 1, marks=pytest.mark.slow)],
)
def test_losses_with_and_without_others_are_means_over_these_views(prediction, interval):
    lengths = {"worlds": 6, "steps": 10, "minibatches": 1, "refresh_interval": 1, "segments": 9, "segment_length": 4}
    sizes = Sizes(**lengths, prediction=prediction, prediction_interval=interval)
    world = jaxsocial.make_scenario(
        "goal_cycle", height=7, width=7, clutter=3, agents=2, max_steps=4, observation="symbolic", inputs=("others",)
    )
    env = jaxsocial.make_env(world, jaxsocial.make_rules(world, present=(0.6, 0.6)))
    layers = NetworkSizes(dense=4, heads=(), encoder="symbolic", memory_type="none")
    network = make_network(layers, dataclasses.replace(world, inputs=()), prediction)
    setup = AgentSetup(env, network, random_policy(1, world.actions), sizes)
    rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (sizes.worlds, *x.shape)), env.rules)
    noise = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    parameters = jax.tree.map(lambda leaf: noise.normal(size=leaf.shape).astype(np.float32), shapes)

    @quick_jit
    def measured(key):
        start_key, play_key, segment_key = jax.random.split(key, 3)
        learners = jax.tree.map(lambda x: x[None], parameters)
        _, played, _ = rollout(play_key, start(start_key, rules, setup), learners, (), rules, setup, sizes.steps)
        trajectory = jax.tree.map(lambda x: x[:, 0], played)
        index = jax.tree.map(lambda x: x[0, 0], draw_segments(segment_key, sizes))
        zeros = jnp.zeros_like(trajectory.log_prob)
        segment, memory, targets = segments_at(index, trajectory, ReplayTargets((), zeros, zeros), setup)
        _, metrics = minibatch_loss(parameters, segment, memory, targets, Coefficients().traced(), setup)
        outputs = network.unroll(parameters, (), segment.observation, segment.first)
        found = network.predict(parameters, outputs.hidden, segment.action)
        assert network.target is not None
        return metrics, segment, network.target.loss(found, segment.observation, segment.observation_next)

    metrics, segment, losses = measured(jax.random.key(0))
    predicted = segment.observation_next if prediction == "symbols" else segment.observation
    found = predicted.others, segment.present, losses
    others, present, losses = (np.asarray(x)[:, ::interval] for x in found)
    means = prediction_means(metrics)
    assert not set(SHARES.values()) & means.keys()
    for name, chosen in (("", present), ("_with_others", present & others), ("_without_others", present & ~others)):
        assert 0 < chosen.sum() < chosen.size
        np.testing.assert_allclose(means[f"prediction_loss{name}"], losses[chosen].mean(), rtol=1e-5)


@pytest.mark.parametrize(("with_others", "expected"), [(0.0, (None, 2.0)), (1.0, (2.0, None))])
def test_a_loss_over_no_views_is_null(with_others, expected):
    names, shares = SHARES.keys(), SHARES.values()
    parts = jnp.array([with_others, 1 - with_others])
    sums = dict(zip(names, 2.0 * parts, strict=True)) | dict(zip(shares, parts, strict=True))
    means = {name: np.asarray(value)[None, None, None] for name, value in prediction_means(sums).items()}
    row = rows_of(means, step=1, first_seed=0)[0]
    assert tuple(row[name] for name in names) == expected
