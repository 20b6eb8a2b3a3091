"""Matrix products with rounded operands, on numbers that show what is rounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks.dense import matmul

FINE = 1 + 2.0**-9
"""Rounds to 1 in bfloat16, which has 8 bits of precision."""


@pytest.mark.parametrize(("matmul_dtype", "expected"), [("float32", FINE), ("bfloat16", 1.0)])
def test_operands_are_rounded_to_the_chosen_type(matmul_dtype, expected):
    one, fine = jnp.ones((1, 1)), jnp.full((1, 1), FINE)
    np.testing.assert_array_equal(matmul(fine, one, matmul_dtype), expected)
    np.testing.assert_array_equal(matmul(one, fine, matmul_dtype), expected)


def test_sums_are_not_rounded():
    found = matmul(jnp.ones((2, 257)), jnp.ones((257, 3)), "bfloat16")
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, 257.0)


def test_products_of_the_gradient_are_rounded_too():
    x, matrix = jnp.full((257, 1), FINE), jnp.full((1, 257), FINE)
    gradient = jnp.full((257, 257), FINE)
    back = jax.vjp(lambda x, matrix: matmul(x, matrix, "bfloat16"), x, matrix)[1]
    for found in back(gradient):
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, 257.0)
    for found in jax.vjp(lambda x, matrix: matmul(x, matrix, "float32"), x, matrix)[1](gradient):
        np.testing.assert_allclose(found, 257 * FINE**2, rtol=1e-5)
