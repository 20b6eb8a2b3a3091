"""What is traced of a world. Letters in shapes: A agents, G goals, H W cells, V view, P its pixels.

A `Scenario` is static: every field shapes the program that is compiled. Every field of `Rules` may
vary between worlds, over training, or along a sweep, without another compilation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxsocial.scenario import Scenario


class Rules(NamedTuple):
    """The numbers of the world that may change without recompiling."""

    reward: Float[Array, "*G"]
    """For entering a goal, or the next bonus tile of the cycle; any sign; one for all or one a goal."""
    penalty: Float[Array, ""]
    """For entering any other bonus tile; ``-abs(penalty)`` is paid."""
    prestige_decay: Float[Array, "*A"]
    """Factor on prestige after every step, 0 to 1 (beta); one for all or one an agent."""
    prestige_scale: Float[Array, "*A"]
    """Prestige at which an agent's blue is tanh(1) = 76 %, above 0; one for all or one an agent."""
    present: Bool[Array, " A"]
    """Which agents take part; the others are neither placed nor seen."""
    first_level: Int[Array, ""]
    """The first of the fixed levels, see ``levels``."""
    levels: Int[Array, ""]
    """How many fixed levels episodes begin from, drawn uniformly; 0 for a fresh one every time."""


class State(NamedTuple):
    """One world. Positions are (row, column); an agent that is not in the world is at (-1, -1)."""

    grid: Int[Array, "H W"]
    """Codes of `jaxsocial.cells`; agents are never in it."""
    goals: Int[Array, "G 2"]
    """Where the goals are, in the order of their hidden cycle."""
    position: Int[Array, "A 2"]
    heading: Int[Array, " A"]
    """0 right, 1 down, 2 left, 3 up."""
    active: Bool[Array, " A"]
    """Acts and sees."""
    finished: Bool[Array, " A"]
    """Takes no more part in this episode: came to its end, or was absent from the start."""
    arrival: Int[Array, " A"]
    """When the agent came to its cell; of several in a cell the lowest is drawn."""
    carrying: Int[Array, " A"]
    """The code of what the agent holds; `cells.EMPTY` for nothing."""
    prestige: Float[Array, " A"]
    last_goal: Int[Array, " A"]
    """The bonus tile that counts as last taken; -1 before the first."""
    spawn: Int[Array, "A 4"]
    """Where each agent is put when it enters late or again: the first row and column and the last ones."""
    clock: Int[Array, ""]
    """Steps taken in this episode."""


class Observation(NamedTuple):
    """What every agent perceives. Fields that `Scenario.inputs` does not name are None."""

    image: UInt8[Array, "A height width channels"]
    """A picture in RGB, or the kind, colour and state of cells: see `Scenario.observation`."""
    reward: Float[Array, " A"] | None = None
    """Of the last step; 0 at first."""
    position: Float[Array, "A 2"] | None = None
    """(row / H, column / W); zeros where the agent is not in the world."""
    heading: Int[Array, " A"] | None = None
    """0 right, 1 down, 2 left, 3 up."""
    last_action: Int[Array, " A"] | None = None
    """-1 at first."""
    goal_position: Float[Array, "A G 2"] | None = None
    """(row / H, column / W) of every goal, in their order; the same for all agents."""


class Timestep(NamedTuple):
    """What agents receive after a step. At an end, ``observation`` is of the restarted world."""

    observation: Observation
    reward: Float[Array, " A"]
    terminated: Bool[Array, " A"]
    """The agent's episode came to a natural end, now or before: nothing of value follows. True if it is absent."""
    truncated: Bool[Array, " A"]
    """The clock ran out: what would follow still has value."""
    final_observation: Observation
    """Of the world before any restart; equal to ``observation`` where there was none."""


def make_rules(
    scenario: Scenario,
    reward: float | Sequence[float] = 1.0,
    penalty: float = 1.5,
    prestige_decay: float = 0.99,
    prestige_scale: float = 4.0,
    present: int | None = None,
    first_level: int = 0,
    levels: int = 0,
) -> Rules:
    """Rules for a scenario; ``present`` counts the agents that take part, the first ones first.

    The defaults are the paper's: penalty 1.5, and the prestige constants of its training runs.

    With ``levels`` every episode begins from one of that many fixed levels (layout, starts and headings), the same
    for equal numbers: train on ``first_level=0, levels=K`` and test on ``first_level=K``.
    """
    taking_part = scenario.agents if present is None else present
    return Rules(
        reward=jnp.asarray(reward, jnp.float32),
        penalty=jnp.float32(penalty),
        prestige_decay=jnp.float32(prestige_decay),
        prestige_scale=jnp.float32(prestige_scale),
        present=jnp.arange(scenario.agents) < taking_part,
        first_level=jnp.int32(first_level),
        levels=jnp.int32(levels),
    )
