"""`where_needed` returns what `jnp.where` does, and computes nothing if nothing is needed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.env import batching
from jaxsocial.env.batching import computed_once, frames_last, where_needed

CALLS = []


def doubled(x, offset):
    return {"twice": 2 * x + offset, "size": jnp.sum(x) * offset}


def choose(needed, x, offset):
    return where_needed(needed, doubled, {"twice": x, "size": jnp.float32(-1)}, x, offset)


def expected(needed, x, offset):
    computed = doubled(x, offset)
    return {"twice": jnp.where(needed, computed["twice"], x), "size": jnp.where(needed, computed["size"], -1.0)}


def vmapped(function, depth, in_axes=0):
    for _ in range(depth):
        function = jax.vmap(function, in_axes=in_axes)
    return function


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_equals_where(depth, share, jit):
    batch = (3, 4, 2)[:depth]
    random = np.random.default_rng(depth)
    needed = jnp.asarray(random.random(batch) < share)
    x = jnp.asarray(random.normal(size=(*batch, 5)), jnp.float32)
    offset = jnp.asarray(random.normal(size=batch), jnp.float32)
    chosen, reference = vmapped(choose, depth), vmapped(expected, depth)
    result = (jax.jit(chosen) if jit else chosen)(needed, x, offset)
    for name, wanted in reference(needed, x, offset).items():
        np.testing.assert_allclose(result[name], wanted, rtol=1e-6)


@pytest.mark.parametrize("in_axes", [(0, 0, None), (None, 0, 0), (0, None, None), (None, None, 0), (None, 1, None)])
def test_equals_where_if_only_some_arguments_are_batched(in_axes):
    batch = 5
    needed, x, offset = jnp.arange(batch) % 2 == 0, jnp.ones((batch, 5)) * jnp.arange(5.0), jnp.arange(5.0)
    arguments = [
        value if axis is not None else value[1] for axis, value in zip(in_axes, (needed, x, offset), strict=True)
    ]
    result = vmapped(choose, 1, in_axes)(*arguments)
    for name, wanted in vmapped(expected, 1, in_axes)(*arguments).items():
        np.testing.assert_allclose(result[name], wanted, rtol=1e-6)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_equals_where_if_an_argument_differs_along_some_axes_only(axes):
    """As rules do: they differ between the members of a program, and not between a member's worlds."""
    batch = 3, 40, 2
    random = np.random.default_rng(sum(axes))
    needed = jnp.asarray(random.random(batch) < 0.5)
    x = jnp.asarray(random.normal(size=(*batch, 5)), jnp.float32)
    offset = jnp.asarray(random.normal(size=[batch[axis] for axis in axes]), jnp.float32)

    def every_axis(function):
        for axis in reversed(range(3)):
            function = jax.vmap(function, (0, 0, 0 if axis in axes else None))
        return function

    result = every_axis(choose)(needed, x, offset)
    for name, wanted in every_axis(expected)(needed, x, offset).items():
        np.testing.assert_allclose(result[name], wanted, rtol=1e-6)


@pytest.mark.parametrize("batch", [(0,), (3, 0), (0, 3)])
def test_an_empty_batch_stays_empty(batch):
    result = vmapped(choose, len(batch))(jnp.zeros(batch, bool), jnp.zeros((*batch, 5)), jnp.zeros(batch))
    assert result["twice"].shape == (*batch, 5)


def test_what_all_worlds_share_is_not_copied_for_each():
    def one(needed, x, table):
        return where_needed(needed, lambda x, table: x + table.sum(), x, x, table)

    text = str(jax.make_jaxpr(jax.vmap(one, (0, 0, None)))(jnp.ones(100, bool), jnp.zeros(100), jnp.zeros(7)))
    assert "[1,7]" in text
    assert "[100,7]" not in text


def weighted(weights, x):
    return weights @ x


