"""The sizes of the network. Without flax, so that a config can be read quickly."""

import dataclasses
from typing import Annotated, Literal

from jaxsocial.agents.networks.parts import ENCODERS, MEMORIES
from jaxsocial.env.values import Range, fit_fields

MatmulDtype = Literal["float32", "bfloat16"]
"""What operands of matrix products are rounded to."""
Units = Annotated[int, Range(1, 65536)]


@dataclasses.dataclass(frozen=True)
class NetworkSizes:
    """The layers of the network.

    Raises:
      ValueError: they cannot be built, with the remedy.
    """

    channels: tuple[Units, ...] = (32, 64, 64)
    """Features of each convolution, 1 to 65536: the first on single tiles, the others 3 x 3. The decoder has them in
    reverse."""
    dense: Units = 192
    """Units between encoder and memory, 1 to 65536; also hidden units of decoders of symbols."""
    memory: Units = 192
    """Units of the memory, 1 to 65536."""
    heads: tuple[Units, ...] = (64, 64)
    """Hidden units of the policy head and of the value head, 1 to 65536."""
    encoder: str = "convolutions"
    """Input of the dense layer. For RGB: "convolutions", as in the paper, or "tile_contrast", the colours of each
    tile's corner and middle and each pixel's distance from the corner, so that agents stand out beside goals. For
    symbols: "symbolic"."""
    memory_type: str = "lstm"
    """The memory: "lstm", as in the paper, "gru", or "none" for a learner that reacts to the last observation."""
    matmul_dtype: MatmulDtype = "float32"
    """Type that operands of products, and what layers of encoder, decoder and gates hand on, are rounded to.
    Parameters, sums, losses and recurrent state keep 32 bits."""

    def __post_init__(self):
        fit_fields(self, "network.")
        if not self.channels:
            raise ValueError("network.channels=(): give at least one layer")
        ENCODERS.check(self.encoder)
        MEMORIES.check(self.memory_type)
