"""One iteration of training in a small Goal Cycle, with and without partners; episodes are truncated midway."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsocial
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.seating import seat_partners
from jaxsocial.env.types import make_rules
from jaxsocial.learning import update
from jaxsocial.learning.rollout import AgentSetup, rollout
from jaxsocial.learning.settings import Coefficients, Sizes
from jaxsocial.learning.update import new_learner, one_iteration
from tests.compiling import quick_jit
from tests.learning.training import tiny_network

SOLO, SOCIAL = 3, 5
SIZES = Sizes(worlds=8, steps=16, minibatches=4, segments=16, segment_length=6, refresh_interval=1)
CLOCK = 10
NORMAL = Coefficients(learning_rate=3e-3, kl_stop=1e3, kl_restore=1e3)
STILL = NORMAL._replace(learning_rate=0.0)


def rules_of(penalty=1.5):
    """Returns rules of three worlds without partners and five with partners."""
    each = [make_rules(ENV.scenario, penalty=penalty, present=1)] * SOLO
    each += [make_rules(ENV.scenario, penalty=penalty)] * SOCIAL
    return jax.tree.map(lambda *x: jnp.stack(x), *each)


ENV = jaxsocial.make("goal_cycle", height=6, width=6, clutter=2, goals=2, agents=3, max_steps=CLOCK, view_size=3)


@pytest.fixture(scope="module")
def setup():
    sizes = NetworkSizes(channels=(8,), dense=12, memory=12, heads=(12,))
    partners = seat_partners(("expert", "random"), ENV.scenario)
    return AgentSetup(ENV, tiny_network(ENV, sizes, prediction="frame"), partners, SIZES)


@pytest.fixture(scope="module")
def start(setup):
    return quick_jit(lambda key, rules: new_learner(key, rules, NORMAL.traced(), setup))


class Iterating:
    """`one_iteration`, compiled, with a count of its traces."""

    def __init__(self, setup):
        self.traces = 0

        def one(learner, rules, coefficients):
            self.traces += 1
            return one_iteration(learner, setup.partners.parameters, rules, coefficients, setup)

        self.one = quick_jit(one)

    def __call__(self, learner, coefficients=NORMAL, penalty=1.5):
        learner = learner._replace(key=jax.random.clone(learner.key))
        return self.one(learner, rules_of(penalty), coefficients.traced())


@pytest.fixture(scope="module")
def iterate(setup):
    return Iterating(setup)


@pytest.fixture(scope="module")
def second(start, iterate):
    """A learner before its second iteration, in mid-episode: older weights computed its memory."""
    return iterate(start(jax.random.key(0), rules_of()))[0]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def steps_of_adam(learner):
    return int(optax.tree.get(learner.optimiser_state, "count")[0])


def test_ratio_is_one_before_the_weights_move(second, iterate):
    assert not second.rollout_state.first.any()
    _, metrics = iterate(second, STILL)
    assert metrics["minibatches"] == SIZES.minibatches
    assert metrics["ratio_error"] < 1e-5
    assert metrics["approx_kl"] < 1e-9


def test_ratio_differs_from_one_after_a_step(second, iterate):
    learner, metrics = iterate(second)
    assert metrics["ratio_error"] > 1e-3
    assert not same(learner.parameters, second.parameters)
    assert steps_of_adam(learner) == steps_of_adam(second) + SIZES.minibatches


def test_a_minibatch_beyond_the_limit_changes_nothing(second, iterate):
    learner, metrics = iterate(second, NORMAL._replace(kl_stop=-1.0))
    assert metrics["minibatches"] == 1
    assert same(learner.parameters, second.parameters)
    assert same(learner.optimiser_state, second.optimiser_state)


def test_after_the_limit_the_remaining_minibatches_change_nothing(second, iterate):
    # The first minibatch has no divergence and takes a step; the second has the divergence of that step.
    learner, metrics = iterate(second, NORMAL._replace(kl_stop=1e-9))
    assert metrics["minibatches"] == 2
    assert steps_of_adam(learner) == steps_of_adam(second) + 1
    assert not same(learner.parameters, second.parameters)
    assert metrics["restored"] == 0


def test_too_large_a_divergence_restores_the_old_weights(second, iterate):
    learner, metrics = iterate(second, NORMAL._replace(kl_restore=1e-9))
    assert metrics["restored"] == 1
    assert metrics["minibatches"] == SIZES.minibatches
    assert same(learner.parameters, second.parameters)
    assert same(learner.optimiser_state, second.optimiser_state)
    assert not same(learner.rollout_state, second.rollout_state)


def test_weights_that_become_nan_are_restored(second, iterate):
    learner, metrics = iterate(second, NORMAL._replace(learning_rate=float("nan")))
    assert metrics["minibatches"] == 2
    assert metrics["restored"] == 1
    assert same(learner.parameters, second.parameters)


def test_coefficients_change_without_recompilation(second, iterate):
    traces = iterate.traces
    iterate(second, Coefficients(learning_rate=1e-5, gamma=0.5), penalty=0.25)
    assert iterate.traces == traces == 1


def test_a_batch_has_the_exact_number_of_worlds_without_partners(second, iterate):
    learner, metrics = iterate(second)
    present = np.asarray(learner.rollout_state.state.active)
    np.testing.assert_array_equal(present.sum(1), [1] * SOLO + [3] * SOCIAL)
    # Steps 17 to 32 of episodes of 10 steps: two episodes end in each world.
    assert metrics["episodes"] == 2 * (SOLO + SOCIAL)
    assert (np.asarray(learner.rollout_state.state.position)[:SOLO, 1:] == -1).all()


def test_means_separate_solo_and_social_episodes(setup, second):
    partner_parameters = setup.partners.parameters
    play = quick_jit(
        lambda key, one, rules: rollout(key, one.rollout_state, one.parameters, partner_parameters, rules, setup, 16)
    )
    _, trajectory, outcome = play(jax.random.key(5), second, rules_of())
    means = {name: mean[0] for name, mean in update.episode_means(outcome, setup).items()}
    episode_stats, ended = jax.tree.map(np.asarray, outcome)
    assert (episode_stats.return_[:, :SOLO, 1:] == 0).all()
    assert np.abs(episode_stats.return_[:, SOLO:, 1]).sum() > 0
    finished = episode_stats.return_[ended].reshape(-1, SOLO + SOCIAL, 3)
    np.testing.assert_allclose(means["solo_return"], finished[:, :SOLO, 0].mean(), rtol=1e-5)
    np.testing.assert_allclose(means["social_return"], finished[:, SOLO:, 0].mean(), rtol=1e-5)
    np.testing.assert_allclose(means["partner_return"], finished[:, SOLO:, 1:].mean(), rtol=1e-5)
    # An episode that is complete in the trajectory: its sums are those of its rewards.
    rows = np.flatnonzero(ended[:, 0])
    assert list(rows) == [3, 13]
    whole = np.asarray(trajectory.reward_next)[:, 0][rows[0] + 1 : rows[1] + 1]
    np.testing.assert_allclose(episode_stats.return_[rows[1], :, 0], whole.sum(0), rtol=1e-5)
    np.testing.assert_array_equal(episode_stats.goals[rows[1], :, 0], (whole > 0).sum(0))
    np.testing.assert_array_equal(episode_stats.penalties[rows[1], :, 0], (whole < 0).sum(0))


@pytest.mark.slow
def test_vmapped_seeds_equal_single_seeds(setup, start, iterate):
    keys = jax.random.split(jax.random.key(7), 2)
    rates = jnp.array([3e-3, 1e-3])
    each = Coefficients(*[jnp.full(2, number) for number in NORMAL])._replace(learning_rate=rates)

    def seed(key, coefficients):
        learner = new_learner(key, rules_of(), coefficients, setup)
        return one_iteration(learner, setup.partners.parameters, rules_of(), coefficients, setup)

    # jax's checker counts the transposition of keys in a vmapped scan as use (jax 0.10).
    with jax.debug_key_reuse(False):
        together, metrics = quick_jit(jax.vmap(seed))(keys, each)
    for number, key in enumerate(keys):
        learner = start(key, rules_of())
        alone, own_metrics = iterate(learner, NORMAL._replace(learning_rate=float(rates[number])))
        mine = jax.tree.map(lambda x, k=number: x[k], together)
        np.testing.assert_array_equal(mine.rollout_state.observation.image, alone.rollout_state.observation.image)
        chex.assert_trees_all_close(mine.parameters, alone.parameters, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(metrics["loss"][number], own_metrics["loss"], rtol=1e-4)
    assert abs(metrics["loss"][0] - metrics["loss"][1]) > 1e-3


@pytest.fixture(scope="module")
def of_two(setup):
    """Two learners with a random partner, before and after an iteration."""
    sizes = dataclasses.replace(SIZES, learners=2)
    partners = seat_partners(("random",), ENV.scenario, first_seat=2)
    both = setup._replace(partners=partners, sizes=sizes)
    rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (8, *x.shape)), make_rules(ENV.scenario))

    @quick_jit
    def one(key):
        learner = new_learner(key, rules, NORMAL.traced(), both)
        return learner, one_iteration(learner, partners.parameters, rules, NORMAL.traced(), both)

    with jax.debug_key_reuse(False):
        return both, *one(jax.random.key(3))


def test_learners_of_a_world_have_separate_networks_and_metrics(of_two):
    _, before, (after, metrics) = of_two
    for learner in (before, after):
        kernel = np.asarray(learner.parameters["policy"]["last"]["kernel"])
        assert kernel.shape[0] == 2
        assert (kernel[0] != kernel[1]).all()
    assert all(values.shape == (2,) for values in metrics.values())
    assert metrics["loss"][0] != metrics["loss"][1]
    assert metrics["episodes"].tolist() == [8, 8]
    assert np.isnan(metrics["solo_return"]).all()  # each is present in the episodes of the other


def test_a_learner_is_trained_on_its_own_trajectory_only(of_two):
    setup, before, (after, _) = of_two
    _, rollout_key, segment_key = jax.random.split(jax.random.clone(before.key), 3)
    rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (8, *x.shape)), make_rules(ENV.scenario))
    partner_parameters = setup.partners.parameters

    @quick_jit
    def alone(rollout_key, segment_key):
        played = rollout(
            rollout_key, before.rollout_state, before.parameters, partner_parameters, rules, setup, SIZES.steps
        )[1]
        memory, trajectory = jax.tree.map(lambda x: x[:, 1], (before.rollout_state.memory, played))
        own = jax.tree.map(lambda x: x[1], (before.parameters, before.optimiser_state))
        key = jax.random.split(segment_key, 2)[1]
        return update.fit(key, *own, memory, trajectory, NORMAL.traced(), setup)[0].parameters

    with jax.debug_key_reuse(False):
        found = alone(rollout_key, segment_key)
    mine = jax.tree.map(lambda x: x[1], after.parameters)
    chex.assert_trees_all_close(found, mine, rtol=1e-3, atol=1e-4)
