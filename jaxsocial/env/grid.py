"""Drawing and sampling on (height, width) arrays. A box is its first row and column and its last ones."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.env import objects

WALL = objects.encode(objects.WALL, "worst")
"""What the scenarios build their walls of."""


def with_border(grid: Int[Array, "H W"], code) -> Int[Array, "H W"]:
    """The grid with its outermost cells set to ``code``."""
    height, width = grid.shape
    row = jnp.arange(height)[:, None]
    column = jnp.arange(width)[None, :]
    edge = (row == 0) | (row == height - 1) | (column == 0) | (column == width - 1)
    return jnp.where(edge, code, grid)


def walled(height: int, width: int) -> Int[Array, "{height} {width}"]:
    """Bare floor with a wall around it."""
    return with_border(jnp.zeros((height, width), jnp.int32), WALL)


def in_box(shape: tuple[int, int], box) -> Bool[Array, "{shape[0]} {shape[1]}"]:
    """The cells of a grid of that shape that are in the box."""
    first_row, first_column, last_row, last_column = box
    row, column = jnp.arange(shape[0])[:, None], jnp.arange(shape[1])[None, :]
    return (row >= first_row) & (row <= last_row) & (column >= first_column) & (column <= last_column)


def with_numbered(grid: Int[Array, "H W"], positions: Int[Array, "N 2"], code: int) -> Int[Array, "H W"]:
    """The grid with a thing at each of the positions, numbered from 0 in their order."""
    numbered = code + (jnp.arange(len(positions)) << 8)
    return grid.at[positions[:, 0], positions[:, 1]].set(numbered)


def lots(key: Key[Array, ""], *shape: int) -> Float[Array, "..."]:
    """The numbers from 0 to 1 of `jax.random.uniform`, drawn in one row: that compiles up to ten times faster."""
    return jax.random.uniform(key, (math.prod(shape),)).reshape(shape)


def drawn_by(lot: Float[Array, "*S"], first, last) -> Int[Array, "*S"]:
    """The integer from ``first`` to ``last`` that a lot from 0 to 1 stands for, each as likely.

    So one row of lots makes many integers; `jax.random.randint` would draw for each of them, and compile for long.
    """
    return first + jnp.floor(lot * (last - first + 1)).astype(jnp.int32)


def distinct_cells(
    key: Key[Array, ""], free: Bool[Array, "H W"], count: int, preferred: Bool[Array, "H W"] | None = None
) -> Int[Array, "count 2"]:
    """``count`` different cells drawn uniformly from the ``free`` ones, as (row, column).

    Every ordered choice is equally likely, but that ``preferred`` cells come first. Where fewer than ``count`` cells
    are free, the surplus lands on cells that are not: callers check the sizes (`Scenario`) so that this cannot be.
    """
    width = free.shape[1]
    wish = lots(key, *free.shape) - 4.0 * ~free
    if preferred is not None:
        wish += preferred
    places = jax.lax.top_k(wish.ravel(), count)[1]
    return jnp.stack([places // width, places % width], axis=-1)


def share_of_inner(share: float, height: int, width: int) -> int:
    """How many cells that share of those within the outer wall is, rounded as the reference rounds it."""
    return int(share * (width - 2) * (height - 2))
