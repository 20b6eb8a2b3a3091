"""How many floating-point operations the network's products take, to set beside the rate of a plain product."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from jaxsocial.agents.networks.network import NetworkSizes
from jaxsocial.agents.networks.tiles import COLOURS


class Operations(NamedTuple):
    """For one frame; a multiplication and the addition that follows count as two."""

    forward: int
    """From frame and memory to action, value and the memory after."""
    prediction: int
    """From memory and action to the next frame. Transposed convolutions multiply no zeros, and none are counted."""


def operations(sizes: NetworkSizes, view: int, tile: int, actions: int) -> Operations:
    """The operations of matrix products, for a view of so many tiles a side, each of so many pixels a side.

    A backward pass takes twice as many again; what it works out anew to save memory does not count as needed.
    """
    narrowest = view - 2 * (len(sizes.channels) - 1)
    recurrent = 4 * sizes.memory * (sizes.dense + sizes.memory)
    heads = sum(_chain((sizes.memory, *sizes.heads, last)) for last in (actions, 1))
    return Operations(
        forward=2 * (_encoder(sizes, view, tile) + recurrent + heads),
        prediction=2 * _decoder(sizes, narrowest, tile, sizes.memory + actions),
    )


def _chain(widths: Iterable[int]) -> int:
    """Multiplications of one dense layer after another."""
    return sum(one * other for one, other in itertools.pairwise(widths))


def _encoder(sizes: NetworkSizes, view: int, tile: int) -> int:
    if sizes.encoder == "tile_contrast":
        return view**2 * (2 * COLOURS + tile**2 - 1) * sizes.dense
    first, *others = sizes.channels
    on_tiles = view**2 * tile**2 * COLOURS * first
    narrowest = view - 2 * len(others)
    sides = range(view - 2, narrowest - 1, -2)
    channels = itertools.pairwise(sizes.channels)
    convolved = sum(side**2 * 9 * one * other for side, (one, other) in zip(sides, channels, strict=True))
    return on_tiles + convolved + narrowest**2 * sizes.channels[-1] * sizes.dense


def _decoder(sizes: NetworkSizes, narrowest: int, tile: int, inputs: int) -> int:
    channels = sizes.channels[::-1]
    start = inputs * narrowest**2 * channels[0]
    sides = range(narrowest, narrowest + 2 * len(channels), 2)
    transposed = sum(
        side**2 * 9 * one * other for side, (one, other) in zip(sides, itertools.pairwise(channels), strict=False)
    )
    return start + transposed + sides[-1] ** 2 * channels[-1] * tile**2 * COLOURS
