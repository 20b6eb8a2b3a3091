"""Scripted experts that follow shortest paths to goals, computed from the true state.

In a goal cycle one expert knows the hidden order, one knows it and waits for others, one infers it by trial and error
in each episode, and one knows it and enters wrong goals on purpose. In other scenarios all go to the nearest goal. None
opens doors.

`distances` is a value iteration: costs of all cells and headings relax until none changes. It runs once per episode;
the result is kept in the expert's memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxsocial.agents.policy import Policy
from jaxsocial.env import batching, grid, objects
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import State

UNREACHABLE = 10**8
NEAR = 2
"""Rows and columns to the nearest other agent within which a `waiting_expert` goes on: its view shows them."""
DETOUR = 10**6
"""Cost of entering another goal on the way. It exceeds any detour in a world of fewer cells, so that others are entered
only where they block."""


def distances(grid: Int[Array, "H W"], goals: Int[Array, "G 2"]) -> Int[Array, "G 4 H W"]:
    """Computes the fewest actions to enter each goal, from each heading and cell.

    Each other goal on the path adds `DETOUR`. Without a path the distance is `UNREACHABLE` or more.

    >>> corridor = jnp.zeros((1, 4), jnp.int32)
    >>> distances(corridor, jnp.array([[0, 3]]))[0, objects.RIGHT]
    Array([[3, 2, 1, 6]], dtype=int32)
    >>> distances(corridor, jnp.array([[0, 3]]))[0, objects.LEFT, 0].tolist()
    [5, 4, 3, 4]
    """
    height, width = grid.shape
    entry_cost = _entry_cost(grid)

    def to_goal(goal):
        is_goal = jnp.zeros(grid.shape, bool).at[goal[0], goal[1]].set(True)

        def relax(carry):
            cost, _ = carry
            # The cost after entering a cell with each heading, then shifted to the cell from which it is entered.
            entered = jnp.where(is_goal, 0, jnp.minimum(entry_cost + cost, UNREACHABLE))
            padded = jnp.pad(entered, ((0, 0), (1, 1), (1, 1)), constant_values=UNREACHABLE)
            steps = enumerate(objects.STEP.tolist())
            forward = jnp.stack([padded[h, 1 + r : 1 + r + height, 1 + c : 1 + c + width] for h, (r, c) in steps])
            turning = jnp.minimum(jnp.roll(cost, 1, axis=0), jnp.roll(cost, -1, axis=0))
            relaxed = jnp.minimum(cost, 1 + jnp.minimum(forward, turning))
            return relaxed, (relaxed != cost).any()

        start = jnp.full((4, height, width), UNREACHABLE, jnp.int32)
        return jax.lax.while_loop(lambda carry: carry[1], relax, (start, jnp.bool_(True)))[0]

    return jax.vmap(to_goal)(goals)


def _entry_cost(code: Int[Array, "*S"]) -> Int[Array, "*S"]:
    """Returns the cost of entering a cell that is not the target; closed doors and lava count as walls."""
    kind = objects.kind_of(code)
    passable = objects.walkable(code) & (kind != objects.LAVA)
    return jnp.where((kind == objects.BONUS) | (kind == objects.GOAL), DETOUR, jnp.where(passable, 0, UNREACHABLE))


def waiting(scenario: Scenario) -> int:
    """Returns an action that moves nowhere: "done", or a turn if there are only three actions."""
    return objects.DONE if scenario.actions > objects.DONE else objects.LEFT_TURN


def _actions_towards(
    cost: Int[Array, "G 4 H W"], wanted: Bool[Array, "seats G"], state: State, agents, scenario: Scenario
) -> Int[Array, " seats"]:
    """Returns the first actions of shortest paths to each agent's nearest wanted goal; waits if there is none."""

    def one_seat(wanted, position, heading):
        row, column = position
        goal = jnp.argmin(jnp.where(wanted, cost[:, heading, row, column], 2 * UNREACHABLE))
        front_row, front_column = position + jnp.asarray(objects.STEP)[heading]
        front = grid.code_at(state.grid, front_row, front_column)
        at_goal = (front_row == state.goals[goal, 0]) & (front_column == state.goals[goal, 1])
        forward = jnp.where(at_goal, 0, _entry_cost(front) + cost[goal, heading, front_row, front_column])
        left, right = cost[goal, (heading - 1) % 4, row, column], cost[goal, (heading + 1) % 4, row, column]
        options = jnp.stack([forward, left, right])
        action = jnp.array([objects.FORWARD, objects.LEFT_TURN, objects.RIGHT_TURN], jnp.int32)[jnp.argmin(options)]
        return jnp.where(wanted.any() & (options.min() < UNREACHABLE), action, waiting(scenario))

    return jax.vmap(one_seat)(wanted, state.position[agents], state.heading[agents])


