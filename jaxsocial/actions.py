"""What actions do: turning, moving, entering goals, and prestige.

Agents act one after another in an order drawn afresh each step. In ghost mode they touch each other
only through who came first to a cell, so all move at once and the order goes into ``arrival``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxsocial import cells
from jaxsocial.world import Rules, Scenario, State


class Entry(NamedTuple):
    """What stepping on a cell brings an agent."""

    reward: Float[Array, " A"]
    last_goal: Int[Array, " A"]


def act(
    state: State,
    actions: Int[Array, " A"],
    turn: Int[Array, " A"],
    rules: Rules,
    scenario: Scenario,
) -> tuple[State, Float[Array, " A"]]:
    """One step of all agents; ``turn[a]`` is agent a's place in the acting order, 0 first."""
    state = state._replace(clock=state.clock + 1)
    if scenario.ghost:
        state, reward = _move(state, actions, turn, state.active, rules, scenario)
    else:
        state, reward = _one_after_another(state, actions, turn, rules, scenario)
    return state._replace(prestige=_prestige(state, reward, rules)), reward


def _one_after_another(state, actions, turn, rules, scenario):
    def one_turn(place, carried):
        state, reward = carried
        acting = state.active & (turn == place)
        state, gained = _move(state, actions, turn, acting, rules, scenario)
        return state, reward + gained

    nothing = jnp.zeros(scenario.agents, jnp.float32)
    return jax.lax.fori_loop(0, scenario.agents, one_turn, (state, nothing))


def _move(
    state: State,
    actions: Int[Array, " A"],
    turn: Int[Array, " A"],
    acting: Bool[Array, " A"],
    rules: Rules,
    scenario: Scenario,
) -> tuple[State, Float[Array, " A"]]:
    """Moves the agents that are ``acting``, all at the same instant."""
    turned = (actions == cells.RIGHT_TURN).astype(jnp.int32) - (actions == cells.LEFT_TURN)
    heading = jnp.where(acting, (state.heading + turned) % 4, state.heading)
    target = state.position + jnp.asarray(cells.STEP)[state.heading]
    ahead = state.grid.at[target[:, 0], target[:, 1]].get(
        mode="fill", fill_value=cells.WALL, wrap_negative_indices=False
    )
    moved = acting & (actions == cells.FORWARD) & _may_enter(state, target, ahead, scenario)
    entry = _enter(state, ahead, rules, scenario)
    state = state._replace(
        heading=heading,
        position=jnp.where(moved[:, None], target, state.position),
        # Later steps, and later turns of a step, come later.
        arrival=jnp.where(moved, state.clock * scenario.agents + turn, state.arrival),
        last_goal=jnp.where(moved, entry.last_goal, state.last_goal),
    )
    return state, jnp.where(moved, entry.reward, 0.0)


def _may_enter(state, target, ahead, scenario) -> Bool[Array, " A"]:
    free = jnp.asarray(cells.WALKABLE)[cells.kind_of(ahead)]
    if scenario.ghost:
        return free
    there = (target[:, None] == state.position[None, :]).all(-1)
    # In the reference an agent blocks a bare cell, but not one with a walkable thing in it.
    return free & ~(there.any(-1) & (cells.kind_of(ahead) == cells.EMPTY))


def _enter(state: State, code: Int[Array, " A"], rules: Rules, scenario: Scenario) -> Entry:
    """The rules of the goal cycle (PROTOCOL: reward), for each agent and the cell it would enter."""
    goals = max(scenario.goals, 1)
    number = cells.state_of(code)
    first = state.last_goal < 0
    # The first goal entered, whichever it is, counts as the next one.
    last = jnp.where(first, (number - 1) % goals, state.last_goal)
    right = (number != last) & ((last + 1) % goals == number)
    reward = jnp.where(right, rules.reward, -jnp.abs(rules.penalty))
    if not scenario.initial_reward:
        reward = jnp.where(first, 0.0, reward)
    if scenario.reward_decay:
        reward = reward * (1.0 - 0.9 * state.clock / scenario.max_steps)
    taken = right | scenario.reset_on_mistake
    is_goal = cells.kind_of(code) == cells.BONUS
    return Entry(
        reward=jnp.where(is_goal, reward, 0.0),
        last_goal=jnp.where(is_goal, jnp.where(taken, number, last), state.last_goal),
    )


def _prestige(state: State, reward: Float[Array, " A"], rules: Rules) -> Float[Array, " A"]:
    """p <- beta (p + r if r >= 0 else 0), for active agents (PROTOCOL: prestige cue)."""
    earned = jnp.where(reward >= 0, state.prestige + reward, 0.0) * rules.prestige_decay
    return jnp.where(state.active, earned, state.prestige)
