"""The records of the world. Letters in shapes: A agents, G goals, H W cells, V view, P its pixels.

`Scenario` is static: every field shapes the program that is compiled. `Rules` is traced: every
field may vary between worlds, over training, or along a sweep, without another compilation.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxsocial import cells

MAXIMUM_GOALS = 16
MAXIMUM_VIEW = 15
"""A row of a view is the bits of one integer, and two rows must fit in 31."""

Style = Literal["rgb", "symbolic", "symbolic_world"]
Input = Literal["reward", "position", "heading", "last_action", "goal_position"]


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


class Layout(NamedTuple):
    """What a scenario lays out: the grid, the goals, and where each agent would stand."""

    grid: Int[Array, "H W"]
    goals: Int[Array, "G 2"]
    position: Int[Array, "A 2"]
    spawn: Int[Array, "A 4"] | None = None
    """See `State.spawn`; the whole world if None."""
    heading: Int[Array, " A"] | None = None
    """Where each agent looks; -1, or None for all, to have it drawn."""


@dataclasses.dataclass(frozen=True)
class View:
    """What one agent sees of the world.

    Raises:
      ValueError: a size that cannot be built, with the value and the cure.
    """

    size: int = 7
    """Cells on a side."""
    offset: int = 1
    """Rows behind the agent."""
    tile_pixels: int = 3
    """Pixels on a side of a cell."""
    see_through_walls: bool = False
    hidden: tuple[str, ...] = ()
    """Kinds that are left out of the picture (names of `cells.KINDS`); they still block sight."""

    def __post_init__(self):
        for problem, cure in self._problems():
            if problem:
                raise ValueError(cure)

    def _problems(self):
        yield self.size < 3, f"view_size={self.size}: choose 3 cells or more"
        yield self.size > MAXIMUM_VIEW, f"view_size={self.size}: choose {MAXIMUM_VIEW} cells or fewer"
        yield (
            not 0 <= self.offset < self.size,
            f"view_offset={self.offset}: the agent must stand in its view, choose 0 to {self.size - 1}",
        )
        yield self.tile_pixels < 1, f"tile_pixels={self.tile_pixels}: choose 1 pixel or more"
        hideable = [name for kind, name in cells.KINDS.items() if kind not in (cells.EMPTY, cells.UNSEEN)]
        unknown = sorted(set(self.hidden) - set(hideable))
        yield unknown, f"hidden: {unknown} unknown, choose from {', '.join(hideable)}"

    @property
    def pixels(self) -> int:
        """On a side of the picture."""
        return self.size * self.tile_pixels

    @property
    def hidden_kinds(self) -> int:
        """Bit k for a hidden kind k."""
        return sum(1 << kind for kind, name in cells.KINDS.items() if name in self.hidden)


GOAL_CYCLE_THINGS = (cells.encode(cells.WALL, "worst"), cells.encode(cells.BONUS, "yellow"))


def problems_of_room(scenario: "Scenario") -> Iterator[tuple[bool, str]]:
    """Whether goals and clutter, or clutter and agents, are more than the cells within an outer wall; and what to do.

    Every `Scenario` is checked so, unless its layout has a check of its own, a method ``problems``.
    """
    inner = (scenario.height - 2) * (scenario.width - 2)
    yield (
        scenario.goals + scenario.clutter > inner or inner - scenario.clutter < scenario.agents,
        f"goals={scenario.goals}, clutter={scenario.clutter}, agents={scenario.agents} do not fit on the {inner} inner "
        f"cells of {scenario.height} x {scenario.width}: enlarge the world, or use fewer of them",
    )


@dataclasses.dataclass(frozen=True)
class Scenario:
    """The sizes and switches of a world, checked as they are set.

    Raises:
      ValueError: a size that cannot be built, with the value and the cure.
    """

    layout: Callable[[Key[Array, ""], "Scenario"], Layout]
    """Lays out one world; the only code that knows the level. Equal layouts must be equal and hashable."""
    name: str = "goal_cycle"
    """The scenario: see `jaxsocial scenarios`."""
    height: int = 13
    """Rows, the outer wall included."""
    width: int = 13
    """Columns, the outer wall included."""
    agents: int = 3
    """Agents, the learner included."""
    goals: int = 3
    """Goals, or bonus tiles in the hidden cycle, 0 to 16."""
    clutter: int = 18
    """Single walls strewn over the floor."""
    things: tuple[int, ...] = GOAL_CYCLE_THINGS
    """Codes of all that the layout may put in the grid, but for goals' numbers; doors stand for all their states."""
    view_size: int = 7
    """Cells on a side of what an agent sees."""
    view_offset: int = 1
    """Rows of the view behind the agent."""
    tile_pixels: int = 3
    """Pixels on a side of a cell in observations."""
    see_through_walls: bool = False
    """Whether nothing stops sight."""
    hidden: tuple[str, ...] = ()
    """Kinds left out of the agents' pictures: names of `cells.KINDS`."""
    views: tuple[View, ...] = ()
    """One an agent, where they differ; instead of the five fields above."""
    observation: Style = "rgb"
    """rgb: pictures. symbolic: kind, colour and state of the cells in view. symbolic_world: of all cells."""
    inputs: tuple[Input, ...] = ()
    """What else is observed: reward, position, heading, last_action, goal_position."""
    max_steps: int = 250
    """Steps in an episode."""
    actions: int = 7
    """7, or 3 to leave only left, right and forward."""
    initial_reward: bool = True
    """Whether the first bonus tile of an episode pays."""
    reset_on_mistake: bool = False
    """Whether a wrong bonus tile becomes the one last taken."""
    reward_decay: bool = False
    """Whether pay shrinks by 1 - 0.9 t / max_steps."""
    respawn: bool = False
    """Whether an agent that enters a goal or lava is put elsewhere; else it has come to its end."""
    spawn_delay: tuple[int, ...] = ()
    """One an agent: the step at which it enters the world. Empty: all are there from the start."""
    ghost: bool = True
    """Whether agents share cells freely."""
    negative_prestige: bool = False
    """Prestige as the reference has it where it may be negative: it takes no notice of rewards."""
    colours: tuple[str, ...] = ()
    """One an agent (names of `cells.COLOURS`); "prestige" goes from red to blue. Empty: all prestige."""

    def __post_init__(self):
        for problem, cure in self._problems():
            if problem:
                raise ValueError(cure)

    def _problems(self):
        yield (
            min(self.height, self.width) < 3,
            f"height={self.height}, width={self.width}: a world needs 3 rows and 3 columns at least",
        )
        yield self.agents < 1, f"agents={self.agents}: a world needs at least 1 agent"
        yield not 0 <= self.goals <= MAXIMUM_GOALS, f"goals={self.goals}: choose 0 to {MAXIMUM_GOALS}"
        yield self.clutter < 0, f"clutter={self.clutter}: choose 0 or more walls"
        yield self.max_steps < 1, f"max_steps={self.max_steps}: an episode needs at least 1 step"
        yield self.actions not in (3, 7), f"actions={self.actions}: choose 7, or 3 for left, right and forward only"
        yield from self._problems_of_choice()
        yield from self._problems_of_agents()

    def _problems_of_choice(self):
        unknown = [code for code in self.things if cells.kind_of(code) in (cells.EMPTY, cells.UNSEEN, cells.AGENT)]
        yield unknown, f"things: {unknown} are not codes of things, make them with cells.encode"
        styles, inputs = get_args(Style), get_args(Input)
        yield self.observation not in styles, f"observation={self.observation!r}: choose from {', '.join(styles)}"
        unknown = [name for name in self.inputs if name not in inputs]
        yield unknown, f"inputs: {unknown} unknown, choose from {', '.join(inputs)}"
        unknown = [name for name in self.colours if name not in cells.COLOURS]
        yield unknown, f"colours: {unknown} unknown, choose from {', '.join(cells.COLOURS)}"

    def _problems_of_agents(self):
        for name, what in (("colours", "colour"), ("views", "view"), ("spawn_delay", "step")):
            given = getattr(self, name)
            yield (
                len(given) not in (0, self.agents),
                f"{name}={given}: give one {what} for each of the {self.agents} agents, or none",
            )
        yield min(self.spawn_delay, default=0) < 0, f"spawn_delay={self.spawn_delay}: choose 0 steps or more"
        # The flat fields check themselves as a view.
        yield not self.agent_views, "views"
        yield from getattr(self.layout, "problems", problems_of_room)(self)

    @property
    def agent_colours(self) -> tuple[str, ...]:
        """Each agent's colour, by name."""
        return self.colours or ("prestige",) * self.agents

    @property
    def agent_views(self) -> tuple[View, ...]:
        """Each agent's view."""
        common = View(self.view_size, self.view_offset, self.tile_pixels, self.see_through_walls, self.hidden)
        return self.views or (common,) * self.agents

    @property
    def agents_by_view(self) -> dict[View, tuple[int, ...]]:
        """The agents that share each view; what they see is worked out together."""
        views = self.agent_views
        return {view: tuple(agent for agent, v in enumerate(views) if v == view) for view in dict.fromkeys(views)}

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one agent's image; of the largest, to which the others are filled up."""
        if self.observation == "symbolic_world":
            return (self.height, self.width, 3)
        side = max(view.pixels if self.observation == "rgb" else view.size for view in self.agent_views)
        return (side, side, 3)

    def may_hold(self, *kinds: int) -> bool:
        """Whether a thing of one of these kinds may stand in the grid."""
        return any(cells.kind_of(code) in kinds for code in self.things)

    @property
    def grid_changes(self) -> bool:
        """Whether there is anything to pick up or to open."""
        return self.may_hold(cells.KEY, cells.BALL, cells.BOX, cells.DOOR)

    @property
    def has_ends(self) -> bool:
        """Whether an agent can come to an end before the clock runs out."""
        return self.may_hold(cells.GOAL, cells.LAVA)

    @property
    def enters_later(self) -> bool:
        """Whether agents may have to be put into the world after its start."""
        return any(self.spawn_delay) or (self.respawn and self.has_ends)


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
