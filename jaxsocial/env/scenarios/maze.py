"""Maze: small rooms and winding corridors, agents far from the goal.

The generator is that of the paper's authors, labmaze's RandomMaze without its simplification. Rooms of 3 x 3 or 3 x 5
cells are placed apart from each other. A depth-first walk winds corridors through the space between them. Wherever two
of these regions touch, one of the walls between them is opened, and each of the others by chance. So every free cell
can be reached. Unlike labmaze it has a fixed number of operations: a room that does not fit is left out, where labmaze
tries up to 1,000 times.

The *lattice* is the cells with odd rows and columns, of which none is a wall: a room of 3 x 5 cells is 2 x 3 of it.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario
from jaxsocial.env.values import Index, Probability, fit_fields

GOAL = objects.encode(objects.GOAL, "yellow")
SPAWN_CANDIDATES = 5
"""Agents start at the one of so many cells that is farthest from the goals."""
ROOM_SIDES = np.array([(2, 2), (2, 2), (2, 3), (3, 2)], np.int32)
"""Lattice cells on the sides of a room, each row equally likely."""
NOWHERE = -9
"""The position of a room that did not fit."""
ROOT, OUTSIDE = 4, 7
"""In place of a heading back: the walk began here; the walk cannot come here."""


@dataclasses.dataclass(frozen=True)
class Maze:
    """A layout: goals and five candidates, uniform over free cells; the start is the candidate farthest from any goal.

    Agents start in different cells of the 3 x 3 around it. If fewer of these are free, agents share them, as in the
    reference; where agents cannot share cells (`Scenario.ghost`), the others start anywhere.

    Raises:
      ValueError: a number out of range, with the remedy.
    """

    extra_connections: Probability = 0.05
    """Probability that a further wall between two connected regions is opened, 0 to 1."""
    rooms: Index = 4
    """Rooms, 0 or more, or as many of them as fit."""

    def __post_init__(self):
        fit_fields(self)
        if self.extra_connections and not self.rooms:
            raise ValueError(
                f"extra_connections={self.extra_connections}: corridors without rooms are one region, with nothing "
                "to connect: choose 0, or rooms=1 or more"
            )

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        room_key, walk_key, door_key, place_key, agent_key = jax.random.split(key, 5)
        shape, lattice = (scenario.height, scenario.width), (scenario.height // 2, scenario.width // 2)
        rooms = _place_rooms(room_key, lattice, self.rooms)
        inside = jax.vmap(lambda room: grid.in_box(lattice, room))(rooms)
        numbers = np.arange(1, self.rooms + 1, dtype=np.int32)
        room = (inside * numbers[:, None, None]).sum(0, dtype=jnp.int32)
        region, back = _walk(walk_key, room)
        openings = _openings(door_key, rooms, region, self.extra_connections)
        free = _carve(room, back).at[openings[:, 0], openings[:, 1]].set(True, mode="drop")
        drawn = grid.distinct_cells(place_key, free, scenario.goals + SPAWN_CANDIDATES)
        goals, candidates = drawn[: scenario.goals], drawn[scenario.goals :]
        start = candidates[jnp.argmax(jnp.abs(candidates[:, None] - goals).sum(-1).min(1))]
        box = jnp.concatenate([jnp.maximum(start - 1, 1), jnp.minimum(start + 1, np.array(shape, np.int32) - 2)])
        bare = free.at[goals[:, 0], goals[:, 1]].set(False)
        near = grid.in_box(shape, box)
        position = grid.distinct_cells(agent_key, bare, scenario.agents, preferred=near)
        if scenario.ghost:  # the cells of the box come first: agents share them in turn
            position = position[np.arange(scenario.agents, dtype=np.int32) % (near & bare).sum(dtype=jnp.int32)]
        return Layout(
            grid=grid.with_numbered(jnp.where(free, objects.EMPTY, grid.WALL), goals, GOAL),
            goals=goals,
            position=position,
            spawn=jnp.tile(box, (scenario.agents, 1)),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether the sizes fail a check, what to choose instead)."""
        for name, size in (("height", scenario.height), ("width", scenario.width)):
            yield (
                size % 2 == 0,
                f"{name}={size}: a maze has walls between its corridors, choose an odd number such as {size + 1}",
            )
        # The fewest free cells are those of a tree that spans the lattice.
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


