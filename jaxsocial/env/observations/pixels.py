"""Codes and agents to pixels, through an atlas of tiles.

The pictures are those of the reference, exactly: agents blended over the thing they stand on, tiles
turned to the observer's heading, prestige as a colour between red and blue.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt, UInt8

from jaxsocial.env import batching, objects
from jaxsocial.env.observations import sprites, vision
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.types import Rules, State

TANH_IS_ONE = 18.99035
"""From here on NumPy's 64-bit tanh, and so the reference's, is exactly 1."""
HIDDEN, EMPTY = 0, 1
"""The first two tiles of every atlas: what cannot be seen, and bare floor."""
SAMPLES_A_PIXEL = sprites.SAMPLES**2
MOST_SELECTIONS = 8
"""Up to so many things are told apart by selections, which run in vectors; more by a table."""


def _on_floor(picture: sprites.Tile) -> sprites.Tile:
    """Adds the floor's picture where a corner is pure black; 8 bits, wrapping as the reference does."""
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    if (corners == 0).all(-1).any():
        return picture + sprites.empty(picture.shape[0])
    return picture


def _turned(picture: np.ndarray) -> np.ndarray:
    """(4 headings, ...): the picture as an observer with each heading sees it."""
    return np.stack([np.rot90(picture, heading + 1) for heading in range(4)])


@functools.lru_cache
def atlas(things: tuple[int, ...], tile: int) -> np.ndarray:
    """(4 headings, 1 + things, tile, tile, 3): shadow, then the things, for each observer's heading."""
    shadow = np.broadcast_to(np.array(objects.SHADOW, np.uint8), (tile, tile, 3))
    pictures = [_turned(shadow)] + [_turned(_on_floor(sprites.thing(code, tile))) for code in things]
    return np.stack(pictures, axis=1)


def look(code):
    """A code less what cannot be seen of it: only doors show their state. Also of arrays of codes."""
    return code & (0xFF | 0x300 * (objects.kind_of(code) == objects.DOOR))


@functools.lru_cache
def things_of(scenario: Scenario) -> tuple[int, ...]:
    """The codes that look different, of all that can stand in a scenario's grid; bare floor first."""
    inside_boxes = [objects.state_of(code) for code in scenario.things if objects.kind_of(code) == objects.BOX]
    found = [objects.EMPTY]
    for code in (*scenario.things, *inside_boxes):
        states = (objects.OPEN, objects.CLOSED, objects.LOCKED) if objects.kind_of(code) == objects.DOOR else (0,)
        found += [code & 0xFF | state << 8 for state in states]
    return tuple(dict.fromkeys(found))


def appearance(codes: Int[Array, "*S"], scenario: Scenario) -> Int[Array, "*S"]:
    """The number in `atlas` of each code's picture."""
    things = things_of(scenario)
    looks, keys = look(codes), things
    if len({objects.kind_of(thing) for thing in things}) == len(things):
        looks, keys = objects.kind_of(codes), tuple(objects.kind_of(thing) for thing in things)
    if len(things) > MOST_SELECTIONS:
        return _numbers(things)[looks]
    number = jnp.zeros_like(codes)
    for place, key in enumerate(keys):
        number = jnp.where(looks == key, 1 + place, number)
    return number


def _numbers(things: tuple[int, ...]) -> Int[Array, " looks"]:
    table = np.zeros(0x400, np.int32)
    table[list(things)] = np.arange(len(things)) + 1
    return jnp.asarray(table)


def tint(state: State, rules: Rules, scenario: Scenario) -> Int[Array, "A 3"]:
    """Each agent's colour: its own, or from red to blue with prestige, s = tanh(p / scale).

    Where prestige may be negative s = 1 / (1 + exp(-p / scale)).
    """
    strength = state.prestige / rules.prestige_scale
    if scenario.negative_prestige:
        rest = 1.0 / (1.0 + jnp.exp(strength))
    else:
        # 1 - tanh(x) loses its last bits where x is large; this form keeps them, and the reference,
        # which truncates 64-bit floats, is matched to the level.
        rest = jnp.where(strength < TANH_IS_ONE, 2.0 / (1.0 + jnp.exp(2.0 * strength)), 0.0)
    red = 255.0 * rest
    prestige = jnp.stack([jnp.floor(red), jnp.zeros_like(red), 255.0 - jnp.ceil(red)], axis=-1)
    own = np.stack([objects.RGB[objects.COLOUR_NAMES.index(name)] for name in scenario.agent_colours])
    by_prestige = np.array([name == "prestige" for name in scenario.agent_colours])
    tinted = jnp.asarray(by_prestige) & state.active
    return jnp.where(tinted[:, None], prestige.astype(jnp.int32), own.astype(np.int32))


