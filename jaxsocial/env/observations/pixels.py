"""Pictures of the world, through an atlas of tiles.

They equal the reference's (MarlGrid) exactly: agents are blended over the thing that they stand on, tiles are rotated
to the observer's heading, and prestige is a colour between red and blue.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped, UInt8

from jaxsocial.env import batching, objects
from jaxsocial.env.observations import sprites, vision
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.types import Rules, State

TANH_IS_ONE = 18.99035
"""From here on NumPy's 64-bit tanh, and so the reference's, is exactly 1."""
HIDDEN, EMPTY = 0, 1
"""The first two tiles of every atlas: shadow, for what is not visible, and bare floor."""
SAMPLES_A_PIXEL = sprites.SAMPLES**2
MOST_SELECTIONS = 8
"""Up to so many things are told apart by selections, which are vectorised; more by a table."""


def _rotated(picture: np.ndarray) -> np.ndarray:
    """Returns the picture as an observer with each heading sees it, shape (4 headings, ...)."""
    return np.stack([np.rot90(picture, heading + 1) for heading in range(4)])


@functools.lru_cache
def atlas(things: tuple[int, ...], tile: int) -> np.ndarray:
    """Returns the tiles of shadow and of each thing, shape (4 headings, 1 + things, tile, tile, 3).

    >>> atlas((objects.EMPTY,), 3)[objects.UP, HIDDEN, 0, 0].tolist() == list(objects.SHADOW)
    True
    """
    pictures = [np.broadcast_to(np.array(objects.SHADOW, np.uint8), (tile, tile, 3))]
    for code in things:
        picture = sprites.thing(code, tile)
        # As in the reference: the floor is added where a corner is black, and 8-bit sums wrap around.
        if (picture[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).all(-1).any():
            picture = picture + sprites.empty(tile)
        pictures.append(picture)
    return np.stack([_rotated(picture) for picture in pictures], axis=1)


def visible_code(code):
    """Returns codes without what a picture does not show of them: only doors show their state.

    >>> visible_code(objects.encode(objects.GOAL, "green", 3)) == objects.encode(objects.GOAL, "green")
    True
    """
    return code & (0xFF | 0x300 * (objects.kind_of(code) == objects.DOOR))


@functools.lru_cache
def things_of(scenario: Scenario) -> tuple[int, ...]:
    """Returns the codes that look different of all that a scenario's grid can hold; bare floor first."""
    inside_boxes = [objects.state_of(code) for code in scenario.things if objects.kind_of(code) == objects.BOX]
    found = [objects.EMPTY]
    for code in (*scenario.things, *inside_boxes):
        states = (objects.OPEN, objects.CLOSED, objects.LOCKED) if objects.kind_of(code) == objects.DOOR else (0,)
        found += [code & 0xFF | state << 8 for state in states]
    return tuple(dict.fromkeys(found))


def atlas_index(codes: Int[Array, "*S"], scenario: Scenario) -> Int[Array, "*S"]:
    """Returns the index in `atlas` of each code's tile."""
    things = things_of(scenario)
    keys, looks = things, visible_code(codes)
    # Where no two things have the same kind, the kind alone tells them apart: one operation less for each cell.
    if len({objects.kind_of(thing) for thing in things}) == len(things):
        keys, looks = tuple(objects.kind_of(thing) for thing in things), objects.kind_of(codes)
    if len(things) > MOST_SELECTIONS:
        table = np.zeros(0x400, np.int32)
        table[list(keys)] = np.arange(len(things)) + 1
        return jnp.asarray(table)[looks]
    index = jnp.zeros_like(codes)
    for number, key in enumerate(keys, 1):
        index = jnp.where(looks == key, number, index)
    return index


