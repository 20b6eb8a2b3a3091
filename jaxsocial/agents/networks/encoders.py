"""Encoders: from one agent's observation to features (PROTOCOL: Network).

Letters in shapes: N rows, P pixels on a side, V cells on a side.
"""

from collections.abc import Callable
from itertools import pairwise

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxsocial.agents.networks import tiles
from jaxsocial.agents.networks.convolutions import Convolution, leaky_relu
from jaxsocial.agents.networks.dense import ROOT_TWO, dense
from jaxsocial.agents.networks.parts import Encoder
from jaxsocial.agents.networks.sizes import MatmulDtype, NetworkSizes
from jaxsocial.agents.networks.symbols import cell_features, feature_count
from jaxsocial.env.scenario import Scenario

BLOCK, BLOCK_OF_TILES = 128, 1024
"""Frames in a block with 3 x 3 convolutions, and with a convolution on single tiles only."""


def convolutions(sizes: NetworkSizes, world: Scenario) -> Encoder:
    """Returns the paper's encoder: convolutions with leaky rectifiers, and a dense layer with tanh.

    Raises:
      ValueError: the image is not RGB, or the view has too few tiles for the convolutions.
    """
    view, tile = tiles_of(world, sizes.encoder)
    side = narrowest_side(sizes, view)
    first, last = sizes.channels[0], sizes.channels[-1]
    between = zip(range(view - 2, side - 1, -2), pairwise(sizes.channels), strict=True)
    products = view**2 * tile**2 * tiles.COLOURS * first
    products += sum(cells**2 * 9 * one * other for cells, (one, other) in between) + side**2 * last * sizes.dense
    block = BLOCK if len(sizes.channels) > 1 else BLOCK_OF_TILES
    return _encoder(_Convolutions(sizes.channels, sizes.dense, tile, sizes.matmul_dtype), world, block, products)


def tile_contrast(sizes: NetworkSizes, world: Scenario) -> Encoder:
    """Returns an encoder of one dense layer with a rectifier on `tiles.tile_contrast`.

    Raises:
      ValueError: the image is not RGB.
    """
    view, tile = tiles_of(world, sizes.encoder)

    def features(image: UInt8[Array, "N P P 3"]):
        return tiles.tile_contrast(tiles.to_tiles(image, tile).astype(jnp.float32) / 255.0)

    products = view**2 * (2 * tiles.COLOURS + tile**2 - 1) * sizes.dense
    # Tile contrasts are hardly larger than frames, so blocks would gain nothing.
    return _encoder(_OneLayer(features, sizes.dense, sizes.matmul_dtype), world, None, products)


def symbolic(sizes: NetworkSizes, world: Scenario) -> Encoder:
    """Returns an encoder of one dense layer with a rectifier on `symbols.cell_features`.

    Raises:
      ValueError: the image is not symbolic.
    """
    if world.observation == "rgb":
        raise ValueError(
            'network.encoder="symbolic" reads symbols, and world.observation is "rgb": choose world.observation '
            '"symbolic" or "symbolic_world", or the encoder "convolutions" or "tile_contrast"'
        )
    rows, columns = world.view_shape
    module = _OneLayer(cell_features(world), sizes.dense, sizes.matmul_dtype)
    return _encoder(module, world, None, rows * columns * feature_count(world) * sizes.dense)


def tiles_of(world: Scenario, name: str) -> tuple[int, int]:
    """Returns the tiles on a side of an RGB image, and the pixels on a side of a tile.

    Args:
      world: the world.
      name: of the encoder or target that needs RGB, for the message.

    Raises:
      ValueError: the image is not RGB.
    """
    if world.observation != "rgb":
        raise ValueError(
            f"{name!r} needs RGB images, and world.observation is {world.observation!r}: choose world.observation "
            '"rgb", or network.encoder "symbolic" and sizes.prediction "symbols" or "none"'
        )
    tile = world.agent_views[0].tile_pixels
    return world.observation_shape[0] // tile, tile


def narrowest_side(sizes: NetworkSizes, view: int) -> int:
    """Returns the cells on a side that are left after the convolutions, of which each 3 x 3 one takes two.

    Raises:
      ValueError: none are left.

    >>> narrowest_side(NetworkSizes(), view=7)
    3
    """
    side = view - 2 * (len(sizes.channels) - 1)
    if side < 1:
        raise ValueError(
            f"network.channels={sizes.channels}: a view of {view} x {view} tiles has room for "
            f"{(view + 1) // 2} layers: use fewer, or a larger view_size"
        )
    return side


def _encoder(module, world: Scenario, block: int | None, products: int) -> Encoder:
    example = jnp.zeros((1, *world.observation_shape), jnp.uint8)
    return Encoder(
        init=lambda key: module.init(key, example)["params"],
        encode=lambda parameters, observation: module.apply({"params": parameters}, observation.image),
        features=module.dense,
        block=block,
        products=products,
    )


class _Convolutions(nn.Module):
    channels: tuple[int, ...]
    dense: int
    tile: int
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(self, image: UInt8[Array, "N P P 3"]) -> Float[Array, "N dense"]:
        x = tiles.to_tiles(image, self.tile).astype(jnp.float32) / 255.0
        # A convolution whose kernel and stride are one tile is a dense layer of tiles. Two axes only: on CPU the
        # gradient of a product over more leading axes is slow.
        first = dense(self.channels[0], "convolution_0", self.matmul_dtype, ROOT_TWO, rounds_rows=True)
        x = leaky_relu(first(x.reshape(-1, x.shape[-1])), self.matmul_dtype).reshape(*x.shape[:-1], -1)
        for number, channels in enumerate(self.channels[1:], 1):
            convolution = Convolution(channels, self.matmul_dtype, name=f"convolution_{number}")
            x = leaky_relu(convolution(x), self.matmul_dtype)
        return jnp.tanh(dense(self.dense, "dense", self.matmul_dtype, rounds_rows=True)(x.reshape(x.shape[0], -1)))


class _OneLayer(nn.Module):
    features: Callable[[UInt8[Array, "N height width channels"]], Float[Array, "N *F"]]
    dense: int
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(self, image: UInt8[Array, "N height width channels"]) -> Float[Array, "N dense"]:
        x = self.features(image).reshape(image.shape[0], -1)
        return nn.relu(dense(self.dense, "dense", self.matmul_dtype, orthogonal=False)(x))
