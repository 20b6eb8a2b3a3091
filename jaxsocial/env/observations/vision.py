"""What an agent can see: a window of cells rotated to its heading, the agents in it, and what walls hide.

In the window's frame the agent looks up: it stands in column ``V // 2``, ``view_offset`` rows above
the bottom. Row 0 is farthest ahead.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxsocial.env import batching, grid, objects
from jaxsocial.env.scenario import View
from jaxsocial.env.types import State, visible_position

OUTSIDE = objects.EMPTY
"""The code of cells beyond the grid: they are transparent."""


@functools.lru_cache
def window_offsets(view_size: int, view_offset: int) -> np.ndarray:
    """Returns (row, column) from an agent to each cell of its window, shape (4 headings, V, V, 2).

    >>> window_offsets(3, 0)[objects.RIGHT, 0].tolist()
    [[-1, 2], [0, 2], [1, 2]]
    """
    row, column = np.mgrid[:view_size, :view_size]
    ahead = (view_size - 1 - view_offset) - row
    tables = []
    for heading in range(4):
        # A window of even size has no middle column; the reference then uses the other one for two headings.
        shift = view_size % 2 == 0 and heading in (objects.DOWN, objects.LEFT)
        aside = column - (view_size // 2 - shift)
        right_hand = objects.STEP[(heading + 1) % 4]
        tables.append(ahead[..., None] * objects.STEP[heading] + aside[..., None] * right_hand)
    return np.stack(tables).astype(np.int32)


def window(
    grid: Int[Array, "H W"], position: Int[Array, "A 2"], heading: Int[Array, " A"], view: View
) -> Int[Array, "A V V"]:
    """Returns the codes of the cells in each agent's window; `OUTSIDE` beyond the grid.

    Args:
      grid: the world's codes, with or without marks.
      position: each agent's (row, column).
      heading: each agent's heading, 0 to 3.
      view: the view that they share.
    """
    return _codes_at(grid, window_index(position, heading, view, grid.shape))


def _codes_at(grid: Int[Array, "H W"], index: Int[Array, "*S"]) -> Int[Array, "*S"]:
    """Returns the codes of cells by `window_index`."""
    # -1 would wrap around, so it reads cell 0 instead.
    return jnp.where(index < 0, OUTSIDE, grid.ravel()[jnp.maximum(index, 0)])


def window_index(
    position: Int[Array, "A 2"], heading: Int[Array, " A"], view: View, shape: tuple[int, ...]
) -> Int[Array, "A V V"]:
    """Returns the index of each cell of each agent's window in the flattened grid; -1 beyond the grid.

    Args:
      position: each agent's (row, column).
      heading: each agent's heading, 0 to 3.
      view: the view that they share.
      shape: of the grid, (height, width).
    """
    height, width = shape
    cell = position[:, None, None, :] + jnp.asarray(window_offsets(view.size, view.offset))[heading]
    row, column = cell[..., 0], cell[..., 1]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return jnp.where(inside, row * width + column, -1)


def own_cell(heading: Int[Array, " F"], view: View) -> Bool[Array, "V V F"]:
    """Returns the cell of each window in which the observer itself stands."""
    own = (window_offsets(view.size, view.offset) == 0).all(-1)
    if view.size % 2:  # the same for all headings
        return jnp.broadcast_to(own[0][..., None], (*own[0].shape, *heading.shape))
    return jnp.moveaxis(jnp.asarray(own)[heading], 0, -1)


def is_drawn(state: State) -> Bool[Array, " A"]:
    """Returns whether each agent is the one that is drawn in its cell: the one that entered it first."""
    return _rank(state) == 0


def _rank(state: State) -> Int[Array, " A"]:
    """Returns how many agents entered its cell before each; -1 for an agent that is not in the world."""
    position = visible_position(state)
    together = grid.same_cell(position[:, None], position[None, :])
    earlier = state.arrival[:, None] < state.arrival[None, :]
    return jnp.where(position[:, 0] < 0, -1, (together & earlier).sum(0, dtype=jnp.int32))


MARK = 16
"""The lowest bit of an agent's mark in a grid with marks; codes use the bits below."""


def with_marks(state: State, marks: Int[Array, " A"], rank: int = 0) -> Int[Array, "H W"]:
    """Returns the grid with the marks of agents in the bits above each cell's code.

    One gather from such a grid reads things and agents at once.

    Args:
      state: the world.
      marks: a number above 0 for each agent.
      rank: which agent of a cell is marked, 0 for the first that entered it.
    """
    cell = np.arange(state.grid.size, dtype=np.int32).reshape(state.grid.shape)
    return state.grid | _marks_at(cell, state, marks, rank) << MARK


def _marks_at(
    cell: Int[Array | np.ndarray, "*S"], state: State, marks: Int[Array, " A"], rank: int = 0
) -> Int[Array, "*S"]:
    """Returns the mark of the agent in each cell of the flattened grid, 0 where there is none; see `with_marks`."""
    own = jnp.where(_rank(state) == rank, state.position[:, 0] * state.grid.shape[1] + state.position[:, 1], -2)
    found = jnp.zeros(cell.shape, jnp.int32)
    # Selections over all cells are vectorised; on CPU XLA runs a scatter as a serial loop.
    for agent in range(len(marks)):
        found = jnp.where(own[agent] == cell, marks[agent], found)
    return found


