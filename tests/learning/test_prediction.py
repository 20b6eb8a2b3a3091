"""A predictable frame is predicted."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import jaxsocial
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.networks.targets import frame_error
from jaxsocial.env.scenarios import goal_cycle
from jaxsocial.learning.rollout import AgentSetup, rollout
from jaxsocial.learning.settings import Coefficients, Sizes
from jaxsocial.learning.update import new_learner, one_iteration
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
