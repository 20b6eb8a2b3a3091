"""Frames as tiles, and tiles as neighbourhoods: what turns convolutions into products with a matrix."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

COLOURS = 3


def to_tiles(frames: UInt8[Array, "*N P P 3"], tile: int) -> UInt8[Array, "*N V V pixels"]:
    """Frames tile by tile: what a convolution with kernel and stride of one tile looks at."""
    *batch, side, _, colours = frames.shape
    view = side // tile
    split = frames.reshape(*batch, view, tile, view, tile, colours)
    return jnp.moveaxis(split, -4, -3).reshape(*batch, view, view, tile * tile * colours)


def from_tiles(tiles: Float[Array, "*N V V pixels"], tile: int) -> Float[Array, "*N P P 3"]:
    """The inverse of `to_tiles`."""
    *batch, view, _, pixels = tiles.shape
    split = tiles.reshape(*batch, view, view, tile, tile, pixels // tile**2)
    return jnp.moveaxis(split, -3, -4).reshape(*batch, view * tile, view * tile, -1)


BACKGROUND_GAIN, FOREGROUND_GAIN = 0.7, 1.275
"""So that agents do not weigh less than goals by much; the numbers of the trials in docs/quickstart.md, not tuned."""


def contrasts(tiles: Float[Array, "*N pixels"]) -> Float[Array, "*N features"]:
    """Tiles, 0 to 1, as the colours of their corner and of their middle, and how far each pixel is from the corner's.

    An agent covers the middle of its tile, and little of its corners. So the corner tells what it stands on, the
    middle who it is, and the distances (summed over colours) where it heads, alike on floor and on goals.
    """
    pixels = tiles.reshape(-1, tiles.shape[-1] // COLOURS, COLOURS)
    corner, middle = pixels[:, 0], pixels[:, pixels.shape[1] // 2]
    apart = jnp.abs(pixels - corner[:, None])
    # Three terms rather than a reduction over three numbers: on CPU it takes a third of the time.
    distance = (apart[..., 0] + apart[..., 1] + apart[..., 2])[:, 1:]
    parts = (BACKGROUND_GAIN * corner, FOREGROUND_GAIN * distance, FOREGROUND_GAIN * middle)
    return jnp.concatenate(parts, axis=-1).reshape(*tiles.shape[:-1], -1)


def patches(x: Float[Array, "N h w c"]) -> Float[Array, "N h-2 w-2 9*c"]:
    """Every 3 by 3 neighbourhood that lies inside, flattened row by row."""
    height, width = x.shape[-3] - 2, x.shape[-2] - 2
    shifted = [x[..., r : r + height, c : c + width, :] for r in range(3) for c in range(3)]
    return jnp.concatenate(shifted, axis=-1)
