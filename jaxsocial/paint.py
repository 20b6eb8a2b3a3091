"""Codes and agents to pixels, through an atlas of tiles.

The pictures are those of the reference, exactly: a triangle for an agent, three by three samples a
pixel; agents blended over the thing they stand on; tiles turned to the observer's heading.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt8

from jaxsocial import batching, cells, sight
from jaxsocial.world import Rules, Scenario, State

TRIANGLE = np.array([(0.12, 0.19), (0.87, 0.50), (0.12, 0.81)])
"""Corners (x, y) of an agent facing right, in a tile of side 1."""
SAMPLES = 3
TANH_IS_ONE = 18.99035
"""From here on NumPy's 64-bit tanh, and so the reference's, is exactly 1."""
HIDDEN = 0  # the first tile of every atlas


@functools.lru_cache
def agent_coverage(tile: int) -> np.ndarray:
    """(4 headings, tile, tile): how many of its 9 samples of each pixel an agent covers."""
    side = tile * SAMPLES
    middle = (np.arange(side) + 0.5) / side - 0.5
    pictures = []
    for heading in range(4):
        forward, right_hand = cells.STEP[heading], cells.STEP[(heading + 1) % 4]
        row, column = middle[:, None], middle[None, :]
        x = 0.5 + row * forward[0] + column * forward[1]
        y = 0.5 + row * right_hand[0] + column * right_hand[1]
        covered = _inside_triangle(x, y).reshape(tile, SAMPLES, tile, SAMPLES)
        pictures.append(covered.sum((1, 3)))
    return np.stack(pictures)


def _inside_triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b, c = TRIANGLE
    first, second = c - a, b - a
    offset = np.stack([x - a[0], y - a[1]], axis=-1)
    scale = 1 / ((first @ first) * (second @ second) - (first @ second) ** 2)
    u = ((second @ second) * (offset @ first) - (first @ second) * (offset @ second)) * scale
    v = ((first @ first) * (offset @ second) - (first @ second) * (offset @ first)) * scale
    return (u >= 0) & (v >= 0) & (u + v < 1)


@functools.lru_cache
def empty_tile(tile: int) -> np.ndarray:
    """(tile, tile, 3): bare floor, with faint lines along the top and the right from 11 pixels on."""
    picture = np.zeros((tile, tile, 3), np.uint8)
    if tile > 10:
        picture[0, :] = picture[:, -1] = min(20, tile - 10)
    return picture


def _thing(code: int, tile: int) -> np.ndarray:
    """The picture of a thing before it is lit by the floor and turned."""
    picture = np.zeros((tile, tile, 3), np.uint8)
    if cells.kind_of(code) in (cells.WALL, cells.BONUS):
        picture[:] = cells.RGB[cells.colour_of(code)]
    return picture


def _on_floor(picture: np.ndarray) -> np.ndarray:
    """Adds the floor's picture where a corner is pure black; 8 bits, wrapping as the reference does."""
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    if (corners == 0).all(-1).any():
        return picture + empty_tile(picture.shape[0])
    return picture


def _turned(picture: np.ndarray) -> np.ndarray:
    """(4 headings, ...): the picture as an observer with each heading sees it."""
    return np.stack([np.rot90(picture, heading + 1) for heading in range(4)])


@functools.lru_cache
def atlas(things: tuple[int, ...], tile: int) -> np.ndarray:
    """(4 headings, 1 + things, tile, tile, 3): shadow, then the things, for each observer's heading."""
    shadow = np.broadcast_to(np.array(cells.SHADOW, np.uint8), (tile, tile, 3))
    pictures = [_turned(shadow)] + [_turned(_on_floor(_thing(code, tile))) for code in things]
    return np.stack(pictures, axis=1)


def things_of(scenario: Scenario) -> tuple[int, ...]:
    """The codes that look different, of all that can stand in a scenario's grid."""
    return (cells.EMPTY, cells.encode(cells.WALL, "worst"), cells.encode(cells.BONUS, "yellow"))


