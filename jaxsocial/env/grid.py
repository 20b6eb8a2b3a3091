"""Grids of codes and random cells, for scenarios. A box is (first row, first column, last row, last column)."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.env import objects

WALL = objects.encode(objects.WALL, "worst")
"""The code of the scenarios' walls."""


def with_border(grid: Int[Array, "H W"], code) -> Int[Array, "H W"]:
    """Returns the grid with its outermost cells set to ``code``."""
    height, width = grid.shape
    row = jnp.arange(height, dtype=jnp.int32)[:, None]
    column = jnp.arange(width, dtype=jnp.int32)[None, :]
    edge = (row == 0) | (row == height - 1) | (column == 0) | (column == width - 1)
    return jnp.where(edge, code, grid)


def walled(height: int, width: int) -> Int[Array, "{height} {width}"]:
    """Returns an empty grid with a wall around it.

    >>> (walled(3, 4) == WALL).astype(int).tolist()
    [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    """
    return with_border(jnp.zeros((height, width), jnp.int32), WALL)


def in_box(shape: tuple[int, int], box) -> Bool[Array, "{shape[0]} {shape[1]}"]:
    """Returns the mask of the cells in the box, in a grid of this shape.

    >>> in_box((3, 4), (1, 1, 2, 2)).astype(int).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]
    """
    first_row, first_column, last_row, last_column = box
    row, column = (jnp.arange(size, dtype=jnp.int32) for size in shape)
    row, column = row[:, None], column[None, :]
    return (row >= first_row) & (row <= last_row) & (column >= first_column) & (column <= last_column)


def same_cell(one: Int[Array, "*#S 2"], other: Int[Array, "*#S 2"]) -> Bool[Array, "..."]:
    """Returns whether positions are equal. Shapes broadcast.

    >>> same_cell(jnp.array([[1, 2], [1, 3]]), jnp.array([1, 2])).tolist()
    [True, False]
    """
    # Two comparisons and not `all` over (row, column): a GPU launches a kernel of its own for a reduction.
    return (one[..., 0] == other[..., 0]) & (one[..., 1] == other[..., 1])


def code_at(grid: Int[Array, "H W"], row: Int[Array, "*S"], column: Int[Array, "*S"]) -> Int[Array, "*S"]:
    """Returns the codes of cells; beyond the grid is `WALL`.

    >>> code_at(jnp.zeros((2, 2), jnp.int32), jnp.array([0, -1]), jnp.array([1, 1])).tolist() == [0, WALL]
    True

    Args:
      grid: codes.
      row: of each cell, inside the grid or not.
      column: the same.
    """
    height, width = grid.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    # An absent agent looks from (-1, -1), and must not read the opposite side. The gather's own mode "fill" would be a
    # kernel of its own on a GPU.
    read = grid.at[row, column].get(mode="clip", wrap_negative_indices=False)
    return jnp.where(inside, read, WALL)


def with_numbered(grid: Int[Array, "H W"], positions: Int[Array, "N 2"], code: int) -> Int[Array, "H W"]:
    """Returns the grid with numbered things, such as goals.

    Args:
      grid: codes.
      positions: (row, column) of each thing.
      code: of thing 0; the state of thing n is n.
    """
    numbered = code + (jnp.arange(len(positions), dtype=jnp.int32) << 8)
    return grid.at[positions[:, 0], positions[:, 1]].set(numbered)


def uniforms(key: Key[Array, ""], *shape: int) -> Float[Array, "..."]:
    """Draws the numbers of `jax.random.uniform`, from 0 to 1, as one row: this compiles up to ten times faster."""
    return jax.random.uniform(key, (math.prod(shape),), jnp.float32).reshape(shape)


def integers_from_uniforms(uniform: Float[Array, "*S"], first, last) -> Int[Array, "*S"]:
    """Maps uniform numbers to integers from ``first`` to ``last``, all equally likely.

    One row of uniform numbers makes many integers. `jax.random.randint` would draw for each range and compile slowly.

    >>> integers_from_uniforms(jnp.array([0.0, 0.49, 0.99]), 1, 6).tolist()
    [1, 3, 6]

    Args:
      uniform: from 0 (included) to 1 (excluded).
      first: the smallest integer.
      last: the largest integer, included.
    """
    # In 32-bit floats the product rounds to less than its upper bound for every range, so that last is not exceeded.
    return first + jnp.floor(uniform * (last - first + 1)).astype(jnp.int32)


def distinct_cells(
    key: Key[Array, ""], free: Bool[Array, "H W"], count: int, preferred: Bool[Array, "H W"] | None = None
) -> Int[Array, "count 2"]:
    """Draws different cells uniformly, without replacement.

    >>> distinct_cells(jax.random.key(0), in_box((5, 5), (2, 3, 2, 3)), 1).tolist()
    [[2, 3]]

    Args:
      key: of the draw.
      free: the cells to choose from. If fewer than ``count`` are free, the rest are cells that are not:
        `Scenario` must exclude this.
      count: how many to draw.
      preferred: cells that come first.

    Returns:
      (row, column) of each; every order is equally likely within the preferred cells and within the others.
    """
    # The cells with the largest of independent random scores are a draw without replacement, in random order.
    width = free.shape[1]
    score = uniforms(key, *free.shape) - 4.0 * ~free
    if preferred is not None:
        score += preferred
    index = jax.lax.top_k(score.ravel(), count)[1]
    return jnp.stack([index // width, index % width], axis=-1)


def share_of_inner(share: float, height: int, width: int) -> int:
    """Returns how many cells a share of those within the outer wall is, rounded down as in the reference.

    >>> share_of_inner(0.15, 13, 13)
    18

    Args:
      share: 0 to 1.
      height: rows, the outer wall included.
      width: columns, the outer wall included.
    """
    return int(share * (width - 2) * (height - 2))
