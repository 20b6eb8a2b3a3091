"""Actions: turning, moving, and handling things.

Agents act in an order that is drawn for each step. Ghosts affect each other only through who came first to a cell:
all move at once, and ``arrival`` records the order. If agents block each other or may change the grid, a loop lets
them act one by one. Letters in shapes: A agents.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.env import batching, grid, objects, rewards
from jaxsocial.env.scenario import PHASES, Scenario
from jaxsocial.env.types import Rules, State, visible_position

ENTERED_EARLY, MOVED, ENTERED_LATE = range(PHASES)
"""The phase of a step in which an agent arrives in its cell."""


def act(
    state: State, actions: Int[Array, " A"], turn: Int[Array, " A"], rules: Rules, scenario: Scenario
) -> tuple[State, Float[Array, " A"]]:
    """Applies the actions of one step.

    An agent that enters a goal or lava is `State.finished` but still active: `spawning.settle` deals with it.

    Args:
      state: before the step; the clock advances.
      actions: of all agents.
      turn: each agent's position in the acting order, 0 first.
      rules: rewards, penalty and the decay of prestige.
      scenario: selects what is compiled.

    Returns:
      The state and the rewards.
    """
    state = state._replace(clock=state.clock + 1)
    if scenario.ghost and not scenario.grid_changes:
        state, reward = _act_at_once(state, actions, turn, state.active, rules, scenario)
    else:

        def one_turn(place, carried):
            state, reward = carried
            acting = state.active & (turn == place)
            state, gained = _act_at_once(state, actions, turn, acting, rules, scenario)
            return state, reward + gained

        no_reward = jnp.zeros(scenario.agents, jnp.float32)
        state, reward = jax.lax.fori_loop(0, scenario.agents, one_turn, (state, no_reward))
    return state._replace(prestige=rewards.update_prestige(state, reward, rules, scenario)), reward


def checked_actions(actions: ArrayLike | Sequence[int], agents: int) -> Int[Array, " A"]:
    """Returns the actions of all agents as integers of 32 bits.

    >>> checked_actions([2, 0], agents=2)
    Array([2, 0], dtype=int32)

    Raises:
      ValueError: they are no integers, or not one for each agent; also while jax traces.
    """
    given = jnp.asarray(actions)
    if given.shape != (agents,) or not jnp.issubdtype(given.dtype, jnp.integer):
        raise ValueError(
            f"actions are {given.dtype}{list(given.shape)}: give {agents} whole numbers, one for each agent, and step "
            "many worlds by jax.vmap"
        )
    return given.astype(jnp.int32)


def arrival_at(clock: Int[Array, ""], phase: int, turn: Int[Array, " A"]) -> Int[Array, " A"]:
    """Returns numbers that order arrivals by step, phase and turn.

    >>> arrival_at(jnp.int32(2), MOVED, jnp.array([1, 0])).tolist()
    [15, 14]

    Args:
      clock: the step.
      phase: `ENTERED_EARLY`, `MOVED` or `ENTERED_LATE`.
      turn: each agent's position in the acting order.
    """
    return (clock * PHASES + phase) * turn.shape[0] + turn


def _act_at_once(
    state: State,
    actions: Int[Array, " A"],
    turn: Int[Array, " A"],
    acting: Bool[Array, " A"],
    rules: Rules,
    scenario: Scenario,
) -> tuple[State, Float[Array, " A"]]:
    """Lets all that are ``acting`` act at the same time; at most one of them if the grid can change."""
    # Rows and columns by themselves and without a table: on a GPU all results below are then made by one kernel.
    heading = state.heading
    row = state.position[:, 0] + (heading == objects.DOWN) - (heading == objects.UP)
    column = state.position[:, 1] + (heading == objects.RIGHT) - (heading == objects.LEFT)
    target = jnp.stack([row, column], axis=-1)
    ahead = grid.code_at(state.grid, row, column)
    if scenario.grid_changes:
        state = _handle(state, actions, acting, target, ahead)
    turned = (actions == objects.RIGHT_TURN).astype(jnp.int32) - (actions == objects.LEFT_TURN)
    forward, free = acting & (actions == objects.FORWARD), objects.walkable(ahead)
    if not scenario.ghost:
        # In the reference an agent blocks an empty cell, but not one with a walkable thing in it.
        free &= ~(_occupied(state, target) & (objects.kind_of(ahead) == objects.EMPTY))
    moved = forward & free
    entry = rewards.entry_outcome(state, ahead, rules, scenario)
    # Otherwise GPUs compute the move again for positions and arrivals, and copy what they still have to read.
    row, column, arrived = batching.stored_first((row, column, moved), "cuda", "rocm")
    position = jnp.where(arrived[:, None], jnp.stack([row, column], axis=-1), state.position)
    arrived = arrived if scenario.agents > 1 else moved  # without an order, arrivals are made with the move
    state = state._replace(
        heading=jnp.where(acting, (heading + turned) % 4, heading),
        position=position,
        arrival=jnp.where(arrived, arrival_at(state.clock, MOVED, turn), state.arrival),
        last_goal=jnp.where(moved, entry.last_goal, state.last_goal),
        finished=state.finished | (moved & entry.finished),
    )
    return state, jnp.where(moved, entry.reward, 0.0)


def _occupied(state: State, cell: Int[Array, "A 2"]) -> Bool[Array, " A"]:
    return grid.same_cell(cell[:, None], visible_position(state)[None, :]).any(-1)


def _handle(state: State, actions, acting, target, ahead) -> State:
    """Applies pick up, drop and toggle, of the one agent that is acting."""
    empty_handed = state.carrying == objects.EMPTY
    vacant = (objects.kind_of(ahead) == objects.EMPTY) & ~_occupied(state, target)
    inside = ((target >= 0) & (target < np.array(state.grid.shape, np.int32))).all(-1)
    takes = acting & (actions == objects.PICK_UP) & empty_handed & objects.portable(ahead)
    drops = acting & (actions == objects.DROP) & ~empty_handed & vacant & inside
    left_behind = jnp.where(takes, objects.EMPTY, jnp.where(drops, state.carrying, ahead))
    toggles = acting & (actions == objects.TOGGLE)
    left_behind = jnp.where(toggles, _toggled(ahead, state.carrying), left_behind)
    # At most one agent changes a cell, so the sum over agents selects its row, column and code.
    changes = takes | drops | (toggles & inside)
    row, column, code = (
        jnp.where(changes, x, 0).sum(dtype=jnp.int32) for x in (target[:, 0], target[:, 1], left_behind)
    )
    height, width = state.grid.shape
    rows, columns = jnp.arange(height, dtype=jnp.int32), jnp.arange(width, dtype=jnp.int32)
    changed_cell = (rows[:, None] == row) & (columns == column)
    return state._replace(
        grid=jnp.where(changed_cell & changes.any(), code, state.grid),
        carrying=jnp.where(takes, ahead, jnp.where(drops, objects.EMPTY, state.carrying)),
    )


def _toggled(code: Int[Array, " A"], carrying: Int[Array, " A"]) -> Int[Array, " A"]:
    """Opens, closes or unlocks doors, a lock only with a key of its colour; replaces boxes by their content."""
    kind, state = objects.kind_of(code), objects.state_of(code)
    fits = (objects.kind_of(carrying) == objects.KEY) & (objects.colour_of(carrying) == objects.colour_of(code))
    door = jnp.where(
        state == objects.LOCKED, jnp.where(fits, objects.CLOSED, objects.LOCKED), objects.OPEN + objects.CLOSED - state
    )
    toggled = jnp.where(kind == objects.DOOR, (code & 0xFF) | door << 8, code)
    return jnp.where(kind == objects.BOX, state, toggled)
