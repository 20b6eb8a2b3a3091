"""Decoders: from outputs of the memory and action to a predicted frame, or to logits of symbols."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsocial.agents.networks.dense import ROOT_TWO, dense, matmul
from jaxsocial.agents.networks.sizes import MatmulDtype
from jaxsocial.agents.networks.tiles import COLOURS, from_tiles, overlap_add


class FrameDecoder(nn.Module):
    """The encoder's layers in reverse, as transposed convolutions: [N, D] -> frames [N, P, P, 3]."""

    channels: tuple[int, ...]
    """Features of the encoder's convolutions."""
    view: int
    """Tiles on a side of the frame."""
    tile: int
    """Pixels on a side of a tile."""
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(self, x: Float[Array, "N D"]) -> Float[Array, "N P P 3"]:
        *narrower, widest = self.channels
        side = self.view - 2 * len(narrower)
        start = dense(side * side * widest, "dense", self.matmul_dtype, ROOT_TWO)
        x = nn.relu(start(x)).reshape(-1, side, side, widest)
        for number, width in enumerate(reversed(narrower)):
            x = nn.leaky_relu(_TransposedConvolution(width, self.matmul_dtype, name=f"transposed_{number}")(x))
        frame = dense(self.tile**2 * COLOURS, "frame", self.matmul_dtype, bias=False)
        tiles = frame(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)
        return from_tiles(tiles, self.tile) + self.param("bias", nn.initializers.zeros_init(), (COLOURS,), jnp.float32)


class _TransposedConvolution(nn.Module):
    """A 3 x 3 transposed convolution; its kernel is that of a convolution over the input padded by 2 zeros."""

    features: int
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(self, x: Float[Array, "N h w c"]) -> Float[Array, "N h+2 w+2 d"]:
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.orthogonal(ROOT_TWO), (9 * channels, self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        # The kernel is rotated by half a turn: what a convolution reads at an offset is added at the opposite one.
        rotated = kernel.reshape(3, 3, channels, -1)[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, -1)
        patches = matmul(x.reshape(-1, channels), rotated, self.matmul_dtype)
        return overlap_add(patches.reshape(*x.shape[:-1], -1)) + bias


class SymbolDecoder(nn.Module):
    """One hidden layer with a rectifier: [N, D] -> logits of each cell, an array for each number of outputs."""

    hidden: int
    cells: tuple[int, int]
    """Rows and columns."""
    outputs: tuple[int, ...]
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(self, x: Float[Array, "N D"]) -> tuple[Float[Array, "N _ rows columns"], ...]:
        x = nn.relu(dense(self.hidden, "hidden", self.matmul_dtype, ROOT_TWO)(x))
        rows, columns = self.cells
        # A small gain, so that all classes begin with similar probabilities. Rows last, as losses want them.
        logits = dense(rows * columns * sum(self.outputs), "logits", self.matmul_dtype, 0.01, rows_last=True)(x)
        ends = np.cumsum(self.outputs)[:-1].tolist()
        parts = jnp.split(logits.T.reshape(sum(self.outputs), rows, columns, -1), ends, axis=0)
        return tuple(jnp.moveaxis(part, -1, 0) for part in parts)
