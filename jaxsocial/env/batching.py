"""How work is laid out over a batch of worlds: only where it is needed, once for all readers, or with views last.

Under `jax.vmap`, `jax.lax.cond` becomes a select: both branches run, for every world, at every step. For rare and
expensive work, such as a new layout at an episode's end, that is most of the cost of a step. `where_needed` avoids it.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Layout, with_layout_constraint
from jaxtyping import Array, Bool, Int, PyTree, Shaped

FEWEST_FRAMES = 64
"""Fewer are too short an axis to compute along."""
BLOCK, MOST_BLOCKS = 1024, 32
"""Frames computed at a time on CPU: more do not fit into a core's cache. A program has at most so many blocks."""
PORTIONS, SMALLEST_PORTION = 64, 32
"""Worlds computed at a time: 1/64 of a batch, at least 32. More rarely end in one step, unless all end together."""


def where_needed(needed, compute: Callable, otherwise, *arguments, portions: int = PORTIONS, shared=None):
    """Returns ``compute(*arguments)`` where ``needed``, and ``otherwise`` elsewhere.

    Written for one world: ``needed`` is a scalar, and ``compute`` returns the structure of ``otherwise``. Under any
    number of vmaps, ``compute`` runs only for the worlds that need it, a portion at a time, and not at all if none
    does. ``compute`` must not close over traced values: give them as arguments.

    >>> needed, x = jnp.array([True, False, True]), jnp.array([1.0, 2.0, 3.0])
    >>> jax.vmap(lambda needed, x: where_needed(needed, jnp.negative, x, x))(needed, x).tolist()
    [-1.0, 2.0, -3.0]

    Args:
      needed: whether this world needs the work.
      compute: the work; called as ``compute(shared, *arguments)`` if ``shared`` is given.
      otherwise: the result for a world that does not need it.
      arguments: of this world.
      portions: how many portions a batch is cut into: many where few worlds need the work at a time.
      shared: an argument that is the same for all worlds, such as a network's weights: it is never copied. It may
        differ along an outer axis, as between the members of a program; each entry of that axis is then a batch of
        its own.
    """
    if shared is None:
        return _chooser(lambda _, *given: compute(*given), portions, 0)(needed, otherwise, (), *arguments)
    return _chooser(compute, portions, 0)(needed, otherwise, shared, *arguments)


def _chooser(compute: Callable, portions: int, axes: int):
    """Returns the function of `where_needed` for arrays with this number of leading axes of worlds."""

    def flat(x):
        return x.reshape(math.prod(x.shape[:axes]), *x.shape[axes:])  # -1 is ambiguous for a shape with a 0

    def chosen(needed, otherwise, shared, *arguments):
        if axes == 0:
            return jax.lax.cond(needed, lambda: compute(shared, *arguments), lambda: otherwise)
        # As plain numbers: jax's checker takes a key that a loop reads for one that is used again (jax 0.10).
        numbers = jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, arguments)

        def rewrapped(x, original):
            return jax.random.wrap_key_data(x, impl=jax.random.key_impl(original)) if _is_key(original) else x

        def compute_at(index):
            rows = jax.tree.map(lambda x: _rows(x, index, needed.shape), numbers)
            return jax.vmap(lambda *x: compute(shared, *x))(*jax.tree.map(rewrapped, rows, arguments))

        results = _by_portions(flat(needed), compute_at, jax.tree.map(flat, otherwise), portions)
        return jax.tree.map(lambda x: x.reshape(needed.shape + x.shape[1:]), results)

    choose = jax.custom_batching.custom_vmap(chosen)

    @choose.def_vmap
    def one_axis_more(size, are_batched, needed, otherwise, shared, *arguments):
        needed_batched, otherwise_batched, shared_batched, *arguments_batched = are_batched
        if any(jax.tree.leaves(shared_batched)):
            in_axes = jax.tree.map(lambda is_batched: 0 if is_batched else None, tuple(are_batched))
            result = jax.vmap(chosen, in_axes)(needed, otherwise, shared, *arguments)
            return result, jax.tree.map(lambda _: True, result)
        needed, otherwise = jax.tree.map(
            lambda is_batched, x: x if is_batched else jnp.broadcast_to(x, (size, *x.shape)),
            (needed_batched, otherwise_batched),
            (needed, otherwise),
        )
        # What all worlds share, such as the rules, is not copied for each of them in every step.
        arguments = jax.tree.map(
            lambda is_batched, x: x if is_batched else x.reshape(1, *x.shape), arguments_batched, list(arguments)
        )
        result = _chooser(compute, portions, axes + 1)(needed, otherwise, shared, *arguments)
        return result, jax.tree.map(lambda _: True, result)

    return choose


