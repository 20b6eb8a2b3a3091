"""Scripted experts: distances, returns, and behaviour where paths are blocked."""

import heapq

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.agents.scripted import (
    DETOUR,
    NEAR,
    UNREACHABLE,
    anti_expert,
    distances,
    knowing_expert,
    searching_expert,
    waiting_expert,
)
from jaxsocial.env import objects
from jaxsocial.env.core import make_env
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.env.types import make_rules
from tests.agents.worlds import drawn, play_drawn, play_many
from tests.compiling import quick_jit

EXPERTS = pytest.mark.parametrize("expert", [knowing_expert, searching_expert])
RIGHT, DOWN, LEFT, UP = range(4)


def shortest(grid, goal):
    """Computes distances by Dijkstra's algorithm over headings and cells, backwards from entering the goal."""
    kind = np.asarray(objects.kind_of(grid))
    cost = np.full((4, *kind.shape), UNREACHABLE)
    queue = [(1, h, goal[0] - dr, goal[1] - dc) for h, (dr, dc) in enumerate(objects.STEP)]
    while queue:
        distance, heading, row, column = heapq.heappop(queue)
        inside = 0 <= row < kind.shape[0] and 0 <= column < kind.shape[1]
        if not inside or cost[heading, row, column] <= distance:
            continue
        cost[heading, row, column] = distance
        for turned in ((heading + 1) % 4, (heading - 1) % 4):
            heapq.heappush(queue, (distance + 1, turned, row, column))
        if kind[row, column] == objects.WALL or (row, column) == tuple(goal):
            continue  # No path begins in a wall, and a path through the goal has ended there.
        detour = DETOUR if kind[row, column] == objects.BONUS else 0
        heapq.heappush(
            queue, (distance + 1 + detour, heading, row - objects.STEP[heading][0], column - objects.STEP[heading][1])
        )
    return cost


@pytest.mark.parametrize(("height", "width", "goals"), [(9, 7, 3), (6, 11, 5), (5, 5, 1)])
def test_distances_equal_dijkstras(height, width, goals):
    env = jaxsocial.make("goal_cycle", height=height, width=width, goals=goals, clutter=height, agents=1)
    find = quick_jit(jax.vmap(distances))
    states, _ = quick_jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 8))
    for number, found in enumerate(np.asarray(find(states.grid, states.goals))):
        state = jax.tree.map(lambda x, k=number: np.asarray(x[k]), states)
        floor = np.asarray(objects.kind_of(state.grid)) != objects.WALL
        for goal, cell in enumerate(state.goals):
            np.testing.assert_array_equal(found[goal][:, floor], shortest(state.grid, cell)[:, floor])


# Returns.


def must_cross(state, goals):
    """Returns whether the path from some goal to its successor must cross another goal."""
    grid = np.asarray(objects.kind_of(state.grid))
    cells = [tuple(cell) for cell in state.goals]
    return any(cells[(number + 1) % goals] not in _within_reach(grid, cells[number], cells) for number in range(goals))


def _within_reach(grid, start, goals):
    seen, edge = {start}, [start]
    while edge:
        row, column = edge.pop()
        for step in objects.STEP:
            there = (row + int(step[0]), column + int(step[1]))
            if there in seen or grid[there] == objects.WALL:
                continue
            seen.add(there)
            if there not in goals:
                edge.append(there)
    return seen


def test_knowing_expert_returns_about_26_in_the_papers_world_and_has_only_forced_penalties():
    state, reward = play_many(jaxsocial.make("goal_cycle", agents=1), knowing_expert, worlds=300)
    assert 24.5 < reward.sum((1, 2)).mean() < 27.5
    penalised = (reward < 0).any((1, 2))
    forced = np.array([must_cross(jax.tree.map(lambda x, k=k: x[k], state), 3) for k in range(300)])
    assert not (penalised & ~forced).any()
    assert forced.mean() < 0.1


# Standard errors are 0.02, 0.03 and 0.06.
@pytest.mark.parametrize(("goals", "wrong", "within"), [(3, 0.5, 0.07), (4, 1.5, 0.12), (5, 3.0, 0.25)])
def test_searching_expert_has_the_penalties_of_blind_search(goals, wrong, within):
    env = jaxsocial.make("goal_cycle", agents=1, goals=goals, clutter=0, height=9, width=8, max_steps=120)
    _, reward = play_many(env, searching_expert, worlds=600)
    penalties = (reward < 0).sum((1, 2))
    assert abs(penalties.mean() - wrong) < within
    assert penalties.max() <= (goals - 1) * (goals - 2) // 2
    # Once found, the order is remembered: no penalties in the second half.
    assert (reward[:, 60:] >= 0).all()


