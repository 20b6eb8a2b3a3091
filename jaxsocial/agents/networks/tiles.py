"""Frames as tiles, and patches of tiles: they turn convolutions into matrix products (see `convolutions`)."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

COLOURS = 3
OFFSETS = tuple((row, column) for row in range(3) for column in range(3))
"""(row, column) of each cell in a 3 x 3 patch."""


def to_tiles(frames: Shaped[Array, "*N P P 3"], tile: int) -> Shaped[Array, "*N V V pixels"]:
    """Splits frames into tiles: the patches of a convolution whose kernel and stride are one tile.

    >>> to_tiles(jnp.zeros((2, 21, 21, 3), jnp.uint8), tile=3).shape
    (2, 7, 7, 27)
    """
    *batch, side, _, colours = frames.shape
    view = side // tile
    split = frames.reshape(*batch, view, tile, view, tile, colours)
    return jnp.moveaxis(split, -4, -3).reshape(*batch, view, view, tile * tile * colours)


def from_tiles(tiles: Float[Array, "*N V V pixels"], tile: int) -> Float[Array, "*N P P 3"]:
    """Inverts `to_tiles`.

    >>> from_tiles(jnp.zeros((2, 7, 7, 27)), tile=3).shape
    (2, 21, 21, 3)
    """
    *batch, view, _, pixels = tiles.shape
    split = tiles.reshape(*batch, view, view, tile, tile, pixels // tile**2)
    return jnp.moveaxis(split, -3, -4).reshape(*batch, view * tile, view * tile, -1)


BACKGROUND_GAIN, FOREGROUND_GAIN = 0.7, 1.275
"""They give agents and goals inputs of similar norm; from the trials in docs/quickstart.md, not tuned."""


def tile_contrast(tiles: Float[Array, "*N pixels"]) -> Float[Array, "*N features"]:
    """Computes the colours of corner and middle of each tile, and each pixel's distance from the corner (L1).

    An agent covers the middle of its tile and little of the corners. So the corner shows the background, the middle
    the agent's colour, and the distances its heading, both on floor and on goals. Tiles are in 0 to 1.

    >>> tile_contrast(jnp.zeros((7, 7, 27))).shape
    (7, 7, 14)
    """
    pixels = tiles.reshape(-1, tiles.shape[-1] // COLOURS, COLOURS)
    corner, middle = pixels[:, 0], pixels[:, pixels.shape[1] // 2]
    apart = jnp.abs(pixels - corner[:, None])
    # Three terms rather than a reduction over three numbers: on CPU it takes a third of the time.
    distance = (apart[..., 0] + apart[..., 1] + apart[..., 2])[:, 1:]
    features = (BACKGROUND_GAIN * corner, FOREGROUND_GAIN * distance, FOREGROUND_GAIN * middle)
    return jnp.concatenate(features, axis=-1).reshape(*tiles.shape[:-1], -1)


def patches(x: Float[Array, "N h w c"]) -> Float[Array, "N h-2 w-2 9*c"]:
    """Extracts every 3 x 3 patch inside the array, flattened row by row (im2col).

    >>> patches(jnp.zeros((2, 7, 7, 32))).shape
    (2, 5, 5, 288)
    """
    height, width = x.shape[1] - 2, x.shape[2] - 2
    shifted = [x[:, r : r + height, c : c + width] for r, c in OFFSETS]
    return jnp.concatenate(shifted, axis=-1)


def overlap_add(x: Float[Array, "N h w nine_c"]) -> Float[Array, "N h+2 w+2 c"]:
    """Adds 3 x 3 patches at their positions (col2im): the transpose of `patches`.

    >>> overlap_add(jnp.ones((1, 3, 3, 9)))[0, 2, :, 0]
    Array([3., 6., 9., 6., 3.], dtype=float32)
    """
    parts = jnp.split(x, len(OFFSETS), axis=-1)
    margins = [((0, 0), (r, 2 - r), (c, 2 - c), (0, 0)) for r, c in OFFSETS]
    return functools.reduce(jnp.add, map(jnp.pad, parts, margins))