def appearance(codes: Int[Array, "..."], scenario: Scenario) -> Int[Array, "..."]:
    """The number in `atlas` of each code's picture."""
    kinds = cells.kind_of(codes)
    number = jnp.zeros_like(kinds)
    # A chain of selections runs in vectors, a look-up in a table does not.
    for place, thing in enumerate(things_of(scenario)):
        number = jnp.where(kinds == cells.kind_of(thing), 1 + place, number)
    return number


def tint(state: State, rules: Rules, scenario: Scenario) -> Int[Array, "A 3"]:
    """Each agent's colour: its own, or from red to blue with prestige, s = tanh(p / scale)."""
    # 1 - tanh(x) loses its last bits where x is large; this form keeps them, and the reference,
    # which truncates 64-bit floats, is matched to the level.
    strength = state.prestige / rules.prestige_scale
    rest = 2.0 / (1.0 + jnp.exp(2.0 * strength))
    red = 255.0 * jnp.where(strength < TANH_IS_ONE, rest, 0.0)
    prestige = jnp.stack([jnp.floor(red), jnp.zeros_like(red), 255.0 - jnp.ceil(red)], axis=-1)
    own = np.stack([cells.RGB[cells.COLOUR_NAMES.index(name)] for name in scenario.agent_colours])
    by_prestige = np.array([name == "prestige" for name in scenario.agent_colours])
    tinted = jnp.asarray(by_prestige) & state.active
    return jnp.where(tinted[:, None], prestige.astype(jnp.int32), own.astype(np.int32))


