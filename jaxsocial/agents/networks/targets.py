"""Prediction targets: what a learner predicts from its memory and action, by which decoder, and with which loss."""

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from jaxsocial.agents.networks.decoders import FrameDecoder, SymbolDecoder
from jaxsocial.agents.networks.dense import initialised
from jaxsocial.agents.networks.encoders import BLOCK, BLOCK_OF_TILES, narrowest_side, tiles_of
from jaxsocial.agents.networks.parts import Target
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.networks.symbols import STATES, OneHot, classes_of, one_hot
from jaxsocial.agents.networks.tiles import COLOURS, to_tiles
from jaxsocial.env import objects
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation


def none(sizes: NetworkSizes, world: Scenario, units: int) -> None:
    """Returns None: nothing is predicted.

    Args:
      sizes: not used.
      world: not used.
      units: not used.
    """
    del sizes, world, units


def frame(sizes: NetworkSizes, world: Scenario, units: int) -> Target:
    """Returns the paper's target: the pixels of the next frame, by mean absolute error.

    Args:
      sizes: the decoder has the layers of ``channels`` in reverse.
      world: with RGB images.
      units: of the memory.

    Raises:
      ValueError: the image is not RGB, or the view has too few tiles for the layers.
    """
    view, tile = tiles_of(world, "frame")
    module = FrameDecoder(sizes.channels, view, tile, sizes.matmul_dtype, name="decoder")
    narrowest = narrowest_side(sizes, view)
    layers = zip(range(narrowest, view, 2), pairwise(sizes.channels[::-1]), strict=True)
    products = (units + world.actions) * narrowest**2 * sizes.channels[-1]
    products += sum(side**2 * 9 * one * other for side, (one, other) in layers)
    products += view**2 * sizes.channels[0] * tile**2 * COLOURS
    block = BLOCK if len(sizes.channels) > 1 else BLOCK_OF_TILES

    def loss(found, now, after):
        # The decoder makes tiles: compilers cancel two rearrangements, and compare the tiles as they are.
        return frame_error(to_tiles(found, tile), to_tiles(after.image, tile))

    return _target(module, loss, world, units, products, block)


def current_frame(sizes: NetworkSizes, world: Scenario, units: int) -> Target:
    """Returns the autoencoder's target: as `frame`, of the current frame.

    Args:
      sizes: see `frame`.
      world: with RGB images.
      units: of the memory.

    Raises:
      ValueError: see `frame`.
    """
    return _of_current(frame(sizes, world, units))


def symbols(sizes: NetworkSizes, world: Scenario, units: int) -> Target:
    """Returns the kind, colour and state of each cell of the next view as target, by cross-entropy.

    The loss is in nats, a sum over the three and a mean over cells. Prestige counts as colour, in four levels. Symbols
    are known also where the image is RGB.

    Args:
      sizes: the decoder has one hidden layer of ``dense`` units.
      world: of any observation.
      units: of the memory.
    """
    classes = classes_of(world)

    def loss(found, now, after):
        # Steps become the last axis, over which XLA vectorises on CPU: a row has only a few cells.
        image = symbols_of(after)
        truth = one_hot(jnp.moveaxis(image.reshape(-1, *image.shape[-3:]), 0, 2), classes)
        found = [jnp.transpose(part.reshape(-1, *part.shape[-3:]), (2, 1, 3, 0)) for part in found]
        return symbol_error(tuple(found), truth).mean((0, 1)).reshape(image.shape[:-3])

    return _of_symbols(sizes, world, units, loss)


def current_symbols(sizes: NetworkSizes, world: Scenario, units: int) -> Target:
    """Returns the autoencoder's target for symbols: as `symbols`, of the current view.

    Args:
      sizes: see `symbols`.
      world: of any observation.
      units: of the memory.
    """
    return _of_current(symbols(sizes, world, units))


def changes(sizes: NetworkSizes, world: Scenario, units: int) -> Target:
    """Returns the cells of the next view that differ from the current one as target.

    The loss is that of `symbols`, a mean over the cells whose class changes; 0 if none does.

    Args:
      sizes: see `symbols`.
      world: of any observation.
      units: of the memory.
    """
    classes = classes_of(world)

    def loss(found, now, after):
        before, truth = (one_hot(symbols_of(observation), classes) for observation in (now, after))
        differs = functools.reduce(
            jnp.logical_or, [(one != other).any(-3) for one, other in zip(before, truth, strict=True)]
        )
        error = jnp.where(differs, symbol_error(found, truth), 0.0).sum((-2, -1))
        return error / jnp.maximum(differs.sum((-2, -1)), 1)

    return _of_symbols(sizes, world, units, loss)


