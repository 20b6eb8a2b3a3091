"""Worlds of known value: what a learner that is wrong in any one part cannot learn."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.learning.rollout import rollout
from tests.learning.probes import Probe, make_probe, probe_rules
from tests.learning.training import QUICK, SIZES, best_of_three, make_trainer

GAMMA = QUICK.gamma
REMEMBER = Probe(for_action=1.0, length=4, cue_until=1)


@pytest.fixture(scope="module")
def trainer():
    return make_trainer(make_probe(), SIZES, iterations=120)


@pytest.fixture(scope="module")
def train(trainer):
    return trainer[0]


def by_clock(trained, length):
    """Mean value at each step of an episode."""
    clock = np.rint(np.asarray(trained.trajectory.observation[:, :, 0, 1, 0], float) * length / 250)
    return [float(np.asarray(trained.value)[clock == t].mean()) for t in range(length)]


def test_constant_reward_under_a_clock_is_worth_that_of_an_endless_world(train):
    trained = train(Probe(for_living=1.0, length=5, natural=False))
    np.testing.assert_allclose(trained.value, 1 / (1 - GAMMA), rtol=0.03)


@pytest.mark.parametrize(
    ("probe", "worth"),
    [
        (Probe(for_living=1.0, length=4, natural=True), [(1 - GAMMA**left) / (1 - GAMMA) for left in (4, 3, 2, 1)]),
        (Probe(for_lasting=1.0, length=4), [GAMMA**left for left in (3, 2, 1, 0)]),
    ],
    ids=["what_is_left_until_a_natural_end", "later_reward_discounted"],
)
def test_a_step_is_worth(train, probe, worth):
    def error(trained):
        return np.abs(np.subtract(by_clock(trained, 4), worth)).max()

    np.testing.assert_allclose(by_clock(best_of_three(train, probe, error, 0.05), 4), worth, atol=0.05)


def test_value_comes_from_the_observation(train):
    def error(trained):
        cue = trained.trajectory.observation[:, :, 0, 0, 0] == 255
        return np.abs(trained.value - np.where(cue, 1.0, -1.0)).max()

    assert error(best_of_three(train, Probe(for_cue=1.0, length=1), error, 0.05)) < 0.05


def not_earned(trained):
    """What is missing of the return that is there to be had."""
    return 1 - trained.late("solo_return")


def test_action_that_matters_is_found(train):
    trained = best_of_three(train, Probe(for_action=1.0, length=1), not_earned, 0.05)
    assert trained.metrics["solo_return"][0] < 0.2
    assert trained.late("solo_return") > 0.95


def test_memory_is_used_where_it_is_needed(trainer):
    train, setup = trainer
    trained = best_of_three(train, REMEMBER, not_earned, 0.1)
    assert trained.metrics["solo_return"][0] < 0.2
    assert trained.late("solo_return") > 0.9

    def forgetful(parameters, memory, observation, first):
        return setup.network.unroll(parameters, memory, observation, jnp.ones_like(first))

    @jax.jit
    def rollout_state(key, learner):
        without = setup._replace(network=setup.network._replace(unroll=forgetful))
        rules = probe_rules(REMEMBER, SIZES.worlds)
        return rollout(key, learner.rollout_state, learner.parameters, (), rules, without, 80)[1]

    trajectory = rollout_state(jax.random.key(1), trained.learner)
    assert abs(trajectory.reward_next.sum() / trajectory.ended_next.sum()) < 0.2


def test_next_frame_is_predicted_from_memory_and_action():
    """The frame after the last step shows the cue again, and every frame the action just taken."""
    train, _ = make_trainer(make_probe(), dataclasses.replace(SIZES, prediction="next"), iterations=150)
    trained = train(Probe(length=4, cue_until=1, cue_from=4))
    assert trained.late("prediction_loss") < 0.01
