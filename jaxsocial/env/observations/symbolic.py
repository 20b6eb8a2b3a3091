"""Observations in small integers: the kind, colour and state of cells, agents and their headings among them.

What a picture would not show is not told: of states only a door's and an agent's heading, and not the
numbers of goals, which are their hidden order.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from jaxsocial.env import batching, objects
from jaxsocial.env.observations import vision
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.types import State


def _marks(state: State, scenario: Scenario) -> Int[Array, " A"]:
    """A mark that tells an agent's colour and heading."""
    colours = np.array([objects.COLOUR_NAMES.index(name) for name in scenario.agent_colours], np.int32)
    return 1 + (state.heading | colours << 2)


def _triples(codes: Int[Array, "*S"], marks: Int[Array, "*S"], turned: Int[Array, "..."]) -> UInt8[Array, "*S 3"]:
    """(kind, colour, state) of agents where there are marks, their headings less ``turned``; else of things."""
    state = jnp.where(objects.kind_of(codes) == objects.DOOR, objects.state_of(codes), 0)
    agent = marks - 1
    heading = ((agent & 3) - turned) % 4
    of_agent = objects.AGENT | (agent >> 2) << 8 | heading << 16
    of_thing = objects.kind_of(codes) | objects.colour_of(codes) << 8 | state << 16
    # All three in one integer: else all of it is worked out for each of them.
    packed = batching.computed_once(jnp.where(marks > 0, of_agent, of_thing))
    return ((packed[..., None] >> np.array([0, 8, 16])) & 0xFF).astype(jnp.uint8)


def observe(state: State, agents: tuple[int, ...], view: View, scenario: Scenario) -> UInt8[Array, "B V V 3"]:
    """What these agents see through a view that they have in common; `cells.UNSEEN` where they do not.

    As in a picture the observer looks up: headings are told as they appear to it.
    """
    chosen = jnp.array(agents)
    heading = state.heading[chosen]
    marks = _marks(state, scenario)
    codes, mark, seen = vision.looks(state, chosen, marks, view)
    others = jnp.zeros_like(mark) if "agent" in view.hidden else mark
    mark = jnp.where(vision.own_cell(heading, view), marks[chosen, None, None], others)
    if view.hidden:
        codes = jnp.where((view.hidden_kinds >> objects.kind_of(codes)) & 1 == 1, objects.EMPTY, codes)
    codes = jnp.where(seen, codes, objects.UNSEEN)
    return _triples(codes, jnp.where(seen, mark, 0), heading[:, None, None] - objects.UP)


def whole_world(state: State, scenario: Scenario) -> UInt8[Array, "H W 3"]:
    """Kind, colour and state of every cell; agents first come to theirs, with their headings as they are."""
    codes, marks = vision.unmarked(vision.marked(state, _marks(state, scenario)))
    return _triples(codes, marks, jnp.zeros_like(marks))
