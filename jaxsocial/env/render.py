"""Worlds for people: pictures, maps in characters, and both in a terminal's colours."""

import dataclasses
import functools
import itertools
import string
from collections.abc import Callable, Iterable

import jax
import numpy as np
from jaxtyping import UInt8

from jaxsocial.env import objects
from jaxsocial.env.observations import pixels, sprites, vision
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.text import alphabet
from jaxsocial.env.text.maps import MARKS, Mark, in_words
from jaxsocial.env.types import Rules, State

Picture = UInt8[np.ndarray, "height width 3"]
RGB = tuple[int, int, int]
Colours = Callable[[RGB, bool], str]
"""From (colour, whether of the background) to a terminal's code: `true_colour`, `palette_colour`, `no_colour`."""

UPPER_HALF, BONUS = "▀", "*"
PLAIN, REVERSE = "\x1b[0m", "\x1b[7m"
_ARROWS = {heading: arrow for arrow, heading in alphabet.ARROWS.items()}
_CHARACTERS = {code: character for character, code in alphabet.CHARACTERS.items()}


def image(state: State, rules: Rules, scenario: Scenario, tile: int = 32) -> Picture:
    """Returns a picture of the whole world, brighter where an active agent sees.

    Args:
      state: the world.
      rules: its traced numbers.
      scenario: its sizes.
      tile: pixels on a side of a cell.
    """
    return np.asarray(_whole_world(state, rules, scenario, tile))


_whole_world = jax.jit(pixels.whole_world, static_argnums=(2, 3))


def view(state: State, agent: int, rules: Rules, scenario: Scenario, tile: int = 32) -> Picture:
    """Returns a picture of what one agent sees; the agent looks up.

    Args:
      state: the world.
      agent: the agent's index.
      rules: the world's traced numbers.
      scenario: its sizes.
      tile: pixels on a side of a cell.
    """
    same = dataclasses.replace(scenario.agent_views[agent], tile_pixels=tile)
    return np.asarray(_view(state, (agent,), same, rules, scenario)[0][0])


_view = jax.jit(pixels.observe, static_argnums=(1, 2, 4))


def text(state: State, scenario: Scenario) -> str:
    """Returns the world as a map, with a legend of the characters that do not have their usual meaning.

    `jaxsocial.scenario_from_text` reads it back, except agents behind others and what agents carry.
    """
    grid = np.asarray(state.grid)
    unnumbered = np.where(objects.kind_of(grid) == objects.GOAL, grid & 0xFF, grid)
    marks = [[Mark(code) for code in row] for row in unnumbered.tolist()]
    for agent in np.flatnonzero(vision.is_drawn(state)).tolist():
        row, column = np.asarray(state.position[agent]).tolist()
        marks[row][column] = marks[row][column]._replace(heading=int(state.heading[agent]))
    named = _characters(sorted({mark for row in marks for mark in row}, key=lambda mark: mark.code))
    rows = ["".join(named[mark] for mark in row) for row in marks]
    legend = [f"{character}: {in_words(mark)}" for mark, character in named.items() if MARKS.get(character) != mark]
    return "\n".join([*rows, *([""] if legend else []), *legend]) + "\n"


def _characters(marks: list[Mark]) -> dict[Mark, str]:
    """Returns a character for each mark: its own, else that of a similar mark if not used, else a spare letter."""
    usual = {mark: character for character, mark in MARKS.items() if character != " "}
    named = {mark: usual[mark] for mark in marks if mark in usual}
    spare = (c for c in itertools.chain(string.ascii_letters, map(chr, itertools.count(0xC0))) if c not in MARKS)
    for mark in marks:
        if mark not in named:
            similar = (c for own, c in usual.items() if _similar(own, mark) and c not in named.values())
            named[mark] = next(itertools.chain(similar, spare))
    return named


def _similar(mark: Mark, other: Mark) -> bool:
    """Returns whether both are agents with one heading, or things that differ only in colour or in a box's content."""
    if mark.heading is not None:
        return mark.heading == other.heading
    boxes = objects.kind_of(mark.code) == objects.BOX
    return other.heading is None and (mark.code ^ other.code) & (0xF if boxes else ~0xF0) == 0


