"""The sizes of the network. Without flax, so that a config can be read quickly."""

import dataclasses
from typing import Literal, get_args

from jaxsocial.agents.networks.parts import ENCODERS, MEMORIES

MatmulDtype = Literal["float32", "bfloat16"]
"""What the operands of matrix products are rounded to."""


@dataclasses.dataclass(frozen=True)
class NetworkSizes:
    """The layers of the network. Raises ValueError, with the remedy, if they cannot be built."""

    channels: tuple[int, ...] = (32, 64, 64)
    """Features of each convolution: the first on single tiles, the others 3 x 3. The decoder has them in reverse."""
    dense: int = 192
    """Units between encoder and memory; also hidden units of decoders of symbols."""
    memory: int = 192
    """Units of the memory."""
    heads: tuple[int, ...] = (64, 64)
    """Hidden units of the policy head and of the value head."""
    encoder: str = "convolutions"
    """Input of the dense layer. For RGB: "convolutions", as in the paper, or "tile_contrast", the colours of each
    tile's corner and middle and each pixel's distance from the corner, so that agents stand out beside goals. For
    symbols: "symbolic"."""
    memory_type: str = "lstm"
    """The memory: "lstm", as in the paper, "gru", or "none" for a learner that reacts to the last observation."""
    matmul_dtype: MatmulDtype = "float32"
    """Type that operands of matrix products are rounded to. Parameters, sums, losses and recurrent state keep 32
    bits."""

    def __post_init__(self):
        widths = (*self.channels, self.dense, self.memory, *self.heads)
        if not self.channels or min(widths) < 1:
            raise ValueError(f"network: {self} has a layer of no width: give every layer 1 unit or more")
        ENCODERS.check(self.encoder)
        MEMORIES.check(self.memory_type)
        if self.matmul_dtype not in get_args(MatmulDtype):
            raise ValueError(f'network.matmul_dtype={self.matmul_dtype!r}: choose "float32" or "bfloat16"')
