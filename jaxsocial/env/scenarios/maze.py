"""Maze: small rooms and winding corridors, agents far from the goal.

As the paper's authors have it, from the generator they use (labmaze.RandomMaze, not simplified): rooms of 3 x 3 or
3 x 5 cells lie anywhere apart from each other, a depth-first walk winds corridors through the space between them,
and wherever two of these regions touch, one of the walls between them is opened, and each of the others by chance.
So every free cell can be reached.

The *lattice* is the cells with odd rows and columns, of which none is a wall: a room of 3 x 5 cells is 2 x 3 of it.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario

GOAL = objects.encode(objects.GOAL, "yellow")
SPAWN_CANDIDATES = 5
"""Cells of which the farthest from the goal is where agents start."""
ROOM_SIDES = np.array([(2, 2), (2, 2), (2, 3), (3, 2)], np.int32)
"""Lattice cells on the sides of rooms, every row as likely."""
NOWHERE = -9
"""Where a room is for which there was no space."""
ROOT, OUTSIDE = 4, 7
"""Ways of lattice cells from which no walk came, beside the four headings back to where it came from."""


@dataclasses.dataclass(frozen=True)
class Maze:
    """Goals and five candidates are uniform over the free cells; the candidate farthest from any goal is the start.

    Agents start in different cells of the 3 x 3 around it. Where fewer of these are free they share them, as in the
    reference; where agents cannot share cells (`Scenario.ghost`), the others start anywhere.

    Raises:
      ValueError: a number out of range, with the cure.
    """

    extra_connections: float = 0.05
    """Chance that a wall between two regions is opened although there is an opening between them."""
    rooms: int = 4
    """Rooms, or as many of them as there is space for."""

    def __post_init__(self):
        if not 0 <= self.extra_connections <= 1:
            raise ValueError(f"extra_connections={self.extra_connections}: choose 0 to 1")
        if self.rooms < 0:
            raise ValueError(f"rooms={self.rooms}: choose 0 or more")
        if self.extra_connections and not self.rooms:
            raise ValueError(
                f"extra_connections={self.extra_connections}: corridors without rooms are one region, with nothing "
                "to connect: choose 0, or rooms=1 or more"
            )

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        room_key, walk_key, door_key, place_key, agent_key = jax.random.split(key, 5)
        rooms = _rooms(room_key, (scenario.height // 2, scenario.width // 2), self.rooms)
        free = self._free(walk_key, door_key, rooms, scenario)
        drawn = grid.distinct_cells(place_key, free, scenario.goals + SPAWN_CANDIDATES)
        goals, candidates = drawn[: scenario.goals], drawn[scenario.goals :]
        start = candidates[jnp.argmax(jnp.abs(candidates[:, None] - goals).sum(-1).min(1))]
        last = jnp.array([scenario.height, scenario.width]) - 2
        box = jnp.concatenate([jnp.maximum(start - 1, 1), jnp.minimum(start + 1, last)])
        bare = free.at[goals[:, 0], goals[:, 1]].set(False)
        return Layout(
            grid=grid.with_numbered(jnp.where(free, objects.EMPTY, grid.WALL), goals, GOAL),
            goals=goals,
            position=_starts(agent_key, bare, box, scenario),
            spawn=jnp.tile(box, (scenario.agents, 1)),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """What keeps a scenario from being laid out, and what would do."""
        for name, size in (("height", scenario.height), ("width", scenario.width)):
            yield (
                size % 2 == 0,
                f"{name}={size}: a maze has walls between its corridors, choose an odd number such as {size + 1}",
            )
        # No fewer cells than a tree takes that spans the lattice.
        free = 2 * (scenario.height // 2) * (scenario.width // 2) - 1
        goals, agents = scenario.goals, scenario.agents
        yield (
            scenario.clutter > 0 or goals < 1,
            f"goals={goals}, clutter={scenario.clutter}: a maze has 1 goal or more and no clutter, choose these",
        )
        yield (
            goals + max(agents, SPAWN_CANDIDATES) > free,
            f"goals={goals}, agents={agents}: a maze of {scenario.height} x {scenario.width} may have only {free} "
            f"free cells, for goals, agents and {SPAWN_CANDIDATES} starts to choose from: 5 x 5 is enough for 1 goal",
        )

    def _free(self, walk_key, door_key, rooms, scenario: Scenario) -> Bool[Array, "H W"]:
        """The cells of the world that are no walls."""
        shape = (scenario.height // 2, scenario.width // 2)
        inside = jax.vmap(lambda room: grid.in_box(shape, room))(rooms)
        number = (inside * jnp.arange(1, self.rooms + 1)[:, None, None]).sum(0)
        walk = _walk(walk_key, number)
        openings = self._openings(door_key, rooms, walk.region)
        return _carved(number, walk.way).at[openings[:, 0], openings[:, 1]].set(True, mode="drop")

    def _openings(self, key, rooms: Int[Array, "rooms 4"], region: Int[Array, "R C"]) -> Int[Array, "openings 2"]:
        """Walls around rooms that are opened; places outside the world stand for those that are not."""
        walls = _walls_around(rooms, region)
        lot, chance = grid.uniforms(key, 2, *walls.beyond.shape)
        same = walls.beyond[:, :, None] == walls.beyond[:, None, :]
        beaten = (same & (lot[:, :, None] < lot[:, None, :])).any(-1)
        # A wall between two rooms is around both of them; it is the first one's.
        theirs = walls.beyond > jnp.arange(1, self.rooms + 1)[:, None]
        opened = theirs & (~beaten | (chance < self.extra_connections))
        return jnp.where(opened[..., None], walls.place, 2 * max(region.shape) + 1).reshape(-1, 2)


def _starts(key, bare: Bool[Array, "H W"], box, scenario: Scenario) -> Int[Array, "A 2"]:
    """Bare cells for the agents, those in the box first; in turn, if agents may share them."""
    near = grid.in_box((scenario.height, scenario.width), box)
    starts = grid.distinct_cells(key, bare, scenario.agents, preferred=near)
    if scenario.ghost:
        return starts[jnp.arange(scenario.agents) % (near & bare).sum()]
    return starts


def _rooms(key: Key[Array, ""], shape: tuple[int, int], count: int) -> Int[Array, "{count} 4"]:
    """Boxes on a lattice of that shape, apart from each other; `NOWHERE` those for which there was no space."""
    lots = grid.uniforms(key, count, 1 + shape[0] * shape[1])
    sides = jnp.asarray(ROOM_SIDES)[grid.integers_from_uniforms(lots[:, 0], 0, len(ROOM_SIDES) - 1)]
    row, column = jnp.arange(shape[0])[:, None], jnp.arange(shape[1])

    def one_room(rooms, given):
        number, (height, width), lot = given
        others = rooms[:, :, None, None]
        apart = (row + height <= others[:, 0]) | (row > others[:, 2])
        apart |= (column + width <= others[:, 1]) | (column > others[:, 3])
        possible = apart.all(0) & (row + height <= shape[0]) & (column + width <= shape[1])
        place = jnp.argmax(jnp.where(possible, lot, -1.0))
        first = jnp.stack([place // shape[1], place % shape[1]])
        room = jnp.concatenate([first, first + jnp.stack([height, width]) - 1])
        room = jnp.where(possible.any(), room, NOWHERE)
        return jnp.where((jnp.arange(count) == number)[:, None], room, rooms), None

    rooms = jnp.full((count, 4), NOWHERE)
    return jax.lax.scan(one_room, rooms, (jnp.arange(count), sides, lots[:, 1:].reshape(count, *shape)))[0]


class Walk(NamedTuple):
    """What the walk left in each lattice cell."""

    region: Int[Array, "R C"]
    """Which room or corridor the cell belongs to, rooms first, from 1."""
    way: Int[Array, "R C"]
    """The heading back to the cell that the walk came from; `ROOT` in rooms and where a corridor begins."""


def _walk(key: Key[Array, ""], room: Int[Array, "R C"]) -> Walk:
    """Winds corridors, depth first, through all lattice cells that are in no room (0)."""
    height, width = room.shape
    # In one row, with a border that no walk can enter; a mark is region << 3 | way, or 0 before the walk comes.
    marks = jnp.pad(jnp.where(room > 0, room << 3 | ROOT, 0), 1, constant_values=OUTSIDE).ravel()
    steps = jnp.asarray(objects.STEP @ np.array([width + 2, 1], np.int32))
    lots = grid.uniforms(key, marks.size, 4)

    def one_step(_, walk):
        marks, at, region, sought = walk
        lot = jnp.where(marks[at + steps] == 0, lots[at], -1.0)
        heading, way = jnp.argmax(lot), marks[at] & 7
        goes_on = lot.max() >= 0
        # Back where a corridor began: another begins in the next cell in which none is yet, which is sought for.
        waits = ~goes_on & (way >= ROOT)
        begins = waits & (marks[sought] == 0)
        stays = jnp.where(begins, sought, at)
        at = jnp.where(goes_on, at + steps[heading], jnp.where(waits, stays, at + steps[way & 3]))
        region = region + begins
        mark = region << 3 | jnp.where(goes_on, (heading + 2) % 4, ROOT)
        marks = marks.at[at].set(jnp.where(marks[at] == 0, mark, marks[at]))
        return marks, at, region, sought + (waits & ~begins)

    # Each cell is entered once and left once, and sought once.
    walk = (marks, jnp.int32(0), room.max(), jnp.int32(0))
    marks = jax.lax.fori_loop(0, 2 * height * width + marks.size, one_step, walk)[0]
    marks = marks.reshape(height + 2, width + 2)[1:-1, 1:-1]
    return Walk(marks >> 3, marks & 7)


def _carved(room: Int[Array, "R C"], way: Int[Array, "R C"]) -> Bool[Array, "2*R+1 2*C+1"]:
    """The free cells of the world: the lattice, and between its cells where a walk went or one room is."""
    room, way = (jnp.pad(x, ((0, 1), (0, 1)), constant_values=fill) for x, fill in ((room, 0), (way, OUTSIDE)))
    here, right, below, across = np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]
    inside = room[here] > 0
    along_row = inside & (room[here] == room[right])
    along_column = inside & (room[here] == room[below])
    pillar = along_row & along_column & (room[here] == room[across])
    along_row |= (way[here] == objects.RIGHT) | (way[right] == objects.LEFT)
    along_column |= (way[here] == objects.DOWN) | (way[below] == objects.UP)
    upper = jnp.stack([jnp.ones_like(inside), along_row], axis=-1)
    lower = jnp.stack([along_column, pillar], axis=-1)
    free = jnp.stack([upper, lower], axis=1)
    return jnp.pad(free.reshape(2 * free.shape[0], 2 * free.shape[2]), ((1, 0), (1, 0)))


class Walls(NamedTuple):
    """The walls around rooms, some places not used."""

    place: Int[Array, "rooms 12 2"]
    """Row and column in the world."""
    beyond: Int[Array, "rooms 12"]
    """The region on the other side; 0 if there is none."""


def _walls_around(rooms: Int[Array, "rooms 4"], region: Int[Array, "R C"]) -> Walls:
    """Three on each side, which is as many as there can be."""
    heading, along = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    across = objects.STEP[heading]
    first, last = rooms[:, None, :2], rooms[:, None, 2:]
    inside = jnp.where(across > 0, last, first) + np.where(across == 0, along[:, None], 0)
    row, column = jnp.moveaxis(inside + across, -1, 0)
    beyond = region.at[row, column].get(mode="fill", fill_value=0, wrap_negative_indices=False)
    return Walls(2 * inside + 1 + across, jnp.where((inside <= last).all(-1), beyond, 0))


def maze(extra_connections: float = 0.05, rooms: int = 4, **sizes) -> Scenario:
    """Small rooms and winding corridors, agents far from a yellow goal; it ends an agent's episode.

    Any field of `Scenario` can be set, but there is no clutter, and sizes are odd.
    """
    sizes = {
        "height": 19,
        "width": 19,
        "goals": 1,
        "clutter": 0,
        "max_steps": 100,
        "reward_decay": True,
        "things": (grid.WALL, GOAL),
    } | sizes
    return Scenario(layout=Maze(extra_connections, rooms), name="maze", **sizes)