def _by_portions(needed: Bool[Array, " N"], compute_at: Callable, otherwise, portions: int):
    """Computes what `where_needed` returns, for N worlds along one axis; ``compute_at`` takes indices of worlds."""
    worlds = len(needed)
    if not worlds:
        return otherwise
    portion = min(worlds, max(SMALLEST_PORTION, -(-worlds // portions)))

    def one_portion(carried):
        waiting, result = carried
        # The padding of the last portion is out of bounds: what is computed for it is dropped.
        index = jnp.nonzero(waiting, size=portion, fill_value=worlds)[0].astype(jnp.int32)
        result = jax.tree.map(lambda old, new: old.at[index].set(new, mode="drop"), result, compute_at(index))
        return waiting.at[index].set(False, mode="drop"), result

    return jax.lax.while_loop(lambda carried: carried[0].any(), one_portion, (needed, otherwise))[1]


def _rows(x: Shaped[Array, "*shape"], index: Int[Array, " P"], sizes: tuple[int, ...]) -> Shaped[Array, "P *rest"]:
    """Returns the entries of worlds in an array, by their index among all.

    Args:
      x: worlds along the first axes; along an axis along which it does not differ, its size is 1.
      index: where axes are flattened.
      sizes: of the axes of worlds.
    """
    own, place, stride = x.shape[: len(sizes)], jnp.zeros_like(index), math.prod(sizes)
    for size, mine in zip(sizes, own, strict=True):
        stride //= size
        place = place * mine + (index // stride % size if mine > 1 else 0)
    return x.reshape(math.prod(own), *x.shape[len(sizes) :]).at[place].get(mode="clip")


def _is_key(x) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def computed_once(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """Returns the array of integers unchanged, stored in memory before anything reads it.

    XLA fuses cheap work into its readers. If each number is read many times, as a cell's is by every pixel of its
    tile, fusion repeats the work for each reading. On CPU `jax.lax.optimization_barrier` is dropped before fusion,
    but fusion does not cross a branch. See docs/performance.md for measurements.
    """

    def branch(x):
        first = x.ravel()[0]
        # Both branches return x, in different ways: XLA would merge branches that it finds equal.
        return jax.lax.cond(first > 0, lambda: x, lambda: x | jnp.maximum(first, 0))

    @jax.custom_batching.custom_vmap
    def stored(x):
        # On an accelerator each branch would wait for the host, and the barrier suffices.
        return jax.lax.platform_dependent(x, cpu=branch, default=jax.lax.optimization_barrier)

    @stored.def_vmap
    def one_axis_more(size, is_batched, x):
        return computed_once(x), True

    return stored(x)


def stored_first(x: PyTree, *platforms: str) -> PyTree:
    """Returns arrays unchanged. On some platforms they are stored before anything reads them, as by `computed_once`.

    Args:
      x: a tree of arrays.
      platforms: "cuda", "rocm" or "tpu", as in `jax.lax.platform_dependent`. On others nothing is compiled.
    """
    barriers = dict.fromkeys(platforms, jax.lax.optimization_barrier)
    return jax.lax.platform_dependent(x, default=lambda x: x, **barriers)


def index_of(agents: tuple[int, ...]) -> slice | np.ndarray:
    """Returns the index that picks agents from an array: a slice where it can be, which costs accelerators nothing.

    >>> index_of((0, 1, 2)), index_of((1,)), index_of((0, 2))
    (slice(0, 3, None), slice(1, 2, None), array([0, 2], dtype=int32))
    """
    first, end = (agents[0], agents[0] + len(agents)) if agents else (0, 0)
    return slice(first, end) if agents == tuple(range(first, end)) else np.array(agents, np.int32)


def frames_last(compute: Callable, *arrays: Shaped[Array, "F ..."]):
    """Returns ``compute(*arrays)``, where the axis of frames is the last one inside ``compute`` and the first outside.

    CPUs and TPUs compute many numbers at once along the last axis, and the axes of a frame are short. Under vmaps, the
    frames of all worlds are one axis.

    >>> total = lambda frames: frames.sum(0)  # shape (2, F)
    >>> frames_last(total, jnp.array([[1, 2], [3, 4], [5, 6]])).tolist()
    [3, 7, 11]

    Args:
      compute: the work. It treats frames alike, closes over nothing traced, and returns a tree of arrays.
      arrays: F frames each.
    """

    @jax.custom_batching.custom_vmap
    def computed(*arrays):
        if len(arrays[0]) < FEWEST_FRAMES:
            return one_by_one(*arrays)
        # GPUs launch fewer kernels where frames come first. TPUs fill 128 places along the last axis, used or not.
        return jax.lax.platform_dependent(*arrays, cpu=in_blocks, tpu=at_once, default=one_by_one)

    @jax.vmap
    def one_by_one(*frame):
        return jax.tree.map(lambda x: x[..., 0], compute(*(x[..., None] for x in frame)))

    def at_once(*arrays):
        results = compute(*(jnp.moveaxis(x, 0, -1) for x in arrays))
        return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), results)

    def in_blocks(*arrays):
        size = max(BLOCK, -(-len(arrays[0]) // MOST_BLOCKS))
        results = []
        for first in range(0, len(arrays[0]), size):
            block = [x[first : first + size] for x in arrays]
            found = compute(*(_transposed(x.reshape(len(x), -1)).reshape(*x.shape[1:], len(x)) for x in block))
            results.append(jax.tree.map(lambda x: _transposed(x.reshape(-1, x.shape[-1])), found))
        shapes = jax.eval_shape(one_by_one, *arrays)
        return jax.tree.map(lambda like, *parts: jnp.concatenate(parts).reshape(like.shape), shapes, *results)

    @computed.def_vmap
    def one_axis_more(size, are_batched, *arrays):
        arrays = [
            x if is_batched else jnp.broadcast_to(x, (size, *x.shape))
            for x, is_batched in zip(arrays, are_batched, strict=True)
        ]
        results = computed(*(x.reshape(-1, *x.shape[2:]) for x in arrays))
        results = jax.tree.map(lambda x: x.reshape(size, -1, *x.shape[1:]), results)
        return results, jax.tree.map(lambda _: True, results)

    return computed(*arrays)


def _transposed(x: Shaped[Array, "M N"]) -> Shaped[Array, "N M"]:
    """Returns the transpose, made by an operation of its own.

    XLA's CPU runtime changes a layout in 0.1 to 0.2 ns a byte where an operation does nothing else, and in more than
    1 ns where it is fused with others.
    """
    turned = jax.lax.optimization_barrier(with_layout_constraint(x.T, Layout((1, 0))))
    return with_layout_constraint(turned, Layout((0, 1)))
