"""Maps drawn in characters, read into arrays.

A map is a block of lines of the same length. Its characters:

    #  wall                             k  yellow key
    .  bare floor; so is a space        o  blue ball
    0  to 9: bonus tiles of the cycle   b  purple box, empty
    G  green goal                       D  yellow door, closed
    ~  lava                             L  yellow door, locked
    _  floor tile                       '  yellow door, open
    >  v < ^: agents by their headings  A  agent with any heading

Below it, after an empty line, a legend can define further characters, or redefine these, in the words of
`jaxsocial.env.text.alphabet`. An agent's start is ``agent [right|down|left|up] [on thing]``:

    #########
    #>..K..0#
    #A..#..1#
    #########

    K: red locked door
    A: agent left on blue floor

Common indentation and empty lines at either end are removed, and the first blank line ends the map. So draw a first
column, or a row, of nothing but bare floor with dots. Goals are numbered in reading order.
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
    """The meaning of a character of a map."""

    code: int
    heading: int | None = None
    """The heading of an agent that starts here, or `ANY_HEADING`; None where no agent starts."""


MARKS = (
    {character: Mark(code) for character, code in alphabet.CHARACTERS.items()}
    | {arrow: Mark(objects.EMPTY, heading) for arrow, heading in alphabet.ARROWS.items()}
    | {alphabet.SOMEHOW: Mark(objects.EMPTY, ANY_HEADING)}
)


def in_words(mark: Mark) -> str:
    """Returns a mark in the words of a legend.

    >>> in_words(Mark(objects.EMPTY, objects.LEFT))
    'agent left'
    """
    if mark.heading is None:
        return alphabet.in_words(mark.code)
    heading = [name for name, number in HEADINGS.items() if number == mark.heading]
    return " ".join(["agent", *heading, *(["on", alphabet.in_words(mark.code)] if mark.code else [])])


class Map(NamedTuple):
    """A map in arrays."""

    grid: Int[np.ndarray, "H W"]
    goals: Int[np.ndarray, "G 2"]
    """The bonus tiles in the order of their cycle; if there are none, the goals in reading order."""
    starts: Int[np.ndarray, "S 2"]
    """Where agents start, in reading order."""
    headings: Int[np.ndarray, " S"]

    @property
    def things(self) -> tuple[int, ...]:
        """Returns the codes for `Scenario.things`, without the numbers of goals."""
        numbered = np.isin(objects.kind_of(self.grid), (objects.BONUS, objects.GOAL))
        codes = np.unique(np.where(numbered, self.grid & 0xFF, self.grid))
        return tuple(int(code) for code in codes if code != objects.EMPTY)


@functools.lru_cache
def read(text: str) -> Map:
    """Reads a map.

    >>> drawn = read("#####\\n#>.0#\\n#####")
    >>> drawn.starts.tolist(), drawn.goals.tolist(), drawn.headings.tolist()
    ([[1, 1]], [[1, 3]], [0])

    Raises:
      ValueError: a map that cannot be read, with line, column and remedy.
    """
    lines = list(enumerate(textwrap.dedent(text).splitlines(), 1))
    filled = [number for number, line in lines if line.strip()]
    if not filled:
        raise ValueError(f"the map is empty: draw it with {alphabet.ALPHABET}")
    end = next((number for number, line in lines if number > filled[0] and not line.strip()), len(lines) + 1)
    known = MARKS | dict(_read_legend(number, line) for number, line in lines if number > end and line.strip())
    rows = [(number, line) for number, line in lines if filled[0] <= number < end]
    marks = []
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            raise ValueError(
                f"line {number} of the map has {len(row)} characters, the first has {len(rows[0][1])}: fill it up "
                "with . for bare floor or # for wall"
            )
        for column, character in enumerate(row, 1):
            if character not in known:
                raise ValueError(
                    f"line {number}, column {column}: {character!r} is unknown; use {alphabet.ALPHABET}; or define it "
                    f"below the map, as in {character}: red key"
                )
        marks.append([known[character] for character in row])
    starts = [(r, c) for r, row in enumerate(marks) for c, mark in enumerate(row) if mark.heading is not None]
    headings = [marks[row][column].heading for row, column in starts]
    grid, goals = _number_goals(np.array([[mark.code for mark in row] for row in marks], np.int32))
    return Map(grid, goals, _positions(starts), np.array(headings, np.int32))


def _read_legend(number: int, line: str) -> tuple[str, Mark]:
    """Reads a line of the legend."""
    found = _LEGEND.fullmatch(line.strip())
    if not found:
        raise ValueError(
            f"line {number}, {line.strip()!r}, is no line of a legend: write one such as x: red key, or "
            "draw rows of bare floor with . since a blank line ends the map"
        )
    character, words = found[1], " ".join(found[2].split())
    agent = _AGENT.fullmatch(words)
    try:
        if agent is None:
            return character, Mark(alphabet.from_words(words))
        heading = HEADINGS[agent[1]] if agent[1] else ANY_HEADING
        return character, Mark(alphabet.from_words(agent[2]) if agent[2] else objects.EMPTY, heading)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def _number_goals(codes: Int[np.ndarray, "H W"]) -> tuple[Int[np.ndarray, "H W"], Int[np.ndarray, "G 2"]]:
    """Returns the grid with its goals numbered after its bonus tiles, and the positions for `Map.goals`."""
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
    return numbered, _positions(tiles if len(tiles) else goals)


def _positions(pairs) -> Int[np.ndarray, "N 2"]:
    return np.array(pairs, np.int32).reshape(-1, 2)  # an empty list has no second axis
