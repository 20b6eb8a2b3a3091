"""Dense layers for inputs with two axes. On CPU the gradient of a product over more leading axes is slow."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from jaxsocial.agents.networks.sizes import MatmulDtype

ROOT_TWO = 2.0**0.5
"""Gain of layers that are followed by a rectifier."""


def matmul(
    x: Float[Array, "N D"], matrix: Float[Array, "D F"], dtype: MatmulDtype, rounds_rows: bool = False
) -> Float[Array, "N F"]:
    """Computes ``x @ matrix``; operands are rounded to ``dtype`` here and in the gradient, sums are of 32 bits.

    Args:
      x: N rows.
      matrix: D x F.
      dtype: type of the operands.
      rounds_rows: whether the result and the gradient of ``x`` are rounded to ``dtype`` too, which halves what is
        written and read back.
    """
    return _bfloat16_matmul(rounds_rows, x, matrix) if dtype == "bfloat16" else x @ matrix


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _bfloat16_matmul(rounds_rows, x, matrix):
    return _rounded(x, matrix, rounds_rows)


def _rounded(one, other, rounds=False):
    stored = jnp.bfloat16 if rounds else jnp.float32
    product = jnp.matmul(one.astype(jnp.bfloat16), other.astype(jnp.bfloat16), preferred_element_type=stored)
    return product.astype(jnp.float32)


def _forward(rounds_rows, x, matrix):
    # The residuals are stored as rounded, in half of the memory.
    return _rounded(x, matrix, rounds_rows), (x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16))


def _backward(rounds_rows, residuals, gradient):
    x, matrix = residuals
    return _rounded(gradient, matrix.T, rounds_rows), _rounded(x.T, gradient)


_bfloat16_matmul.defvjp(_forward, _backward)


def dense(
    features: int,
    name: str,
    dtype: MatmulDtype,
    gain: float = 1.0,
    bias: bool = True,
    orthogonal: bool = True,
    rows_last: bool = False,
    rounds_rows: bool = False,
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
      rounds_rows: see `matmul`.
    """

    def dot_general(x, matrix, dimensions, precision):
        return matmul(matrix.T, x.T, dtype).T if rows_last else matmul(x, matrix, dtype, rounds_rows)

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
