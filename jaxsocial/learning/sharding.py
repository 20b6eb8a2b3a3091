"""Worlds split over several devices: sums over all of them, and minibatches shared between them.

``axis`` names the device axis that worlds are split along (`jax.shard_map`); it is None on one device. Every device
makes the draws for the whole batch, so the number of devices changes results only by rounding.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, Num, Shaped

Axis = str | None


def total(x: Num[Array, "*S"], axis: Axis) -> Num[Array, "*S"]:
    """Returns the sum over devices."""
    return x if axis is None else jax.lax.psum(x, axis)


def largest(x: Num[Array, "*S"], axis: Axis) -> Num[Array, "*S"]:
    """Returns the maximum over devices, without a gradient."""
    # JAX has no differentiation rule for pmax.
    return x if axis is None else jax.lax.pmax(jax.lax.stop_gradient(x), axis)


def world_numbers(worlds: int, axis: Axis) -> Int[Array, " N"]:
    """Returns the indices, among all worlds, of the ``worlds`` worlds of this device.

    >>> world_numbers(3, axis=None).tolist()
    [0, 1, 2]
    """
    return _first(worlds, axis) + jnp.arange(worlds, dtype=jnp.int32)


def _first(worlds: int, axis: Axis):
    return 0 if axis is None else jax.lax.axis_index(axis) * worlds


def world_keys(key: Key[Array, ""], worlds: int, axis: Axis) -> Key[Array, " N"]:
    """Returns a key for each world of this device.

    Args:
      key: the key of all worlds.
      worlds: worlds on each device.
      axis: the device axis; a world's key does not depend on its device.
    """
    return jax.vmap(jax.random.fold_in, (None, 0))(key, world_numbers(worlds, axis))


def gathered(
    x: Shaped[Array, "T N *S"], row: Int[Array, "L M"], world: Int[Array, " M"], axis: Axis
) -> Shaped[Array, "L _ *S"]:
    """Gathers ``x[row, world]`` from the worlds of all devices.

    Args:
      x: the rows of this device's worlds.
      row: row of each element.
      world: index, among all worlds, of each column.
      axis: the device axis; each device receives an equal share of the columns.

    >>> x = jnp.arange(6).reshape(3, 2)
    >>> gathered(x, jnp.array([[0, 1], [1, 2]]), jnp.array([1, 0]), axis=None).tolist()
    [[1, 2], [3, 4]]
    """
    if axis is None:
        return x[row, world]
    local = world - _first(x.shape[1], axis)
    mine = (local >= 0) & (local < x.shape[1])
    found = x.at[row, local].get(mode="clip")
    # Columns of other devices, clipped above, are set to 0: the sum is exact. Sums of bool need an integer type.
    is_bool = found.dtype == bool
    found = jnp.where(mine.reshape(1, -1, *(1,) * (found.ndim - 2)), found, 0).astype(jnp.int8 if is_bool else x.dtype)
    share = jax.lax.psum_scatter(found, axis, scatter_dimension=1, tiled=True)
    return share.astype(bool) if is_bool else share
