"""Worlds for people: pictures, maps in the characters of `maps`, and both in a terminal's colours."""

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
"""(colour, whether of the background) -> what makes a terminal write in it: `true_colour`, `palette_colour`."""

UPPER_HALF, BONUS = "▀", "*"
PLAIN, REVERSE = "\x1b[0m", "\x1b[7m"
_ARROWS = {heading: arrow for arrow, heading in alphabet.ARROWS.items()}
_CHARACTERS = {code: character for character, code in alphabet.CHARACTERS.items()}


def image(state: State, rules: Rules, scenario: Scenario, tile: int = 32) -> Picture:
    """The whole world, cells of ``tile`` pixels, brighter where an active agent sees them."""
    return np.asarray(_whole_world(state, rules, scenario, tile))


_whole_world = jax.jit(pixels.whole_world, static_argnums=(2, 3))


def view(state: State, agent: int, rules: Rules, scenario: Scenario, tile: int = 32) -> Picture:
    """What one agent sees, cells of ``tile`` pixels; it looks up."""
    same = dataclasses.replace(scenario.agent_views[agent], tile_pixels=tile)
    return np.asarray(_view(state, (agent,), same, rules, scenario)[0])


_view = jax.jit(pixels.observe, static_argnums=(1, 2, 4))


def text(state: State, scenario: Scenario) -> str:
    """The world as a map, with a legend of what its characters do not say by themselves.

    `jaxsocial.scenario_from_text` reads it back, but for agents behind others and what they carry.
    """
    marks = [[Mark(_unnumbered(code)) for code in row] for row in np.asarray(state.grid).tolist()]
    for agent in np.flatnonzero(vision.first_come(state)).tolist():
        row, column = np.asarray(state.position[agent]).tolist()
        marks[row][column] = marks[row][column]._replace(heading=int(state.heading[agent]))
    named = _characters(sorted({mark for row in marks for mark in row}, key=lambda mark: mark.code))
    rows = ["".join(named[mark] for mark in row) for row in marks]
    legend = [f"{character}: {in_words(mark)}" for mark, character in named.items() if MARKS.get(character) != mark]
    return "\n".join([*rows, *([""] if legend else []), *legend]) + "\n"


def _characters(marks: list[Mark]) -> dict[Mark, str]:
    """A character for each mark: its own, else one alike where nothing else here has it, else a spare one."""
    usual = {mark: character for character, mark in MARKS.items() if character != " "}
    named = {mark: usual[mark] for mark in marks if mark in usual}
    spare = (c for c in itertools.chain(string.ascii_letters, map(chr, itertools.count(0xC0))) if c not in MARKS)
    for mark in marks:
        if mark not in named:
            fitting = (c for own, c in usual.items() if _alike(own, mark) and c not in named.values())
            named[mark] = next(itertools.chain(fitting, spare))
    return named


def _unnumbered(code: int) -> int:
    return code & 0xFF if objects.kind_of(code) == objects.GOAL else code


def _alike(mark: Mark, other: Mark) -> bool:
    """Whether both are agents with one heading; or things that differ in colour, or in what is in them, only."""
    if mark.heading is not None:
        return mark.heading == other.heading
    boxes = objects.kind_of(mark.code) == objects.BOX
    return other.heading is None and (mark.code ^ other.code) & (0xF if boxes else ~0xF0) == 0


def true_colour(rgb: RGB, background: bool) -> str:
    """One of 16 million colours."""
    return f"\x1b[{48 if background else 38};2;{rgb[0]};{rgb[1]};{rgb[2]}m"


def palette_colour(rgb: RGB, background: bool) -> str:
    """The nearest of the 240 colours that terminals of 256 have in common."""
    return f"\x1b[{48 if background else 38};5;{_nearest(rgb)}m"


def no_colour(rgb: RGB, background: bool) -> str:
    """Nothing: for maps, where the terminal has none of the colours."""
    return ""


_LEVELS = (0, 95, 135, 175, 215, 255)
_CUBE = np.array(list(itertools.product(_LEVELS, repeat=3)))
_GREYS = np.array([(8 + 10 * step,) * 3 for step in range(24)])
GREY_SPREAD = 24
"""How far the channels of a grey may lie apart. The nearest colour to a wall's brown is a grey, that of lit floor."""


@functools.cache
def _nearest(rgb: RGB) -> int:
    palette = np.concatenate([_CUBE, _GREYS]) if max(rgb) - min(rgb) <= GREY_SPREAD else _CUBE
    return 16 + int(((palette - rgb) ** 2).sum(-1).argmin())


def half_blocks(picture: Picture, colours: Colours = true_colour) -> str:
    """A picture for a terminal, two pixels to a character, one above the other."""
    even = np.pad(picture, ((0, len(picture) % 2), (0, 0), (0, 0)))
    pairs = [list(zip(*two, strict=True)) for two in zip(_tuples(even[::2]), _tuples(even[1::2]), strict=True)]
    blocks = [UPPER_HALF * even.shape[1]] * len(pairs)
    return _lines(zip(blocks, pairs, strict=True), lambda pair: colours(pair[0], False) + colours(pair[1], True))


def symbols_text(
    symbols: UInt8[np.ndarray, "H W 3"], colours: Colours, tints: dict[tuple[int, int], RGB], you: tuple[int, int]
) -> str:
    """A map for a terminal, of the kind, colour and state of cells (`jaxsocial.env.observations.symbolic`).

    Bonus tiles are ``*``: their order is hidden. ``tints`` are colours of cells, by (row, column), instead of
    their own; the cell at ``you`` is reversed.
    """
    rgb = objects.RGB[symbols[..., 1]].astype(int)
    rgb[symbols[..., 0] == objects.LAVA] = sprites.LAVA
    rgb[symbols[..., 0] == objects.EMPTY] = objects.COLOURS["grey"]
    for cell, tint in tints.items():
        rgb[cell] = tint
    rows = [[_symbol(kind, state) for kind, _, state in row] for row in symbols.tolist()]
    looks = [[(c, (row, k) == you) for k, c in enumerate(line)] for row, line in enumerate(_tuples(rgb))]
    return _lines(
        zip(rows, looks, strict=True), lambda look: PLAIN + (REVERSE if look[1] else "") + colours(look[0], False)
    )


def _symbol(kind: int, state: int) -> str:
    if kind == objects.AGENT:
        return _ARROWS[state]
    if kind == objects.DOOR:
        return _CHARACTERS[alphabet.thing(kind, state)]
    unlike = {objects.UNSEEN: " ", objects.SPACE: " ", objects.EMPTY: ".", objects.BONUS: BONUS}
    return unlike[kind] if kind in unlike else _CHARACTERS[alphabet.thing(kind)]


def _tuples(rgb: np.ndarray) -> list[list[RGB]]:
    return [[(r, g, b) for r, g, b in row] for row in rgb.tolist()]


def _lines(rows: Iterable[tuple], code: Callable[..., str]) -> str:
    """Rows of (characters, looks) with a terminal's code wherever the look changes."""
    lines = []
    for characters, looks in rows:
        runs = itertools.groupby(zip(looks, characters, strict=True), key=lambda one: one[0])
        lines.append("".join(code(look) + "".join(c for _, c in run) for look, run in runs) + PLAIN)
    return "\n".join(lines)