@pytest.mark.parametrize("change", [{"goals": 2, "actions": 3}, {"reset_on_mistake": True, "initial_reward": False}])
def test_knowing_expert_has_no_penalties_without_walls(change):
    sizes = {"agents": 1, "clutter": 0, "height": 8, "width": 10, "max_steps": 60} | change
    _, reward = play_many(jaxsocial.make("goal_cycle", **sizes), knowing_expert, worlds=20)
    assert (reward >= 0).all()
    assert reward.sum((1, 2)).min() > 4


def test_searching_expert_finds_the_order_if_mistakes_count_as_last_goal():
    env = jaxsocial.make("goal_cycle", agents=1, clutter=0, height=8, width=8, max_steps=120, reset_on_mistake=True)
    _, reward = play_many(env, searching_expert, worlds=100)
    assert (reward[:, 60:] >= 0).all()
    assert reward.sum((1, 2)).min() > 4


# Blocked paths.

CUT_OFF = """
#######
#..#..#
#..#01#
#######
"""
NEXT_CUT_OFF = """
########
#..0.#.#
#....#1#
#.2..###
########
"""
CORRIDOR = """
#########
#..0.1.2#
#########
"""
WAY_ROUND = """
#########
#..0.1.2#
#.......#
#########
"""


def test_anti_expert_has_one_reward_and_then_only_penalties():
    picture = "####### #.....# #0...1# #.....# #..2..# #######"
    position, _, reward = play_drawn(anti_expert, picture, [(2, 2, LEFT)], 40)
    entered = [tuple(cell) for cell, r in zip(position[:, 0], reward[:, 0], strict=True) if r]
    assert reward[reward != 0].tolist() == [1.0] + [-1.5] * (len(entered) - 1)
    # After goal 0 the next in order is 1: it goes to 2, back to 0, and so on, without waiting.
    assert entered[:5] == [(2, 1), (4, 3), (2, 1), (4, 3), (2, 1)]


def test_with_two_goals_an_anti_expert_returns_to_its_first_goal():
    picture = "####### #.....# #0...1# #.....# #######"
    position, _, reward = play_drawn(anti_expert, picture, [(2, 2, LEFT)], 30)
    entered = [tuple(cell) for cell, r in zip(position[:, 0], reward[:, 0], strict=True) if r]
    assert set(entered) == {(2, 1)}
    assert len(entered) > 3


def test_in_the_papers_world_an_anti_expert_has_a_negative_return():
    env = jaxsocial.make("goal_cycle", agents=1)
    _, reward = play_many(env, anti_expert, 64)
    returns = reward.sum((1, 2))
    assert returns.mean() < -10


@pytest.mark.parametrize(
    ("column", "active", "goes"), [(6 - NEAR, True, True), (5 - NEAR, True, False), (5 - NEAR, False, True)]
)
def test_a_waiting_expert_goes_on_only_near_another_agent_that_is_there(column, active, goes):
    env, state = drawn(CORRIDOR, [(1, column, RIGHT), (1, 6, LEFT)])
    state = state._replace(active=jnp.array([active, True]))
    policy = waiting_expert((1,), env.scenario)
    action = policy.apply(policy.parameters, None, policy.init(), state, None, jnp.bool_(True))[1]
    assert action.tolist() == [objects.FORWARD if goes else objects.DONE]


def test_turns_are_counted():
    picture = """
    #######
    #...#.#
    #..0#1#
    #######
    """
    _, _, reward = play_drawn(knowing_expert, picture, [(1, 1, heading) for heading in (RIGHT, DOWN, LEFT, UP)], 6)
    assert [np.flatnonzero(earned).tolist() for earned in reward.T] == [[3], [3], [4], [4]]


@EXPERTS
@pytest.mark.parametrize(("actions", "waits"), [(7, objects.DONE), (3, objects.LEFT_TURN)])
def test_without_a_path_it_waits(expert, actions, waits):
    position, action, reward = play_drawn(expert, CUT_OFF, [(1, 1, RIGHT)], 20, actions=actions)
    assert (position == [1, 1]).all()
    assert (action == waits).all()
    assert (reward == 0).all()


def test_without_a_path_to_the_next_goal_it_waits():
    position, action, reward = play_drawn(knowing_expert, NEXT_CUT_OFF, [(1, 1, RIGHT)], 30)
    assert reward.sum() == 1
    assert (position[2:] == [1, 3]).all()
    assert (action[2:] == objects.DONE).all()