def tint(state: State, rules: Rules, scenario: Scenario) -> Int[Array, "A 3"]:
    """Returns each agent's colour: its own, or s * blue + (1 - s) * red, s = tanh(prestige / scale).

    Where prestige may be negative, s = 1 / (1 + exp(-prestige / scale)).

    Args:
      state: the world.
      rules: the world's traced numbers, ``prestige_scale`` among them.
      scenario: the world's sizes, with the agents' colours.
    """
    strength = state.prestige / rules.prestige_scale
    if scenario.negative_prestige:
        rest = 1.0 / (1.0 + jnp.exp(strength))
    else:
        # 1 - tanh(x) = 2 / (1 + exp(2x)). The left side loses its last bits in 32-bit floats where x is large. The
        # reference truncates 64-bit floats, and only the right side gives the same integers.
        rest = jnp.where(strength < TANH_IS_ONE, 2.0 / (1.0 + jnp.exp(2.0 * strength)), 0.0)
    red = 255.0 * rest
    prestige = jax.lax.platform_dependent(
        jnp.floor(red), 255.0 - jnp.ceil(red), cpu=_red_and_blue_stacked, default=_red_and_blue_selected
    )
    own = np.stack([objects.RGB[objects.COLOUR_NAMES.index(name)] for name in scenario.agent_colours])
    by_prestige = np.array([name == "prestige" for name in scenario.agent_colours])
    tinted = jnp.asarray(by_prestige) & state.active
    return jnp.where(tinted[:, None], prestige.astype(jnp.int32), own.astype(np.int32))


def _red_and_blue_stacked(red: Float[Array, " A"], blue: Float[Array, " A"]) -> Float[Array, "A 3"]:
    """Returns colours without green."""
    return jnp.stack([red, jnp.zeros_like(red), blue], axis=-1)


def _red_and_blue_selected(red: Float[Array, " A"], blue: Float[Array, " A"]) -> Float[Array, "A 3"]:
    """Returns the same, without a concatenation, which is a kernel of its own on GPUs.

    CPUs would compute both colours again for each channel.
    """
    channel = np.arange(3)
    return jnp.where(channel == 2, blue[:, None], red[:, None] * (channel == 0))


class Looks(NamedTuple):
    """What A agents look like to F observers, who are the last axis."""

    heading: Int[Array, "A F"]
    colour: Int[Array, "A 3 F"]
    active: Bool[Array, "A F"]
    code: Int[Array, "A F"]
    """Of the thing that each stands on."""


def looks_of(state: State, rules: Rules, scenario: Scenario) -> Looks:
    """Returns what a world's agents look like to anybody, without the axis of observers."""
    code = state.grid.at[state.position[:, 0], state.position[:, 1]].get(mode="clip")
    return Looks(state.heading, tint(state, rules, scenario), state.active, code)


