"""What an agent can see: a window of cells turned to its heading, who stands there, and what walls hide.

In the window's frame the agent looks up: it stands in column ``V // 2``, ``view_offset`` rows above
the bottom. Row 0 is farthest ahead.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxsocial.env import batching, objects
from jaxsocial.env.scenario import View
from jaxsocial.env.types import State, visible_position

OUTSIDE = objects.EMPTY  # beyond the grid there is nothing, and one can look through it


@functools.lru_cache
def window_offsets(view_size: int, view_offset: int) -> np.ndarray:
    """(4, V, V, 2): from an agent with each heading to each cell of its window, in rows and columns."""
    row, column = np.mgrid[:view_size, :view_size]
    ahead = (view_size - 1 - view_offset) - row
    tables = []
    for heading in range(4):
        # A square of even size has no middle; the reference then leans the other way for two headings.
        leans = view_size % 2 == 0 and heading in (objects.DOWN, objects.LEFT)
        aside = column - (view_size // 2 - leans)
        right_hand = objects.STEP[(heading + 1) % 4]
        tables.append(ahead[..., None] * objects.STEP[heading] + aside[..., None] * right_hand)
    return np.stack(tables).astype(np.int32)


def window(
    grid: Int[Array, "H W"],
    position: Int[Array, "A 2"],
    heading: Int[Array, " A"],
    view: View,
) -> Int[Array, "A V V"]:
    """The codes of the cells in each agent's window; `OUTSIDE` beyond the grid."""
    height, width = grid.shape
    offsets = window_offsets(view.size, view.offset)
    at = position[:, None, None, :] + jnp.asarray(offsets)[heading]
    row, column = at[..., 0], at[..., 1]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    index = jnp.where(inside, row * width + column, 0)
    return jnp.where(inside, grid.ravel()[index], OUTSIDE)


def own_cell(heading: Int[Array, " A"], view: View) -> Bool[Array, "A V V"]:
    """The cell of each agent's window in which it stands itself."""
    here = (window_offsets(view.size, view.offset) == 0).all(-1)
    if view.size % 2:  # the same for all headings
        return jnp.broadcast_to(here[0], (*heading.shape, *here[0].shape))
    return jnp.asarray(here)[heading]


def first_come(state: State) -> Bool[Array, " A"]:
    """Whether an agent came first of those in its cell: it is the one that is drawn."""
    return _rank(state) == 0


def _rank(state: State) -> Int[Array, " A"]:
    """How many agents in its cell came before each; -1 for one that is not in the world."""
    position = visible_position(state)
    together = (position[:, None] == position[None, :]).all(-1)
    earlier = state.arrival[:, None] < state.arrival[None, :]
    return jnp.where(position[:, 0] < 0, -1, (together & earlier).sum(0))


MARK = 16
"""The lowest bit of an agent's mark in a marked grid; codes take the bits below."""


def marked(state: State, marks: Int[Array, " A"], rank: int = 0) -> Int[Array, "H W"]:
    """The grid with the mark of the agent of this rank in each cell above the code of the thing there.

    Marks are above 0. One gather then finds things and agents alike.
    """
    height, width = state.grid.shape
    place = jnp.where(_rank(state) == rank, state.position[:, 0] * width + state.position[:, 1], -1)
    cell = np.arange(height * width).reshape(height, width)
    mark = jnp.zeros((height, width), jnp.int32)
    for agent in range(len(marks)):
        mark = jnp.where(place[agent] == cell, marks[agent], mark)
    return state.grid | mark << MARK


def unmarked(codes: Int[Array, "*S"]) -> tuple[Int[Array, "*S"], Int[Array, "*S"]]:
    """The codes of things, and the marks of agents (0 where there is none), of a marked grid or a window of it."""
    return codes & (1 << MARK) - 1, codes >> MARK


class Seen(NamedTuple):
    """What is in the windows of some agents that share a view."""

    codes: Int[Array, "B V V"]
    """Of things, hidden from sight or not."""
    marks: Int[Array, "B V V"]
    """Of agents; 0 where there is none."""
    visible: Bool[Array, "B V V"]
    """Nowhere for an agent that is not active."""