def split_marks(codes: Int[Array, "*S"]) -> tuple[Int[Array, "*S"], Int[Array, "*S"]]:
    """Returns the codes of things and the marks of agents, 0 where there is none; inverts `with_marks`.

    >>> codes, marks = split_marks(jnp.array([objects.WALL, objects.WALL | 3 << MARK]))
    >>> marks.tolist()
    [0, 3]
    """
    return codes & (1 << MARK) - 1, codes >> MARK


class Seen(NamedTuple):
    """The windows of F observers that share a view, as the last axis."""

    codes: Int[Array, "V V F"]
    """Of things, whether visible or not."""
    marks: Int[Array, "V V F"]
    """Of agents; 0 where there is none."""
    visible: Bool[Array, "V V F"]
    """False everywhere for an agent that is not active."""


def windows_with_marks(
    state: State, chosen: slice | np.ndarray, marks: Int[Array, " A"], view: View
) -> Int[Array, "B V V"]:
    """Returns the windows of some agents, for `look`.

    Args:
      state: the world.
      chosen: `index_of` the observers.
      marks: a number above 0 for each agent of the world.
      view: the view that the observers share.
    """
    index = window_index(state.position[chosen], state.heading[chosen], view, state.grid.shape)

    def by_grid():
        # Read by several cells. Fused into them, it would be recomputed for each (docs/performance.md).
        return _codes_at(batching.computed_once(with_marks(state, marks)), index)

    def by_cell():
        return _codes_at(state.grid, index) | _marks_at(index, state, marks) << MARK

    # Marking every cell of a grid takes GPUs a kernel and two passes through memory. CPUs compare each cell with each
    # agent, in the grid or in all windows.
    few = 2 * index.size <= state.grid.size
    windows = by_cell() if few else jax.lax.platform_dependent(cuda=by_cell, rocm=by_cell, default=by_grid)
    # Read in several places too.
    return batching.computed_once(windows)


def look(windows: Int[Array, "V V F"], active: Bool[Array, " F"], view: View) -> Seen:
    """Returns what observers see in their windows.

    Args:
      windows: of `windows_with_marks`, with observers as the last axis.
      active: whether each observer is active.
      view: the view that they share.
    """
    codes, marks = split_marks(windows)
    return Seen(codes, marks, visible(codes, view) & active)


def visible(codes: Int[Array, "V V F"], view: View) -> Bool[Array, "V V F"]:
    """Returns which cells of windows are visible past walls, by MarlGrid's ``occlude_mask``.

    Sight spreads sideways through clear cells of a row and on into the next row, straight and
    diagonally; first from the agent's row forwards, then backwards. It is not symmetric: column 0 and,
    going forwards, row 0 never pass sight on.

    Args:
      codes: of the things in each window.
      view: the view that all share.
    """
    if view.see_through_walls:
        return jnp.ones(codes.shape, bool)
    size = view.size
    own_row = size - 1 - view.offset
    # A row is one integer with bit c for column c: a few shifts replace a loop over its cells.
    bit = jnp.asarray(2 ** np.arange(size, dtype=np.int32).reshape(size, 1))
    clear = list(jnp.sum(~objects.opaque(codes) * bit, axis=1, dtype=jnp.int32))
    seen = [jnp.zeros_like(clear[0])] * size
    seen[own_row] = seen[own_row] + 2 ** (size // 2)
    for row in range(own_row, 0, -1):
        seen[row], passed_on = _spread(seen[row], clear[row], size)
        seen[row - 1] = seen[row - 1] | passed_on
    for row in range(own_row, size):
        seen[row], passed_on = _spread(seen[row], clear[row], size)
        if row + 1 < size:
            seen[row + 1] = seen[row + 1] | passed_on
    # XLA repeats the whole flood for each array that is kept of it: once a row if rows were stacked, twice for
    # 7 rows packed into two integers. That took window and sight from 892 to about 340 ns (docs/performance.md).
    together = 31 // size
    row, column = np.mgrid[:size, :size]
    bits = []
    for number, first in enumerate(range(0, size, together)):
        shifted = [bits_of_row << size * place for place, bits_of_row in enumerate(seen[first : first + together])]
        packed = batching.computed_once(functools.reduce(jnp.bitwise_or, shifted))
        # The rows of other integers are shifted to bit 31, which is never set.
        shift = np.where(row // together == number, row % together * size + column, 31)
        bits.append((packed >> jnp.asarray(shift[..., None], jnp.int32)) & 1)
    return functools.reduce(jnp.bitwise_or, bits) > 0


def _spread(seen: Int[Array, " A"], clear: Int[Array, " A"], size: int):
    """Spreads sight along one row; also returns what the row passes on to its neighbour.

    As in the reference, first to the right from the agent's column, then to the left from the column after it.
    """
    middle = size // 2
    whole_row = 2**size - 1
    rightwards = clear & (whole_row - (2**middle - 1))
    flood = _flood(seen & rightwards, rightwards, size, left=False)
    passed_on = (flood | flood << 1) & whole_row
    seen = seen | passed_on
    leftwards = clear & (2 ** min(middle + 2, size) - 2)
    flood = _flood(seen & leftwards, leftwards, size, left=True)
    spread = flood | flood >> 1
    return seen | spread, passed_on | spread


def _flood(seeds: Int[Array, " A"], through: Int[Array, " A"], size: int, left: bool):
    """Returns every bit that a seed reaches through set bits of ``through`` in one direction.

    Strides double, as in a parallel prefix: log2(V) steps instead of V. ``through`` then says whether all bits
    of a stride are set.
    """
    stride = 1
    while stride < size:
        seeds = seeds | through & (seeds >> stride if left else seeds << stride)
        through = through & (through >> stride if left else through << stride)
        stride *= 2
    return seeds
