"""The layers that the network is made of. They see two axes only: a product's gradient over many is slow on CPU."""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsocial.agents.tiles import COLOURS, from_tiles, overlaid

Products = Literal["float32", "bfloat16"]
"""What the operands of matrix products are rounded to."""
ROOT_TWO = 2.0**0.5
"""The gain of layers that are followed by a rectifier."""


class LSTMState(NamedTuple):
    """The recurrent state of one learner in each world."""

    hidden: Float[Array, "*N M"]
    cell: Float[Array, "*N M"]


def product(x: Float[Array, "N D"], matrix: Float[Array, "D F"], products: Products) -> Float[Array, "N F"]:
    """The product with a matrix, and the two of its gradient, with their operands rounded; sums are of 32 bits."""
    return _rounded_product(x, matrix) if products == "bfloat16" else x @ matrix


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
    features: int, name: str, products: Products, gain: float = 1.0, bias: bool = True, orthogonal: bool = True
) -> nn.Dense:
    """A product with a matrix, and a bias, for two axes."""

    def dot_general(x, matrix, dimensions, precision):
        return product(x, matrix, products)

    start = nn.initializers.orthogonal(gain) if orthogonal else nn.linear.default_kernel_init
    return nn.Dense(features, use_bias=bias, kernel_init=start, dot_general=dot_general, name=name)


class LSTM(nn.Module):
    """An LSTM with one bias; the forget gate starts open (bias 2). The products of its inputs leave the scan."""

    units: int
    products: Products

    @nn.compact
    def __call__(self, memory: LSTMState, x: Float[Array, "T N D"], first: Bool[Array, "T N"]):
        gates = 4 * self.units
        recurrent = self.param("recurrent", _orthogonal_gates, (self.units, gates))
        bias = self.param("bias", _open_forget_gate, (gates,))
        flat = dense(gates, "input", self.products, bias=False)(x.reshape(-1, x.shape[-1]))

        def one_step(before: LSTMState, inputs):
            from_input, starts = inputs
            kept = jax.tree.map(lambda m: jnp.where(starts[:, None], 0.0, m), before)
            from_memory = product(kept.hidden, recurrent, self.products)
            i, f, g, o = jnp.split(from_input + from_memory + bias, 4, axis=-1)
            cell = nn.sigmoid(f) * kept.cell + nn.sigmoid(i) * jnp.tanh(g)
            after = LSTMState(nn.sigmoid(o) * jnp.tanh(cell), cell)
            return after, (before, after)

        _, (before, after) = jax.lax.scan(one_step, memory, (flat.reshape(*x.shape[:2], gates), first))
        return after.hidden, before, after


def _orthogonal_gates(key, shape):
    units, gates = shape
    keys = jax.random.split(key, gates // units)
    return jnp.concatenate([nn.initializers.orthogonal()(k, (units, units)) for k in keys], axis=-1)


def _open_forget_gate(key, shape):
    del key
    return jnp.zeros(shape).reshape(4, -1).at[1].set(2.0).reshape(shape)


class Head(nn.Module):
    """Hidden layers with tanh and a linear last one."""

    widths: tuple[int, ...]
    last_gain: float
    products: Products

    @nn.compact
    def __call__(self, x: Float[Array, "N D"]) -> Float[Array, "N last"]:
        *hidden, last = self.widths
        for number, width in enumerate(hidden):
            x = jnp.tanh(dense(width, f"hidden_{number}", self.products)(x))
        return dense(last, "last", self.products, self.last_gain)(x)


class Decoder(nn.Module):
    """From memory and action back to a frame: the encoder's layers in reverse, as transposed convolutions."""

    channels: tuple[int, ...]
    view: int
    tile: int
    products: Products

    @nn.compact
    def __call__(self, x: Float[Array, "N D"]) -> Float[Array, "N P P 3"]:
        *narrower, widest = self.channels
        side = self.view - 2 * len(narrower)
        start = dense(side * side * widest, "dense", self.products, ROOT_TWO)
        x = nn.relu(start(x)).reshape(-1, side, side, widest)
        for number, width in enumerate(reversed(narrower)):
            x = nn.leaky_relu(_Transposed(width, self.products, name=f"transposed_{number}")(x))
        frame = dense(self.tile**2 * COLOURS, "frame", self.products, bias=False)
        tiles = frame(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)
        return from_tiles(tiles, self.tile) + self.param("bias", nn.initializers.zeros_init(), (COLOURS,))


class _Transposed(nn.Module):
    """A transposed convolution, 3 by 3. Its kernel is that of a convolution over a frame widened by 2 zeros."""

    features: int
    products: Products

    @nn.compact
    def __call__(self, x: Float[Array, "N h w c"]) -> Float[Array, "N h+2 w+2 d"]:
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.orthogonal(ROOT_TWO), (9 * channels, self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        # What the convolution reads at an offset, a pixel gives to the place at the opposite one.
        given = kernel.reshape(3, 3, channels, -1)[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, -1)
        return overlaid(product(x.reshape(-1, channels), given, self.products).reshape(*x.shape[:-1], -1)) + bias
