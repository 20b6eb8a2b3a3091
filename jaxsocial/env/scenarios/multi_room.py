"""Multi-room: a chain of rooms joined by doors, agents in the first, a goal in the last (MiniGrid's MultiRoom).

MiniGrid tries rooms at random places until they fit, which has no fixed number of operations. Here rooms are fields of
a board whose lines have random distances, and the chain is a self-avoiding path over the board, drawn uniformly. So
every draw is valid, and every room can be reached.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario
from jaxsocial.env.values import Range, fit_fields

GOAL = objects.encode(objects.GOAL, "green")
DOORS = tuple(
    objects.encode(objects.DOOR, colour, objects.CLOSED)
    for colour in ("red", "orange", "green", "blue", "cyan", "purple", "yellow")
)
LARGEST_BOARD = 4
"""Fields on a side: a larger board would have too many paths to list."""
Rooms = Annotated[int, Range(2, LARGEST_BOARD**2)]
RoomSide = Annotated[int, Range(3, 4096)]


@dataclasses.dataclass(frozen=True)
class MultiRoom:
    """A layout: goals and agents in different cells of their rooms, uniformly; everything outside the rooms is wall.

    Raises:
      ValueError: numbers of rooms or sides that exclude each other, with the remedy.
    """

    min_rooms: Rooms = 2
    """The fewest rooms, 2 to 16."""
    max_rooms: Rooms = 6
    """The most rooms, 2 to 16; every number is equally likely."""
    min_side: RoomSide = 5
    """The fewest cells on a room's side, its walls included, 3 to 4096."""
    max_side: RoomSide = 8
    """The most cells on a room's side, 3 to 4096."""
    doors: bool = True
    """Whether openings have closed doors, each of another colour than the one before."""

    def __post_init__(self):
        fit_fields(self)
        for name in ("rooms", "side"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise ValueError(f"min_{name}={low}, max_{name}={high}: choose the smaller first")

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        room_key, door_key, goal_key, agent_key = jax.random.split(key, 4)
        shape = (scenario.height, scenario.width)
        rooms, count = self._draw_rooms(room_key, scenario)
        exists = np.arange(self.max_rooms) < count
        inside = jax.vmap(lambda room: grid.in_box(shape, room))(rooms) & exists[:, None, None]
        walls = jnp.where(inside.any(0), objects.EMPTY, jnp.int32(grid.WALL))
        walls = self._with_openings(door_key, walls, rooms, exists)
        goals = grid.distinct_cells(goal_key, grid.in_box(shape, rooms[count - 1]), scenario.goals)
        return Layout(
            grid=grid.with_numbered(walls, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(agent_key, inside[0], scenario.agents),
            spawn=jnp.tile(rooms[0], (scenario.agents, 1)),
        )

    def _draw_rooms(self, key, scenario: Scenario) -> tuple[Int[Array, "rooms 4"], Int[Array, ""]]:
        """Returns the box inside each room's walls, in the order of the chain; and the number of rooms."""
        chain_key, row_key, column_key = jax.random.split(key, 3)
        rows, columns = self.board(scenario.height, scenario.width)
        paths = _paths(rows, columns, self.max_rooms)
        path_noise, count_noise = grid.uniforms(chain_key, 2)
        path = jnp.asarray(paths)[grid.integers_from_uniforms(path_noise, 0, len(paths) - 1)]
        top = self._lines(row_key, rows, scenario.height)
        left = self._lines(column_key, columns, scenario.width)
        row, column = path[:, 0], path[:, 1]
        boxes = (top[row] + 1, left[column] + 1, top[row + 1] - 1, left[column + 1] - 1)
        return jnp.stack(boxes, axis=-1), grid.integers_from_uniforms(count_noise, self.min_rooms, self.max_rooms)

    def _lines(self, key, fields: int, size: int) -> Int[Array, "{fields}+1"]:
        """Returns the rows or columns of the walls between fields, along a side of ``size`` cells."""
        noise = grid.uniforms(key, fields + 1)
        gaps = grid.integers_from_uniforms(noise[1:], self.min_side - 1, self.max_side - 1)
        lines = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(gaps, dtype=jnp.int32)])
        return lines + grid.integers_from_uniforms(noise[0], 0, size - 1 - lines[-1])

    def _with_openings(self, key, walls, rooms, exists) -> Int[Array, "H W"]:
        """Puts a door, or bare floor, in a random cell of the wall between each two rooms of the chain."""
        noise = grid.uniforms(key, len(rooms) - 1, 3)
        own, following = rooms[:-1], rooms[1:]
        # Neighbours share rows or columns, where first <= last; in the other direction one wall is between them.
        first, last = jnp.maximum(own[:, :2], following[:, :2]), jnp.minimum(own[:, 2:], following[:, 2:])
        cell = jnp.where(first > last, last + 1, grid.integers_from_uniforms(noise[:, :2], first, last))
        # Steps of 1 to 6 modulo 7 colours never repeat a colour at once; the first may be any, so it begins at 0.
        least = np.minimum(np.arange(len(rooms) - 1), 1).astype(np.int32)
        strides = grid.integers_from_uniforms(noise[:, 2], least, len(DOORS) - 1)
        colours = jnp.cumsum(strides, dtype=jnp.int32) % len(DOORS)
        codes = jnp.asarray(DOORS, jnp.int32)[colours] if self.doors else objects.EMPTY
        # Beyond the end of the chain there is no opening: its row is out of bounds, and is dropped.
        row = jnp.where(exists[1:], cell[:, 0], walls.shape[0])
        return walls.at[row, cell[:, 1]].set(codes, mode="drop")

    def board(self, height: int, width: int) -> tuple[int, int]:
        """Returns the (rows, columns) of fields that fit into a world of that size, all with the largest side.

        >>> MultiRoom(max_side=8).board(25, 16)
        (3, 2)
        """
        rows, columns = ((size - 1) // (self.max_side - 1) for size in (height, width))
        return min(rows, LARGEST_BOARD), min(columns, LARGEST_BOARD)

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether the sizes fail a check, what to choose instead)."""
        rows, columns = self.board(scenario.height, scenario.width)
        floor = (self.min_side - 2) ** 2
        yield (
            self.max_rooms > rows * columns,
            f"max_rooms={self.max_rooms}: {scenario.height} x {scenario.width} cells have room for {rows} x {columns} "
            f"rooms of max_side={self.max_side}: use fewer or smaller ones, or enlarge the world "
            f"({LARGEST_BOARD} x {LARGEST_BOARD} rooms is the most)",
        )
        yield (
            scenario.clutter > 0 or not 1 <= scenario.goals <= floor or scenario.agents > floor,
            f"goals={scenario.goals}, agents={scenario.agents}, clutter={scenario.clutter}: a room of "
            f"min_side={self.min_side} takes {floor} agents or 1 to {floor} goals, and there is no clutter",
        )
        yield (
            self.doors and scenario.actions != 7,
            f"actions={scenario.actions}: doors need the action that opens them, choose 7, or doors=False",
        )


@functools.lru_cache
def _paths(rows: int, columns: int, length: int) -> Int[np.ndarray, "paths {length} 2"]:
    """Returns all self-avoiding paths of ``length`` neighbouring fields."""
    fields = [(row, column) for row in range(rows) for column in range(columns)]
    paths = [(field,) for field in fields]
    for _ in range(length - 1):
        paths = [
            (*path, (row, column))
            for path in paths
            for row, column in fields
            if (row, column) not in path and abs(row - path[-1][0]) + abs(column - path[-1][1]) == 1
        ]
    return np.array(paths, np.int32)


def multi_room(
    min_rooms: Rooms = 2,
    max_rooms: Rooms = 6,
    min_side: RoomSide = 5,
    max_side: RoomSide = 8,
    doors: bool = True,
    **sizes,
) -> Scenario:
    """Returns the scenario: a chain of rooms, and in the last a green goal that ends an agent's episode.

    Any field of `Scenario` can be set, but there is no clutter. Without ``max_steps`` there are 20 steps a room.

    Args:
      min_rooms: the fewest rooms, 2 to 16.
      max_rooms: the most rooms, 2 to 16.
      min_side: the fewest cells on a room's side, its walls included, 3 or more.
      max_side: the most cells on a room's side.
      doors: whether openings have closed doors.
      sizes: fields of `Scenario`.

    >>> multi_room(max_rooms=3).max_steps
    60
    """
    layout = MultiRoom(min_rooms, max_rooms, min_side, max_side, doors)
    sizes = {"height": 25, "width": 25, "goals": 1, "clutter": 0, "reward_decay": True} | sizes
    sizes.setdefault("max_steps", 20 * max_rooms)
    sizes.setdefault("things", (grid.WALL, GOAL, *(DOORS if doors else ())))
    return Scenario(layout=layout, name="multi_room", **sizes)
