"""Dense layers. They take two axes only: the gradient of a product over more is slow on CPU."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsocial.agents.networks.sizes import MatmulDtype

ROOT_TWO = 2.0**0.5
"""The gain of layers that are followed by a rectifier."""


def product(x: Float[Array, "N D"], matrix: Float[Array, "D F"], matmul_dtype: MatmulDtype) -> Float[Array, "N F"]:
    """The product with a matrix, and the two of its gradient, with their operands rounded; sums are of 32 bits."""
    return _rounded_product(x, matrix) if matmul_dtype == "bfloat16" else x @ matrix


@jax.custom_vjp
def _rounded_product(x, matrix):
    return _rounded(x, matrix)


def _rounded(one, other):
    return jnp.matmul(one.astype(jnp.bfloat16), other.astype(jnp.bfloat16), preferred_element_type=jnp.float32)


def _forward(x, matrix):
    # Kept as rounded: half the memory.
    return _rounded(x, matrix), (x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16))


def _backward(kept, gradient):
    x, matrix = kept
    return _rounded(gradient, matrix.T), _rounded(x.T, gradient)


_rounded_product.defvjp(_forward, _backward)


def dense(
    features: int, name: str, matmul_dtype: MatmulDtype, gain: float = 1.0, bias: bool = True, orthogonal: bool = True
) -> nn.Dense:
    """A product with a matrix, and a bias, for two axes."""

    def dot_general(x, matrix, dimensions, precision):
        return product(x, matrix, matmul_dtype)

    start = nn.initializers.orthogonal(gain) if orthogonal else nn.linear.default_kernel_init
    return nn.Dense(features, use_bias=bias, kernel_init=start, dot_general=dot_general, name=name)