def agent_tiles(
    state: State,
    observer: Int[Array, " B"],
    rules: Rules,
    scenario: Scenario,
    tile: int,
    hidden_kinds: int = 0,
) -> UInt8[Array, "B A tile tile 3"]:
    """Every agent's tile, on the thing it stands on, as observers with these headings see it."""
    coverage = np.stack([_turned(picture) for picture in sprites.agent_coverage(tile)], axis=1)
    covered = jnp.asarray(coverage, jnp.int32)[observer[:, None], state.heading[None, :]][..., None]
    colour = tint(state, rules, scenario)[None, :, None, None, :]
    # A prestige picture is the white one times the colour, shifted; the others are drawn in colour.
    by_prestige = np.array([name == "prestige" for name in scenario.agent_colours])[:, None, None, None]
    white = 255 * covered // SAMPLES_A_PIXEL
    picture = jnp.where(by_prestige, (white * colour) >> 8, colour * covered // SAMPLES_A_PIXEL)
    untinted = jnp.where(by_prestige & ~state.active[:, None, None, None], white, picture)
    on = state.grid.at[state.position[:, 0], state.position[:, 1]].get(mode="clip")
    things = _turned_things(scenario, tile)[observer[:, None], appearance(on, scenario)[None, :] - EMPTY]
    blended = _blend(untinted, things)
    bare = (objects.kind_of(on) == objects.EMPTY) | ((hidden_kinds >> objects.kind_of(on)) & 1 == 1)
    tiles = jnp.where(bare[:, None, None, None], untinted, blended)
    return _lit(tiles, observer, tile).astype(jnp.uint8)


def _lit(tiles: Int[Array, "B A t t 3"], observer: Int[Array, " B"], tile: int) -> Int[Array, "B A t t 3"]:
    """As `_on_floor`, for pictures that are not known before."""
    if not sprites.empty(tile).any():
        return tiles
    floor = jnp.asarray(_turned(sprites.empty(tile)), jnp.int32)[observer][:, None]
    corners = tiles[:, :, (0, 0, -1, -1), (0, -1, 0, -1)]
    black = (corners == 0).all(-1).any(-1)[..., None, None, None]
    return jnp.where(black, tiles + floor, tiles)


def _turned_things(scenario, tile):
    bare = [_turned(sprites.thing(code, tile)) for code in things_of(scenario)]
    return jnp.asarray(np.stack(bare, axis=1), jnp.int32)


def _blend(picture: Int[Array, "*B t t 3"], thing: Int[Array, "*B t t 3"]) -> Int[Array, "*B t t 3"]:
    """The agent over the thing: (thing (m - a) + agent a) / m, a the sum of its channels, m the largest a."""
    weight = picture.sum(-1, keepdims=True)
    most = jnp.maximum(weight.max((-3, -2), keepdims=True), 1)
    return (thing * (most - weight) + picture * weight) // most


def observe(
    state: State, agents: tuple[int, ...], view: View, rules: Rules, scenario: Scenario
) -> UInt8[Array, "B P P 3"]:
    """What these agents see through a view that they have in common; all shadow for one that is not active."""
    chosen = jnp.array(agents)
    heading = state.heading[chosen]
    numbers = _tile_numbers(state, chosen, view, scenario)
    # Tiles are worked out for every observer, or once for each heading where that is fewer.
    few = len(agents) <= 4
    observers, of_observer = (heading, jnp.arange(len(agents))) if few else (jnp.arange(4), heading)
    static = jnp.asarray(atlas(things_of(scenario), view.tile_pixels))[observers]
    moving = agent_tiles(state, observers, rules, scenario, view.tile_pixels, view.hidden_kinds)
    tiles = jnp.concatenate([static, moving], axis=1)
    numbers = numbers.astype(np.min_scalar_type(tiles.shape[1]))  # a byte, unless there are very many
    # Every pixel reads both, and without this works them out again for itself.
    return _tiles_to_pixels(batching.computed_once(numbers), batching.computed_once(tiles), of_observer)


def _tile_numbers(state: State, chosen: Int[Array, " B"], view: View, scenario: Scenario) -> Int[Array, "B V V"]:
    """The tile of each cell in each window: shadow, a thing, or the agent that is drawn there."""
    position, heading = state.position[chosen], state.heading[chosen]
    numbers = 1 + jnp.arange(scenario.agents)
    codes, first, seen = vision.looks(state, chosen, numbers, view)
    itself = 1 + chosen[:, None, None]
    agent = jnp.where(vision.own_cell(heading, view), itself, first)
    things = appearance(codes, scenario)
    if view.hidden:
        is_hidden = (view.hidden_kinds >> objects.kind_of(codes)) & 1 == 1
        things = jnp.where(is_hidden, EMPTY, things)
        agent = jnp.where(is_hidden, first, agent)
    if "agent" in view.hidden:
        second = vision.unmarked(vision.window(vision.marked(state, numbers, rank=1), position, heading, view))[1]
        bare = objects.kind_of(codes) == objects.EMPTY
        agent = jnp.where(bare & (first != itself), second, agent)
    last_thing = len(things_of(scenario))
    return jnp.where(seen, jnp.where(agent > 0, last_thing + agent, things), HIDDEN)


def _tiles_to_pixels(
    numbers: UInt[Array, "B V V"], tiles: UInt8[Array, "C K t t 3"], of_observer: Int[Array, " B"]
) -> UInt8[Array, "B P P 3"]:
    """Pixels through the tiles of each observer, which may share them."""
    count, size, _ = numbers.shape
    tile = tiles.shape[2]
    picked = tiles[of_observer[:, None, None], numbers.astype(jnp.int32)]
    side = size * tile
    return picked.transpose(0, 1, 3, 2, 4, 5).reshape(count, side, side, 3)


def whole_world(state: State, rules: Rules, scenario: Scenario, tile: int) -> UInt8[Array, "height width 3"]:
    """The world for people: all cells upright, brighter by 63 where an active agent sees them."""
    height, width = state.grid.shape
    upright = jnp.array([objects.UP])
    codes, agent = vision.unmarked(vision.marked(state, 1 + jnp.arange(scenario.agents)))
    numbers = jnp.where(agent > 0, len(things_of(scenario)) + agent, appearance(codes, scenario))
    static = jnp.asarray(atlas(things_of(scenario), tile))[upright]
    agents = agent_tiles(state, upright, rules, scenario, tile)
    tiles = jnp.concatenate([static, agents], axis=1)[0]
    picture = tiles[numbers].transpose(0, 2, 1, 3, 4)
    light = 63 * _seen_by_anyone(state, scenario)[:, None, :, None, None]
    lit = jnp.minimum(picture.astype(jnp.int32) + light, 255)
    return lit.reshape(height * tile, width * tile, 3).astype(jnp.uint8)


def _seen_by_anyone(state: State, scenario: Scenario) -> Bool[Array, "H W"]:
    lit = jnp.zeros(state.grid.shape, bool)
    for view, agents in scenario.agents_by_view.items():
        chosen = jnp.array(agents)
        position, heading = state.position[chosen], state.heading[chosen]
        codes = vision.window(state.grid, position, heading, view)
        seen = vision.visible(codes, view) & state.active[chosen, None, None]
        offsets = jnp.asarray(vision.window_offsets(view.size, view.offset))
        at = position[:, None, None, :] + offsets[heading]
        # Negative indices would wrap round: send what is unseen or above the grid out of bounds instead.
        row = jnp.where(seen & (at >= 0).all(-1), at[..., 0], state.grid.shape[0])
        lit = lit.at[row, at[..., 1]].set(True, mode="drop")
    return lit
