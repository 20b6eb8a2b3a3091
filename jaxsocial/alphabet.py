"""Characters and words for what can be in a cell: maps are drawn with them, read and shown.

A thing in words is ``[colour] [open|closed|locked] kind [number] [with thing]``, such as "red key",
"yellow locked door", "bonus 11" or "green box with red key". Without a colour it has its kind's usual one.
"""

import re

from jaxsocial import cells
from jaxsocial.scenario import MAXIMUM_GOALS

USUAL_COLOURS = {
    cells.BONUS: "yellow",
    cells.GOAL: "green",
    cells.FLOOR: "worst",
    cells.SPACE: "worst",
    cells.LAVA: "worst",
    cells.WALL: "worst",
    cells.KEY: "yellow",
    cells.BALL: "blue",
    cells.DOOR: "yellow",
    cells.BOX: "purple",
}
DOOR_STATES = {"open": cells.OPEN, "closed": cells.CLOSED, "locked": cells.LOCKED}
BOXED = (cells.KEY, cells.BALL, cells.BOX)
"""Kinds that may be in a box."""
KINDS = {name: kind for kind, name in cells.KINDS.items() if kind in USUAL_COLOURS} | {"empty": cells.EMPTY}
_THING = re.compile(
    rf"(?:an? )?(?:({'|'.join(cells.COLOURS)}) )?(?:({'|'.join(DOOR_STATES)}) )?({'|'.join(KINDS)})(?: tile)?"
    r"(?: (\d+))?(?: with (.+))?"
)


def thing(kind: int, state: int = 0) -> int:
    """The code of a thing in its usual colour."""
    return cells.encode(kind, USUAL_COLOURS[kind], state)


CHARACTERS = {
    "#": thing(cells.WALL),
    ".": cells.EMPTY,
    " ": cells.EMPTY,
    **{str(number): thing(cells.BONUS, number) for number in range(10)},
    "G": thing(cells.GOAL),
    "~": thing(cells.LAVA),
    "_": thing(cells.FLOOR),
    "k": thing(cells.KEY),
    "o": thing(cells.BALL),
    "b": thing(cells.BOX),
    "D": thing(cells.DOOR, cells.CLOSED),
    "L": thing(cells.DOOR, cells.LOCKED),
    "'": thing(cells.DOOR, cells.OPEN),
}
"""What each character of a map stands for, agents apart."""
ARROWS = {">": cells.RIGHT, "v": cells.DOWN, "<": cells.LEFT, "^": cells.UP}
"""An agent's heading."""
SOMEHOW = "A"
"""An agent with any heading."""
ALPHABET = (
    "# wall, . or space bare floor, 0 to 9 bonus tiles, G goal, ~ lava, _ floor tile, k key, o ball, b box, "
    "D closed door, L locked door, ' open door, > v < ^ agents by their headings, A agent with any heading"
)


def in_words(code: int) -> str:
    """What a code says; a goal's number is left out."""
    kind, state = cells.kind_of(code), cells.state_of(code)
    if kind == cells.EMPTY:
        return "empty"
    words = [cells.COLOUR_NAMES[cells.colour_of(code)], cells.KINDS[kind]]
    if kind == cells.DOOR:
        words[1:1] = [name for name, number in DOOR_STATES.items() if number == state]
    elif kind == cells.BONUS:
        words += [str(state)]
    elif kind == cells.BOX and state:
        words += ["with", in_words(state)]
    return " ".join(words)


def from_words(words: str) -> int:
    """The code of a thing in words; the inverse of `in_words`.

    Raises:
      ValueError: words that make no thing, with those that would.
    """
    found = _THING.fullmatch(" ".join(words.split()))
    if not found:
        raise ValueError(
            f"{words!r} is no thing: write [colour] [open, closed or locked] kind [number] [with thing]; kinds are "
            f"{', '.join(KINDS)}; colours are {', '.join(cells.COLOURS)}"
        )
    colour, door, name, number, inside = found.groups()
    kind = KINDS[name]
    for given, allowed, cure in (
        (colour, kind != cells.EMPTY, "an empty cell has no colour"),
        (door, kind == cells.DOOR, "only a door is open, closed or locked"),
        (number, kind == cells.BONUS, "only bonus tiles are numbered"),
        (inside, kind == cells.BOX, "only a box holds a thing"),
    ):
        if given and not allowed:
            raise ValueError(f"{words!r}: {cure}, leave {given!r} out")
    state = {cells.DOOR: DOOR_STATES[door or "closed"], cells.BONUS: _number(number), cells.BOX: _boxed(inside)}
    return cells.encode(kind, colour or USUAL_COLOURS.get(kind, "red"), state.get(kind, 0))


def _number(digits: str | None) -> int:
    if int(digits or 0) >= MAXIMUM_GOALS:
        raise ValueError(f"bonus {digits}: choose 0 to {MAXIMUM_GOALS - 1}")
    return int(digits or 0)


def _boxed(words: str | None) -> int:
    """What is in a box, which cannot hold another thing in its turn: a code has no room for it."""
    code = from_words(words) if words else cells.EMPTY
    if code and (cells.kind_of(code) not in BOXED or cells.state_of(code)):
        raise ValueError(f"{words!r} does not go into a box: choose a key, a ball or an empty box")
    return code
