"""Multi-room: a chain of rooms, each joined to the next by a door, agents in the first, a goal in the last.

The rooms are fields of a board whose lines are drawn at random distances, and the chain is one of all paths over
the board that never come back to a field. So every draw can be laid out, and every room reached.
"""

import dataclasses
import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario

GOAL = objects.encode(objects.GOAL, "green")
DOORS = tuple(
    objects.encode(objects.DOOR, colour, objects.CLOSED)
    for colour in ("red", "orange", "green", "blue", "cyan", "purple", "yellow")
)
LARGEST_BOARD = 4
"""Fields on a side: more room than this is left as it is, since there are too many paths to list."""


@dataclasses.dataclass(frozen=True)
class MultiRoom:
    """Goals and agents start in different cells of their rooms, uniformly. Outside the rooms all is wall.

    Raises:
      ValueError: numbers of rooms or sides that do not go together, with the cure.
    """

    min_rooms: int = 2
    max_rooms: int = 6
    """As many rooms as there are, every number as likely."""
    min_side: int = 5
    max_side: int = 8
    """Cells on a room's side, its walls included."""
    doors: bool = True
    """Whether there are closed doors in the openings, each of another colour than the one before."""

    def __post_init__(self):
        if not 2 <= self.min_rooms <= self.max_rooms:
            raise ValueError(
                f"min_rooms={self.min_rooms}, max_rooms={self.max_rooms}: choose 2 or more, the smaller number first"
            )
        if not 3 <= self.min_side <= self.max_side:
            raise ValueError(
                f"min_side={self.min_side}, max_side={self.max_side}: choose 3 or more, the smaller number first"
            )

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        room_key, door_key, goal_key, agent_key = jax.random.split(key, 4)
        shape = (scenario.height, scenario.width)
        rooms, count = self._rooms(room_key, scenario)
        there = jnp.arange(self.max_rooms) < count
        inside = jax.vmap(lambda room: grid.in_box(shape, room))(rooms) & there[:, None, None]
        walls = jnp.where(inside.any(0), objects.EMPTY, grid.WALL)
        walls = self._with_openings(door_key, walls, rooms, there)
        goals = grid.distinct_cells(goal_key, grid.in_box(shape, rooms[count - 1]), scenario.goals)
        return Layout(
            grid=grid.with_numbered(walls, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(agent_key, inside[0], scenario.agents),
            spawn=jnp.tile(rooms[0], (scenario.agents, 1)),
        )

    def _rooms(self, key, scenario: Scenario) -> tuple[Int[Array, "rooms 4"], Int[Array, ""]]:
        """The floor of each room, a box, in the order of the chain; and how many of them there are."""
        chain_key, row_key, column_key = jax.random.split(key, 3)
        rows, columns = self.board(scenario.height, scenario.width)
        paths = _paths(rows, columns, self.max_rooms)
        path_lot, count_lot = grid.uniforms(chain_key, 2)
        path = jnp.asarray(paths)[grid.integers_from_uniforms(path_lot, 0, len(paths) - 1)]
        top = self._lines(row_key, rows, scenario.height)
        left = self._lines(column_key, columns, scenario.width)
        row, column = path[:, 0], path[:, 1]
        floors = (top[row] + 1, left[column] + 1, top[row + 1] - 1, left[column + 1] - 1)
        return jnp.stack(floors, axis=-1), grid.integers_from_uniforms(count_lot, self.min_rooms, self.max_rooms)

    def _lines(self, key, fields: int, size: int) -> Int[Array, "{fields}+1"]:
        """Where the walls between the fields are, along one side of the world."""
        lots = grid.uniforms(key, fields + 1)
        gaps = grid.integers_from_uniforms(lots[1:], self.min_side - 1, self.max_side - 1)
        lines = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(gaps)])
        return lines + grid.integers_from_uniforms(lots[0], 0, size - 1 - lines[-1])

    def _with_openings(self, key, walls, rooms, there) -> Int[Array, "H W"]:
        """A door, or bare floor, somewhere in the wall between each two rooms of the chain."""
        lots = grid.uniforms(key, len(rooms) - 1, 3)
        here, beyond = rooms[:-1], rooms[1:]
        # Rooms share the rows or the columns of their floors; in the other direction one wall is between them.
        first, last = jnp.maximum(here[:, :2], beyond[:, :2]), jnp.minimum(here[:, 2:], beyond[:, 2:])
        place = jnp.where(first > last, last + 1, grid.integers_from_uniforms(lots[:, :2], first, last))
        codes = jnp.asarray(DOORS)[_different(lots[:, 2])] if self.doors else objects.EMPTY
        # Where the chain has ended there is no such place.
        rows = jnp.where(there[1:], place[:, 0], walls.shape[0])
        return walls.at[rows, place[:, 1]].set(codes, mode="drop")

    def board(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of fields that a world of that size has room for, were they all of the largest side."""
        rows, columns = ((size - 1) // (self.max_side - 1) for size in (height, width))
        return min(rows, LARGEST_BOARD), min(columns, LARGEST_BOARD)

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """What keeps a scenario from being laid out, and what would do."""
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
            f"actions={scenario.actions}: doors have to be opened, choose 7, or doors=False",
        )


@functools.lru_cache
def _paths(rows: int, columns: int, length: int) -> Int[np.ndarray, "paths {length} 2"]:
    """All paths of ``length`` neighbouring fields that never come back to one."""
    fields = [(row, column) for row in range(rows) for column in range(columns)]
    paths = [(field,) for field in fields]
    for _ in range(length - 1):
        paths = [(*path, field) for path in paths for field in fields if field not in path and _meet(path[-1], field)]
    return np.array(paths, np.int32)


def _meet(field: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(field[0] - other[0]) + abs(field[1] - other[1]) == 1


def _different(lots: Float[Array, " doors"]) -> Int[Array, " doors"]:
    """Numbers of door colours, each another than the one before."""
    at_least = np.minimum(np.arange(len(lots)), 1).astype(np.int32)  # the first may be any
    return jnp.cumsum(grid.integers_from_uniforms(lots, at_least, len(DOORS) - 1)) % len(DOORS)


def multi_room(
    min_rooms: int = 2, max_rooms: int = 6, min_side: int = 5, max_side: int = 8, doors: bool = True, **sizes
) -> Scenario:
    """A chain of rooms joined by doors, agents in the first, a green goal in the last; it ends an agent's episode.

    Any field of `Scenario` can be set, but there is no clutter. Without ``max_steps`` there are 20 a room.
    """
    layout = MultiRoom(min_rooms, max_rooms, min_side, max_side, doors)
    sizes = {
        "height": 25,
        "width": 25,
        "goals": 1,
        "clutter": 0,
        "max_steps": 20 * max_rooms,
        "reward_decay": True,
        "things": (grid.WALL, GOAL, *(DOORS if doors else ())),
    } | sizes
    return Scenario(layout=layout, name="multi_room", **sizes)
