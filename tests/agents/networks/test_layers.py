"""MatmulDtype with rounded operands, by numbers that show what was rounded and what was not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks.dense import product

FINE = 1 + 2.0**-9
"""Rounds to 1 in 16 bits, which have 8 of precision."""


@pytest.mark.parametrize(("matmul_dtype", "expected"), [("float32", FINE), ("bfloat16", 1.0)])
def test_operands_are_rounded_if_asked_for(matmul_dtype, expected):
    one, fine = jnp.ones((1, 1)), jnp.full((1, 1), FINE)
    np.testing.assert_array_equal(product(fine, one, matmul_dtype), expected)
    np.testing.assert_array_equal(product(one, fine, matmul_dtype), expected)


def test_sums_are_not_rounded():
    found = product(jnp.ones((2, 257)), jnp.ones((257, 3)), "bfloat16")
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, 257.0)


def test_the_products_of_the_gradient_are_rounded_alike():
    x, matrix = jnp.full((257, 1), FINE), jnp.full((1, 257), FINE)
    gradient = jnp.full((257, 257), FINE)
    back = jax.vjp(lambda x, matrix: product(x, matrix, "bfloat16"), x, matrix)[1]
    for found in back(gradient):
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, 257.0)
    for found in jax.vjp(lambda x, matrix: product(x, matrix, "float32"), x, matrix)[1](gradient):
        np.testing.assert_allclose(found, 257 * FINE**2, rtol=1e-5)