def _distances_at_start(first, cost, state: State) -> Int[Array, "G 4 H W"]:
    return batching.where_needed(first, distances, cost, state.grid, state.goals)


def _no_distances(scenario: Scenario) -> Int[Array, "G 4 H W"]:
    if scenario.goals < 1:
        raise ValueError("goals=0: an expert needs a goal, choose 1 goal or more, or other partners")
    return jnp.zeros((scenario.goals, 4, scenario.height, scenario.width), jnp.int32)


def _next_goals(last: Int[Array, " seats"], scenario: Scenario) -> Bool[Array, "seats G"]:
    """Returns which goals pay next: any at first or without a cycle, else the successor of the last one."""
    goals = scenario.goals
    number, last = jnp.arange(goals, dtype=jnp.int32), last[:, None]
    if not scenario.may_hold(objects.BONUS):
        return jnp.ones((len(last), goals), bool)
    # A cycle of one goal never pays.
    return jnp.where(last < 0, goals > 1, (number == (last + 1) % goals) & (number != last))


def knowing_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Returns an expert that knows the order and goes to the next goal; at first, and without a cycle, to the nearest.

    Raises:
      ValueError: from ``init``, if the scenario has no goals.
    """

    def apply(parameters, key, cost, state, observation, first):
        cost = _distances_at_start(first, cost, state)
        agents = batching.index_of(seats)
        wanted = _next_goals(state.last_goal[agents], scenario)
        return cost, _actions_towards(cost, wanted, state, agents, scenario)

    return Policy(init=lambda: _no_distances(scenario), apply=apply)


def waiting_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Returns an expert that knows the order, and stands still while all others are more than `NEAR` cells away.

    The others are the agents that do not play this policy. It does not wait for absent ones.
    """
    knowing = knowing_expert(seats, scenario)
    others = tuple(agent for agent in range(scenario.agents) if agent not in seats)

    def apply(parameters, key, cost, state, observation, first):
        cost, actions = knowing.apply(parameters, key, cost, state, observation, first)
        position, active = state.position, state.active[batching.index_of(others)]
        apart = jnp.abs(position[batching.index_of(seats)][:, None] - position[batching.index_of(others)])
        near = ((apart.max(-1) <= NEAR) & active).any(-1) | ~active.any()
        return cost, jnp.where(near, actions, waiting(scenario))

    return Policy(init=knowing.init, apply=apply)


class AntiExpertMemory(NamedTuple):
    """Memory of an anti-expert."""

    cost: Int[Array, "G 4 H W"]
    visited: Int[Array, " seats"]
    """The goal that each agent stood on last; -1 before the first."""


