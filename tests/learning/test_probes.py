"""Training on worlds of known value: each test fails if one part of the learner is wrong."""

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
    """Returns the mean value at each step of an episode."""
    clock = np.rint(np.asarray(trained.trajectory.observation.image[:, :, 0, 1, 0], float) * length / 250)
    return [float(np.asarray(trained.value)[clock == t].mean()) for t in range(length)]


@pytest.mark.slow
def test_truncated_episodes_have_the_value_of_an_endless_world(train):
    trained = train(Probe(per_step=1.0, length=5, terminates=False))
    np.testing.assert_allclose(trained.value, 1 / (1 - GAMMA), rtol=0.03)


@pytest.mark.parametrize(
    ("probe", "values"),
    [
        (Probe(per_step=1.0, length=4, terminates=True), [(1 - GAMMA**left) / (1 - GAMMA) for left in (4, 3, 2, 1)]),
        (Probe(at_end=1.0, length=4), [GAMMA**left for left in (3, 2, 1, 0)]),
    ],
    ids=["remaining_reward_until_termination", "later_reward_discounted"],
)
def test_values_at_each_step(train, probe, values):
    def error(trained):
        return np.abs(np.subtract(by_clock(trained, 4), values)).max()

    np.testing.assert_allclose(by_clock(best_of_three(train, probe, error, 0.05), 4), values, atol=0.05)


def test_value_depends_on_the_observation(train):
    def error(trained):
        cue = trained.trajectory.observation.image[:, :, 0, 0, 0] == 255
        return np.abs(trained.value - np.where(cue, 1.0, -1.0)).max()

    assert error(best_of_three(train, Probe(for_cue=1.0, length=1), error, 0.05)) < 0.05


def regret(trained):
    """Returns the difference to the maximum return."""
    return 1 - trained.late("solo_return")


def test_the_rewarded_action_is_learned(train):
    trained = best_of_three(train, Probe(for_action=1.0, length=1), regret, 0.05)
    assert trained.metrics["solo_return"][0] < 0.2
    assert trained.late("solo_return") > 0.95


@pytest.mark.slow
def test_memory_is_used_if_the_task_needs_it(trainer):
    train, setup = trainer
    trained = best_of_three(train, REMEMBER, regret, 0.1)
    assert trained.metrics["solo_return"][0] < 0.2
    assert trained.late("solo_return") > 0.9

    def forgetful(parameters, memory, observation, first):
        return setup.network.unroll(parameters, memory, observation, jnp.ones_like(first))

    @jax.jit
    def play(key, learner):
        without = setup._replace(network=setup.network._replace(unroll=forgetful))
        rules = probe_rules(REMEMBER, SIZES.worlds)
        return rollout(key, learner.rollout_state, learner.parameters, (), rules, without, 80)[1]

    trajectory = play(jax.random.key(1), trained.learner)
    assert abs(trajectory.reward_next.sum() / trajectory.ended_next.sum()) < 0.2


@pytest.mark.slow
def test_next_frame_is_predicted_from_memory_and_action():
    """The frame after the last step shows the cue again, and every frame shows the last action."""
    train, _ = make_trainer(make_probe(), dataclasses.replace(SIZES, prediction="frame"), iterations=150)
    trained = train(Probe(length=4, cue_until=1, cue_from=4))
    assert trained.late("prediction_loss") < 0.01