def _place_rooms(key: Key[Array, ""], shape: tuple[int, int], count: int) -> Int[Array, "{count} 4"]:
    """Returns boxes on a lattice of that shape, apart from each other; `NOWHERE` for a room that does not fit."""
    noise = grid.uniforms(key, count, 1 + shape[0] * shape[1])
    sides = jnp.asarray(ROOM_SIDES)[grid.integers_from_uniforms(noise[:, 0], 0, len(ROOM_SIDES) - 1)]
    row, column = (jnp.arange(size, dtype=jnp.int32) for size in shape)
    row = row[:, None]

    def one_room(rooms, given):
        number, (height, width), priority = given
        others = rooms[:, :, None, None]
        apart = (row + height <= others[:, 0]) | (row > others[:, 2])
        apart |= (column + width <= others[:, 1]) | (column > others[:, 3])
        possible = apart.all(0) & (row + height <= shape[0]) & (column + width <= shape[1])
        index = jnp.argmax(jnp.where(possible, priority, -1.0)).astype(jnp.int32)
        first = jnp.stack([index // shape[1], index % shape[1]])
        room = jnp.concatenate([first, first + jnp.stack([height, width]) - 1])
        room = jnp.where(possible.any(), room, NOWHERE)
        return jnp.where((np.arange(count) == number)[:, None], room, rooms), None

    rooms = jnp.full((count, 4), NOWHERE, jnp.int32)
    each = (jnp.arange(count, dtype=jnp.int32), sides, noise[:, 1:].reshape(count, *shape))
    return jax.lax.scan(one_room, rooms, each)[0]


def _walk(key: Key[Array, ""], room: Int[Array, "R C"]) -> tuple[Int[Array, "R C"], Int[Array, "R C"]]:
    """Winds corridors, depth first, through all lattice cells that are in no room (0).

    Returns:
      The region of each lattice cell: rooms first, then corridors, from 1.
      The heading back to the cell from which the walk entered it: `ROOT` in rooms and where a corridor begins.
    """
    height, width = room.shape
    # Cells are flat, so that a step is one addition, and have a border that the walk cannot enter.
    # A mark is region << 3 | heading back, or 0 before the walk enters the cell.
    marks = jnp.pad(jnp.where(room > 0, room << 3 | ROOT, 0), 1, constant_values=OUTSIDE).ravel()
    steps = jnp.asarray(objects.STEP @ np.array([width + 2, 1], np.int32))
    noise = grid.uniforms(key, marks.size, 4)

    def one_step(_, walk):
        marks, cell, region, candidate = walk
        priority = jnp.where(marks[cell + steps] == 0, noise[cell], -1.0)
        heading, back = jnp.argmax(priority).astype(jnp.int32), marks[cell] & 7
        goes_on = priority.max() >= 0
        # At the root with no way on the corridor is complete. The next one begins in the first cell without a
        # mark; one candidate is tried in each iteration.
        complete = ~goes_on & (back >= ROOT)
        begins = complete & (marks[candidate] == 0)
        stays = jnp.where(begins, candidate, cell)
        cell = jnp.where(goes_on, cell + steps[heading], jnp.where(complete, stays, cell + steps[back & 3]))
        region = region + begins
        mark = region << 3 | jnp.where(goes_on, (heading + 2) % 4, ROOT)
        marks = marks.at[cell].set(jnp.where(marks[cell] == 0, mark, marks[cell]))
        return marks, cell, region, candidate + (complete & ~begins)

    # Each cell is entered once, left once, and tried once as a candidate.
    walk = (marks, jnp.int32(0), room.max(), jnp.int32(0))
    marks = jax.lax.fori_loop(0, 2 * height * width + marks.size, one_step, walk)[0]
    marks = marks.reshape(height + 2, width + 2)[1:-1, 1:-1]
    return marks >> 3, marks & 7


def _carve(room: Int[Array, "R C"], back: Int[Array, "R C"]) -> Bool[Array, "2*R+1 2*C+1"]:
    """Returns the free cells of the world: the lattice, and between its cells where the walk went or one room is."""
    room, back = (jnp.pad(x, ((0, 1), (0, 1)), constant_values=fill) for x, fill in ((room, 0), (back, OUTSIDE)))
    own, right, below, diagonal = np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]
    inside = room[own] > 0
    along_row = inside & (room[own] == room[right])
    along_column = inside & (room[own] == room[below])
    pillar = along_row & along_column & (room[own] == room[diagonal])
    along_row |= (back[own] == objects.RIGHT) | (back[right] == objects.LEFT)
    along_column |= (back[own] == objects.DOWN) | (back[below] == objects.UP)
    # Each lattice cell becomes 2 x 2 cells of the world: itself, its right, its lower and its diagonal neighbour.
    upper = jnp.stack([jnp.ones_like(inside), along_row], axis=-1)
    lower = jnp.stack([along_column, pillar], axis=-1)
    free = jnp.stack([upper, lower], axis=1)
    return jnp.pad(free.reshape(2 * free.shape[0], 2 * free.shape[2]), ((1, 0), (1, 0)))


def _openings(
    key: Key[Array, ""], rooms: Int[Array, "rooms 4"], region: Int[Array, "R C"], extra_connections: float
) -> Int[Array, "openings 2"]:
    """Returns the walls around rooms that are opened, (row, column); out of bounds for those that stay."""
    # Three walls on each side of a room, which is the most there are; 0 is the region beyond one that is not there.
    heading, along = np.divmod(np.arange(12, dtype=np.int32), 3)
    across = objects.STEP[heading]
    first, last = rooms[:, None, :2], rooms[:, None, 2:]
    inside = jnp.where(across > 0, last, first) + np.where(across == 0, along[:, None], 0)
    row, column = jnp.moveaxis(inside + across, -1, 0)
    beyond = region.at[row, column].get(mode="fill", fill_value=0, wrap_negative_indices=False)
    beyond = jnp.where((inside <= last).all(-1), beyond, 0)
    priority, chance = grid.uniforms(key, 2, *beyond.shape)
    same = beyond[:, :, None] == beyond[:, None, :]
    beaten = (same & (priority[:, :, None] < priority[:, None, :])).any(-1)
    # A wall between two rooms is around both of them: it counts for the first.
    counts = beyond > np.arange(1, len(rooms) + 1)[:, None]
    opened = counts & (~beaten | (chance < extra_connections))
    return jnp.where(opened[..., None], 2 * inside + 1 + across, 2 * max(region.shape) + 1).reshape(-1, 2)


def maze(extra_connections: Probability = 0.05, rooms: Index = 4, **sizes) -> Scenario:
    """Returns the scenario: small rooms, winding corridors, and a yellow goal that ends an agent's episode.

    Any field of `Scenario` can be set, but there is no clutter, and sizes are odd.

    Args:
      extra_connections: probability that a further wall between two connected regions is opened, 0 to 1.
      rooms: rooms, 0 or more, or as many of them as fit.
      sizes: fields of `Scenario`.

    >>> maze(rooms=2, height=9, width=11).layout
    Maze(extra_connections=0.05, rooms=2)
    """
    sizes = {"height": 19, "width": 19, "goals": 1, "clutter": 0, "max_steps": 100, "reward_decay": True} | sizes
    sizes.setdefault("things", (grid.WALL, GOAL))
    return Scenario(layout=Maze(extra_connections, rooms), name="maze", **sizes)
