"""Dense layers for inputs with two axes. On CPU the gradient of a product over more leading axes is slow."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from jaxsocial.agents.networks.sizes import MatmulDtype

ROOT_TWO = 2.0**0.5
"""Gain of layers that are followed by a rectifier."""


def matmul(x: Float[Array, "N D"], matrix: Float[Array, "D F"], dtype: MatmulDtype) -> Float[Array, "N F"]:
    """Computes ``x @ matrix``; operands are rounded to ``dtype`` here and in the gradient, sums are of 32 bits.

    Args:
      x: N rows.
      matrix: D x F.
      dtype: type of the operands.
    """
    return _bfloat16_matmul(x, matrix) if dtype == "bfloat16" else x @ matrix


@jax.custom_vjp
def _bfloat16_matmul(x, matrix):
    return _rounded(x, matrix)


def _rounded(one, other):
    return jnp.matmul(one.astype(jnp.bfloat16), other.astype(jnp.bfloat16), preferred_element_type=jnp.float32)


def _forward(x, matrix):
    # The residuals are stored as rounded, in half of the memory.
    return _rounded(x, matrix), (x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16))


def _backward(residuals, gradient):
    x, matrix = residuals
    return _rounded(gradient, matrix.T), _rounded(x.T, gradient)


_bfloat16_matmul.defvjp(_forward, _backward)


def dense(
    features: int,
    name: str,
    dtype: MatmulDtype,
    gain: float = 1.0,
    bias: bool = True,
    orthogonal: bool = True,
    rows_last: bool = False,
) -> nn.Dense:
    """Returns a dense layer, [N, D] -> [N, features].

    Args:
      features: number of outputs.
      name: name of its parameters.
      dtype: type of the operands of its matrix product.
      gain: gain of the orthogonal initialiser.
      bias: whether it has a bias.
      orthogonal: whether it is initialised orthogonally; otherwise as is flax's default.
      rows_last: whether the product has rows as its last axis in memory. The result is the same.
    """

    def dot_general(x, matrix, dimensions, precision):
        return matmul(matrix.T, x.T, dtype).T if rows_last else matmul(x, matrix, dtype)

    kernel_init = nn.initializers.orthogonal(gain) if orthogonal else nn.linear.default_kernel_init
    return nn.Dense(features, use_bias=bias, kernel_init=kernel_init, dot_general=dot_general, name=name)


class _Root(nn.Module):
    """Makes a module below it, so that its name is part of the paths from which flax derives keys."""

    make: Callable[[nn.Module], nn.Module]

    @nn.compact
    def __call__(self, *inputs):
        return self.make(self)(*inputs)


def initialised(module: nn.Module, key: Key[Array, ""], *inputs: PyTree) -> PyTree:
    """Returns the initial parameters of a module that has a name.

    Args:
      module: its name decides on its draws, so that parts of a network share a key.
      key: of the network.
      inputs: examples of the module's inputs.
    """
    return _Root(lambda root: module.clone(parent=root)).init(key, *inputs)["params"][module.name]