def agent_tiles(
    looks: Looks, observer: Int[Array, " F"], scenario: Scenario, tile: int, hidden_kinds: int = 0
) -> UInt8[Array, "A tile tile 3 F"]:
    """Returns every agent's tile, on the thing that it stands on.

    Args:
      looks: of the agents.
      observer: the observers' headings, 0 to 3.
      scenario: the world's sizes.
      tile: pixels on a side.
      hidden_kinds: bit k for a kind k that is not drawn below an agent.
    """
    # As an observer with heading 0 sees agents: only the difference of the headings matters.
    coverage = np.rot90(sprites.agent_coverage(tile), axes=(1, 2)).astype(np.int32)
    by_prestige = np.array([name == "prestige" for name in scenario.agent_colours])[:, None, None, None, None]

    def drawn(covered):
        """Returns pixels of which so many samples are covered."""
        # The reference multiplies a white picture by the prestige colour and shifts; it draws others in their colour.
        white, colour = 255 * covered // SAMPLES_A_PIXEL, looks.colour[:, None, None]
        own = jnp.where(by_prestige, (white * colour) >> 8, colour * covered // SAMPLES_A_PIXEL)
        return jnp.where(by_prestige & ~looks.active[:, None, None, None], white, own)

    picture = drawn(_entries(coverage, (looks.heading - observer) & 3)[..., None, :])
    thing = (atlas_index(looks.code, scenario) - EMPTY)[:, None, None, None]
    below = jnp.zeros_like(picture)
    for number, code in enumerate(things_of(scenario)):
        ground = _entries(_rotated(sprites.thing(code, tile)).astype(np.int32), observer)
        below = jnp.where(thing == number, ground, below)
    # Blended with the sum of the agent's channels as weight, in integers that are divided once, as in the reference.
    # The pixel that is covered most has the largest weight.
    weight, most = _channel_sum(picture), jnp.maximum(_channel_sum(drawn(jnp.int32(coverage.max()))), 1)
    # Divided as floats, since CPUs divide integers one by one. The sum is below 2**24, so the quotient is off by one at
    # most: it may be rounded up to the next integer, and accelerators divide floats approximately.
    total = below * (most - weight) + picture * weight
    quotient = (total.astype(jnp.float32) / most.astype(jnp.float32)).astype(jnp.int32)
    rest = total - quotient * most
    blended = quotient + (rest >= most) - (rest < 0)
    kind = objects.kind_of(looks.code)
    bare = (kind == objects.EMPTY) | ((hidden_kinds >> kind) & 1 == 1)
    tiles = jnp.where(bare[:, None, None, None], picture, blended)
    floor = sprites.empty(tile)
    if floor.any():  # added where a corner is black, as in `atlas`
        black = (tiles[:, (0, 0, -1, -1), (0, -1, 0, -1)] == 0).all(2).any(1)[:, None, None, None]
        tiles = jnp.where(black, tiles + _entries(_rotated(floor).astype(np.int32), observer), tiles)
    return tiles.astype(jnp.uint8)


def _channel_sum(picture: Int[Array, "A t t 3 F"]) -> Int[Array, "A t t 1 F"]:
    """Returns the sum over channels; three terms, since a GPU launches a kernel of its own for a reduction."""
    return picture[..., 0:1, :] + picture[..., 1:2, :] + picture[..., 2:3, :]


def _entries(table: np.ndarray, index: Int[Array, "*N F"]) -> Shaped[Array, "..."]:
    """Returns entries of a table of constants, shape (*N, *entry, F).

    They are selected and not gathered: CPUs gather one by one.
    """
    index = index.reshape(*index.shape[:-1], *(1,) * (table.ndim - 1), index.shape[-1])
    found = jnp.asarray(table[0, ..., None])
    for number in range(1, len(table)):
        if (table[number] != table[0]).any():
            found = jnp.where(index == number, table[number, ..., None], found)
    return found


def observe(
    state: State, agents: tuple[int, ...], view: View, rules: Rules, scenario: Scenario
) -> tuple[UInt8[Array, "B P P 3"], Bool[Array, " B"]]:
    """Returns what agents with the same view see, and whether that shows another agent.

    An agent that is not active sees all shadow.

    Args:
      state: the world.
      agents: the observers' indices, B of them.
      view: the view that they share, P x P pixels.
      rules: the world's traced numbers.
      scenario: the world's sizes.
    """
    chosen, own = batching.index_of(agents), jnp.array(agents, jnp.int32)
    heading, active = state.heading[chosen], state.active[chosen]
    numbers = 1 + jnp.arange(scenario.agents, dtype=jnp.int32)
    windows = behind = vision.windows_with_marks(state, chosen, numbers, view)
    if "agent" in view.hidden:
        second = vision.with_marks(state, numbers, rank=1)
        behind = vision.window(second, state.position[chosen], heading, view)
    looks = [jnp.broadcast_to(x, (len(agents), *x.shape)) for x in looks_of(state, rules, scenario)]
    painted = functools.partial(_painted, view=view, scenario=scenario)
    return batching.frames_last(painted, windows, behind, own, heading, active, *looks)


def _painted(
    windows: Int[Array, "V V F"],
    behind: Int[Array, "V V F"],
    own: Int[Array, " F"],
    heading: Int[Array, " F"],
    active: Bool[Array, " F"],
    *looks: Shaped[Array, "A ..."],
    view: View,
    scenario: Scenario,
) -> tuple[UInt8[Array, "P P 3 F"], Bool[Array, " F"]]:
    """Returns what `observe` does, for F observers of many worlds, who are the last axis.

    Args:
      windows: see `vision.windows_with_marks`; an agent's mark is 1 + its index.
      behind: the same, of the second agent of each cell; read if agents are hidden.
      own: each observer's own index.
      heading: each observer's heading, 0 to 3.
      active: whether each observer is active.
      looks: the fields of `Looks`.
      view: the view that they share.
      scenario: the worlds' sizes.
    """
    size, tile, first_agent = view.size, view.tile_pixels, 1 + len(things_of(scenario))
    index = _tile_index(windows, behind, own, heading, active, view, scenario)
    others = ((index >= first_agent) & (index != first_agent + own)).any((0, 1))
    moving = agent_tiles(Looks(*looks), heading, scenario, tile, view.hidden_kinds)
    # Each is read by many pixels. Fused into the picture, it would be recomputed for each (docs/performance.md).
    smallest = np.min_scalar_type(first_agent + scenario.agents)  # a byte, unless there are very many
    index, moving = batching.computed_once(index.astype(smallest)), batching.computed_once(moving)
    fixed = [_entries(thing, heading) for thing in atlas(things_of(scenario), tile).swapaxes(0, 1)]
    # What looks the same to all observers is a constant, which costs nothing to compute again.
    fixed = [look if look.shape[-1] == 1 else batching.computed_once(look) for look in fixed]
    picture = jnp.zeros((size, tile, size, tile, 3, len(own)), jnp.uint8)
    for number, look in enumerate([*fixed, *moving]):
        picture = jnp.where((index == number)[:, None, :, None, None], look[None, :, None], picture)
    # For TPUs XLA would reshape each look before it is selected, and store it at the size of the picture. On CPU the
    # barrier would keep the selection from being fused with what follows (jax 0.12).
    picture = batching.stored_first(picture, "tpu")
    return picture.reshape(view.pixels, view.pixels, 3, len(own)), others


def _tile_index(windows, behind, own, heading, active, view: View, scenario: Scenario) -> Int[Array, "V V F"]:
    """Returns the tile of each cell of each window: shadow, a thing, or the agent that is drawn there."""
    codes, first, seen = vision.look(windows, active, view)
    agent = jnp.where(vision.own_cell(heading, view), 1 + own, first)
    things = atlas_index(codes, scenario)
    if view.hidden:
        is_hidden = (view.hidden_kinds >> objects.kind_of(codes)) & 1 == 1
        things = jnp.where(is_hidden, EMPTY, things)
        agent = jnp.where(is_hidden, first, agent)
    if "agent" in view.hidden:
        # The reference removes the first agent of a cell of bare floor; the second one then shows.
        bare = objects.kind_of(codes) == objects.EMPTY
        agent = jnp.where(bare & (first != 1 + own), vision.split_marks(behind)[1], agent)
    last_thing = len(things_of(scenario))
    return jnp.where(seen, jnp.where(agent > 0, last_thing + agent, things), HIDDEN)


def whole_world(state: State, rules: Rules, scenario: Scenario, tile: int) -> UInt8[Array, "height width 3"]:
    """Returns a picture of the world for people: upright, brighter by 63 where an active agent sees.

    Where agents see the whole world, nothing is brighter.

    Args:
      state: the world.
      rules: the world's traced numbers.
      scenario: the world's sizes.
      tile: pixels on a side of a cell.
    """
    height, width = state.grid.shape
    codes, agent = vision.split_marks(vision.with_marks(state, 1 + jnp.arange(scenario.agents, dtype=jnp.int32)))
    index = jnp.where(agent > 0, len(things_of(scenario)) + agent, atlas_index(codes, scenario))
    looks = Looks(*(x[..., None] for x in looks_of(state, rules, scenario)))
    agents = agent_tiles(looks, jnp.array([objects.UP], jnp.int32), scenario, tile)[..., 0]
    tiles = jnp.concatenate([atlas(things_of(scenario), tile)[objects.UP], agents])
    picture = tiles[index].transpose(0, 2, 1, 3, 4)
    lit = jnp.zeros(state.grid.shape, bool)
    local_views = {} if scenario.observation == "symbolic_world" else scenario.agents_by_view
    for view, group in local_views.items():
        chosen = jnp.array(group, jnp.int32)
        position, heading = state.position[chosen], state.heading[chosen]
        codes = jnp.moveaxis(vision.window(state.grid, position, heading, view), 0, -1)
        seen = jnp.moveaxis(vision.visible(codes, view) & state.active[chosen], -1, 0)
        offsets = jnp.asarray(vision.window_offsets(view.size, view.offset))
        cell = position[:, None, None, :] + offsets[heading]
        # A negative index would wrap around: what is unseen or above the grid goes below it, and is dropped.
        row = jnp.where(seen & (cell >= 0).all(-1), cell[..., 0], height)
        lit = lit.at[row, cell[..., 1]].set(True, mode="drop")
    brighter = jnp.minimum(picture.astype(jnp.int32) + 63 * lit[:, None, :, None, None], 255)
    return brighter.reshape(height * tile, width * tile, 3).astype(jnp.uint8)
