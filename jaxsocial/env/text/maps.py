"""Maps drawn in characters, read into numbers.

A map is a block of lines of one length. Its characters:

    #  wall                             k  yellow key
    .  bare floor; so is a space        o  blue ball
    0  to 9: bonus tiles of the cycle   b  purple box, empty
    G  green goal                       D  yellow door, closed
    ~  lava                             L  yellow door, locked
    _  floor tile                       '  yellow door, open
    >  v < ^: agents by their headings  A  agent with any heading

Below it, after an empty line, a legend may name further characters, or other things for these, in the words
of `jaxsocial.env.text.alphabet`; an agent's start is ``agent [right|down|left|up] [on thing]``:

    #########
    #>..K..0#
    #A..#..1#
    #########

    K: red locked door
    A: agent left on blue floor

Common indentation is removed, and so are empty lines at either end. Goals are numbered in reading order.
"""

import functools
import re
import textwrap
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxsocial.env import objects
from jaxsocial.env.scenario import MAXIMUM_GOALS
from jaxsocial.env.text import alphabet

ANY_HEADING = -1
HEADINGS = {"right": objects.RIGHT, "down": objects.DOWN, "left": objects.LEFT, "up": objects.UP}
_AGENT = re.compile(rf"(?:an )?agent(?: ({'|'.join(HEADINGS)}))?(?: on (.+))?")
_LEGEND = re.compile(r"(\S)\s*[:=]\s*(\S.*)")


class Mark(NamedTuple):
    """What a character of a map says of its cell."""

    code: int
    heading: int | None = None
    """Where an agent that starts here looks; `ANY_HEADING`, or None where none does."""


MARKS = (
    {character: Mark(code) for character, code in alphabet.CHARACTERS.items()}
    | {arrow: Mark(objects.EMPTY, heading) for arrow, heading in alphabet.ARROWS.items()}
    | {alphabet.SOMEHOW: Mark(objects.EMPTY, ANY_HEADING)}
)


def in_words(mark: Mark) -> str:
    """What a mark says, as a legend has it."""
    if mark.heading is None:
        return alphabet.in_words(mark.code)
    heading = [name for name, number in HEADINGS.items() if number == mark.heading]
    return " ".join(["agent", *heading, *(["on", alphabet.in_words(mark.code)] if mark.code else [])])


class Map(NamedTuple):
    """A map as numbers."""

    grid: Int[np.ndarray, "H W"]
    goals: Int[np.ndarray, "G 2"]
    """The bonus tiles in the order of their cycle; where there are none the goals, in reading order."""
    starts: Int[np.ndarray, "S 2"]
    """Where agents start, in reading order."""
    headings: Int[np.ndarray, " S"]

    @property
    def things(self) -> tuple[int, ...]:
        """For `Scenario.things`."""
        numbered = np.isin(objects.kind_of(self.grid), (objects.BONUS, objects.GOAL))
        codes = np.unique(np.where(numbered, self.grid & 0xFF, self.grid))
        return tuple(int(code) for code in codes if code != objects.EMPTY)


@functools.lru_cache
def read(text: str) -> Map:
    """A map as numbers.

    Raises:
      ValueError: one that cannot be read, with line, column and cure.
    """
    rows, legend = _parts(text)
    known = MARKS | dict(_explained(number, line) for number, line in legend)
    marks = [[_mark(known, number, column, c) for column, c in enumerate(row, 1)] for number, row in rows]
    codes = np.array([[mark.code for mark in row] for row in marks], np.int32)
    places = [(r, c) for r, row in enumerate(marks) for c, mark in enumerate(row) if mark.heading is not None]
    headings = [marks[row][column].heading for row, column in places]
    numbered, goals = _numbered(codes)
    return Map(numbered, goals, _places(places), np.array(headings, np.int32))


def _parts(text: str):
    """The lines of the map and of the legend, each with its number, counted from 1."""
    lines = list(enumerate(textwrap.dedent(text).splitlines(), 1))
    filled = [number for number, line in lines if line.strip()]
    if not filled:
        raise ValueError(f"the map is empty: draw it with {alphabet.ALPHABET}")
    end = next((number for number, line in lines if number > filled[0] and not line.strip()), len(lines) + 1)
    rows = [(number, line) for number, line in lines if filled[0] <= number < end]
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            raise ValueError(
                f"line {number} of the map has {len(row)} characters, the first has {len(rows[0][1])}: fill it up "
                "with . for bare floor or # for wall"
            )
    return rows, [(number, line) for number, line in lines if number > end and line.strip()]


def _explained(number: int, line: str) -> tuple[str, Mark]:
    """A line of the legend."""
    found = _LEGEND.fullmatch(line.strip())
    if not found:
        raise ValueError(f"line {number}, {line.strip()!r}, is no line of a legend: write one such as x: red key")
    character, words = found[1], " ".join(found[2].split())
    agent = _AGENT.fullmatch(words)
    try:
        if agent is None:
            return character, Mark(alphabet.from_words(words))
        heading = HEADINGS[agent[1]] if agent[1] else ANY_HEADING
        return character, Mark(alphabet.from_words(agent[2]) if agent[2] else objects.EMPTY, heading)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def _mark(known: dict[str, Mark], line: int, column: int, character: str) -> Mark:
    if character not in known:
        raise ValueError(
            f"line {line}, column {column}: {character!r} is unknown; use {alphabet.ALPHABET}; or say what it is "
            f"below the map, as in {character}: red key"
        )
    return known[character]


def _numbered(codes: Int[np.ndarray, "H W"]) -> tuple[Int[np.ndarray, "H W"], Int[np.ndarray, "G 2"]]:
    """The grid with its goals numbered, after the bonus tiles if there are any; and the places of those that count."""
    kind = objects.kind_of(codes)
    tiles, goals = np.argwhere(kind == objects.BONUS), np.argwhere(kind == objects.GOAL)
    tiles = tiles[np.argsort(objects.state_of(codes[tuple(tiles.T)]))]
    numbers = objects.state_of(codes[tuple(tiles.T)]).tolist()
    if numbers != list(range(len(tiles))):
        raise ValueError(
            f"the bonus tiles are numbered {', '.join(map(str, numbers))}: number them 0 to {len(tiles) - 1}, each once"
        )
    count = len(tiles) + len(goals)
    if count > MAXIMUM_GOALS:
        raise ValueError(f"{count} goals and bonus tiles: draw {MAXIMUM_GOALS} or fewer")
    numbered = codes.copy()
    numbered[tuple(goals.T)] += np.arange(len(tiles), count, dtype=np.int32) << 8
    return numbered, _places(tiles if len(tiles) else goals)


def _places(places) -> Int[np.ndarray, "N 2"]:
    return np.array(places, np.int32).reshape(-1, 2)
