"""Floating-point operations of the network's matrix products, to compare with the rate of a plain product."""

from itertools import pairwise
from typing import NamedTuple

from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.networks.tiles import COLOURS


class Operations(NamedTuple):
    """Operations for one frame; a multiplication and an addition count as two."""

    forward: int
    """From frame and memory to action, value and next memory."""
    prediction: int
    """From memory and action to the next frame; products with padding of transposed convolutions do not count."""


def operations(sizes: NetworkSizes, view: int, tile: int, actions: int) -> Operations:
    """Counts the operations of matrix products in a forward pass. A backward pass takes twice as many.

    Args:
      sizes: layers of the network.
      view: tiles on a side of a frame.
      tile: pixels on a side of a tile.
      actions: number of actions.

    >>> operations(NetworkSizes(), view=7, tile=3, actions=7)
    Operations(forward=2547392, prediction=1899072)
    """
    channels, pixels = sizes.channels, tile**2 * COLOURS
    narrowest = view - 2 * (len(channels) - 1)
    if sizes.encoder == "tile_contrast":
        encoder = view**2 * (2 * COLOURS + tile**2 - 1) * sizes.dense
    else:
        layers = zip(range(view - 2, narrowest - 1, -2), pairwise(channels), strict=True)
        convolutions = sum(side**2 * 9 * one * other for side, (one, other) in layers)
        encoder = view**2 * pixels * channels[0] + convolutions + narrowest**2 * channels[-1] * sizes.dense
    recurrent = 4 * sizes.memory * (sizes.dense + sizes.memory)
    heads = [pairwise((sizes.memory, *sizes.heads, last)) for last in (actions, 1)]
    head_products = sum(one * other for head in heads for one, other in head)
    layers = zip(range(narrowest, view, 2), pairwise(channels[::-1]), strict=True)
    transposed = sum(side**2 * 9 * one * other for side, (one, other) in layers)
    decoder = (sizes.memory + actions) * narrowest**2 * channels[-1] + transposed + view**2 * channels[0] * pixels
    return Operations(forward=2 * (encoder + recurrent + head_products), prediction=2 * decoder)
