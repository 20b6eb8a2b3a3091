"""Work that only some worlds of a batch need, done only in steps in which one of them does.

Under `jax.vmap` a `jax.lax.cond` becomes a select: both branches run, for every world, at every
step. For rare and dear work (a new layout at an episode's end) that is most of the cost of a step.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped


def where_needed(needed, compute: Callable, otherwise, *arguments):
    """``compute(*arguments)`` where ``needed``, and ``otherwise`` elsewhere.

    Written for one world: ``needed`` is a scalar, and ``compute`` returns the structure of ``otherwise``.
    However often it is vmapped, ``compute`` runs for a whole batch when any world of it needs it, and not
    at all when none does. Arguments must be given explicitly: ``compute`` must not close over traced values.
    """

    return _chooser(compute)(needed, otherwise, *arguments)


def _chooser(batched: Callable):
    """(needed, otherwise, *arguments) -> what `where_needed` returns, of as many axes as ``batched`` takes."""

    def choose(needed, otherwise, *arguments):
        select = functools.partial(_select, needed)
        # The selection stands inside the branch: else all worlds are copied once more at every step.
        return jax.lax.cond(
            jnp.any(needed),
            lambda: jax.tree.map(select, batched(*arguments), otherwise),
            lambda: otherwise,
        )

    choose = jax.custom_batching.custom_vmap(choose)

    @choose.def_vmap
    def one_deeper(size, are_batched, *operands):
        widened = jax.tree.map(lambda is_batched, x: _widen(x, is_batched, size), tuple(are_batched), operands)
        result = _chooser(jax.vmap(batched))(*widened)
        return result, jax.tree.map(lambda _: True, result)

    return choose


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


def _select(needed, new, old):
    return jnp.where(needed.reshape(needed.shape + (1,) * (new.ndim - needed.ndim)), new, old)
