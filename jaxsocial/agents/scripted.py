"""Scripted experts: shortest paths to goals, turns counted, that go round the other goals.

They read the true state. In a goal cycle one knows the hidden order; one has to find it by trial and pays for it;
one knows it and goes wrong on purpose. Elsewhere all head for the nearest goal. None opens doors.
Distances to every goal are worked out when an episode begins and kept in the expert's memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxsocial.agents.policy import Policy
from jaxsocial.env import batching, objects
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import State

UNREACHABLE = 10**8
DETOUR = 10**4
"""Cost of entering a wrong goal: more than any way round it, so that it happens only where there is none."""


def distances(grid: Int[Array, "H W"], goals: Int[Array, "G 2"]) -> Int[Array, "G 4 H W"]:
    """Fewest actions from each heading and cell until a goal is entered, for each goal.

    A path through another goal costs `DETOUR` a time; where no path leads, `UNREACHABLE` or more.
    """
    return jax.vmap(_distances_to, (None, 0))(grid, goals)


def _distances_to(grid, goal):
    target = jnp.zeros(grid.shape, bool).at[goal[0], goal[1]].set(True)
    toll = _toll(grid)

    def relax(carried):
        cost, _ = carried
        entering = jnp.where(target, 0, jnp.minimum(toll + cost, UNREACHABLE))
        forward = jnp.stack([_ahead(entering[heading], heading) for heading in range(4)])
        turning = jnp.minimum(jnp.roll(cost, 1, axis=0), jnp.roll(cost, -1, axis=0))
        nearer = jnp.minimum(cost, 1 + jnp.minimum(forward, turning))
        return nearer, (nearer != cost).any()

    far = jnp.full((4, *grid.shape), UNREACHABLE, jnp.int32)
    return jax.lax.while_loop(lambda carried: carried[1], relax, (far, jnp.bool_(True)))[0]


def _toll(code: Int[Array, "*S"]) -> Int[Array, "*S"]:
    """What entering a cell costs on the way elsewhere; shut doors and lava are as good as walls."""
    kind = objects.kind_of(code)
    passable = objects.walkable(code) & (kind != objects.LAVA)
    return jnp.where((kind == objects.BONUS) | (kind == objects.GOAL), DETOUR, jnp.where(passable, 0, UNREACHABLE))


def _ahead(values: Int[Array, "H W"], heading: int) -> Int[Array, "H W"]:
    """The value of the cell in front of each cell; `UNREACHABLE` beyond the grid."""
    row, column = (int(step) for step in objects.STEP[heading])
    padded = jnp.pad(values, 1, constant_values=UNREACHABLE)
    height, width = values.shape
    return padded[1 + row : 1 + row + height, 1 + column : 1 + column + width]


def _action_towards(cost: Int[Array, "4 H W"], grid, goal, position, heading, scenario: Scenario) -> Int[Array, ""]:
    """The first action of a shortest path; waits where there is none."""
    row, column = position[0], position[1]
    step = jnp.asarray(objects.STEP)[heading]
    front_row, front_column = row + step[0], column + step[1]
    ahead = grid.at[front_row, front_column].get(mode="fill", fill_value=objects.WALL, wrap_negative_indices=False)
    toll = _toll(ahead)
    at_goal = (front_row == goal[0]) & (front_column == goal[1])
    forward = jnp.where(at_goal, 0, toll + cost[heading, front_row, front_column])
    left, right = cost[(heading - 1) % 4, row, column], cost[(heading + 1) % 4, row, column]
    options = jnp.stack([forward, left, right])
    choice = jnp.array([objects.FORWARD, objects.LEFT_TURN, objects.RIGHT_TURN])[jnp.argmin(options)]
    return jnp.where(options.min() < UNREACHABLE, choice, waiting(scenario))


def waiting(scenario: Scenario) -> int:
    """An action that goes nowhere: "done", or turning on the spot where there are only three actions."""
    return objects.DONE if scenario.actions > objects.DONE else objects.LEFT_TURN


def _nearest(cost, wanted: Bool[Array, " G"], position, heading):
    """The nearest of the goals that are wanted, and whether any is."""
    there = cost[:, heading, position[0], position[1]]
    return jnp.argmin(jnp.where(wanted, there, 2 * UNREACHABLE)), wanted.any()


def _head_for(cost, wanted, state: State, agent, scenario) -> Int[Array, ""]:
    position, heading = state.position[agent], state.heading[agent]
    goal, any_wanted = _nearest(cost, wanted, position, heading)
    action = _action_towards(cost[goal], state.grid, state.goals[goal], position, heading, scenario)
    return jnp.where(any_wanted, action, waiting(scenario))


def _distances_at_start(first, cost, state: State) -> Int[Array, "G 4 H W"]:
    return batching.where_needed(first, distances, cost, state.grid, state.goals)


def _no_distances(scenario: Scenario) -> Int[Array, "G 4 H W"]:
    if scenario.goals < 1:
        raise ValueError("goals=0: an expert has nowhere to go, choose 1 goal or more, or other partners")
    return jnp.zeros((scenario.goals, 4, scenario.height, scenario.width), jnp.int32)


def knowing_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Knows the order: heads for the next goal, at first (and in worlds without a cycle) for the nearest."""

    def apply(parameters, key, cost, state, observation, first):
        cost = _distances_at_start(first, cost, state)
        agents = jnp.array(seats)
        wanted = jax.vmap(lambda last: _next_goal(last, scenario))(state.last_goal[agents])
        actions = jax.vmap(_head_for, (None, 0, None, 0, None))(cost, wanted, state, agents, scenario)
        return cost, actions

    return Policy(init=lambda: _no_distances(scenario), apply=apply)


