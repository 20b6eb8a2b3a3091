"""Interventions, validated on scripted players whose answer is known. A scripted player acts in the learner's seat."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.cli.parsing import parse
from jaxsocial.config.config import Config
from jaxsocial.env.observations import pixels
from jaxsocial.env.types import visible_position
from jaxsocial.evaluate import interventions
from jaxsocial.evaluate.episodes import Episodes, _intervened, episode_inputs, evaluation_rules, played, program_of
from jaxsocial.evaluate.interventions import INTERVENTIONS, afterwards, since_change
from jaxsocial.learning.rollout import start
from jaxsocial.training.build import make_agent_setup
from tests import runs

EPISODES = 24


def config_with(teacher: str, *partners: str) -> Config:
    world = ("--world.goals", "3", "--world.max-steps", "120", "--world.height", "7", "--world.clutter", "0")
    return parse(["train", *runs.TINY, *world, "--teacher", teacher, "--partners", *partners]).config


def order_reversed_but_remembered(play, setup):
    """Goals get new numbers. What the searching expert remembers of each goal in its place goes with them."""
    new, name = interventions.order_reversed(play, setup), "searching_expert"
    old, now = new.partner_memory[name], play.state.clock[0] == 60
    flipped = old._replace(
        cost=old.cost[:, ::-1],
        possible=old.possible[:, :, ::-1, ::-1],
        visited=old.visited[:, :, ::-1],
        last_goal=jnp.where(old.last_goal < 0, -1, 2 - old.last_goal),
    )
    memory = jax.tree.map(lambda x, y: jnp.where(now, x, y), flipped, old)
    return new._replace(partner_memory=new.partner_memory | {name: memory})


def episodes_with(config: Config, intervention: interventions.Intervention) -> Episodes:
    """Plays episodes with the config's teacher in the learner's seat."""
    setup = make_agent_setup(config)
    parameters = jax.tree.map(lambda x: jnp.asarray(x)[None, None], setup.network.init(jax.random.key(0)))
    inputs = episode_inputs(config, EPISODES)._replace(noise=jnp.zeros((1, 3)))  # the teacher's too
    with jax.debug_key_reuse(False):
        program = program_of(setup, intervention=intervention)
        return Episodes(**played(program, parameters, [config], [inputs]))


def means(found: Episodes, config: Config, probe: str, seat: int):
    since = since_change(found, config, probe)
    return {name: np.nanmean(values) for name, values in afterwards(found, seat, since).items()}


def test_who_knows_the_new_order_is_told_from_who_remembers_the_old():
    config = config_with("expert", "searching_expert", "random")
    found = episodes_with(config, interventions.Intervention(order_reversed_but_remembered))
    knows, remembers, random = (means(found, config, "reversed_order", seat) for seat in range(3))
    assert knows["right_after"] == 1
    assert knows["goals_after"] > 3
    assert remembers["right_after"] < 0.8
    assert random["right_after"] < 0.8
    # Rewards follow the new order too.
    after, entered = np.arange(120) >= 60, found.goal >= 0
    assert (found.reward[entered & after[:, None] & found.right] > 0).all()
    assert (found.reward[entered & after[:, None] & ~found.right] < 0).all()
    assert found.reward[..., 0][..., after].sum(-1).min() > 0
    before = found.right & (np.arange(120) < 60)[:, None]
    assert before[..., 0].sum() > 3 * EPISODES


def test_who_needs_no_partner_goes_on_when_they_are_gone():
    config = config_with("expert", "random", "random")
    found = episodes_with(config, INTERVENTIONS["gone_after_round"])
    since = since_change(found, config, "gone_after_round")
    assert since.any(-1).mean() > 0.9
    assert not found.present[..., 1:][since].any()
    # They go with the third right goal, and not before.
    entered = (found.goal[..., 0] >= 0).cumsum(-1)
    assert (entered[since] >= 3).all()
    assert (entered[~since & found.present[..., 0]] <= 3).all()
    assert means(found, config, "gone_after_round", 0)["right_after"] == 1


@pytest.fixture(scope="module")
def begun():
    """Setup, rules and the first moment of episodes."""
    config = dataclasses.replace(config_with("expert", "expert", "random"), teacher="")
    setup = make_agent_setup(config)
    setup = setup._replace(env=dataclasses.replace(setup.env, auto_reset=False))
    rules = evaluation_rules(config, EPISODES)
    return setup, rules, start(jax.random.key(1), rules, setup)


def test_a_learner_that_is_moved_is_where_its_partner_was(begun):
    setup, _, play = begun
    goals = jnp.zeros_like(play.episode_stats.goals).at[::2, 0].set(3.0)
    play = play._replace(episode_stats=play.episode_stats._replace(goals=goals))
    state = interventions.partners_gone_and_moved(play, setup).state
    np.testing.assert_array_equal(state.position[::2, 0], play.state.position[::2, 1])
    np.testing.assert_array_equal(state.position[1::2], play.state.position[1::2])
    np.testing.assert_array_equal(state.active, np.array([[True, False, False], [True] * 3] * (EPISODES // 2)))
    assert (jax.vmap(visible_position)(state)[::2, 1:] == -1).all()
    # Once only: a second step leaves it where it goes.
    again = interventions.partners_gone_and_moved(play._replace(state=state), setup).state
    np.testing.assert_array_equal(again.position, state.position)


def test_a_world_is_shown_with_the_prestige_of_the_other(begun):
    setup, rules, play = begun
    rich = play.state._replace(prestige=play.state.prestige.at[:, 1].set(50.0))
    shown = _intervened(play._replace(state=rich), rules, setup, INTERVENTIONS["swapped_prestige"])
    np.testing.assert_array_equal(shown.state.prestige, rich.prestige)
    seen = jax.vmap(lambda state: interventions.prestige_swapped(state, setup))(rich)
    np.testing.assert_array_equal(seen.prestige, rich.prestige[:, [0, 2, 1]])
    colours = jax.vmap(lambda state, rules: pixels.tint(state, rules, setup.env.scenario))
    np.testing.assert_array_equal(colours(seen, rules)[:, 2], colours(rich, rules)[:, 1])
    without = _intervened(play._replace(state=rich), rules, setup, interventions.Intervention())
    assert (np.asarray(shown.observation.image) != np.asarray(without.observation.image)).any()


def test_partners_stay_blue_whatever_they_do(begun):
    setup, rules, play = begun
    poor = play.state._replace(prestige=jnp.zeros_like(play.state.prestige))
    shown = _intervened(play._replace(state=poor), rules, setup, INTERVENTIONS["frozen_prestige"])
    np.testing.assert_array_equal(shown.state.prestige, poor.prestige)
    seen = jax.vmap(lambda state: interventions.prestige_frozen(state, setup))(poor)
    scenario = setup.env.scenario
    for own in (scenario, dataclasses.replace(scenario, negative_prestige=True)):
        colours = jax.vmap(lambda state, rules, own=own: pixels.tint(state, rules, own))
        np.testing.assert_array_equal(colours(seen, rules)[:, 1:], np.full((EPISODES, 2, 3), [0, 0, 255]))
        np.testing.assert_array_equal(colours(seen, rules)[:, 0], colours(poor, rules)[:, 0])


def test_what_follows_is_counted_by_hand():
    goal = np.full((1, 2, 6, 2), -1)
    goal[0, 0, :, 0] = [0, 1, -1, 2, 0, 1]
    right = np.ones(goal.shape, bool)
    right[0, 0, 4, 0] = False
    found = Episodes(np.zeros(goal.shape, np.float32), goal, right, np.ones(goal.shape, bool))
    since = np.zeros((1, 2, 6), bool)
    since[0, 0, 2:] = True
    after = afterwards(found, 0, since)
    np.testing.assert_allclose(after["goals_after"], [[2, np.nan]])
    np.testing.assert_allclose(after["right_after"], [[2 / 3, np.nan]])