def agent_tiles(
    state: State,
    observer: Int[Array, " B"],
    rules: Rules,
    scenario: Scenario,
    tile: int,
) -> UInt8[Array, "B A tile tile 3"]:
    """Every agent's tile, on the thing it stands on, as observers with these headings see it."""
    coverage = np.stack([_turned(picture) for picture in agent_coverage(tile)], axis=1)
    covered = jnp.asarray(coverage, jnp.int32)[observer[:, None], state.heading[None, :]][..., None]
    colour = tint(state, rules, scenario)[None, :, None, None, :]
    # A prestige picture is the white one times the colour, shifted; the others are drawn in colour.
    by_prestige = np.array([name == "prestige" for name in scenario.agent_colours])[:, None, None, None]
    white = 255 * covered // 9
    picture = jnp.where(by_prestige, (white * colour) >> 8, colour * covered // 9)
    untinted = jnp.where(by_prestige & ~state.active[:, None, None, None], white, picture)
    on = state.grid.at[state.position[:, 0], state.position[:, 1]].get(mode="clip")
    things = _turned_things(scenario, tile)[observer[:, None], appearance(on, scenario)[None, :] - 1]
    blended = _blend(untinted, things)
    bare = (cells.kind_of(on) == cells.EMPTY)[:, None, None, None]
    floor = jnp.asarray(_turned(empty_tile(tile)), jnp.int32)[observer][:, None]
    return jnp.where(bare, untinted + floor, blended).astype(jnp.uint8)


def _turned_things(scenario, tile):
    bare = [_turned(_thing(code, tile)) for code in things_of(scenario)]
    return jnp.asarray(np.stack(bare, axis=1), jnp.int32)


def _blend(picture: Int[Array, "*B t t 3"], thing: Int[Array, "*B t t 3"]) -> Int[Array, "*B t t 3"]:
    """The agent over the thing: (thing (m - a) + agent a) / m, a the sum of its channels, m the largest a."""
    weight = picture.sum(-1, keepdims=True)
    most = jnp.maximum(weight.max((-3, -2), keepdims=True), 1)
    return (thing * (most - weight) + picture * weight) // most


def first_come(state: State) -> Bool[Array, " A"]:
    """Whether an agent came first of those in its cell: it is the one that is drawn."""
    together = (state.position[:, None] == state.position[None, :]).all(-1)
    earlier = state.arrival[:, None] < state.arrival[None, :]
    return ~(together & earlier).any(0) & (state.position[:, 0] >= 0)


def shown(state: State) -> Bool[Array, "A A"]:
    """(observer, agent): whether the agent would be drawn for the observer, which itself comes first in its cell."""
    with_observer = (state.position[:, None] == state.position[None, :]).all(-1)
    itself = jnp.eye(len(state.heading), dtype=bool)
    return itself | (first_come(state) & ~with_observer)


def observe(state: State, rules: Rules, scenario: Scenario) -> UInt8[Array, "A P P 3"]:
    """What every agent sees, in RGB; all shadow for one that is not active."""
    codes = sight.window(state.grid, state.position, state.heading, scenario)
    seen = sight.visible(codes, scenario) & state.active[:, None, None]
    numbers = jnp.where(seen, appearance(codes, scenario), HIDDEN)
    numbers = _with_agents(numbers, seen, state, scenario).astype(jnp.uint8)
    static = jnp.asarray(atlas(things_of(scenario), scenario.tile_pixels))[state.heading]
    agents = agent_tiles(state, state.heading, rules, scenario, scenario.tile_pixels)
    tiles = jnp.concatenate([static, agents], axis=1)
    # Every pixel reads both, and without this works them out again for itself.
    return _tiles_to_pixels(batching.computed_once(numbers), batching.computed_once(tiles))


def _with_agents(numbers, seen, state, scenario):
    """Puts the number of each agent that is shown and seen into the window."""
    first = 1 + len(things_of(scenario))
    cell = sight.place_in_window(state.position, state.heading, state.position, scenario)
    cell = jnp.where(shown(state), cell, -1)
    flat = numbers.reshape(len(state.heading), -1)
    place = np.arange(flat.shape[1])
    for agent in range(scenario.agents):
        flat = jnp.where(cell[:, agent, None] == place, first + agent, flat)
    return jnp.where(seen, flat.reshape(numbers.shape), HIDDEN)


def _tiles_to_pixels(numbers: UInt8[Array, "A V V"], tiles: UInt8[Array, "A K t t 3"]) -> UInt8[Array, "A P P 3"]:
    count, size, _ = numbers.shape
    tile = tiles.shape[2]
    picked = tiles[jnp.arange(count)[:, None, None], numbers.astype(jnp.int32)]
    side = size * tile
    return picked.transpose(0, 1, 3, 2, 4, 5).reshape(count, side, side, 3)


def whole_world(state: State, rules: Rules, scenario: Scenario, tile: int) -> UInt8[Array, "height width 3"]:
    """The world for people: all cells upright, brighter by 63 where an active agent sees them."""
    height, width = state.grid.shape
    front = first_come(state)
    upright = jnp.array([cells.UP])
    numbers = appearance(state.grid, scenario)
    place = state.position[:, 0] * width + state.position[:, 1]
    for agent in range(scenario.agents):
        here = front[agent] & (place[agent] == np.arange(height * width))
        numbers = jnp.where(here.reshape(height, width), 1 + len(things_of(scenario)) + agent, numbers)
    static = jnp.asarray(atlas(things_of(scenario), tile))[upright]
    agents = agent_tiles(state, upright, rules, scenario, tile)
    tiles = jnp.concatenate([static, agents], axis=1)[0]
    picture = tiles[numbers].transpose(0, 2, 1, 3, 4)
    light = 63 * _seen_by_anyone(state, scenario)[:, None, :, None, None]
    lit = jnp.minimum(picture.astype(jnp.int32) + light, 255)
    return lit.reshape(height * tile, width * tile, 3).astype(jnp.uint8)


def _seen_by_anyone(state: State, scenario: Scenario) -> Bool[Array, "H W"]:
    codes = sight.window(state.grid, state.position, state.heading, scenario)
    seen = sight.visible(codes, scenario) & state.active[:, None, None]
    offsets = jnp.asarray(sight.window_offsets(scenario.view_size, scenario.view_offset))
    at = state.position[:, None, None, :] + offsets[state.heading]
    # Negative indices would wrap round: send what is unseen or above the grid out of bounds instead.
    row = jnp.where(seen & (at >= 0).all(-1), at[..., 0], state.grid.shape[0])
    return jnp.zeros(state.grid.shape, bool).at[row, at[..., 1]].set(True, mode="drop")