def test_it_infers_that_the_next_goal_is_unreachable():
    _, action, reward = play_drawn(searching_expert, NEXT_CUT_OFF, [(1, 1, RIGHT)], 40)
    assert reward[reward != 0].tolist() == [1.0, -1.5]
    assert (action[-20:] == objects.DONE).all()


def test_a_goal_on_which_it_is_placed_late_is_not_one_that_it_has_entered():
    world = scenario_from_text("#####\n#012#\n#...#\n#####", agents=1, spawn_delay=(2,))
    env = make_env(world)
    state, _ = quick_jit(env.reset)(jax.random.key(0))
    policy = searching_expert((0,), world)
    apply = quick_jit(policy.apply)
    memory, visited = policy.init(), []
    for clock, position in enumerate([(-1, -1), (1, 2), (2, 2), (1, 2)]):
        state = state._replace(position=jnp.array([position]), active=jnp.array([clock > 0]))
        memory, _ = apply((), jax.random.key(0), memory, state, None, jnp.bool_(clock == 0))
        visited.append(memory.visited[0].tolist())
    assert visited == [[False] * 3, [False] * 3, [False] * 3, [False, True, False]]


def test_a_wrong_goal_is_entered_if_there_is_no_other_path():
    _, _, reward = play_drawn(knowing_expert, CORRIDOR, [(1, 1, RIGHT)], 40)
    assert reward[reward != 0].tolist()[:8] == [1, 1, 1, -1.5, 1, 1, 1, -1.5]


def test_a_wrong_goal_is_avoided_if_there_is_another_path():
    _, _, reward = play_drawn(knowing_expert, WAY_ROUND, [(1, 1, RIGHT)], 40)
    assert reward.min() == 0
    assert reward.sum() >= 8


@EXPERTS
def test_a_single_goal_gives_no_reward_and_is_not_entered(expert):
    picture = """
    #####
    #..0#
    #####
    """
    _, _, reward = play_drawn(expert, picture, [(1, 1, RIGHT)], 10)
    assert (reward == 0).all()


@EXPERTS
def test_a_world_without_goals_is_rejected(expert):
    policy = expert((0,), jaxsocial.make("goal_cycle", goals=0).scenario)
    with pytest.raises(ValueError, match="choose 1 goal or more"):
        policy.init()


# Several agents, and several episodes.


@EXPERTS
def test_several_agents_share_an_expert_and_absent_ones_do_nothing(expert):
    env = jaxsocial.make("goal_cycle", agents=3)
    agents, rules = [(1, 1, RIGHT), (2, 7, LEFT), (-1, -1, RIGHT)], make_rules(env.scenario, present=2)
    position, _, reward = play_drawn(expert, WAY_ROUND, agents, 40, rules=rules)
    assert (position[:, 2] == -1).all()
    assert (reward[:, 2] == 0).all()
    assert (reward.sum(0)[:2] >= 5).all()


@EXPERTS
def test_agents_that_block_each_other_still_earn_rewards(expert):
    env = jaxsocial.make("goal_cycle", agents=4, ghost=False, height=7, width=9, goals=2, clutter=4, max_steps=60)
    _, reward = play_many(env, expert, worlds=30)
    assert np.isfinite(reward).all()
    assert reward.sum(1).mean() > 2


@EXPERTS
def test_memory_is_reset_at_each_episode(expert):
    """Distances and the inferred order belong to one layout: the third episode has the return of the first."""
    env = jaxsocial.make("goal_cycle", agents=1, height=8, width=8, clutter=0, max_steps=60)
    policy = expert((0,), env.scenario)

    def one_step(carried, key):
        state, memory, first, observation = carried
        memory, actions = policy.apply(policy.parameters, key, memory, state, observation, first)
        state, timestep = env.step(jax.random.fold_in(key, 1), state, actions)
        return (state, memory, timestep.truncated[0], timestep.observation), timestep.reward[0]

    def play(key):
        state, timestep = env.reset(jax.random.fold_in(key, 0))
        start = (state, policy.init(), jnp.bool_(True), timestep.observation)
        return jax.lax.scan(one_step, start, jax.random.split(key, 180))[1]

    with jax.debug_key_reuse(False):
        reward = np.asarray(quick_jit(jax.vmap(play))(jax.random.split(jax.random.key(2), 60)))
    earned = reward.reshape(60, 3, 60).sum(-1).mean(0)
    assert earned.min() > 4
    np.testing.assert_allclose(earned, earned.mean(), rtol=0.2)
    penalties = (reward < 0).reshape(60, 3, 60).sum(-1)
    assert penalties.max() <= (0 if expert is knowing_expert else 1)
    if expert is searching_expert:
        assert (penalties.mean(0) > 0.25).all()