def looks(state: State, chosen: Int[Array, " B"], marks: Int[Array, " A"], view: View) -> Seen:
    """What these agents have before them, given the marks of all."""
    position, heading = state.position[chosen], state.heading[chosen]
    # Both are read in several places, which would each work them out again.
    both = batching.computed_once(marked(state, marks))
    both = batching.computed_once(window(both, position, heading, view))
    codes, found = unmarked(both)
    return Seen(codes, found, visible(codes, view) & state.active[chosen, None, None])


def visible(codes: Int[Array, "A V V"], view: View) -> Bool[Array, "A V V"]:
    """Which cells of each window can be seen past walls: the reference's flood, row by row.

    Sight spreads sideways through clear cells of a row and on into the next row, straight and
    diagonally; first from the agent's row forwards, then backwards. It is not symmetric: column 0 and,
    going forwards, row 0 never pass sight on. A row is one integer, bit c for column c.
    """
    if view.see_through_walls:
        return jnp.ones(codes.shape, bool)
    size = view.size
    own_row = size - 1 - view.offset
    bit = jnp.asarray(2 ** np.arange(size, dtype=np.int32))
    clear = jnp.sum(~objects.opaque(codes) * bit, axis=-1)
    clear = [clear[:, row] for row in range(size)]
    seen = [jnp.zeros_like(clear[0])] * size
    seen[own_row] = seen[own_row] + 2 ** (size // 2)
    for row in range(own_row, 0, -1):
        seen[row], passed_on = _spread(seen[row], clear[row], size)
        seen[row - 1] = seen[row - 1] | passed_on
    for row in range(own_row, size):
        seen[row], passed_on = _spread(seen[row], clear[row], size)
        if row + 1 < size:
            seen[row + 1] = seen[row + 1] | passed_on
    return _unpacked(seen, size)


def _unpacked(rows: list[Int[Array, " A"]], size: int) -> Bool[Array, "A V V"]:
    """Rows of bits to single cells.

    As many rows as fit share one integer: the flood runs once for each integer kept in memory, and each of
    them repeats it from the start.
    """
    together = 31 // size
    packed = []
    for first in range(0, size, together):
        shifted = [row << size * place for place, row in enumerate(rows[first : first + together])]
        packed.append(batching.computed_once(functools.reduce(jnp.bitwise_or, shifted)))
    row, column = np.mgrid[:size, :size]
    # A row that another integer holds is shifted to bit 31, which is never set.
    shifts = [np.where(row // together == n, row % together * size + column, 31) for n in range(len(packed))]
    return functools.reduce(jnp.bitwise_or, map(_bits, packed, shifts)) > 0


def _bits(packed: Int[Array, " A"], shift: np.ndarray) -> Int[Array, "A V V"]:
    return (packed[:, None, None] >> jnp.asarray(shift, jnp.int32)) & 1


def _spread(seen: Int[Array, " A"], clear: Int[Array, " A"], size: int):
    """Spreads sight along one row; also returns what the row passes on to its neighbour."""
    middle = size // 2
    everything = 2**size - 1
    to_the_right = clear & (everything - (2**middle - 1))
    flood = _flood(seen & to_the_right, to_the_right, size, left=False)
    passed_on = (flood | flood << 1) & everything
    seen = seen | passed_on
    to_the_left = clear & (2 ** min(middle + 2, size) - 2)
    flood = _flood(seen & to_the_left, to_the_left, size, left=True)
    spread = flood | flood >> 1
    return seen | spread, passed_on | spread


def _flood(seeds: Int[Array, " A"], through: Int[Array, " A"], size: int, left: bool):
    """Every bit of ``through`` that a seed reaches going one way, by doubling strides."""
    stride = 1
    while stride < size:
        seeds = seeds | through & (seeds >> stride if left else seeds << stride)
        through = through & (through >> stride if left else through << stride)
        stride *= 2
    return seeds
