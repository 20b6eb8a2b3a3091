"""Work on many frames, a block at a time: on CPU what a block makes stays in the processor's cache.

The neighbourhoods that a convolution looks at are ten times as large as the frames. Made for all frames at once they
are written to memory and read back, which takes longer than the products with them (docs/performance.md).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

BLOCK = 128
"""Frames in a block, or a few less so that all blocks are of one size."""


def in_blocks(function: Callable, *arrays: Shaped[Array, "N *_"], again: bool = False) -> Shaped[Array, "N *_"]:
    """``function(*arrays)``, where it makes each row of its result from the same row of the arrays.

    Accelerators, which want large products, do all rows at once.

    Args:
      function: takes the arrays, with any number of rows.
      arrays: with as many rows, one or more.
      again: whether the backward pass works a block out again rather than read back what the forward pass made.
    """
    rows = len(arrays[0])
    blocks = -(-rows // BLOCK)
    if blocks == 1 or jax.default_backend() != "cpu":
        return function(*arrays)
    size = -(-rows // blocks)
    split = [_padded(x, blocks * size).reshape(blocks, size, *x.shape[1:]) for x in arrays]
    one_block = jax.checkpoint(function, prevent_cse=False) if again else function
    made = jax.lax.map(lambda block: one_block(*block), split)
    return made.reshape(blocks * size, *made.shape[2:])[:rows]


def _padded(x: Shaped[Array, "N *_"], rows: int) -> Shaped[Array, "M *_"]:
    return jnp.pad(x, ((0, rows - len(x)), *((0, 0),) * (x.ndim - 1)))
