"""Characters and words for the contents of cells, for maps that are read and shown.

In words, a thing is ``[colour] [open|closed|locked] kind [number] [with thing]``, such as "red key",
"yellow locked door", "bonus 11" or "green box with red key". Without a colour it has the usual one of its kind.
"""

import re

from jaxsocial.env import objects
from jaxsocial.env.scenario import MAXIMUM_GOALS

USUAL_COLOURS = {
    objects.BONUS: "yellow",
    objects.GOAL: "green",
    objects.FLOOR: "worst",
    objects.SPACE: "worst",
    objects.LAVA: "worst",
    objects.WALL: "worst",
    objects.KEY: "yellow",
    objects.BALL: "blue",
    objects.DOOR: "yellow",
    objects.BOX: "purple",
}
DOOR_STATES = {"open": objects.OPEN, "closed": objects.CLOSED, "locked": objects.LOCKED}
BOXED = (objects.KEY, objects.BALL, objects.BOX)
"""Kinds that may be in a box."""
KINDS = {name: kind for kind, name in objects.KINDS.items() if kind in USUAL_COLOURS} | {"empty": objects.EMPTY}
_THING = re.compile(
    rf"(?:an? )?(?:({'|'.join(objects.COLOURS)}) )?(?:({'|'.join(DOOR_STATES)}) )?({'|'.join(KINDS)})(?: tile)?"
    r"(?: (\d+))?(?: with (.+))?"
)


def thing(kind: int, state: int = 0) -> int:
    """Returns the code of a thing in its usual colour.

    >>> in_words(thing(objects.BALL))
    'blue ball'
    """
    return objects.encode(kind, USUAL_COLOURS[kind], state)


CHARACTERS = {
    "#": thing(objects.WALL),
    ".": objects.EMPTY,
    " ": objects.EMPTY,
    **{str(number): thing(objects.BONUS, number) for number in range(10)},
    "G": thing(objects.GOAL),
    "~": thing(objects.LAVA),
    "_": thing(objects.FLOOR),
    "k": thing(objects.KEY),
    "o": thing(objects.BALL),
    "b": thing(objects.BOX),
    "D": thing(objects.DOOR, objects.CLOSED),
    "L": thing(objects.DOOR, objects.LOCKED),
    "'": thing(objects.DOOR, objects.OPEN),
}
"""What each character of a map stands for, without agents."""
ARROWS = {">": objects.RIGHT, "v": objects.DOWN, "<": objects.LEFT, "^": objects.UP}
"""From a character to the heading of an agent."""
SOMEHOW = "A"
"""An agent with any heading."""
ALPHABET = (
    "# wall, . or space bare floor, 0 to 9 bonus tiles, G goal, ~ lava, _ floor tile, k key, o ball, b box, "
    "D closed door, L locked door, ' open door, > v < ^ agents by their headings, A agent with any heading"
)


def in_words(code: int) -> str:
    """Returns a code in words, without a goal's number.

    >>> in_words(objects.encode(objects.DOOR, "red", objects.LOCKED))
    'red locked door'
    """
    kind, state = objects.kind_of(code), objects.state_of(code)
    if kind == objects.EMPTY:
        return "empty"
    words = [objects.COLOUR_NAMES[objects.colour_of(code)], objects.KINDS[kind]]
    if kind == objects.DOOR:
        words[1:1] = [name for name, number in DOOR_STATES.items() if number == state]
    elif kind == objects.BONUS:
        words += [str(state)]
    elif kind == objects.BOX and state:
        words += ["with", in_words(state)]
    return " ".join(words)


def from_words(words: str) -> int:
    """Returns the code of a thing in words; inverts `in_words`.

    >>> from_words("red key") == objects.encode(objects.KEY, "red")
    True
    >>> in_words(from_words("a box with red key"))
    'purple box with red key'

    Raises:
      ValueError: words that name no thing, with those that do.
    """
    found = _THING.fullmatch(" ".join(words.split()))
    if not found:
        raise ValueError(
            f"{words!r} names no thing: write [colour] [open, closed or locked] kind [number] [with thing]; kinds are "
            f"{', '.join(KINDS)}; colours are {', '.join(objects.COLOURS)}"
        )
    colour, door, name, number, inside = found.groups()
    kind = KINDS[name]
    for given, allowed, rule in (
        (colour, kind != objects.EMPTY, "an empty cell has no colour"),
        (door, kind == objects.DOOR, "only a door is open, closed or locked"),
        (number, kind == objects.BONUS, "only bonus tiles are numbered"),
        (inside, kind == objects.BOX, "only a box holds a thing"),
    ):
        if given and not allowed:
            raise ValueError(f"{words!r}: {rule}, leave {given!r} out")
    if int(number or 0) >= MAXIMUM_GOALS:
        raise ValueError(f"bonus {number}: choose 0 to {MAXIMUM_GOALS - 1}")
    content = from_words(inside) if inside else objects.EMPTY
    # The content's code is the box's state, which has room for kind and colour only.
    if content and (objects.kind_of(content) not in BOXED or objects.state_of(content)):
        raise ValueError(f"{inside!r} does not go into a box: choose a key, a ball or an empty box")
    state = {objects.DOOR: DOOR_STATES[door or "closed"], objects.BONUS: int(number or 0), objects.BOX: content}
    return objects.encode(kind, colour or USUAL_COLOURS.get(kind, "red"), state.get(kind, 0))
