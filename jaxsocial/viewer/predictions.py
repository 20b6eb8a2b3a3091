"""What a learner predicts, for people: the predicted view as a picture, and the error of each of its cells."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxsocial.agents.networks.symbols import ON, PRESTIGE_LEVELS, STATES, Classes, classes_of, one_hot
from jaxsocial.agents.networks.targets import others_error, symbol_error, symbols_of
from jaxsocial.agents.networks.tiles import to_tiles
from jaxsocial.env import objects
from jaxsocial.env.observations import pixels, sprites
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation

FRAMES, SYMBOLS, OTHERS = "frames", "symbols", "others"
KINDS = {
    "frame": FRAMES,
    "current_frame": FRAMES,
    "symbols": SYMBOLS,
    "current_symbols": SYMBOLS,
    "changes": SYMBOLS,
    "others": OTHERS,
}
"""Prediction target to what it predicts. Of other targets only the loss is shown."""


class Predicted(NamedTuple):
    """A predicted view, and the error of each of its cells."""

    picture: UInt8[Array, "*B height width 3"]
    error: Float[Array, "*B rows columns"]
    """Mean absolute error of frames, as a fraction of the full range; cross-entropy of others, in nats."""


def tile_of(world: Scenario) -> int:
    """Returns the pixels on a side of a cell in pictures of views, which are equal for all agents of a run."""
    return world.tile_pixels if world.observation == "symbolic_world" else world.agent_views[0].tile_pixels


def picture_maker(target: str, world: Scenario) -> Callable[[Any, Observation], Predicted] | None:
    """Returns a function from a prediction and the observation that it is compared with to pictures.

    It is None for a target that there is no picture of.

    Args:
      target: name of the prediction target.
      world: as the learner sees it.
    """
    makers = {FRAMES: _frame, SYMBOLS: _symbols, OTHERS: _others}
    return functools.partial(makers[KINDS[target]], world=world) if target in KINDS else None


def _frame(found: Float[Array, "*B P P 3"], truth: Observation, world: Scenario) -> Predicted:
    apart = jnp.abs(found - truth.image.astype(jnp.float32) / 255.0)
    picture = jnp.round(255.0 * jnp.clip(found, 0.0, 1.0)).astype(jnp.uint8)
    return Predicted(picture, to_tiles(apart, tile_of(world)).mean(-1))


def _symbols(found: Any, truth: Observation, world: Scenario) -> Predicted:
    """Draws the most probable kind of each cell, the most probable colour that this kind has, and the state."""
    classes = classes_of(world)
    error = symbol_error(found, one_hot(symbols_of(truth), classes))
    kind, state = (jnp.argmax(logits, axis=-3) for logits in (found[0], found[2]))
    is_agent = jnp.asarray(np.array(classes.kinds) % ON == objects.AGENT)[kind]
    of_agents = np.arange(found[1].shape[-3]) >= len(classes.colours)
    possible = is_agent[..., None, :, :] | ~of_agents[:, None, None]
    colour = jnp.argmax(jnp.where(possible, found[1], -jnp.inf), axis=-3)
    tiles = jnp.asarray(symbol_tiles(classes, world))[kind, colour, state]
    return Predicted(_joined(tiles), error)


def _others(found: Any, truth: Observation, world: Scenario) -> Predicted:
    """Draws the probability that another agent is in a cell as its brightness."""
    logits = found[0][..., 0, :, :]
    tile = tile_of(world)
    grey = jnp.round(255.0 * jax.nn.sigmoid(logits)).astype(jnp.uint8)
    tiles = jnp.broadcast_to(grey[..., None, None, None], (*grey.shape, tile, tile, 3))
    return Predicted(_joined(tiles), others_error(logits, truth, world))


def _joined(tiles: UInt8[Array, "*B rows columns t t 3"]) -> UInt8[Array, "*B height width 3"]:
    *batch, rows, columns, tile, _, colours = tiles.shape
    return jnp.moveaxis(tiles, -3, -4).reshape(*batch, rows * tile, columns * tile, colours)


@functools.lru_cache
def symbol_tiles(classes: Classes, world: Scenario) -> UInt8[np.ndarray, "kinds colours states t t 3"]:
    """Returns the tile of each combination of classes, upright, agents in the middle colour of their level."""
    tile, colours = tile_of(world), len(classes.colours) + classes.levels
    tiles = np.zeros((len(classes.kinds), colours, STATES, tile, tile, 3), np.uint8)
    for kind, colour, state in np.ndindex(tiles.shape[:3]):
        below, own = divmod(classes.kinds[kind], ON)
        level = colour - len(classes.colours)
        # A class of prestige is no colour of a thing; `_symbols` does not choose it.
        name = objects.COLOUR_NAMES[classes.colours[colour] if level < 0 else 0]
        if own == objects.AGENT:
            blue = (2 * level + 1) * 128 // PRESTIGE_LEVELS
            rgb = objects.RGB[classes.colours[colour]] if level < 0 else np.array([255 - blue, 0, blue])
            tiles[kind, colour, state] = _agent(rgb, state, below, world)
        elif own == objects.UNSEEN:
            tiles[kind, colour, state] = objects.SHADOW
        else:
            shown = state if own == objects.DOOR else 0
            tiles[kind, colour, state] = _thing(objects.encode(own, name, shown), tile)
    return tiles


def _thing(code: int, tile: int) -> UInt8[np.ndarray, "t t 3"]:
    return pixels.atlas((code,), tile)[objects.UP, pixels.EMPTY]


def _agent(rgb: np.ndarray, heading: int, below: int, world: Scenario) -> UInt8[np.ndarray, "t t 3"]:
    """Returns an agent on a thing of the world of that kind, or on bare floor, blended as `pixels.agent_tiles` does."""
    tile = tile_of(world)
    code = next((code for code in world.things if objects.kind_of(code) == below), objects.EMPTY)
    white = 255 * sprites.agent_coverage(tile)[heading][..., None] // pixels.SAMPLES_A_PIXEL
    picture = (white * rgb.astype(int)) >> 8
    weight = picture.sum(-1, keepdims=True)
    most = max(int(weight.max()), 1)
    ground = _thing(pixels.visible_code(code), tile).astype(int)
    return ((ground * (most - weight) + picture * weight) // most).astype(np.uint8)