class Erring(NamedTuple):
    """What an anti-expert remembers."""

    cost: Int[Array, "G 4 H W"]
    visited: Int[Array, " seats"]
    """The goal that each of its seats stood on last; -1 before the first."""


def anti_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Knows the order and takes the costliest: after its first goal it goes from one wrong goal to the next.

    A partner not to learn from: whoever follows it pays at every goal but the first.
    """
    if not scenario.may_hold(objects.BONUS):
        return knowing_expert(seats, scenario)  # there is no order to get wrong

    def apply(parameters, key, memory, state, observation, first):
        agents = jnp.array(seats)
        visited = _visited(jnp.where(first, -1, memory.visited), state, agents)
        memory = Erring(_distances_at_start(first, memory.cost, state), visited)
        wanted = jax.vmap(lambda last, visited: _wrong_goals(last, visited, scenario))(state.last_goal[agents], visited)
        actions = jax.vmap(_head_for, (None, 0, None, 0, None))(memory.cost, wanted, state, agents, scenario)
        return memory, actions

    return Policy(init=lambda: Erring(_no_distances(scenario), jnp.full(len(seats), -1)), apply=apply)


def _visited(before: Int[Array, " seats"], state: State, agents) -> Int[Array, " seats"]:
    here = (state.position[agents][:, None] == state.goals[None]).all(-1)
    return jnp.where(here.any(-1), jnp.argmax(here, axis=-1), before)


def _wrong_goals(last, visited, scenario: Scenario) -> Bool[Array, " G"]:
    """The goals that cost, but for the one just left; that too where there is no other."""
    follows = _next_goal(last, scenario)
    others = ~follows & (jnp.arange(scenario.goals) != visited)
    return jnp.where(last < 0, follows, jnp.where(others.any(), others, ~follows))


def _next_goal(last: Int[Array, ""], scenario: Scenario) -> Bool[Array, " G"]:
    goals = scenario.goals
    number = jnp.arange(goals)
    if not scenario.may_hold(objects.BONUS):
        return jnp.ones(goals, bool)
    return jnp.where(last < 0, _any_will_do(goals), (number == (last + 1) % goals) & (number != last))


def _any_will_do(goals: int) -> bool:
    """The first goal of an episode may be any, but where there is only one it counts as just taken."""
    return goals > 1


class Searching(NamedTuple):
    """What a searching expert remembers; the last three for each of its seats."""

    cost: Int[Array, "G 4 H W"]
    possible: Bool[Array, "seats G G"]
    """[from, to]: not yet ruled out as the goal that follows."""
    visited: Bool[Array, "seats G"]
    """Entered in turn in this episode: their order is known."""
    position: Int[Array, "seats 2"]
    last_goal: Int[Array, " seats"]


def searching_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Has to find the order: tries the nearest goal not ruled out, and remembers, for one episode."""
    if not scenario.may_hold(objects.BONUS):
        return knowing_expert(seats, scenario)  # there is no order to find

    def apply(parameters, key, memory, state, observation, first):
        memory = memory._replace(cost=_distances_at_start(first, memory.cost, state))
        agents = jnp.array(seats)
        memory = jax.tree.map(lambda new, old: jnp.where(first, new, old), _forgotten(memory, state, agents), memory)
        memory = _learn(memory, state, agents, scenario)
        wanted = jax.vmap(_candidates)(memory.possible, memory.visited, memory.last_goal)
        actions = jax.vmap(_head_for, (None, 0, None, 0, None))(memory.cost, wanted, state, agents, scenario)
        return memory, actions

    return Policy(init=lambda: _new_search(len(seats), scenario), apply=apply)


def _new_search(seats: int, scenario: Scenario) -> Searching:
    goals = scenario.goals
    return Searching(
        cost=_no_distances(scenario),
        possible=jnp.ones((seats, goals, goals), bool),
        visited=jnp.zeros((seats, goals), bool),
        position=jnp.zeros((seats, 2), jnp.int32),
        last_goal=jnp.full(seats, -1),
    )


def _forgotten(memory: Searching, state: State, agents) -> Searching:
    return memory._replace(
        possible=jnp.ones_like(memory.possible),
        visited=jnp.zeros_like(memory.visited),
        position=state.position[agents],
        last_goal=state.last_goal[agents],
    )


def _learn(memory: Searching, state: State, agents, scenario) -> Searching:
    """Takes in what the last step showed: whether the goal just entered was the right one."""
    position = state.position[agents]
    at_goal = (position[:, None] == state.goals[None]).all(-1)
    entered = at_goal & (position != memory.position).any(-1)[:, None]
    follows = jax.vmap(lambda last: _next_goal(last, scenario))(memory.last_goal)
    right = (entered & follows).any(-1)
    source = memory.last_goal[:, None] == jnp.arange(scenario.goals)
    pair = source[:, :, None] & entered[:, None, :]
    same_row_or_column = source[:, :, None] | entered[:, None, :]
    confirmed = memory.possible & (pair | ~same_row_or_column)
    known_from = right & (memory.last_goal >= 0)
    possible = jnp.where(known_from[:, None, None], confirmed, memory.possible)
    possible = jnp.where((right | ~entered.any(-1))[:, None, None], possible, memory.possible & ~pair)
    return memory._replace(
        possible=possible,
        visited=memory.visited | (entered & right[:, None]),
        position=position,
        last_goal=state.last_goal[agents],
    )


def _candidates(possible: Bool[Array, "G G"], visited: Bool[Array, " G"], last) -> Bool[Array, " G"]:
    """Goals that may come next: the cycle closes only after all have been visited."""
    number = jnp.arange(len(visited))
    following = possible[last] & (number != last)
    unvisited = following & ~visited
    return jnp.where(last < 0, _any_will_do(len(visited)), jnp.where(unvisited.any(), unvisited, following))
