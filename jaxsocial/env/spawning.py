"""Where agents are put after a world's start: those that enter late, come to an end, or were away and are back.

Where each may be put is a box of cells, `State.spawn`; one that was away comes back to its own cell. What is
drawn, and what is done with it, are apart, so that recorded places can be used instead.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.actions import ENTERED_EARLY, ENTERED_LATE, arrival_at
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Dropout, State, visible_position


def enters_now(state: State, scenario: Scenario) -> Bool[Array, " A"]:
    """Which agents are not in the world and due to enter it at the beginning of the coming step."""
    due = state.clock >= np.array(scenario.agent_delays)
    return ~state.active & ~state.finished & ~state.away & due


def enter(state: State, where: Int[Array, "A 2"], scenario: Scenario) -> State:
    """Puts those that are due into the world, at the beginning of a step; they act in it."""
    due = enters_now(state, scenario)
    return _put(state, due, where, ENTERED_EARLY, state.clock + 1)._replace(active=state.active | due)


def leaves_now(state: State) -> Bool[Array, " A"]:
    """Which agents have come to their end in this step."""
    return state.active & state.finished


def settle(state: State, where: Int[Array, "A 2"], scenario: Scenario) -> State:
    """At the end of a step: those that came to their end are put elsewhere empty-handed, or stay and do no more."""
    if not scenario.respawn:
        return state._replace(active=state.active & ~state.finished)
    left = leaves_now(state)
    state = _put(state, left, where, ENTERED_LATE, state.clock)
    return state._replace(
        finished=state.finished & ~left,
        carrying=jnp.where(left, objects.EMPTY, state.carrying),
    )


def come_and_go(state: State, lot: Float[Array, " A"], dropout: Dropout, scenario: Scenario) -> State:
    """At the end of a step: some that are active leave, and some that were away come back to where they left.

    ``lot`` is uniform from 0 to 1. One that is away keeps all it has; its prestige does not decay.
    """
    gone = state.clock >= dropout.gone_from
    leaves = state.active & (gone | (lot < dropout.leave))
    comes_back = state.away & ~gone & (lot < dropout.rejoin)
    state = state._replace(active=state.active & ~leaves, away=state.away | leaves)
    comes_back &= _finds_room(state, comes_back, scenario)
    state = _put(state, comes_back, state.position, ENTERED_LATE, state.clock)
    return state._replace(active=state.active | comes_back, away=state.away & ~comes_back)


def _finds_room(state: State, comes_back: Bool[Array, " A"], scenario: Scenario) -> Bool[Array, " A"]:
    """Whether the cell that an agent left can take it: nothing is in the way there, and nobody, unless all are ghosts.

    Of several that come back to one cell the first in number finds room.
    """
    room = jnp.ones_like(comes_back)
    if scenario.grid_changes:
        room &= objects.walkable(state.grid[state.position[:, 0], state.position[:, 1]])
    if scenario.ghost:
        return room
    index = jnp.arange(scenario.agents)
    there = (state.position[:, None] == state.position[None, :]).all(-1)
    in_the_way = ~state.away | (comes_back & (index < index[:, None]))
    return room & ~(there & in_the_way).any(-1)


def _put(state: State, who: Bool[Array, " A"], where: Int[Array, "A 2"], when: int, clock) -> State:
    index = jnp.arange(len(who))
    return state._replace(
        position=jnp.where(who[:, None], where, state.position),
        arrival=jnp.where(who, arrival_at(clock, when, index), state.arrival),
    )


def draw(key: Key[Array, ""], state: State, who: Bool[Array, " A"]) -> Int[Array, "A 2"]:
    """A place for each of ``who``, one after another: uniform over the free cells of its box where no agent is.

    Where a box has none, over those of the whole world; where that has none either, over cells with agents.
    """
    height, width = state.grid.shape
    free = objects.walkable(state.grid)
    row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    # Those who are put somewhere leave their cells first.
    others = jnp.where(who[:, None], -1, visible_position(state))
    crowded = ((others[:, 0, None, None] == row) & (others[:, 1, None, None] == column)).any(0)

    def one_agent(crowded, given):
        lot, box, wanted = given
        # Each wish outweighs all that follow, and the lot.
        score = lot + jnp.where(grid.in_box(free.shape, box), 1.0, 0.0)
        score += jnp.where(crowded, 0.0, 2.0) + jnp.where(free, 4.0, 0.0)
        cell = jnp.argmax(score)
        here = (row == cell // width) & (column == cell % width)
        return crowded | (here & wanted), jnp.stack([cell // width, cell % width])

    lots = grid.lots(key, len(who), height, width)
    return jax.lax.scan(one_agent, crowded, (lots, state.spawn, who))[1]
