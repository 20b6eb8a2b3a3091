"""Symbolic observations: kind, colour and state of each cell, agents and their headings included.

They tell no more than a picture does. Of states they hold only a door's and an agent's heading, and never the number
of a goal: the goals' order is hidden.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from jaxsocial.env import batching, objects
from jaxsocial.env.observations import vision
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.types import State


def _marks(state: State, scenario: Scenario) -> Int[Array, " A"]:
    """Returns a mark above 0 for each agent, 1 + (heading | colour << 2)."""
    colours = np.array([objects.COLOUR_NAMES.index(name) for name in scenario.agent_colours], np.int32)
    return 1 + (state.heading | colours << 2)


def _triples(codes: Int[Array, "*S"], marks: Int[Array, "*S"], turned: Int[Array, "..."]) -> UInt8[Array, "*S 3"]:
    """Returns (kind, colour, state): an agent's where there is a mark, its heading less ``turned``; else a thing's."""
    state = jnp.where(objects.kind_of(codes) == objects.DOOR, objects.state_of(codes), 0)
    agent = marks - 1
    heading = ((agent & 3) - turned) % 4
    of_agent = objects.AGENT | (agent >> 2) << 8 | heading << 16
    of_thing = objects.kind_of(codes) | objects.colour_of(codes) << 8 | state << 16
    # All three are packed into one integer: XLA would otherwise compute everything above once for each of them.
    packed = batching.computed_once(jnp.where(marks > 0, of_agent, of_thing))
    return ((packed[..., None] >> np.array([0, 8, 16])) & 0xFF).astype(jnp.uint8)


def observe(state: State, agents: tuple[int, ...], view: View, scenario: Scenario) -> UInt8[Array, "B V V 3"]:
    """Returns what agents with the same view see; `objects.UNSEEN` where sight is blocked.

    As in a picture the observer looks up, and headings are relative to its own.

    Args:
      state: the world.
      agents: the observers' indices, B of them.
      view: the view that they share, V x V cells.
      scenario: the world's sizes.
    """
    chosen = jnp.array(agents)
    heading = state.heading[chosen]
    marks = _marks(state, scenario)
    codes, mark, seen = vision.look(state, chosen, marks, view)
    # A hidden kind is left out of the observation, but an agent always sees itself.
    others = jnp.zeros_like(mark) if "agent" in view.hidden else mark
    mark = jnp.where(vision.own_cell(heading, view), marks[chosen, None, None], others)
    if view.hidden:
        codes = jnp.where((view.hidden_kinds >> objects.kind_of(codes)) & 1 == 1, objects.EMPTY, codes)
    codes = jnp.where(seen, codes, objects.UNSEEN)
    return _triples(codes, jnp.where(seen, mark, 0), heading[:, None, None] - objects.UP)


def whole_world(state: State, scenario: Scenario) -> UInt8[Array, "H W 3"]:
    """Returns kind, colour and state of every cell; of each cell's first agent, with its absolute heading."""
    codes, marks = vision.split_marks(vision.with_marks(state, _marks(state, scenario)))
    return _triples(codes, marks, jnp.zeros_like(marks))
