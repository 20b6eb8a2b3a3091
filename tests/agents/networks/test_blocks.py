"""Results in blocks against results for all rows at once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks.blocks import in_blocks
from tests.compiling import quick_jit


def mixed(x, number):
    return jnp.stack([jnp.sin(x).sum(-1), jnp.cos(x[:, 0]) * number], axis=-1)


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")


@pytest.mark.parametrize(("rows", "remat"), [(8, True), (9, False), (23, True)])
def test_each_row_depends_on_the_same_row_only(rows, remat):
    x = jnp.arange(rows * 3.0).reshape(rows, 3)
    number = jnp.arange(rows)

    @functools.partial(quick_jit, static_argnums=0)
    def value_and_gradient(function, x):
        def total(x):
            value = function(x, number)
            return jnp.square(value).sum(), value

        gradient, value = jax.grad(total, has_aux=True)(x)
        return value, gradient

    found = value_and_gradient(functools.partial(in_blocks, mixed, size=8, remat=remat), x)
    for one, other in zip(found, value_and_gradient(mixed, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rows", "sizes"), [(8, [8]), (9, [3]), (23, [8]), (33, [7]), (13, [7])])
def test_blocks_have_one_size_within_the_limit_and_little_padding(rows, sizes):
    seen = []
    in_blocks(lambda x: (seen.append(len(x)), x)[1], jnp.zeros((rows, 2)), size=8)
    assert seen == sizes


def test_accelerators_compute_all_rows_at_once(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    seen = []
    in_blocks(lambda x: (seen.append(len(x)), x)[1], jnp.zeros((100, 2)), size=8)
    assert seen == [100]


def test_rows_may_be_trees_with_keys():
    keys, x = jax.random.split(jax.random.key(0), 5), jnp.arange(5)

    def drawn(tree):
        return {"drawn": jax.vmap(jax.random.bits)(tree["key"]) + tree["x"].astype(jnp.uint32)}

    found = in_blocks(drawn, {"key": keys, "x": x}, size=2)
    np.testing.assert_array_equal(found["drawn"], drawn({"key": keys, "x": x})["drawn"])
