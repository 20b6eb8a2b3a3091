"""Symbolic observations: kind, colour, state, prestige and kind below of each cell, agents and headings included.

They tell what a picture does, and no more. Of states they hold only a door's and an agent's heading, and never the
number of a goal: the goals' order is hidden. Prestige is the blue of an agent whose colour shows it, 0 to 255; 0
elsewhere. The kind below is that of the thing that an agent stands on; 0 where there is no agent.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt8

from jaxsocial.env import batching, objects
from jaxsocial.env.observations import pixels, vision
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.types import Rules, State


def _marks(state: State, rules: Rules, scenario: Scenario) -> Int[Array, " A"]:
    """Returns a mark above 0 for each agent, 1 + (heading | colour << 2 | prestige << 6)."""
    colours = np.array([objects.COLOUR_NAMES.index(name) for name in scenario.agent_colours], np.int32)
    mark = 1 + (state.heading | colours << 2)
    if "prestige" not in scenario.agent_colours:
        return mark
    by_prestige = state.active & np.array([name == "prestige" for name in scenario.agent_colours])
    return mark + (jnp.where(by_prestige, pixels.tint(state, rules, scenario)[:, objects.BLUE], 0) << 6)


def _channels(
    codes: Int[Array, "H W F"], marks: Int[Array, "H W F"], turned: Int[Array, " F"]
) -> UInt8[Array, "H W 5 F"]:
    """Returns (kind, colour, state, prestige, kind below): an agent's where there is a mark, else a thing's.

    Args:
      codes: of things.
      marks: of agents.
      turned: what is subtracted from headings.
    """
    state = jnp.where(objects.kind_of(codes) == objects.DOOR, objects.state_of(codes), 0)
    agent = marks - 1
    heading = ((agent & 3) - turned) % 4
    below = objects.kind_of(codes)
    of_agent = objects.AGENT | (agent >> 2 & 15) << 8 | heading << 16 | below << 20 | (agent >> 6) << 24
    of_thing = objects.kind_of(codes) | objects.colour_of(codes) << 8 | state << 16
    # All are packed into one integer: XLA would otherwise compute everything above once for each of them.
    packed = batching.computed_once(jnp.where(marks > 0, of_agent, of_thing))
    shifts = np.array([0, 8, 16, 24, 20], np.int32)[:, None]
    masks = np.array([0xFF, 0xFF, 0xF, 0xFF, 0xF], np.int32)[:, None]
    return ((packed[:, :, None] >> shifts) & masks).astype(jnp.uint8)


def observe(
    state: State, agents: tuple[int, ...], view: View, rules: Rules, scenario: Scenario
) -> tuple[UInt8[Array, "B V V 5"], Bool[Array, " B"]]:
    """Returns what agents with the same view see, and whether that shows another agent.

    Cells are `objects.UNSEEN` where sight is blocked.

    As in a picture the observer looks up, and headings are relative to its own.

    Args:
      state: the world.
      agents: the observers' indices, B of them.
      view: the view that they share, V x V cells.
      rules: the world's traced numbers.
      scenario: the world's sizes.
    """
    chosen = batching.index_of(agents)
    marks = _marks(state, rules, scenario)

    def numbers(windows, own_mark, heading, active):
        codes, mark, seen = vision.look(windows, active, view)
        # A hidden kind is left out of the observation, but an agent always sees itself.
        others = jnp.zeros_like(mark) if "agent" in view.hidden else mark
        own_cell = vision.own_cell(heading, view)
        mark = jnp.where(own_cell, own_mark, others)
        if view.hidden:
            codes = jnp.where((view.hidden_kinds >> objects.kind_of(codes)) & 1 == 1, objects.EMPTY, codes)
        codes, mark = jnp.where(seen, codes, objects.UNSEEN), jnp.where(seen, mark, 0)
        return _channels(codes, mark, heading - objects.UP), ((mark > 0) & ~own_cell).any((0, 1))

    windows = vision.windows_with_marks(state, chosen, marks, view)
    return batching.frames_last(numbers, windows, marks[chosen], state.heading[chosen], state.active[chosen])


def whole_world(state: State, rules: Rules, scenario: Scenario) -> UInt8[Array, "H W 5"]:
    """Returns the numbers of every cell; of each cell's first agent, with its absolute heading.

    Args:
      state: the world.
      rules: the world's traced numbers.
      scenario: the world's sizes.
    """
    codes, marks = vision.split_marks(vision.with_marks(state, _marks(state, rules, scenario)))
    return _channels(codes[..., None], marks[..., None], jnp.zeros(1, jnp.int32))[..., 0]
