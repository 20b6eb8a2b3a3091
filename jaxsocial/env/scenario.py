"""The static description of a world: sizes and switches, checked when set, and the layout function.

Letters in shapes: A agents, G goals, H W cells.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Annotated, Literal, NamedTuple

from jaxtyping import Array, Int, Key

from jaxsocial.env import objects
from jaxsocial.env.values import LARGEST, Count, Index, Range, fit_fields

MAXIMUM_GOALS = 16
MAXIMUM_VIEW = 15
"""A row of a view is the bits of one integer, and two rows must fit in 31."""
PHASES = 3
"""Phases of a step in which agents arrive in cells: see `actions.arrival_at`."""
Side = Annotated[int, Range(3, 4096)]
ViewSide = Annotated[int, Range(3, MAXIMUM_VIEW)]
TilePixels = Annotated[int, Range(1, 256)]

SYMBOLS = 5
"""Channels of a symbolic image: kind, colour, state, prestige, and the kind of thing below an agent."""

Style = Literal["rgb", "symbolic", "symbolic_world"]
Input = Literal["reward", "position", "heading", "last_action", "goal_position", "symbols", "others"]


class Layout(NamedTuple):
    """The result of a scenario's layout function: the grid, the goals, and the agents' starts."""

    grid: Int[Array, "H W"]
    goals: Int[Array, "G 2"]
    position: Int[Array, "A 2"]
    spawn: Int[Array, "A 4"] | None = None
    """See `State.spawn`; the whole world if None."""
    heading: Int[Array, " A"] | None = None
    """Each agent's first heading; -1, or None for all, to draw it."""


@dataclasses.dataclass(frozen=True)
class View:
    """What one agent sees of the world.

    Raises:
      ValueError: a size that cannot be built, with the value and the remedy.
    """

    size: ViewSide = 7
    """Cells on a side, 3 to 15."""
    offset: int = 1
    """Rows behind the agent, 0 or more and below ``size``."""
    tile_pixels: TilePixels = 3
    """Pixels on a side of a cell, 1 to 256."""
    see_through_walls: bool = False
    hidden: tuple[str, ...] = ()
    """Kinds left out of the image (names of `objects.KINDS`); they still block sight."""

    def __post_init__(self):
        fit_fields(self)
        if not 0 <= self.offset < self.size:
            raise ValueError(
                f"view_offset={self.offset}: the agent must stand in its view of view_size={self.size}, choose 0 to "
                f"{self.size - 1}"
            )
        hideable = [name for kind, name in objects.KINDS.items() if kind not in (objects.EMPTY, objects.UNSEEN)]
        if unknown := sorted(set(self.hidden) - set(hideable)):
            raise ValueError(f"hidden: {unknown} unknown, choose from {', '.join(hideable)}")

    @property
    def pixels(self) -> int:
        """Returns the pixels on a side of the image.

        >>> View(size=5, tile_pixels=8).pixels
        40
        """
        return self.size * self.tile_pixels

    @property
    def hidden_kinds(self) -> int:
        """Returns the hidden kinds as bits: bit k for kind k."""
        return sum(1 << kind for kind, name in objects.KINDS.items() if name in self.hidden)


def problems_of_room(scenario: "Scenario") -> Iterator[tuple[bool, str]]:
    """Yields whether the things and agents exceed the cells within the outer wall, and the error message.

    Checks every `Scenario`, unless its layout has a method ``problems`` of its own.
    """
    inner = (scenario.height - 2) * (scenario.width - 2)
    yield (
        scenario.goals + scenario.clutter > inner or inner - scenario.clutter < scenario.agents,
        f"goals={scenario.goals}, clutter={scenario.clutter}, agents={scenario.agents} do not fit on the {inner} inner "
        f"cells of height={scenario.height}, width={scenario.width}: enlarge the world, or use fewer of them",
    )


