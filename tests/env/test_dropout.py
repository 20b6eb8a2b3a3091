"""Dropout: how often agents leave and come back, to which cells, and what the others observe."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import make_dropout, make_rules
from jaxsocial.env import objects, render, spawning
from jaxsocial.env.observations.observe import first_observation
from tests.compiling import quick_jit
from tests.env.participation import DROPOUTS, WORLDS, played, probably, sent_away, world

KEPT = ("position", "heading", "carrying", "prestige", "last_goal")


def test_partners_leave_after_one_step_and_are_back_in_the_next_episode():
    states, timesteps = played("partners leave")
    begins = states.clock == 0
    assert begins.sum() == 5 * WORLDS  # 160 steps are four episodes, and a fifth begins
    assert states.active[begins].all()
    assert (states.active[~begins] == [True, False, False]).all()
    assert (states.away == ~states.active).all()
    assert not states.finished.any()
    assert not timesteps.terminated.any()
    assert (timesteps.present == states.active).all()
    assert timesteps.truncated[1:][begins[1:]].all()  # also for those that are away


def test_from_gone_from_on_agents_stay_away_for_the_episode():
    states, _ = played("gone")
    assert states.active[states.clock == 0].all()
    assert (states.active[(states.clock > 0) & (states.clock < 5)] == [True, True, False]).all()
    assert (states.active[states.clock >= 5] == [True, False, False]).all()


@pytest.mark.parametrize("name", DROPOUTS)
def test_agents_leave_and_come_back_with_their_probabilities(name):
    leave, rejoin = DROPOUTS[name]
    states, _ = played(name)
    assert (states.active ^ states.away).all()
    going_on = states.clock[1:] > 0
    before, after = states.away[:-1][going_on], states.away[1:][going_on]
    assert probably(after[~before].sum(), (~before).sum(), leave)
    assert probably((~after)[before].sum(), before.sum(), rejoin)
    # No agent is away at a start. After 20 steps the share is the stationary one.
    settled = states.away[states.clock > 20]
    # Consecutive steps are correlated: the effective sample is smaller.
    correlation = 1 - leave - rejoin
    effective = settled.size * (1 - correlation) / (1 + correlation)
    share = leave / (leave + rejoin)
    assert abs(settled.mean() - share) < 4 * np.sqrt(share * (1 - share) / effective)


def test_agents_leave_independently():
    away = played("often")[0].away
    leaves = (away[1:] & ~away[:-1])[(~away[:-1]).all(-1)]
    assert probably(leaves[:, :2].all(-1).sum(), len(leaves), 0.4**2)


@pytest.mark.parametrize("name", DROPOUTS)
def test_an_agent_that_is_away_does_nothing_keeps_everything_and_comes_back_to_its_cell(name):
    states, timesteps = played(name)
    away = states.away[:-1] & (states.clock[1:] > 0)[..., None]
    for field in KEPT:
        assert (getattr(states, field)[:-1] == getattr(states, field)[1:])[away].all()
    assert (timesteps.reward[1:][states.away[:-1]] == 0).all()
    assert timesteps.reward.any()
    assert (timesteps.observation.image[states.away] == objects.SHADOW).all()
    back = away & states.active[1:]
    assert back.any()
    # It arrives after all agents that were there, as a late one does.
    others = np.where(back, -1, states.arrival[1:]).max(-1)
    assert (states.arrival[1:] > others[..., None])[back].all()


def taken_out(state, agent):
    """Returns the same world without the agent."""
    return state._replace(
        active=state.active.at[agent].set(False),
        finished=state.finished.at[agent].set(True),
        position=state.position.at[agent].set(-1),
    )


@pytest.mark.parametrize(
    "options", [{}, {"observation": "symbolic"}, {"observation": "symbolic_world"}, {"hidden": ("agent",)}]
)
def test_an_agent_that_is_away_is_not_observed(options):
    colours = ("red", "prestige", "blue")
    env, state = world("######\n#>.v0#\n#.^..#\n######", colours=colours, inputs=("position",), **options)
    # Two in a cell: without the first the second is seen.
    state = state._replace(position=state.position.at[2].set(state.position[1]))
    look = quick_jit(lambda state: first_observation(state, env.rules, env.scenario))
    for agent in range(3):
        away, absent = look(sent_away(state, agent)), look(taken_out(state, agent))
        chex.assert_trees_all_equal(away, absent)
        assert (away.position[agent] == 0).all()
    for agent in (0, 1):
        assert (look(sent_away(state, agent)).image != look(state).image).any()


def test_rendered_images_do_not_show_an_agent_that_is_away():
    env, state = world("######\n#>.v0#\n#.^..#\n######", colours=("red", "green", "blue"))
    away, absent = sent_away(state, 1), taken_out(state, 1)
    assert render.text(away, env.scenario) == render.text(absent, env.scenario) != render.text(state, env.scenario)
    picture, expected, before = (render.image(s, env.rules, env.scenario, 4) for s in (away, absent, state))
    assert (picture == expected).all()
    assert (picture != before).any()


def test_an_agent_that_is_away_enters_no_goal():
    env, state = world("######\n#.>01#\n######")
    rules = make_rules(env.scenario, dropout=make_dropout())
    step = quick_jit(env.step_without_restart)
    for before, reward in ((state, 1.0), (sent_away(state, 0), 0.0)):
        after, timestep = step(jax.random.key(0), before, jnp.array([2]), rules)
        assert timestep.reward.tolist() == [reward]
        assert timestep.present.tolist() == [reward > 0]
        assert (after.position != state.position).any() == (reward > 0)


def test_dropout_is_compiled_only_if_given_and_probability_0_changes_nothing():
    env, state = world("#######\n#>.0v.#\n#.1..<#\n#######")
    rules = [env.rules, make_rules(env.scenario, dropout=make_dropout(rejoin=1.0))]
    step, key, actions = env.step_without_restart, jax.random.key(1), jnp.zeros(3, int)
    programs = [str(jax.make_jaxpr(step)(key, state, actions, rules)) for rules in rules]
    assert [program.count("random_bits") for program in programs] == [1, 2]
    assert ["random_fold_in" in program for program in programs] == [False, True]
    step, states = quick_jit(step), [state, state]
    for number in range(20):
        key, actions = jax.random.key(number), jnp.array([2, number % 3, (number + 1) % 3])
        both = [step(jax.random.clone(key), one, actions, by) for one, by in zip(states, rules, strict=True)]
        chex.assert_trees_all_equal(*both)
        states = [state for state, _ in both]


def with_all_rejoining(env, state):
    return spawning.apply_dropout(state, jnp.full(env.scenario.agents, 0.5), make_dropout(rejoin=1.0), env.scenario)


@pytest.mark.parametrize("ghost", [True, False])
def test_if_agents_block_each_other_one_waits_until_its_cell_is_free(ghost):
    env, state = world("#######\n#>>...#\n#######", ghost=ghost)
    rules = make_rules(env.scenario, dropout=make_dropout(rejoin=1.0))
    state, back = sent_away(state, 1), []
    step = quick_jit(env.step_without_restart)
    for number, action in enumerate([objects.FORWARD, objects.DONE, objects.FORWARD]):
        state, timestep = step(jax.random.key(number), state, jnp.array([action, objects.DONE]), rules)
        back.append(bool(timestep.present[1]))
    assert back == ([True] * 3 if ghost else [False, False, True])
    # Neither agent moved the other.
    assert state.position.tolist() == [[1, 3], [1, 2]]


def test_of_two_that_left_the_same_cell_the_first_by_index_comes_back():
    env, state = world("#####\n#>>.#\n#####", ghost=False)
    state = state._replace(position=jnp.full((2, 2), 1))
    once = with_all_rejoining(env, sent_away(sent_away(state, 0), 1))
    assert once.active.tolist() == [True, False]
    assert with_all_rejoining(env, once).active.tolist() == [True, False]
    moved = once._replace(position=once.position.at[0].set(jnp.array([1, 2])))
    assert with_all_rejoining(env, moved).active.tolist() == [True, True]


def test_an_agent_does_not_come_back_while_a_thing_blocks_its_cell():
    env, state = world("######\n#>.>k#\n######")
    away = sent_away(state, 1)
    buried = away._replace(grid=away.grid.at[1, 3].set(objects.encode(objects.KEY, "yellow")))
    assert with_all_rejoining(env, buried).active.tolist() == [True, False]
    assert with_all_rejoining(env, away).active.tolist() == [True, True]


def test_an_agent_that_is_away_does_not_enter_as_a_late_one():
    env, state = world("######\n#>...#\n#....#\n######", agents=2, spawn_delay=(0, 2))
    rules = make_rules(env.scenario, dropout=make_dropout(leave=(0.0, 1.0)))
    step, where = quick_jit(env.step_without_restart), []
    for number in range(6):
        state, timestep = step(jax.random.key(number), state, jnp.array([0, 2]), rules)
        assert timestep.present.tolist() == [True, False]
        where.append(tuple(state.position[1].tolist()))
    # It enters in the third step, acts, and leaves at its end.
    assert where[:2] == [(-1, -1)] * 2
    assert len(set(where[2:])) == 1
    assert where[2] != (-1, -1)
    assert state.away.tolist() == [False, True]


def test_a_finished_agent_neither_leaves_nor_comes_back():
    env, state = world("######\n#>G..#\n#...>#\n######", respawn=False)
    rules = make_rules(env.scenario, dropout=make_dropout(leave=(1.0, 0.0), rejoin=1.0))
    step = quick_jit(env.step_without_restart)
    for number in range(3):
        state, timestep = step(jax.random.key(number), state, jnp.array([2, 6]), rules)
        assert state.finished.tolist() == [True, False]
        assert not state.away.any()
        assert timestep.present.tolist() == [False, True]
