"""Placing agents after a world's start: late entries, respawns, and returns of those that were away.

Each agent is placed in its box, `State.spawn`; one that was away comes back to its own cell. Drawing cells and
placing agents are separate, so that recorded positions can be used. Letters in shapes: A agents.
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
    """Returns which agents enter the world at the beginning of the coming step."""
    due = state.clock >= np.array(scenario.agent_delays)
    return ~state.active & ~state.finished & ~state.away & due


def acts_next(state: State, scenario: Scenario) -> Bool[Array, " A"]:
    """Returns which agents act in the coming step: those in the world, and those that enter at its beginning."""
    return state.active | enters_now(state, scenario) if any(scenario.spawn_delay) else state.active


def enter(state: State, where: Int[Array, "A 2"], scenario: Scenario) -> State:
    """Places late agents, at the beginning of a step; they act in it.

    Args:
      state: before the step.
      where: a cell for each agent.
      scenario: with each agent's delay.
    """
    due = enters_now(state, scenario)
    return _place(state, due, where, ENTERED_EARLY, state.clock + 1)._replace(active=state.active | due)


def ends_now(state: State) -> Bool[Array, " A"]:
    """Returns which agents entered a goal or lava in this step."""
    return state.active & state.finished


def settle(state: State, where: Int[Array, "A 2"], scenario: Scenario) -> State:
    """Respawns agents that entered a goal or lava, with empty hands, or deactivates them, at the end of a step.

    Args:
      state: after the actions.
      where: a cell for each agent.
      scenario: whether agents respawn.
    """
    if not scenario.respawn:
        return state._replace(active=state.active & ~state.finished)
    ended = ends_now(state)
    state = _place(state, ended, where, ENTERED_LATE, state.clock)
    return state._replace(
        finished=state.finished & ~ended,
        carrying=jnp.where(ended, objects.EMPTY, state.carrying),
    )


def apply_dropout(state: State, uniform: Float[Array, " A"], dropout: Dropout, scenario: Scenario) -> State:
    """Removes agents and brings others back to the cells they left, at the end of a step.

    An agent that is away keeps all it has; its prestige does not decay. It waits while its cell is blocked. If several
    come back to one cell and block each other, the first by index does.

    Args:
      state: after the actions.
      uniform: a random number from 0 to 1 for each agent.
      dropout: the probabilities.
      scenario: whether agents block each other, and whether the grid changes.
    """
    gone = state.clock >= dropout.gone_from
    leaves = state.active & (gone | (uniform < dropout.leave))
    rejoins = state.away & ~gone & (uniform < dropout.rejoin)
    state = state._replace(active=state.active & ~leaves, away=state.away | leaves)
    free = jnp.ones_like(rejoins)
    if scenario.grid_changes:
        free &= objects.walkable(state.grid[state.position[:, 0], state.position[:, 1]])
    if not scenario.ghost:
        index = jnp.arange(scenario.agents, dtype=jnp.int32)
        same_cell = grid.same_cell(state.position[:, None], state.position[None, :])
        blocking = ~state.away | (rejoins & (index < index[:, None]))
        free &= ~(same_cell & blocking).any(-1)
    rejoins &= free
    state = _place(state, rejoins, state.position, ENTERED_LATE, state.clock)
    return state._replace(active=state.active | rejoins, away=state.away & ~rejoins)


def _place(state: State, chosen: Bool[Array, " A"], where: Int[Array, "A 2"], phase: int, clock) -> State:
    index = jnp.arange(len(chosen), dtype=jnp.int32)
    return state._replace(
        position=jnp.where(chosen[:, None], where, state.position),
        arrival=jnp.where(chosen, arrival_at(clock, phase, index), state.arrival),
    )


def draw_cells(key: Key[Array, ""], state: State, chosen: Bool[Array, " A"]) -> Int[Array, "A 2"]:
    """Draws a cell for each chosen agent, one after another, uniformly over the free cells of its box.

    A cell is free if it is walkable and no agent is in it. If a box has none, the whole world's are drawn from; if
    that has none, cells with agents.

    Args:
      key: of the draw.
      state: the chosen agents leave their cells first.
      chosen: which agents to place.

    Returns:
      (row, column) for every agent; those of agents that are not chosen mean nothing.
    """
    height, width = state.grid.shape
    walkable = objects.walkable(state.grid)
    row, column = (jnp.arange(size, dtype=jnp.int32) for size in (height, width))
    row, column = row[:, None], column[None, :]
    others = jnp.where(chosen[:, None], -1, visible_position(state))
    occupied = ((others[:, 0, None, None] == row) & (others[:, 1, None, None] == column)).any(0)

    def one_agent(occupied, given):
        noise, box, is_chosen = given
        # Each criterion outweighs all weaker ones and the noise, which is below 1.
        score = noise + jnp.where(grid.in_box(walkable.shape, box), 1.0, 0.0)
        score += jnp.where(occupied, 0.0, 2.0) + jnp.where(walkable, 4.0, 0.0)
        index = jnp.argmax(score).astype(jnp.int32)
        cell = (row == index // width) & (column == index % width)
        return occupied | (cell & is_chosen), jnp.stack([index // width, index % width])

    noise = grid.uniforms(key, len(chosen), height, width)
    return jax.lax.scan(one_agent, occupied, (noise, state.spawn, chosen))[1]
