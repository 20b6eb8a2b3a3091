"""Work that only some worlds of a batch need, done only in steps in which one of them does.

Under `jax.vmap` a `jax.lax.cond` becomes a select: both branches run, for every world, at every
step. For rare and dear work (a new layout at an episode's end) that is most of the cost of a step.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Shaped

PORTIONS, SMALLEST_PORTION = 64, 32
"""A portion is a 64th of a batch: rarely do more worlds end in one step, unless all do."""


def where_needed(needed, compute: Callable, otherwise, *arguments, portions: int = PORTIONS, shared=None):
    """``compute(*arguments)`` where ``needed``, and ``otherwise`` elsewhere.

    Written for one world: ``needed`` is a scalar, and ``compute`` returns the structure of ``otherwise``.
    However often it is vmapped, ``compute`` runs for the worlds of a batch that need it, a portion of them at a
    time, and not at all when none does. Arguments must be given explicitly: ``compute`` must not close over traced
    values.

    Args:
      needed: whether this world needs the work.
      compute: the work; called as ``compute(shared, *arguments)`` where ``shared`` is given.
      otherwise: what a world has that does not need it.
      arguments: of this world.
      portions: how many portions a batch is cut into: many where few worlds need the work at a time.
      shared: an argument that is the same for all worlds, such as a network's weights: it is never copied.

    Raises:
      ValueError: ``shared`` differs between worlds.
    """
    if shared is None:
        return _chooser(lambda _, *given: compute(*given), portions, 0)(needed, otherwise, (), *arguments)
    return _chooser(compute, portions, 0)(needed, otherwise, shared, *arguments)


def _chooser(compute: Callable, portions: int, axes: int):
    """(needed, otherwise, shared, *arguments) -> what `where_needed` returns, with so many axes of worlds."""

    def choose(needed, otherwise, shared, *arguments):
        if axes == 0:
            return jax.lax.cond(needed, lambda: compute(shared, *arguments), lambda: otherwise)
        flat = functools.partial(_flat, axes)
        work = functools.partial(compute, shared)
        otherwise, arguments = (jax.tree.map(flat, x) for x in (otherwise, arguments))
        chosen = _by_portions(flat(needed), work, otherwise, arguments, portions)
        return jax.tree.map(lambda x: x.reshape(needed.shape + x.shape[1:]), chosen)

    choose = jax.custom_batching.custom_vmap(choose)

    @choose.def_vmap
    def one_deeper(size, are_batched, needed, otherwise, shared, *arguments):
        of_needed, of_otherwise, of_shared, *of_arguments = are_batched
        if any(jax.tree.leaves(of_shared)):
            raise ValueError("shared differs between worlds: give it as an argument")
        flags, operands = (of_needed, of_otherwise, of_arguments), (needed, otherwise, list(arguments))
        widened = jax.tree.map(lambda is_batched, x: _widen(x, is_batched, size), flags, operands)
        needed, otherwise, arguments = widened
        result = _chooser(compute, portions, axes + 1)(needed, otherwise, shared, *arguments)
        return result, jax.tree.map(lambda _: True, result)

    return choose


def _by_portions(needed: Bool[Array, " N"], compute: Callable, otherwise, arguments, portions: int):
    """The same for worlds along one axis."""
    worlds = len(needed)
    portion = min(worlds, max(SMALLEST_PORTION, -(-worlds // portions)))
    # As plain numbers: jax's checker takes a key that a loop reads for one that is used again (jax 0.10).
    unwrapped = jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, arguments)

    def one_portion(carried):
        waiting, result = carried
        index = jnp.nonzero(waiting, size=portion, fill_value=worlds)[0]
        given = jax.tree.map(lambda x: x.at[index].get(mode="clip"), unwrapped)
        fresh = jax.vmap(compute)(*jax.tree.map(_as_before, given, arguments))
        result = jax.tree.map(lambda old, new: old.at[index].set(new, mode="drop"), result, fresh)
        return waiting.at[index].set(False, mode="drop"), result

    return jax.lax.while_loop(lambda carried: carried[0].any(), one_portion, (needed, otherwise))[1]


def _is_key(x) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _as_before(x, before):
    return jax.random.wrap_key_data(x, impl=jax.random.key_impl(before)) if _is_key(before) else x


def _flat(axes: int, x):
    return x.reshape(math.prod(x.shape[:axes]), *x.shape[axes:])  # -1 cannot stand for it where a shape has a 0


def computed_once(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """The same array, finished in memory before anything reads it; for arrays of integers.

    XLA fuses cheap work into its readers. Where each number is read many times, as a cell's is by every
    pixel of its tile, fusing repeats the work for each reading; on CPU `jax.lax.optimization_barrier` is
    dropped before fusion and does not help, but a branch is a wall that fusion does not cross. Both
    branches return the array, the second in a way that XLA cannot see through: were they written alike they
    would be merged. See docs/performance.md for what it is worth.
    """

    def branch(x):
        first = x.ravel()[0]
        return jax.lax.cond(first > 0, lambda: x, lambda: x | jnp.maximum(first, 0))

    @jax.custom_batching.custom_vmap
    def walled(x):
        # An accelerator would wait for the host at each branch; there a barrier is what holds.
        return jax.lax.platform_dependent(x, cpu=branch, default=jax.lax.optimization_barrier)

    @walled.def_vmap
    def one_deeper(size, is_batched, x):
        return computed_once(x), True

    return walled(x)


def _widen(x, is_batched: bool, size: int):
    return x if is_batched else jnp.broadcast_to(x, (size, *x.shape))
