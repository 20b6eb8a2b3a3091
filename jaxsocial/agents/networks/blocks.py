"""Work on many rows, a block at a time: on CPU what a block makes stays in the processor's cache.

The neighbourhoods that a convolution looks at are ten times as large as the frames. Made for all frames at once they
are written to memory and read back, which takes longer than the products with them (docs/performance.md).
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, Shaped


def in_blocks(
    function: Callable[..., Any], *arrays: PyTree[Shaped[Array, "N *_"]], size: int, again: bool = False
) -> Any:
    """``function(*arrays)``, where it makes each row of its result from the same row of the arrays.

    Accelerators, which want large products, do all rows at once.

    Args:
      function: takes the arrays, with any number of rows, and returns arrays with as many.
      arrays: with as many rows, one or more.
      size: rows in a block at most; fewer where blocks of one size would else make many rows that nobody wants.
      again: whether the backward pass works a block out again rather than read back what the forward pass made.
    """
    rows = len(jax.tree.leaves(arrays)[0])
    if rows <= size or jax.default_backend() != "cpu":
        return function(*arrays)
    blocks, size = _even_blocks(rows, size)
    split = jax.tree.map(lambda x: _filled(x, blocks * size).reshape(blocks, size, *x.shape[1:]), arrays)
    one_block = jax.checkpoint(function, prevent_cse=False) if again else function
    made = jax.lax.map(lambda block: one_block(*block), split)
    return jax.tree.map(lambda x: x.reshape(blocks * size, *x.shape[2:])[:rows], made)


def _even_blocks(rows: int, most: int) -> tuple[int, int]:
    """(blocks, rows of each): as few blocks as have room for at most a tenth more rows than there are."""
    counts = range(math.ceil(rows / most), rows + 1)
    each = ((blocks, math.ceil(rows / blocks)) for blocks in counts)
    return next((blocks, size) for blocks, size in each if blocks * size <= 1.1 * rows)


def _filled(x: Shaped[Array, "N *_"], rows: int) -> Shaped[Array, "M *_"]:
    """With the last row again and again, where rows are missing: keys of random numbers have no zero."""
    return x[jnp.minimum(jnp.arange(rows), len(x) - 1)] if rows > len(x) else x