def anti_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Returns an expert that knows the order and, after its first goal, goes from one wrong goal to the next.

    It is a misleading partner: an agent that follows it is penalised at every goal but the first. Without a cycle it
    is a `knowing_expert`.
    """
    if not scenario.may_hold(objects.BONUS):
        return knowing_expert(seats, scenario)

    def apply(parameters, key, memory, state, observation, first):
        agents, number = batching.index_of(seats), jnp.arange(scenario.goals, dtype=jnp.int32)
        at_goal = grid.same_cell(state.position[agents][:, None], state.goals[None])
        before = jnp.where(first, -1, memory.visited)
        visited = jnp.where(at_goal.any(-1), jnp.argmax(at_goal, axis=-1), before)
        memory = AntiExpertMemory(_distances_at_start(first, memory.cost, state), visited)
        last = state.last_goal[agents]
        correct = _next_goals(last, scenario)
        # It leaves a goal for another wrong one, and returns to the same if there is no other.
        others = ~correct & (number != visited[:, None])
        wrong = jnp.where(others.any(-1, keepdims=True), others, ~correct)
        wanted = jnp.where(last[:, None] < 0, correct, wrong)
        return memory, _actions_towards(memory.cost, wanted, state, agents, scenario)

    return Policy(
        init=lambda: AntiExpertMemory(_no_distances(scenario), jnp.full(len(seats), -1, jnp.int32)), apply=apply
    )


class SearchMemory(NamedTuple):
    """Memory of a searching expert: distances, and what each agent knows of the order."""

    cost: Int[Array, "G 4 H W"]
    possible: Bool[Array, "seats G G"]
    """[i, j]: whether goal j may still be the successor of goal i."""
    visited: Bool[Array, "seats G"]
    """Goals entered in the correct order in this episode."""
    position: Int[Array, "seats 2"]
    last_goal: Int[Array, " seats"]


def searching_expert(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    """Returns an expert that infers the order in each episode: it tries the nearest goal that may be next.

    Candidates are the possible successors of the last goal. Visited goals are excluded until all are visited, since
    the order is a single cycle. Without a cycle it is a `knowing_expert`.
    """
    if not scenario.may_hold(objects.BONUS):
        return knowing_expert(seats, scenario)
    count, goals = len(seats), scenario.goals

    def init():
        return SearchMemory(
            cost=_no_distances(scenario),
            possible=jnp.ones((count, goals, goals), bool),
            visited=jnp.zeros((count, goals), bool),
            position=jnp.zeros((count, 2), jnp.int32),
            last_goal=jnp.full(count, -1, jnp.int32),
        )

    def apply(parameters, key, memory, state, observation, first):
        agents = batching.index_of(seats)
        memory = memory._replace(cost=_distances_at_start(first, memory.cost, state))
        at_start = init()._replace(cost=memory.cost, position=state.position[agents], last_goal=state.last_goal[agents])
        memory = jax.tree.map(lambda new, old: jnp.where(first, new, old), at_start, memory)
        memory = _infer_order(memory, state, agents, scenario)
        last, number = memory.last_goal[:, None], jnp.arange(goals, dtype=jnp.int32)
        following = memory.possible[jnp.arange(count, dtype=jnp.int32), memory.last_goal] & (number != last)
        unvisited = following & ~memory.visited
        candidates = jnp.where(unvisited.any(-1, keepdims=True), unvisited, following)
        wanted = jnp.where(last < 0, goals > 1, candidates)
        return memory, _actions_towards(memory.cost, wanted, state, agents, scenario)

    return Policy(init=init, apply=apply)


def _infer_order(memory: SearchMemory, state: State, agents, scenario: Scenario) -> SearchMemory:
    """Updates what is known of the order from the goals that agents entered with the last step.

    A wrong entry excludes the pair (last goal, entered goal). A correct one confirms it: in a cycle each goal has one
    successor and one predecessor, so all other pairs of that row and column are excluded.
    """
    position = state.position[agents]
    at_goal = grid.same_cell(position[:, None], state.goals[None])
    # By a step of its own: an agent that is placed on a goal, late or again, has not entered it.
    moved = jnp.abs(position - memory.position).sum(-1) == 1
    entered = at_goal & moved[:, None]
    correct = (entered & _next_goals(memory.last_goal, scenario)).any(-1)
    source = memory.last_goal[:, None] == jnp.arange(scenario.goals, dtype=jnp.int32)
    pair = source[:, :, None] & entered[:, None, :]
    same_row_or_column = source[:, :, None] | entered[:, None, :]
    confirmed = memory.possible & (pair | ~same_row_or_column)
    # The first goal of an episode has no predecessor.
    has_source = correct & (memory.last_goal >= 0)
    possible = jnp.where(has_source[:, None, None], confirmed, memory.possible)
    possible = jnp.where((correct | ~entered.any(-1))[:, None, None], possible, memory.possible & ~pair)
    return memory._replace(
        possible=possible,
        visited=memory.visited | (entered & correct[:, None]),
        position=position,
        last_goal=state.last_goal[agents],
    )
