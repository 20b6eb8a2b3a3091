"""Worlds that lie on several devices: what must be known of all of them, and a minibatch that each does a share of.

``axis`` names the axis of devices that worlds are laid along (`jax.shard_map`); None where one device has them all.
Every draw is made for the whole batch, alike on all devices, so that their number changes no result but by rounding.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, Num, Shaped

Axis = str | None


def total(x: Num[Array, "*S"], axis: Axis) -> Num[Array, "*S"]:
    """The sum over devices."""
    return x if axis is None else jax.lax.psum(x, axis)


def largest(x: Num[Array, "*S"], axis: Axis) -> Num[Array, "*S"]:
    """The maximum over devices, a figure to watch: gradients do not pass, for which jax has no rule."""
    return x if axis is None else jax.lax.pmax(jax.lax.stop_gradient(x), axis)


def world_numbers(worlds: int, axis: Axis) -> Int[Array, " N"]:
    """The numbers, among all worlds, of the ``worlds`` that lie here."""
    return _first(worlds, axis) + jnp.arange(worlds)


def _first(worlds: int, axis: Axis):
    return 0 if axis is None else jax.lax.axis_index(axis) * worlds


def world_keys(key: Key[Array, ""], worlds: int, axis: Axis) -> Key[Array, " N"]:
    """A key for each world that lies here; a world's key does not depend on where it lies."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, world_numbers(worlds, axis))


def gathered(x: Shaped[Array, "T N *S"], row: Int[Array, "L M"], world: Int[Array, " M"], axis: Axis):
    """``x[row, world]`` of all worlds, of which each device receives its share along the second axis.

    A device finds those that lie with it; the sum over devices, of which all but one have nothing, completes them.
    """
    if axis is None:
        return x[row, world]
    here = world - _first(x.shape[1], axis)
    mine = (here >= 0) & (here < x.shape[1])
    found = x.at[row, here].get(mode="clip")
    is_bool = found.dtype == bool
    found = jnp.where(mine.reshape(1, -1, *(1,) * (found.ndim - 2)), found, 0).astype(jnp.int8 if is_bool else x.dtype)
    share = jax.lax.psum_scatter(found, axis, scatter_dimension=1, tiled=True)
    return share.astype(bool) if is_bool else share