def others(sizes: NetworkSizes, world: Scenario, units: int) -> Target:
    """Returns the cells in which other agents will be seen next as target (after Bhoopchand et al. 2022).

    The loss is the binary cross-entropy in nats, a mean over cells. In arXiv 2203.00715 an agent predicts where others
    are relative to it.

    Args:
      sizes: see `symbols`.
      world: with a view, and not the whole world, as observation.
      units: of the memory.

    Raises:
      ValueError: the learner's own cell is not the same in all images.
    """
    view = world.agent_views[0]
    if world.observation == "symbolic_world" or view.size % 2 == 0:
        raise ValueError(
            f'sizes.prediction="others" needs the agent\'s own cell, which moves in world.observation='
            f'{world.observation!r} and in views of even size ({view.size}): choose "rgb" or "symbolic" and an odd size'
        )

    def loss(found, now, after):
        return others_error(found, after, world).mean((-2, -1))

    return _of_symbols(sizes, world, units, loss, outputs=(1,), split=lambda logits: logits[0][..., 0, :, :])


def frame_error(found: Float[Array, "*B H W C"], image: UInt8[Array, "*B H W C"]) -> Float[Array, "*B"]:
    """Computes the mean absolute error over pixels and colours, as a fraction of the full range: 0 to about 1.

    >>> frame_error(jnp.full((2, 3, 3, 3), 0.25), jnp.zeros((2, 3, 3, 3), jnp.uint8))
    Array([0.25, 0.25], dtype=float32)
    """
    chex.assert_equal_shape((found, image))
    return jnp.abs(found - image.astype(jnp.float32) / 255.0).mean((-3, -2, -1))


def symbol_error(
    found: tuple[Float[Array, "*B _ rows columns"], ...], truth: OneHot
) -> Float[Array, "*B rows columns"]:
    """Computes the cross-entropy of each cell in nats, the sum over kind, colour and state.

    Args:
      found: the logits of each.
      truth: the classes; a cell of none of them costs nothing.

    >>> truth = OneHot(*(jnp.array([True, False]).reshape(2, 1, 1) for _ in range(3)))
    >>> symbol_error((jnp.zeros((2, 1, 1)),) * 3, truth).round(3)
    Array([[2.079]], dtype=float32)
    """

    def one(logits, chosen: Bool[Array, "*B K rows columns"]):
        chex.assert_equal_shape((logits, chosen))
        known = chosen.any(-3)
        chosen_logit = jnp.sum(jnp.where(chosen, logits, 0.0), axis=-3)
        return jnp.where(known, jax.nn.logsumexp(logits, axis=-3) - chosen_logit, 0.0)

    return functools.reduce(jnp.add, [one(logits, chosen) for logits, chosen in zip(found, truth, strict=True)])


def others_error(
    found: Float[Array, "*B rows columns"], observation: Observation, world: Scenario
) -> Float[Array, "*B rows columns"]:
    """Computes the binary cross-entropy of each cell in nats: whether another agent is seen in it.

    Args:
      found: the logit of each cell.
      observation: of the learner.
      world: with the learner's view.
    """
    view = world.agent_views[0]
    own = np.zeros(world.view_shape, bool)
    own[view.size - 1 - view.offset, view.size // 2] = True
    seen = (symbols_of(observation)[..., 0] == objects.AGENT) & ~own
    return jnp.where(seen, -nn.log_sigmoid(found), -nn.log_sigmoid(-found))


def symbols_of(observation: Observation) -> UInt8[Array, "*B rows columns 5"]:
    """Returns the symbols of an observation: its image, or its field ``symbols`` where the image is RGB."""
    return observation.image if observation.symbols is None else observation.symbols


def _of_symbols(sizes, world: Scenario, units: int, loss: Callable, outputs=None, split: Callable = tuple) -> Target:
    rows, columns = world.view_shape
    classes = classes_of(world)
    outputs = outputs or (len(classes.kinds), len(classes.colours) + classes.levels, STATES)
    module = SymbolDecoder(sizes.dense, (rows, columns), outputs, sizes.matmul_dtype, name="decoder")
    products = (units + world.actions) * sizes.dense + sizes.dense * rows * columns * sum(outputs)
    target = _target(module, lambda found, now, after: loss(split(found), now, after), world, units, products, None)
    return target._replace(needs=("symbols", "others") if world.observation == "rgb" else ("others",))


def _target(module, loss: Callable, world: Scenario, units: int, products: int, block: int | None) -> Target:
    def decode(parameters, hidden, action) -> Any:
        chosen = jax.nn.one_hot(action, world.actions, dtype=jnp.float32)
        return module.apply({"params": parameters}, jnp.concatenate([hidden, chosen], axis=-1))

    return Target(
        init=lambda key: initialised(module, key, jnp.zeros((1, units + world.actions), jnp.float32)),
        decode=decode,
        loss=loss,
        needs=("others",),
        block=block,
        products=products,
    )


def _of_current(target: Target) -> Target:
    return target._replace(loss=lambda found, now, after: target.loss(found, now, now), of_next=False)
