"""Frames as tiles, and tiles as neighbourhoods: what turns convolutions into products with a matrix."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


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


def patches(x: Float[Array, "N h w c"]) -> Float[Array, "N h-2 w-2 9*c"]:
    """Every 3 by 3 neighbourhood that lies inside, flattened row by row."""
    height, width = x.shape[-3] - 2, x.shape[-2] - 2
    shifted = [x[..., r : r + height, c : c + width, :] for r in range(3) for c in range(3)]
    return jnp.concatenate(shifted, axis=-1)