def true_colour(rgb: RGB, background: bool) -> str:
    r"""Returns the code for one of 16 million colours.

    >>> true_colour((255, 0, 9), background=False)
    '\x1b[38;2;255;0;9m'
    """
    return f"\x1b[{48 if background else 38};2;{rgb[0]};{rgb[1]};{rgb[2]}m"


_LEVELS = (0, 95, 135, 175, 215, 255)
_CUBE = np.array(list(itertools.product(_LEVELS, repeat=3)))
_GREYS = np.array([(8 + 10 * step,) * 3 for step in range(24)])
GREY_SPREAD = 24
"""Greys stand only for colours whose channels differ by no more; else a brown wall would look like lit floor."""


@functools.cache
def palette_colour(rgb: RGB, background: bool) -> str:
    r"""Returns the code for the nearest colour of xterm's palette, without the 16 that terminals define themselves.

    >>> palette_colour((250, 4, 3), background=True)
    '\x1b[48;5;196m'
    """
    palette = np.concatenate([_CUBE, _GREYS]) if max(rgb) - min(rgb) <= GREY_SPREAD else _CUBE
    nearest = 16 + int(((palette - rgb) ** 2).sum(-1).argmin())
    return f"\x1b[{48 if background else 38};5;{nearest}m"


def no_colour(rgb: RGB, background: bool) -> str:
    """Returns no code, for maps in terminals without colours."""
    return ""


def half_blocks(picture: Picture, colours: Colours = true_colour) -> str:
    """Returns a picture for a terminal: two pixels in one character, one above the other.

    >>> print(half_blocks(np.zeros((2, 4, 3), np.uint8), no_colour).removesuffix(PLAIN))
    ▀▀▀▀
    """
    even = np.pad(picture, ((0, len(picture) % 2), (0, 0), (0, 0)))
    pairs = [list(zip(*two, strict=True)) for two in zip(_tuples(even[::2]), _tuples(even[1::2]), strict=True)]
    blocks = [UPPER_HALF * even.shape[1]] * len(pairs)
    return _lines(zip(blocks, pairs, strict=True), lambda pair: colours(pair[0], False) + colours(pair[1], True))


def symbols_text(
    symbols: UInt8[np.ndarray, "H W 5"], colours: Colours, tints: dict[tuple[int, int], RGB], you: tuple[int, int]
) -> str:
    """Returns a map for a terminal. Bonus tiles are ``*``: their order is hidden.

    Args:
      symbols: kind, colour, state, prestige and kind below of cells (`jaxsocial.env.observations.symbolic`).
      colours: from a colour to the terminal's code.
      tints: colours of cells by (row, column), in place of their own.
      you: the (row, column) of the cell that is shown reversed.
    """
    rgb = objects.RGB[symbols[..., 1]].astype(int)
    rgb[symbols[..., 0] == objects.LAVA] = sprites.LAVA
    rgb[symbols[..., 0] == objects.EMPTY] = objects.COLOURS["grey"]
    for cell, tint in tints.items():
        rgb[cell] = tint
    special = {objects.UNSEEN: " ", objects.SPACE: " ", objects.EMPTY: ".", objects.BONUS: BONUS}

    def character(kind: int, state: int) -> str:
        if kind == objects.AGENT:
            return _ARROWS[state]
        # Of the other kinds only a door shows its state.
        return special.get(kind) or _CHARACTERS[alphabet.thing(kind, state if kind == objects.DOOR else 0)]

    rows = [[character(kind, state) for kind, _, state, *_ in row] for row in symbols.tolist()]
    looks = [[(own, (row, k) == you) for k, own in enumerate(line)] for row, line in enumerate(_tuples(rgb))]
    return _lines(
        zip(rows, looks, strict=True), lambda look: PLAIN + (REVERSE if look[1] else "") + colours(look[0], False)
    )


def _tuples(rgb: np.ndarray) -> list[list[RGB]]:
    return [[(r, g, b) for r, g, b in row] for row in rgb.tolist()]


def _lines(rows: Iterable[tuple], code: Callable[..., str]) -> str:
    """Returns rows of (characters, looks) as lines, with a terminal's code only where the look changes."""
    lines = []
    for characters, looks in rows:
        runs = itertools.groupby(zip(looks, characters, strict=True), key=lambda one: one[0])
        lines.append("".join(code(look) + "".join(c for _, c in run) for look, run in runs) + PLAIN)
    return "\n".join(lines)
