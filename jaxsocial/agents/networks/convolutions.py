"""3 x 3 convolutions, in the form that is cheapest where they are computed.

A convolution, its transpose and the gradient of its kernel are linear in each of two arrays, and derivatives of one are
the others. So all of learning needs these three maps. They come in two forms. On CPU, and for few frames, they are
matrix products with patches: there the gradient of a transposed convolution is slow. On accelerators patches, nine
times the frames, would be written and read back, so frames are convolved (docs/performance.md).

Letters in shapes: N frames, h rows, w columns, c channels, d features.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

from jaxsocial.agents.networks.blocks import on_cpu
from jaxsocial.agents.networks.dense import ROOT_TWO
from jaxsocial.agents.networks.sizes import MatmulDtype
from jaxsocial.agents.networks.tiles import overlap_add, patches

LEAST_FRAMES = 1024
"""Fewer have small patches, and one product of all learners is fewer kernels than a convolution of each. A choice by
the compiler's count, not timed."""
MOST_LEARNERS = 8
"""For more along one axis, the program would have too many convolutions: one for each learner and layer."""
FRAMES = ("NHWC", "HWIO", "NHWC")


class Convolution(nn.Module):
    """A 3 x 3 convolution inside the array, [N, h, w, c] -> [N, h-2, w-2, d], or one that grows it to h+2, w+2.

    The kernel of the second is that of a convolution over the input padded by 2 zeros.
    """

    features: int
    matmul_dtype: MatmulDtype
    """Type that operands, results and gradients are rounded to. Sums of products are of 32 bits."""
    grows: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "N h w c"]) -> Float[Array, "N rows columns d"]:
        channels, features = x.shape[-1], self.features
        kernel = self.param("kernel", nn.initializers.orthogonal(ROOT_TWO), (9 * channels, features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (features,), jnp.float32)
        maps = _as_products if on_cpu() or len(x) < LEAST_FRAMES else _as_convolutions
        x = x.astype(self.matmul_dtype)
        if self.grows:
            # Turned by half: what a convolution reads at an offset is added at the opposite one.
            kernel = kernel.reshape(3, 3, channels, features)[::-1, ::-1].swapaxes(2, 3).reshape(-1, channels)
        return jnp.asarray(_convolved_by(maps, self.grows, x, kernel)) + bias


def leaky_relu(x: Float[Array, "*N"], dtype: MatmulDtype) -> Float[Array, "*N"]:
    """Computes max(x, x / 100), rounded to ``dtype``.

    The gradient needs the sign of the result only, which is stored anyway as the next layer's input.
    """
    return jnp.asarray(_leaky_relu(dtype, x))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _leaky_relu(dtype, x):
    return nn.leaky_relu(x).astype(dtype)


def _leaky_relu_forward(dtype, x):
    result = _leaky_relu(dtype, x)
    return result, result


def _leaky_relu_backward(dtype, result, gradient):
    gradient = gradient.astype(jnp.float32)
    return (jnp.where(result >= 0, gradient, 0.01 * gradient),)


_leaky_relu.defvjp(_leaky_relu_forward, _leaky_relu_backward)


class Maps(NamedTuple):
    """The three maps, of arrays of one type. Rows of a kernel are those of a patch, see `tiles.patches`."""

    convolve: Callable[..., Array]
    """([N, h+2, w+2, c], [9c, d]) -> [N, h, w, d]."""
    transpose: Callable[..., Array]
    """([N, h, w, d], [9c, d]) -> [N, h+2, w+2, c]."""
    correlate: Callable[..., Array]
    """([N, h+2, w+2, c], [N, h, w, d]) -> [9c, d], as float32."""


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _convolved_by(maps, grows, x, kernel):
    return _forward(maps, grows, x, kernel)[0]


def _forward(maps, grows, x, kernel):
    kernel = kernel.astype(x.dtype)
    found = maps.transpose(x, kernel) if grows else maps.convolve(x, kernel)
    return found.astype(jnp.float32), (x, kernel)


def _backward(maps, grows, operands, gradient):
    x, kernel = operands
    gradient = gradient.astype(x.dtype)
    if grows:
        return maps.convolve(gradient, kernel), maps.correlate(gradient, x)
    return maps.transpose(gradient, kernel), maps.correlate(x, gradient)


_convolved_by.defvjp(_forward, _backward)


def _product(one, other, stored):
    return jnp.matmul(one, other, preferred_element_type=stored)


def _rows(x):
    # Two axes only: on CPU the gradient of a product over more leading axes is slow.
    return x.reshape(-1, x.shape[-1])


_as_products = Maps(
    lambda x, kernel: _product(_rows(found := patches(x)), kernel, x.dtype).reshape(*found.shape[:-1], -1),
    lambda y, kernel: overlap_add(_product(_rows(y), kernel.T, y.dtype).reshape(*y.shape[:-1], -1)),
    lambda x, y: _product(_rows(patches(x)).T, _rows(y), jnp.float32),
)


def _convolved(x, kernel):
    square = kernel.reshape(3, 3, x.shape[-1], -1)
    return jax.lax.conv_general_dilated(x, square, (1, 1), "VALID", dimension_numbers=FRAMES)


def _transposed(y, kernel):
    turned = kernel.reshape(3, 3, -1, y.shape[-1])[::-1, ::-1].swapaxes(2, 3)
    return jax.lax.conv_general_dilated(y, turned, (1, 1), [(2, 2), (2, 2)], dimension_numbers=FRAMES)


def _correlated(x, y):
    # Sums over frames, which take the place of channels. cuDNN has no results of another type than the operands'.
    numbers = "CHWN", "IHWO", "HWNC"
    kernel = jax.lax.conv_general_dilated(x, y, (1, 1), "VALID", dimension_numbers=numbers).astype(jnp.float32)
    return kernel.reshape(-1, y.shape[-1])


def _one_by_one(function: Callable[..., Array], of_many: Callable[..., Array]) -> Callable[..., Array]:
    """Returns a function of one learner, of which `jax.vmap` makes a call for each.

    `jax.vmap` would make a grouped convolution, which is slow on GPUs.

    Args:
      function: of one learner's arrays.
      of_many: the same function, of which `jax.vmap` is computed if there are more than `MOST_LEARNERS`.
    """
    mapped = custom_vmap(function)

    @mapped.def_vmap
    def rule(size, batched, *arrays):
        if size > MOST_LEARNERS:
            return jax.vmap(of_many, [0 if own else None for own in batched])(*arrays), True
        each = [mapped(*(x[i] if own else x for x, own in zip(arrays, batched, strict=True))) for i in range(size)]
        return jnp.stack(each), True

    return mapped


_as_convolutions = Maps(*map(_one_by_one, (_convolved, _transposed, _correlated), _as_products))
