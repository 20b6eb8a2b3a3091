"""What is recorded of an episode: the states that are played, measures of following, and predictions as pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks.symbols import classes_of, one_hot
from jaxsocial.env import objects
from jaxsocial.env.types import Observation
from jaxsocial.evaluate import media
from jaxsocial.evaluate.social import Events, measures
from jaxsocial.training.build import make_agent_setup
from jaxsocial.viewer import predictions
from jaxsocial.viewer.record import Steps, leads_of
from tests.viewer.untrained import parameters_of, recorded, small_config


@pytest.fixture(scope="module")
def config():
    return small_config("symbols")


@pytest.fixture(scope="module")
def episode(config):
    return recorded(config, 5)[0]


@pytest.fixture(scope="module")
def played(config):
    with jax.debug_key_reuse(False):
        return list(media.moments(config, parameters_of(config), make_agent_setup(config))(5))


def test_states_are_those_that_are_played(episode, played):
    assert len(played) == len(episode.states.grid) == 31
    for state, moment in enumerate(played):
        world = jax.tree.map(lambda x: np.asarray(x[0]), moment.play.state)
        for name in ("position", "heading", "prestige", "last_goal", "active"):
            np.testing.assert_array_equal(getattr(episode.states, name)[state], getattr(world, name))
        np.testing.assert_array_equal(episode.states.view[state], moment.play.observation.image[0])
        np.testing.assert_array_equal(episode.states.returns[state], moment.returns)


def test_steps_are_those_of_the_learner(episode, played):
    steps = episode.steps
    for step, moment in enumerate(played[1:]):
        assert steps.action[step] == moment.row.action[0, 0]
        chosen = steps.probability[step, 0, steps.action[step, 0]]
        assert np.log(chosen) == pytest.approx(float(moment.row.log_prob[0, 0]), abs=1e-4)
    np.testing.assert_allclose(steps.probability.sum(-1), 1, rtol=1e-5)
    assert (steps.entropy <= np.log(3) + 1e-5).all()
    assert (steps.goal >= 0).sum() > 5
    assert steps.right.any()
    # Rewards follow from goals: nothing else pays in this world.
    paid = np.diff(episode.states.returns, axis=0)
    np.testing.assert_allclose(paid, np.where(steps.right, 1.0, np.where(steps.goal >= 0, -2.0, 0.0)), atol=1e-5)


@pytest.mark.parametrize("target", ["frame", "current_frame", "symbols", "others"])
def test_the_loss_is_the_mean_error_of_the_cells(target, episode):
    steps = (episode if target == "symbols" else recorded(small_config(target), 1)[0]).steps
    assert steps.error.shape == (30, 1, 5, 5)
    assert steps.picture.shape == (30, 1, 15, 15, 3)
    np.testing.assert_allclose(steps.error.mean((-2, -1)), steps.loss, rtol=1e-4)
    assert steps.loss.min() > 0


def test_two_learners_that_see_symbols_are_recorded():
    (episode,) = recorded(small_config("changes", "symbolic", learners=2), 0)
    assert episode.steps.value.shape == (30, 2)
    assert episode.states.view.shape == (31, 4, 15, 15, 3)
    assert episode.steps.error.shape == (30, 2, 5, 5)
    assert not np.array_equal(episode.steps.value[:, 0], episode.steps.value[:, 1])


def test_a_level_alone_is_that_in_company(config, episode):
    (alone,) = recorded(config, 5, alone=True)
    np.testing.assert_array_equal(alone.goals, episode.goals)
    np.testing.assert_array_equal(alone.states.grid, episode.states.grid)
    np.testing.assert_array_equal(alone.states.position[0, 0], episode.states.position[0, 0])
    assert alone.states.active.any(0).tolist() == [True, False, False]
    assert alone.leads == []


def test_a_right_prediction_of_symbols_is_drawn_as_what_comes(config, played):
    for moment in played[1:]:
        truth = jax.tree.map(lambda x: x[0, 0], moment.row.observation_next)
        logits = tuple(100.0 * part for part in one_hot(truth.symbols, classes_of(config.world)))
        picture, error = predictions.picture_maker("symbols", config.world)(logits, truth)
        np.testing.assert_allclose(error, 0, atol=1e-6)
        # Prestige has four levels in predictions, so only colours of agents differ, and by little.
        things = np.repeat(np.repeat(truth.symbols[..., 0] != objects.AGENT, 3, 0), 3, 1)
        assert not things.all()
        apart = np.abs(np.asarray(picture).astype(int) - np.asarray(truth.image))
        assert apart[things].max() == 0
        assert apart.max() <= 64


def test_a_thing_is_never_drawn_in_a_level_of_prestige():
    world = small_config("symbols").world
    classes = classes_of(world)
    kind = jnp.zeros((len(classes.kinds), 5, 5)).at[classes.kinds.index(objects.BONUS)].set(9.0)
    colour = jnp.zeros((len(classes.colours) + classes.levels, 5, 5)).at[-1].set(9.0)
    colour = colour.at[classes.colours.index(objects.COLOUR_NAMES.index("yellow"))].set(1.0)
    truth = Observation(image=jnp.zeros((5, 5, 5), jnp.uint8))
    picture, _ = predictions.picture_maker("symbols", world)((kind, colour, jnp.zeros((4, 5, 5))), truth)
    assert np.unique(np.asarray(picture).reshape(-1, 3), axis=0).tolist() == [[255, 255, 0]]


def test_leads_are_those_that_are_measured():
    rng, config = np.random.default_rng(0), small_config()
    for _ in range(20):
        goal = np.where(rng.random((60, 3)) < 0.25, rng.integers(0, 3, (60, 3)), -1)
        right, present = rng.random((60, 3)) < 0.7, rng.random((60, 3)) < 0.9
        zeros = np.zeros((60, 1))
        steps = Steps(goal, right, zeros.astype(int), zeros, zeros[..., None], zeros)
        leads = leads_of(steps, present, config)
        measured = measures(Events(np.zeros((1, 60, 3)), goal[None], right[None], present[None]))
        assert len(leads) == pytest.approx(measured["following"].item() * measured["goals"].item())
        if leads:
            assert np.mean([lead.entered_at - lead.led_at for lead in leads]) == pytest.approx(measured["lag"].item())
        for lead in leads:
            assert goal[lead.led_at, lead.leader] == goal[lead.entered_at, lead.follower] == lead.goal
            assert lead.follower == 0 < lead.leader
