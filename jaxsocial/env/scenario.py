"""What is static of a world: its sizes and switches, checked as they are set, and the layout that fills it.

Letters in shapes: A agents, G goals, H W cells.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, get_args

from jaxtyping import Array, Int, Key

from jaxsocial.env import objects

MAXIMUM_GOALS = 16
MAXIMUM_VIEW = 15
"""A row of a view is the bits of one integer, and two rows must fit in 31."""

Style = Literal["rgb", "symbolic", "symbolic_world"]
Input = Literal["reward", "position", "heading", "last_action", "goal_position"]


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
    """Kinds that are left out of the picture (names of `objects.KINDS`); they still block sight."""

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
        hideable = [name for kind, name in objects.KINDS.items() if kind not in (objects.EMPTY, objects.UNSEEN)]
        unknown = sorted(set(self.hidden) - set(hideable))
        yield unknown, f"hidden: {unknown} unknown, choose from {', '.join(hideable)}"

    @property
    def pixels(self) -> int:
        """On a side of the picture."""
        return self.size * self.tile_pixels

    @property
    def hidden_kinds(self) -> int:
        """Bit k for a hidden kind k."""
        return sum(1 << kind for kind, name in objects.KINDS.items() if name in self.hidden)


GOAL_CYCLE_THINGS = (objects.encode(objects.WALL, "worst"), objects.encode(objects.BONUS, "yellow"))


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
    """Kinds left out of the agents' pictures: names of `objects.KINDS`."""
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
    """One an agent (names of `objects.COLOURS`); "prestige" goes from red to blue. Empty: all prestige."""

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
        unknown = [
            code for code in self.things if objects.kind_of(code) in (objects.EMPTY, objects.UNSEEN, objects.AGENT)
        ]
        yield unknown, f"things: {unknown} are not codes of things, make them with cells.encode"
        styles, inputs = get_args(Style), get_args(Input)
        yield self.observation not in styles, f"observation={self.observation!r}: choose from {', '.join(styles)}"
        unknown = [name for name in self.inputs if name not in inputs]
        yield unknown, f"inputs: {unknown} unknown, choose from {', '.join(inputs)}"
        unknown = [name for name in self.colours if name not in objects.COLOURS]
        yield unknown, f"colours: {unknown} unknown, choose from {', '.join(objects.COLOURS)}"

    def _problems_of_agents(self):
        # Made into views, the flat fields check themselves.
        each = {"colours": self.agent_colours, "views": self.agent_views, "spawn_delay": self.agent_delays}
        for name, given in each.items():
            yield (
                len(given) != self.agents,
                f"{name}={getattr(self, name)}: give one for each of the {self.agents} agents, or none",
            )
        yield min(self.agent_delays) < 0, f"spawn_delay={self.spawn_delay}: choose 0 steps or more"
        yield from getattr(self.layout, "problems", problems_of_room)(self)

    @property
    def agent_colours(self) -> tuple[str, ...]:
        """Each agent's colour, by name."""
        return self.colours or ("prestige",) * self.agents

    @property
    def agent_delays(self) -> tuple[int, ...]:
        """The step at which each agent enters the world."""
        return self.spawn_delay or (0,) * self.agents

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
        return any(objects.kind_of(code) in kinds for code in self.things)

    @property
    def grid_changes(self) -> bool:
        """Whether there is anything to pick up or to open."""
        return self.may_hold(objects.KEY, objects.BALL, objects.BOX, objects.DOOR)

    @property
    def has_ends(self) -> bool:
        """Whether an agent can come to an end before the clock runs out."""
        return self.may_hold(objects.GOAL, objects.LAVA)

    @property
    def enters_later(self) -> bool:
        """Whether agents may have to be put into the world after its start."""
        return any(self.spawn_delay) or (self.respawn and self.has_ends)
