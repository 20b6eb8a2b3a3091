"""Decoders: from outputs of the memory and action to a predicted frame, or to logits of symbols."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsocial.agents.networks.convolutions import Convolution, leaky_relu
from jaxsocial.agents.networks.dense import ROOT_TWO, dense
from jaxsocial.agents.networks.sizes import MatmulDtype
from jaxsocial.agents.networks.tiles import COLOURS, from_tiles


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
        start = dense(side * side * widest, "dense", self.matmul_dtype, ROOT_TWO, rounds_rows=True)
        x = nn.relu(start(x)).reshape(-1, side, side, widest)
        for number, width in enumerate(reversed(narrower)):
            convolution = Convolution(width, self.matmul_dtype, grows=True, name=f"transposed_{number}")
            x = leaky_relu(convolution(x), self.matmul_dtype)
        frame = dense(self.tile**2 * COLOURS, "frame", self.matmul_dtype, bias=False, rounds_rows=True)
        bias = self.param("bias", nn.initializers.zeros_init(), (COLOURS,), jnp.float32)
        tiles = frame(x.reshape(-1, x.shape[-1])) + jnp.tile(bias, self.tile**2)
        return from_tiles(tiles.reshape(*x.shape[:-1], -1), self.tile)


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