@pytest.mark.parametrize("portions", [1, 3, 64])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_shared_argument_is_not_copied_per_world(depth, portions):
    batch = (4, 40)[:depth]
    random = np.random.default_rng(depth)
    needed = jnp.asarray(random.random(batch) < 0.6)
    weights, x = (jnp.asarray(random.normal(size=size), jnp.float32) for size in ((5, 5), (*batch, 5)))

    def one(needed, x, weights):
        return where_needed(needed, weighted, x, x, portions=portions, shared=weights)

    result = vmapped(one, depth, (0, 0, None))(needed, x, weights)
    np.testing.assert_allclose(result, jnp.where(needed[..., None], x @ weights.T, x), rtol=1e-5, atol=1e-6)
    text = str(jax.make_jaxpr(vmapped(one, depth, (0, 0, None)))(needed, x, weights))
    assert "5,5]" in text
    assert ",5,5]" not in text  # no copy per world


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_shared_argument_may_differ_along_an_outer_axis(depth):
    batch = (3, *(4, 40)[:depth])
    random = np.random.default_rng(depth)
    needed = jnp.asarray(random.random(batch) < 0.6)
    weights, x = (jnp.asarray(random.normal(size=size), jnp.float32) for size in ((3, 5, 5), (*batch, 5)))

    def one(needed, x, weights):
        return where_needed(needed, weighted, x, x, shared=weights)

    result = jax.jit(jax.vmap(vmapped(one, depth, (0, 0, None))))(needed, x, weights)
    expected = jnp.where(needed[..., None], jnp.einsum("mij,m...j->m...i", weights, x), x)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def counting(x):
    """Records on the host each time that it is computed."""

    def record(x):
        CALLS.append(x.shape)
        return np.asarray(x)

    return jax.pure_callback(record, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")


def counted_where_needed(needed, x):
    return where_needed(needed, counting, x, x)


def counted_cond(needed, x):
    return jax.lax.cond(needed, counting, lambda x: x, x)


def calls(function, needed):
    CALLS.clear()
    jax.block_until_ready(jax.jit(vmapped(function, needed.ndim))(needed, jnp.ones((*needed.shape, 3))))
    return len(CALLS)


@pytest.mark.parametrize("batch", [(), (4,), (4, 3), (2, 3, 2)])
def test_computes_once_for_a_batch_and_only_if_some_world_needs_it(batch):
    none = np.zeros(batch, bool)
    one = none.copy()
    one[(-1,) * len(batch)] = True
    assert calls(counted_where_needed, jnp.asarray(none)) == 0
    assert calls(counted_where_needed, jnp.asarray(one)) == 1
    # The reason for where_needed: a vmapped cond computes even if no world needs it.
    assert calls(counted_cond, jnp.asarray(none)) == int(batch != ())


def test_skips_in_a_scan_under_vmap_over_seeds():
    """Nests vmap, scan and vmap as training does: seeds, steps, worlds."""

    def one_step(x, needed):
        return jax.vmap(counted_where_needed)(needed, x), None

    def one_seed(x, needed):
        return jax.lax.scan(one_step, x, needed)[0]

    needed = jnp.zeros((2, 6, 4), bool).at[:, 2].set(True).at[1, 4, 0].set(True)
    CALLS.clear()
    jax.block_until_ready(jax.jit(jax.vmap(one_seed))(jnp.ones((2, 4, 3)), needed))
    assert len(CALLS) == 2


def test_keys_may_be_arguments():
    keys = jax.random.split(jax.random.key(0), 4)
    drawn = jax.vmap(lambda needed, key: where_needed(needed, jax.random.uniform, jnp.float32(-1), key))(
        jnp.array([True, False, True, False]), keys
    )
    assert (np.asarray(drawn) >= 0).tolist() == [True, False, True, False]


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("first", [-3, 0, 3])
def test_computed_once_returns_the_array(first, depth):
    x = jnp.arange(24, dtype=jnp.int32).reshape(2, 3, 4).at[0, 0, 0].set(first)
    assert (vmapped(computed_once, depth)(x) == x).all()
    assert (jax.jit(vmapped(computed_once, depth))(x) == x).all()


def test_computed_once_is_not_optimised_away():
    """Checks that XLA has not merged the branches: readers would then be fused, and computed_once would do nothing."""

    def spread(x):
        return jnp.repeat(computed_once(x * x + 1), 8)

    compiled = jax.jit(jax.vmap(spread)).lower(jnp.ones((64, 9), jnp.int32)).compile().as_text()
    assert "conditional(" in compiled


def sums(frames, weights):
    """Frames are the last axis: shapes (2, 3, F) and (F,)."""
    return {"rows": frames.sum(0) * weights, "whole": frames.sum((0, 1))}


def sums_by_frame(frames, weights):
    return {"rows": frames.sum(1) * weights[:, None], "whole": frames.sum((1, 2))}


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("batch", [(), (3,), (70,), (5, 40)])
def test_frames_are_the_last_axis_inside_and_the_first_outside(batch, jit):
    random = np.random.default_rng(len(batch))
    frames, weights = random.integers(0, 9, (*batch, 2, 2, 3)), random.integers(0, 9, (*batch, 2))
    function = vmapped(lambda *x: frames_last(sums, *x), len(batch))
    found = (jax.jit(function) if jit else function)(jnp.asarray(frames), jnp.asarray(weights))
    wanted = vmapped(sums_by_frame, len(batch))(jnp.asarray(frames), jnp.asarray(weights))
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("frames", [batching.FEWEST_FRAMES, batching.BLOCK, batching.BLOCK + 1, 40_000])
def test_blocks_of_frames_are_joined_in_their_order(frames):
    given = np.arange(frames * 6).reshape(frames, 2, 3) % 251
    found = jax.jit(lambda *x: frames_last(sums, *x))(jnp.asarray(given), jnp.arange(frames))
    wanted = sums_by_frame(jnp.asarray(given), jnp.arange(frames))
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


def test_frames_of_all_worlds_may_share_an_argument():
    frames, weights = jnp.arange(80 * 12).reshape(80, 2, 2, 3), jnp.array([2, 3])
    found = jax.vmap(lambda x: frames_last(sums, x, weights))(frames)
    np.testing.assert_array_equal(found["rows"], frames.sum(2) * weights[:, None])