@dataclasses.dataclass(frozen=True)
class Scenario:
    """The sizes and switches of a world, checked when set.

    Raises:
      ValueError: a size that cannot be built, with the value and the remedy.
    """

    layout: Callable[[Key[Array, ""], "Scenario"], Layout]
    """Draws one world; the only code that knows the level. Equal layouts must be equal and hashable."""
    name: str = ""
    """The scenario: see `jaxsocial scenarios`. Empty if it is not registered."""
    height: Side = 13
    """Rows, the outer wall included, 3 to 4096."""
    width: Side = 13
    """Columns, the outer wall included, 3 to 4096."""
    agents: Annotated[int, Range(1, 4096)] = 3
    """Agents, the learner included, 1 to 4096."""
    goals: Annotated[int, Range(0, MAXIMUM_GOALS)] = 3
    """Goals, or bonus tiles in the hidden cycle, 0 to 16."""
    clutter: Index = 18
    """Single walls scattered over the floor, 0 or more."""
    things: tuple[int, ...] = dataclasses.field(kw_only=True)
    """Codes of all that the layout may put in the grid; those without goals' numbers and with any state of a door
    stand for all."""
    view_size: ViewSide = 7
    """Cells on a side of what an agent sees, 3 to 15."""
    view_offset: int = 1
    """Rows of the view behind the agent, 0 or more and below ``view_size``."""
    tile_pixels: TilePixels = 3
    """Pixels on a side of a cell in observations, 1 to 256."""
    see_through_walls: bool = False
    """Whether nothing blocks sight."""
    hidden: tuple[str, ...] = ()
    """Kinds left out of the agents' images: names of `objects.KINDS`."""
    views: tuple[View, ...] = ()
    """One per agent, where they differ; replaces the five fields above."""
    observation: Style = "rgb"
    """rgb: images. symbolic: kind, colour, state, prestige and kind below of the cells in view. symbolic_world: of all
    cells."""
    inputs: tuple[Input, ...] = ()
    """Further observations: reward, position, heading, last_action, goal_position; and symbols and others, which
    prediction targets compare with."""
    max_steps: Count = 250
    """Steps in an episode, 1 or more."""
    actions: int = 7
    """7, or 3 for left, right and forward only."""
    initial_reward: bool = True
    """Whether the first bonus tile of an episode is rewarded."""
    reset_on_mistake: bool = False
    """Whether a wrong bonus tile becomes the one last taken."""
    reward_decay: bool = False
    """Whether rewards shrink by 1 - 0.9 t / max_steps."""
    respawn: bool = False
    """Whether an agent that enters a goal or lava is put elsewhere; if not, its episode ends."""
    spawn_delay: tuple[Index, ...] = ()
    """One per agent: the step at which it enters the world, 0 or more. Empty: all start in it."""
    ghost: bool = True
    """Whether agents share cells freely."""
    negative_prestige: bool = False
    """Whether prestige ignores rewards, as in the reference where it may be negative."""
    colours: tuple[str, ...] = ()
    """One per agent (names of `objects.COLOURS`); "prestige" goes from red to blue. Empty: all prestige."""

    def __post_init__(self):
        fit_fields(self)
        for problem, remedy in self._problems():
            if problem:
                raise ValueError(remedy)

    def _problems(self):
        # A generator: a check is computed only if all before it have passed.
        longest = LARGEST[int] // (PHASES * self.agents) - 1
        yield self.max_steps > longest, f"max_steps={self.max_steps}: choose {longest} or less for {self.agents} agents"
        yield self.actions not in (3, 7), f"actions={self.actions}: choose 7, or 3 for left, right and forward only"
        no_things = (objects.EMPTY, objects.UNSEEN, objects.AGENT)
        unknown = [code for code in self.things if objects.kind_of(code) in no_things]
        yield unknown, f"things: {unknown} are not codes of things, make them with objects.encode"
        unknown = [name for name in self.colours if name not in objects.COLOURS]
        yield unknown, f"colours: {unknown} unknown, choose from {', '.join(objects.COLOURS)}"
        # Building the views checks the five fields that describe them.
        per_agent = {"colours": self.agent_colours, "views": self.agent_views, "spawn_delay": self.agent_delays}
        for name, given in per_agent.items():
            yield (
                len(given) != self.agents,
                f"{name}={getattr(self, name)}: give one for each of the {self.agents} agents, or none",
            )
        yield from getattr(self.layout, "problems", problems_of_room)(self)

    @property
    def agent_colours(self) -> tuple[str, ...]:
        """Returns each agent's colour, by name."""
        return self.colours or ("prestige",) * self.agents

    @property
    def agent_delays(self) -> tuple[int, ...]:
        """Returns the step at which each agent enters the world."""
        return self.spawn_delay or (0,) * self.agents

    @property
    def agent_views(self) -> tuple[View, ...]:
        """Returns each agent's view."""
        common = View(self.view_size, self.view_offset, self.tile_pixels, self.see_through_walls, self.hidden)
        return self.views or (common,) * self.agents

    @property
    def agents_by_view(self) -> dict[View, tuple[int, ...]]:
        """Returns the agents that share each view; their observations are computed together.

        >>> small = View(size=3)
        >>> world = Scenario(layout=print, things=(), views=(small, View(), small))
        >>> [(view.size, agents) for view, agents in world.agents_by_view.items()]
        [(3, (0, 2)), (7, (1,))]
        """
        views = self.agent_views
        return {view: tuple(agent for agent, v in enumerate(views) if v == view) for view in dict.fromkeys(views)}

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Returns the (height, width, channels) of one agent's image: the largest, to which others are padded.

        >>> Scenario(layout=print, things=(), view_size=7, tile_pixels=3).observation_shape
        (21, 21, 3)
        >>> Scenario(layout=print, things=(), observation="symbolic").observation_shape
        (7, 7, 5)
        """
        if self.observation == "symbolic_world":
            return (self.height, self.width, SYMBOLS)
        if self.observation == "symbolic":
            return (self.view_shape[0], self.view_shape[1], SYMBOLS)
        side = max(view.pixels for view in self.agent_views)
        return (side, side, 3)

    @property
    def view_shape(self) -> tuple[int, int]:
        """Returns the rows and columns of cells that one agent's image shows: of the largest view.

        >>> Scenario(layout=print, things=(), view_size=7).view_shape
        (7, 7)
        """
        if self.observation == "symbolic_world":
            return (self.height, self.width)
        side = max(view.size for view in self.agent_views)
        return (side, side)

    def may_hold(self, *kinds: int) -> bool:
        """Returns whether a thing of one of these kinds may be in the grid."""
        return any(objects.kind_of(code) in kinds for code in self.things)

    @property
    def grid_changes(self) -> bool:
        """Returns whether there is anything to pick up or to open."""
        return self.may_hold(objects.KEY, objects.BALL, objects.BOX, objects.DOOR)

    @property
    def has_ends(self) -> bool:
        """Returns whether an agent's episode can end before the clock runs out."""
        return self.may_hold(objects.GOAL, objects.LAVA)

    @property
    def enters_later(self) -> bool:
        """Returns whether agents may have to be put into the world after its start."""
        return any(self.spawn_delay) or (self.respawn and self.has_ends)
