"""Frames as tiles, and tiles as neighbourhoods: what turns convolutions into products with a matrix."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

COLOURS = 3
OFFSETS = tuple((row, column) for row in range(3) for column in range(3))
"""The places of a 3 by 3 neighbourhood."""


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


def tile_contrast(tiles: Float[Array, "*N pixels"]) -> Float[Array, "*N features"]:
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


@jax.custom_vjp
def patches(x: Float[Array, "N h w c"]) -> Float[Array, "N h-2 w-2 9*c"]:
    """Every 3 by 3 neighbourhood that lies inside, flattened row by row."""
    height, width = x.shape[1] - 2, x.shape[2] - 2
    shifted = [x[:, r : r + height, c : c + width] for r, c in OFFSETS]
    return jnp.concatenate(shifted, axis=-1)


@jax.custom_vjp
def overlaid(neighbourhoods: Float[Array, "N h w nine_c"]) -> Float[Array, "N h+2 w+2 c"]:
    """Neighbourhoods laid back where `patches` takes them from, and summed where they overlap: its transpose."""
    parts = jnp.split(neighbourhoods, len(OFFSETS), axis=-1)
    margins = [((0, 0), (r, 2 - r), (c, 2 - c), (0, 0)) for r, c in OFFSETS]
    return functools.reduce(jnp.add, map(jnp.pad, parts, margins))


# Each is linear and the other's transpose. Left to find that itself, jax pads each part of a neighbourhood by itself.
patches.defvjp(lambda x: (patches(x), None), lambda _, gradient: (overlaid(gradient),))
overlaid.defvjp(lambda x: (overlaid(x), None), lambda _, gradient: (patches(gradient),))
