"""The records of the world. Letters in shapes: A agents, G goals, H W cells, V view, P its pixels.

`Scenario` is static: every field shapes the program that is compiled. `Rules` is traced: every
field may vary between worlds, over training, or along a sweep, without another compilation.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxsocial import cells

MAXIMUM_GOALS = 16


class Rules(NamedTuple):
    """The numbers of the world that may change without recompiling. The middle two may also be one per agent."""

    reward: Float[Array, ""]
    """For entering the next goal of the cycle; any sign."""
    penalty: Float[Array, ""]
    """For entering any other goal; ``-abs(penalty)`` is paid."""
    prestige_decay: Float[Array, "*A"]
    """Factor on prestige after every step, 0 to 1 (beta)."""
    prestige_scale: Float[Array, "*A"]
    """Prestige at which an agent's blue is tanh(1) = 76 %, above 0."""
    present: Bool[Array, " A"]
    """Which agents take part; the others are neither placed nor seen."""


class State(NamedTuple):
    """One world. Positions are (row, column); an absent agent is at (-1, -1)."""

    grid: Int[Array, "H W"]
    """Codes of `jaxsocial.cells`; agents are never in it."""
    goals: Int[Array, "G 2"]
    """Where the goals are, in the order of their hidden cycle."""
    position: Int[Array, "A 2"]
    heading: Int[Array, " A"]
    """0 right, 1 down, 2 left, 3 up."""
    active: Bool[Array, " A"]
    """Acts, sees and is seen."""
    arrival: Int[Array, " A"]
    """When the agent came to its cell; of several in a cell the lowest is drawn."""
    prestige: Float[Array, " A"]
    last_goal: Int[Array, " A"]
    """The goal that counts as last taken; -1 before the first."""
    clock: Int[Array, ""]
    """Steps taken in this episode."""


class Timestep(NamedTuple):
    """What agents receive after a step. At an end, ``observation`` is of the restarted world."""

    observation: UInt8[Array, "A P P 3"]
    reward: Float[Array, " A"]
    terminated: Bool[Array, " A"]
    """The agent's episode came to a natural end: nothing of value follows."""
    truncated: Bool[Array, " A"]
    """The clock ran out: what would follow still has value."""
    final_observation: UInt8[Array, "A P P 3"]
    """Of the world before any restart; equal to ``observation`` where there was none."""


class Layout(NamedTuple):
    """What a scenario lays out: the grid, the goals, and where each agent would stand."""

    grid: Int[Array, "H W"]
    goals: Int[Array, "G 2"]
    position: Int[Array, "A 2"]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """The sizes and switches of a world, checked as they are set.

    Raises:
      ValueError: a size that cannot be built, with the value and the cure.
    """

    layout: Callable[[Key[Array, ""], "Scenario"], Layout]
    """Lays out one world; the only code that knows the level."""
    name: str = "goal_cycle"
    """The scenario: see `jaxsocial scenarios`."""
    height: int = 13
    """Rows, the outer wall included."""
    width: int = 13
    """Columns, the outer wall included."""
    agents: int = 3
    """Agents, the learner included."""
    goals: int = 3
    """Goals in the hidden cycle, 1 to 16."""
    clutter: int = 18
    """Single walls strewn over the floor."""
    view_size: int = 7
    """Cells on a side of what an agent sees."""
    view_offset: int = 1
    """Rows of the view behind the agent."""
    tile_pixels: int = 3
    """Pixels on a side of a cell in observations."""
    max_steps: int = 250
    """Steps in an episode."""
    actions: int = 7
    """7, or 3 to leave only left, right and forward."""
    initial_reward: bool = True
    """Whether the first goal of an episode pays."""
    reset_on_mistake: bool = False
    """Whether a wrong goal becomes the one last taken."""
    reward_decay: bool = False
    """Whether pay shrinks by 1 - 0.9 t / max_steps."""
    see_through_walls: bool = False
    ghost: bool = True
    """Whether agents share cells freely."""
    colours: tuple[str, ...] = ()
    """One a agent (names of `cells.COLOURS`); "prestige" goes from red to blue. Empty: all prestige."""

    def __post_init__(self):
        for problem, cure in self._problems():
            if problem:
                raise ValueError(cure)

    def _problems(self):
        inner = (self.height - 2) * (self.width - 2)
        placed = self.goals + self.clutter
        unknown = [name for name in self.colours if name not in cells.COLOURS]
        yield (
            min(self.height, self.width) < 3,
            (f"height={self.height}, width={self.width}: a world needs 3 rows and 3 columns at least"),
        )
        yield self.agents < 1, f"agents={self.agents}: a world needs at least 1 agent"
        yield not 0 <= self.goals <= MAXIMUM_GOALS, (f"goals={self.goals}: choose 0 to {MAXIMUM_GOALS}")
        yield self.clutter < 0, f"clutter={self.clutter}: choose 0 or more walls"
        yield (
            placed > inner or inner - self.clutter < self.agents,
            (
                f"goals={self.goals}, clutter={self.clutter}, agents={self.agents} do not fit on the {inner} inner "
                f"cells of {self.height} x {self.width}: enlarge the world, or use fewer of them"
            ),
        )
        yield self.view_size < 3, f"view_size={self.view_size}: choose 3 cells or more"
        yield self.view_size > 15, f"view_size={self.view_size}: choose 15 cells or fewer"
        yield (
            not 0 <= self.view_offset < self.view_size,
            (f"view_offset={self.view_offset}: the agent must stand in its view, choose 0 to {self.view_size - 1}"),
        )
        yield self.tile_pixels < 1, f"tile_pixels={self.tile_pixels}: choose 1 pixel or more"
        yield self.max_steps < 1, f"max_steps={self.max_steps}: an episode needs at least 1 step"
        yield (
            self.actions not in (3, 7),
            (f"actions={self.actions}: choose 7, or 3 for left, right and forward only"),
        )
        yield (
            len(self.colours) not in (0, self.agents),
            (f"colours={self.colours}: give one colour for each of the {self.agents} agents, or none"),
        )
        yield unknown, f"colours: {unknown} unknown, choose from {', '.join(cells.COLOURS)}"

    @property
    def agent_colours(self) -> tuple[str, ...]:
        """Each agent's colour, by name."""
        return self.colours or ("prestige",) * self.agents

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(height, width, colours) of one agent's picture, in pixels."""
        side = self.view_size * self.tile_pixels
        return (side, side, 3)


def make_rules(
    scenario: Scenario,
    reward: float = 1.0,
    penalty: float = 1.5,
    prestige_decay: float = 0.99,
    prestige_scale: float = 4.0,
    present: int | None = None,
) -> Rules:
    """Rules for a scenario; ``present`` counts the agents that take part, the first ones first.

    The defaults are the paper's: penalty 1.5, and the prestige constants of its training runs.
    """
    taking_part = scenario.agents if present is None else present
    return Rules(
        reward=jnp.float32(reward),
        penalty=jnp.float32(penalty),
        prestige_decay=jnp.float32(prestige_decay),
        prestige_scale=jnp.float32(prestige_scale),
        present=jnp.arange(scenario.agents) < taking_part,
    )
