"""Evaluation of a function of many rows in blocks, so that on CPU intermediate results stay in the cache.

The patches of a convolution are nine times as large as its input. For all frames at once they go to memory and back,
which takes longer than the matrix products with them (docs/performance.md).
"""

import contextlib
import contextvars
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, Shaped

_platform: contextvars.ContextVar[str] = contextvars.ContextVar("platform")


@contextlib.contextmanager
def traced_for(platform: str) -> Iterator[None]:
    """Tells functions that are traced inside the context for which platform: "cpu", or an accelerator.

    Without it they are traced for jax's default devices. The program may be compiled for others, even for devices that
    this machine does not have.
    """
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def traced_platform() -> str:
    """Returns for which platform the function is traced: "cpu", "gpu" or "tpu"."""
    return _platform.get(None) or jax.default_backend()


def on_cpu() -> bool:
    """Returns whether the function that is traced is for a CPU."""
    return traced_platform() == "cpu"


def in_blocks(
    function: Callable[..., Any], *arrays: PyTree[Shaped[Array, "N *_"]], size: int, remat: bool = False
) -> Any:
    """Computes ``function(*arrays)`` in blocks of rows on CPU, and at once on accelerators.

    Args:
      function: maps arrays with any number of rows to arrays with as many; each row depends on the same row only.
      arrays: arrays with N rows, 1 or more.
      size: maximum number of rows in a block.
      remat: whether the backward pass recomputes a block instead of storing its intermediate results.

    >>> in_blocks(jnp.square, jnp.arange(5), size=2)
    Array([ 0,  1,  4,  9, 16], dtype=int32)
    """
    rows = len(jax.tree.leaves(arrays)[0])
    if rows <= size or not on_cpu():
        return function(*arrays)
    # The fewest blocks of equal size whose padding is at most a tenth of the rows.
    sizes = ((blocks, math.ceil(rows / blocks)) for blocks in range(math.ceil(rows / size), rows + 1))
    blocks, size = next((blocks, size) for blocks, size in sizes if blocks * size <= 1.1 * rows)
    # Padding repeats the last row, since arrays of random keys have no zero.
    index = jnp.minimum(jnp.arange(blocks * size, dtype=jnp.int32), rows - 1)
    split = jax.tree.map(
        lambda x: (x[index] if blocks * size > rows else x).reshape(blocks, size, *x.shape[1:]), arrays
    )
    one_block = jax.checkpoint(function, prevent_cse=False) if remat else function
    results = jax.lax.map(lambda block: one_block(*block), split)
    return jax.tree.map(lambda x: x.reshape(blocks * size, *x.shape[2:])[:rows], results)
