"""What actions do: turning, moving, entering goals and lava, handling things, and prestige.

Agents act one after another in an order drawn afresh each step. In ghost mode they touch each other
only through who came first to a cell, so all move at once and the order goes into ``arrival``; where
they block each other, or may change the grid, a loop has them act one by one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.env import objects
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Rules, State, visible_position

ENTERED_EARLY, MOVED, ENTERED_LATE = range(3)
"""When in a step an agent came to its cell."""


class Entry(NamedTuple):
    """What stepping on a cell brings an agent."""

    reward: Float[Array, " A"]
    last_goal: Int[Array, " A"]
    finished: Bool[Array, " A"]


def act(
    state: State,
    actions: Int[Array, " A"],
    turn: Int[Array, " A"],
    rules: Rules,
    scenario: Scenario,
) -> tuple[State, Float[Array, " A"]]:
    """One step of all agents; ``turn[a]`` is agent a's place in the acting order, 0 first.

    An agent that enters a goal or lava is `State.finished` and still active: `places.settle` says what follows.
    """
    state = state._replace(clock=state.clock + 1)
    if scenario.ghost and not scenario.grid_changes:
        state, reward = _act_at_once(state, actions, turn, state.active, rules, scenario)
    else:
        state, reward = _one_after_another(state, actions, turn, rules, scenario)
    return state._replace(prestige=_prestige(state, reward, rules, scenario)), reward


def arrival_at(clock: Int[Array, ""], when: int, turn: Int[Array, " A"]) -> Int[Array, " A"]:
    """The number of an arrival in step ``clock``: later steps, phases of a step, and turns come later."""
    return (clock * 3 + when) * turn.shape[0] + turn


def _one_after_another(state, actions, turn, rules, scenario):
    def one_turn(place, carried):
        state, reward = carried
        acting = state.active & (turn == place)
        state, gained = _act_at_once(state, actions, turn, acting, rules, scenario)
        return state, reward + gained

    nothing = jnp.zeros(scenario.agents, jnp.float32)
    return jax.lax.fori_loop(0, scenario.agents, one_turn, (state, nothing))


def _act_at_once(
    state: State,
    actions: Int[Array, " A"],
    turn: Int[Array, " A"],
    acting: Bool[Array, " A"],
    rules: Rules,
    scenario: Scenario,
) -> tuple[State, Float[Array, " A"]]:
    """Those who are ``acting`` act at the same instant; only one of them where the grid can change."""
    target = state.position + jnp.asarray(objects.STEP)[state.heading]
    ahead = state.grid.at[target[:, 0], target[:, 1]].get(
        mode="fill", fill_value=objects.WALL, wrap_negative_indices=False
    )
    if scenario.grid_changes:
        state = _handle(state, actions, acting, target, ahead)
    return _move(state, actions, turn, acting, target, ahead, rules, scenario)


def _move(state, actions, turn, acting, target, ahead, rules, scenario) -> tuple[State, Float[Array, " A"]]:
    turned = (actions == objects.RIGHT_TURN).astype(jnp.int32) - (actions == objects.LEFT_TURN)
    moved = acting & (actions == objects.FORWARD) & _may_enter(state, target, ahead, scenario)
    entry = _enter(state, ahead, rules, scenario)
    state = state._replace(
        heading=jnp.where(acting, (state.heading + turned) % 4, state.heading),
        position=jnp.where(moved[:, None], target, state.position),
        arrival=jnp.where(moved, arrival_at(state.clock, MOVED, turn), state.arrival),
        last_goal=jnp.where(moved, entry.last_goal, state.last_goal),
        finished=state.finished | (moved & entry.finished),
    )
    return state, jnp.where(moved, entry.reward, 0.0)


def _may_enter(state, target, ahead, scenario) -> Bool[Array, " A"]:
    free = objects.walkable(ahead)
    if scenario.ghost:
        return free
    # In the reference an agent blocks a bare cell, but not one with a walkable thing in it.
    return free & ~(_occupied(state, target) & (objects.kind_of(ahead) == objects.EMPTY))


def _occupied(state: State, target: Int[Array, "A 2"]) -> Bool[Array, " A"]:
    return (target[:, None] == visible_position(state)[None, :]).all(-1).any(-1)


def _enter(state: State, code: Int[Array, " A"], rules: Rules, scenario: Scenario) -> Entry:
    """What each agent would get on the cell it would enter."""
    kind = objects.kind_of(code)
    reward, last_goal = _cycle(state, code, rules, scenario)
    if scenario.may_hold(objects.GOAL):
        reward = jnp.where(kind == objects.GOAL, _reward_of(code, rules), reward)
    if scenario.reward_decay:
        reward = reward * (1.0 - 0.9 * state.clock / scenario.max_steps)
    return Entry(
        reward=jnp.where((kind == objects.BONUS) | (kind == objects.GOAL), reward, 0.0),
        last_goal=jnp.where(kind == objects.BONUS, last_goal, state.last_goal),
        finished=(kind == objects.GOAL) | (kind == objects.LAVA),
    )


def _reward_of(code: Int[Array, " A"], rules: Rules) -> Float[Array, "*A"]:
    return rules.reward[objects.state_of(code)] if rules.reward.ndim else rules.reward


def _cycle(state: State, code: Int[Array, " A"], rules: Rules, scenario: Scenario):
    """The rules of the goal cycle (PROTOCOL: reward): reward, and the tile that counts as last taken."""
    goals = max(scenario.goals, 1)
    number = objects.state_of(code)
    first = state.last_goal < 0
    # The first goal entered, whichever it is, counts as the next one.
    last = jnp.where(first, (number - 1) % goals, state.last_goal)
    right = (number != last) & ((last + 1) % goals == number)
    reward = jnp.where(right, _reward_of(code, rules), -jnp.abs(rules.penalty))
    if not scenario.initial_reward:
        reward = jnp.where(first, 0.0, reward)
    taken = right | scenario.reset_on_mistake
    return reward, jnp.where(taken, number, last)


def _handle(state: State, actions, acting, target, ahead) -> State:
    """Pick up, drop and toggle, of the one agent that is acting."""
    empty_handed = state.carrying == objects.EMPTY
    bare = (objects.kind_of(ahead) == objects.EMPTY) & ~_occupied(state, target)
    inside = ((target >= 0) & (target < jnp.array(state.grid.shape))).all(-1)
    takes = acting & (actions == objects.PICK_UP) & empty_handed & objects.portable(ahead)
    drops = acting & (actions == objects.DROP) & ~empty_handed & bare & inside
    left_behind = jnp.where(takes, objects.EMPTY, jnp.where(drops, state.carrying, ahead))
    toggles = acting & (actions == objects.TOGGLE)
    left_behind = jnp.where(toggles, _toggled(ahead, state.carrying), left_behind)
    # Of all agents at most one changes anything; a sum finds it.
    changes = takes | drops | (toggles & inside)
    row, column, code = (jnp.where(changes, x, 0).sum() for x in (target[:, 0], target[:, 1], left_behind))
    height, width = state.grid.shape
    here = (jnp.arange(height)[:, None] == row) & (jnp.arange(width) == column)
    return state._replace(
        grid=jnp.where(here & changes.any(), code, state.grid),
        carrying=jnp.where(takes, ahead, jnp.where(drops, objects.EMPTY, state.carrying)),
    )


def _toggled(code: Int[Array, " A"], carrying: Int[Array, " A"]) -> Int[Array, " A"]:
    """A door opened, closed, or unlocked by a key of its colour; a box replaced by what is in it."""
    kind, state = objects.kind_of(code), objects.state_of(code)
    fits = (objects.kind_of(carrying) == objects.KEY) & (objects.colour_of(carrying) == objects.colour_of(code))
    door = jnp.where(
        state == objects.LOCKED, jnp.where(fits, objects.CLOSED, objects.LOCKED), objects.OPEN + objects.CLOSED - state
    )
    toggled = jnp.where(kind == objects.DOOR, (code & 0xFF) | door << 8, code)
    return jnp.where(kind == objects.BOX, state, toggled)


def _prestige(state: State, reward: Float[Array, " A"], rules: Rules, scenario: Scenario) -> Float[Array, " A"]:
    """p <- beta (p + r if r >= 0 else 0), for active agents (PROTOCOL: prestige cue)."""
    if scenario.negative_prestige:
        earned = state.prestige * rules.prestige_decay
    else:
        earned = jnp.where(reward >= 0, state.prestige + reward, 0.0) * rules.prestige_decay
    return jnp.where(state.active, earned, state.prestige)
