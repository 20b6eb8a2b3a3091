"""Recorded episodes against the states of each step, by plain rules."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.config import presets
from jaxsocial.config.config import Config, RulesConfig
from jaxsocial.config.network import network_of
from jaxsocial.config.traced import evaluation_rules
from jaxsocial.env import objects
from jaxsocial.env.actions import ENTERED_EARLY, arrival_at
from jaxsocial.env.core import make_env
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.evaluate import episodes
from tests.agents.worlds import drawn
from tests.compiling import quick_jit

PENALTY, STEPS, GONE_FROM = 0.4, 40, 30
WORLDS = 12


def small_config(world, partners=(), prediction="none") -> Config:
    preset = presets.preset("quickstart")
    network = dataclasses.replace(preset.network, encoder="convolutions", channels=(4,), dense=8, memory=8, heads=(8,))
    sizes = dataclasses.replace(preset.sizes, prediction=prediction)
    rules = RulesConfig(penalty=PENALTY)
    return dataclasses.replace(preset, world=world, partners=partners, network=network, sizes=sizes, rules=rules)


def recorded(config, **options):
    """Plays episodes of an untrained learner; returns them and their states (T + 1, E, ...)."""
    states = {}

    def keep(clock, state):
        states[int(clock)] = jax.tree.map(np.asarray, state)

    def rollout(key, play, *arguments):
        after, trajectory, outcome = played(key, play, *arguments)
        for state in (play.state, after.state):
            jax.debug.callback(keep, state.clock[0], state)
        return after, trajectory, outcome

    played = episodes.rollout
    parameters = jax.tree.map(lambda x: x[None, None], quick_jit(network_of(config).init)(jax.random.key(0)))
    with pytest.MonkeyPatch.context() as patch, jax.debug_key_reuse(False):
        patch.setattr(episodes, "rollout", rollout)
        found = episodes.episode_player(config, WORLDS, **options)(parameters)
        jax.effects_barrier()
    return found, jax.tree.map(lambda *each: np.stack(each), *(states[clock] for clock in sorted(states)))


# In a view of even size the agent is not in the middle.
CYCLE = make_scenario(
    "goal_cycle", height=6, width=7, goals=3, clutter=2, agents=4, max_steps=STEPS, view_size=4, actions=3
)
PARTNERS = ("expert", "searching_expert", "anti_expert")


@pytest.fixture(scope="module")
def cycle():
    """Records a learner that predicts frames, with experts that are gone from step 30 on."""
    return recorded(small_config(CYCLE, PARTNERS, prediction="frame"), gone_from=GONE_FROM, foresight=True)


def entries(states, world, agent):
    """Yields (step, goal, whether it was the next) of every goal entered, by plain rules."""
    last = None
    for step in range(STEPS):
        before, after = states.position[step : step + 2, world, agent]
        goals = [n for n, cell in enumerate(states.goals[0, world]) if (cell == after).all()]
        if (before == after).all() or not goals:
            continue
        right = last is None or goals[0] == (last + 1) % CYCLE.goals
        last = goals[0] if right else last
        yield step, goals[0], right


def test_goals_and_rewards_agree_with_the_states(cycle):
    found, states = cycle
    goal, right, reward = np.full((WORLDS, STEPS, 4), -1), np.zeros((WORLDS, STEPS, 4), bool), 0
    for world in range(WORLDS):
        for agent in range(4):
            for step, number, is_right in entries(states, world, agent):
                goal[world, step, agent], right[world, step, agent] = number, is_right
    reward = np.where(right, 1.0, np.where(goal >= 0, -PENALTY, 0.0))
    np.testing.assert_array_equal(found.goal[0], goal)
    np.testing.assert_array_equal(found.right[0], right)
    np.testing.assert_allclose(found.reward[0], reward, atol=1e-5)


def test_experts_know_the_order_or_search_for_it_or_err_on_purpose(cycle):
    found, _ = cycle
    wrong = (found.goal >= 0) & ~found.right
    number, mistakes = found.right.sum((0, 1, 2)), wrong.sum((0, 1, 2))
    assert (number[1:3] > 2 * number[3]).all()
    assert mistakes[1] == 0
    assert mistakes[3] > 2 * mistakes[2] > 0
    for world in range(WORLDS):
        order = found.goal[0, world, :, 1][found.right[0, world, :, 1]]
        assert (np.diff(order) % 3 == 1).all()


def test_partners_that_leave_midway_are_gone_and_the_learner_stays(cycle):
    found, states = cycle
    assert found.present[..., 0].all()
    np.testing.assert_array_equal(found.present[0], states.active[:-1].swapaxes(0, 1))
    assert found.present[:, :, :GONE_FROM].all()
    assert not found.present[:, :, GONE_FROM:, 1:].any()
    assert (found.goal[:, :, GONE_FROM:, 1:] == -1).all()


def test_others_are_in_view_where_the_image_shows_them(cycle):
    found, states = cycle
    env = make_env(dataclasses.replace(CYCLE, tile_pixels=5))
    rules = jax.tree.map(lambda x: x[0], evaluation_rules(small_config(CYCLE, PARTNERS), 1))

    def without_others(state):
        mine = np.arange(4) == 0
        position = jnp.where(mine[:, None], state.position, -1)
        return state._replace(position=position, active=state.active & mine, finished=state.finished | ~mine)

    @quick_jit
    def differs(states):
        pictures = [
            jax.vmap(lambda state: env.reset_to(state, rules)[1].observation.image[0])(chosen)
            for chosen in (states, jax.vmap(without_others)(states))
        ]
        return (pictures[0] != pictures[1]).any((1, 2, 3))

    frames = jax.tree.map(lambda x: x[1:].reshape(-1, *x.shape[2:]), states)
    shown = np.asarray(differs(jax.tree.map(jnp.asarray, frames))).reshape(STEPS, WORLDS).T
    np.testing.assert_array_equal(found.other_in_view[0, :, :, 0], shown)
    assert 0.1 < shown[:, : GONE_FROM - 1].mean() < 0.9
    assert not shown[:, GONE_FROM - 1 :].any()


def test_prediction_errors_are_between_0_and_2(cycle):
    found, _ = cycle
    assert found.prediction_error.shape == (1, WORLDS, STEPS, 1)
    assert (found.prediction_error > 0).all()
    assert (found.prediction_error < 2).all()


# A corridor whose goal ends the episode of the agent that enters it, before the time limit.
ENDING = scenario_from_text("#######\n#>.G.<#\n#######", max_steps=60, actions=3, view_size=3)


@pytest.fixture(scope="module")
def ending():
    return recorded(small_config(ENDING, ("expert",)))


def test_after_the_end_nothing_counts(ending):
    found, states = ending
    # The expert needs two steps, the learner many more. Then nothing moves.
    np.testing.assert_array_equal(found.present[0, :, :, 1], np.broadcast_to(np.arange(60) < 2, (WORLDS, 60)))
    at_goal = (states.position[1:, :, 0] == states.goals[0, :, 0]).all(-1).T
    before = at_goal.cumsum(1) - at_goal == 0
    np.testing.assert_array_equal(found.present[0, :, :, 0], before)
    assert at_goal.any(1).sum() > 4
    assert not before[:, -1].all()
    counted = found.present
    paid = np.where(counted, found.reward, 0)[0].sum(1)
    np.testing.assert_array_equal(paid, np.stack([at_goal.any(1), np.ones(WORLDS)], axis=1))
    # Without an order every goal entered is right.
    np.testing.assert_array_equal(found.right & counted, (found.goal >= 0) & counted)


def test_prediction_errors_are_recorded_only_on_request(ending):
    assert ending[0].prediction_error is None
    assert ending[0].other_in_view is None


def moved(before, agent, cell):
    return before._replace(position=before.position.at[agent].set(jnp.array(cell)))


def test_an_agent_that_is_moved_after_entering_a_goal_has_entered_it():
    _, state = drawn("###### #..0.# #.1..# ######", [(1, 2, objects.RIGHT), (2, 4, objects.LEFT)])
    assert episodes.goal_entered(state, moved(state, 0, (2, 1))).tolist() == [0, -1]
    assert episodes.goal_entered(state, moved(state, 0, (2, 2))).tolist() == [0, -1]
    # Lava or another end is ahead, and it is moved onto a goal.
    assert episodes.goal_entered(state, moved(state, 1, (1, 3))).tolist() == [-1, -1]
    assert episodes.goal_entered(state, state).tolist() == [-1, -1]


@pytest.mark.parametrize(("action", "entered"), [(objects.LEFT_TURN, []), (objects.FORWARD, [0])])
def test_an_agent_that_is_placed_on_a_goal_has_not_entered_it(action, entered):
    """The late agent is placed on a goal and turns, or is placed before it and steps onto it."""
    start = (1, 2) if not entered else (1, 1)
    env, state = drawn("##### #.0.# #1..# #####", [(2, 3, objects.UP), (*start, objects.RIGHT)])
    outside = state._replace(active=state.active.at[1].set(False), position=state.position.at[1].set(-1))
    placed = outside._replace(
        active=state.active,
        position=state.position,
        arrival=state.arrival.at[1].set(arrival_at(jnp.int32(1), ENTERED_EARLY, jnp.arange(2))[1]),
    )
    after, _ = quick_jit(env.step_without_restart)(jax.random.key(0), placed, jnp.array([objects.LEFT_TURN, action]))
    assert episodes.goal_entered(outside, after).tolist() == [-1, *(entered or [-1])]


def test_without_goals_none_is_entered():
    _, state = drawn("##### #..0# #####", [(1, 1, objects.RIGHT)])
    state = state._replace(goals=jnp.zeros((0, 2), jnp.int32))
    assert episodes.goal_entered(state, moved(state, 0, (1, 2))).tolist() == [-1]


@pytest.mark.parametrize(
    ("scenario", "last", "goal", "right"),
    [
        ({"goals": 3}, [-1, 0, 0, 0, 2], [2, 1, 2, 0, 0], [True, True, False, False, True]),
        ({"goals": 3, "initial_reward": False}, [-1, 1], [1, -1], [True, False]),
        ({"goals": 1}, [-1], [0], [False]),
        ({"goals": 2}, [-1, 0, 1], [-1, -1, 0], [False, False, True]),
    ],
)
def test_an_entry_is_right_by_the_order_whatever_its_reward(scenario, last, goal, right):
    world = make_scenario("goal_cycle", height=5, width=5, clutter=0, agents=len(last), **scenario)
    got = episodes.is_next_goal(jnp.array([goal]), jnp.array([last]), world)
    assert got.tolist() == [right]
