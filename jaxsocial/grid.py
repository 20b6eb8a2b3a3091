"""Drawing and sampling on (height, width) arrays."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key


def with_border(grid: Int[Array, "H W"], code) -> Int[Array, "H W"]:
    """The grid with its outermost cells set to ``code``."""
    height, width = grid.shape
    row = jnp.arange(height)[:, None]
    column = jnp.arange(width)[None, :]
    edge = (row == 0) | (row == height - 1) | (column == 0) | (column == width - 1)
    return jnp.where(edge, code, grid)


def distinct_cells(key: Key[Array, ""], free: Bool[Array, "H W"], count: int) -> Int[Array, "count 2"]:
    """``count`` different cells drawn uniformly from the ``free`` ones, as (row, column).

    Every ordered choice is equally likely. Where fewer than ``count`` cells are free, the surplus
    lands on cells that are not: callers check the sizes (`Scenario`) so that this cannot be.
    """
    width = free.shape[1]
    lots = jax.random.uniform(key, free.shape) - 2.0 * ~free
    cells = jax.lax.top_k(lots.ravel(), count)[1]
    return jnp.stack([cells // width, cells % width], axis=-1)
