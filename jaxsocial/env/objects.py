"""Codes of what a cell holds: kinds, colours and states, and the tables of headings and actions.

A cell is one integer, its *code*: ``kind | colour << 4 | state << 8``. The tables are NumPy arrays, since a
``jax.numpy`` array made at import would start a device.
"""

import numpy as np

# The numbers of kinds are those of the reference (MarlGrid), so that its recordings need no translation.
EMPTY, UNSEEN = 0, 1
BONUS, GOAL, FLOOR, SPACE, LAVA, WALL, KEY, BALL, DOOR, BOX, AGENT = range(3, 14)
KINDS = {
    EMPTY: "empty",
    UNSEEN: "unseen",
    BONUS: "bonus",
    GOAL: "goal",
    FLOOR: "floor",
    SPACE: "space",
    LAVA: "lava",
    WALL: "wall",
    KEY: "key",
    BALL: "ball",
    DOOR: "door",
    BOX: "box",
    AGENT: "agent",
}
"""`UNSEEN` and `AGENT` occur in observations only: agents are never in a grid. `SPACE` looks empty and blocks agents,
as the reference's EmptySpace does."""
OPEN, CLOSED, LOCKED = 1, 2, 3
"""States of a door."""

COLOURS = {
    "red": (255, 0, 0),
    "orange": (255, 165, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 139, 139),
    "purple": (112, 39, 195),
    "yellow": (255, 255, 0),
    "olive": (128, 128, 0),
    "grey": (100, 100, 100),
    "worst": (74, 65, 42),
    "pink": (255, 0, 189),
    "white": (255, 255, 255),
    "prestige": (255, 255, 255),
    "shadow": (35, 25, 30),
}
COLOUR_NAMES = tuple(COLOURS)
RGB = np.array(list(COLOURS.values()), np.uint8)
SHADOW = COLOURS["shadow"]
BLUE = 2
"""Index of blue in `RGB`."""

# Headings count quarter turns clockwise from "right"; rows grow downwards.
RIGHT, DOWN, LEFT, UP = range(4)
STEP = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)], np.int32)
"""The change in (row, column) of one step forward, by heading."""

LEFT_TURN, RIGHT_TURN, FORWARD, PICK_UP, DROP, TOGGLE, DONE = range(7)
ACTION_NAMES = ("left", "right", "forward", "pick up", "drop", "toggle", "done")


WALKABLE_KINDS = sum(1 << kind for kind in (EMPTY, BONUS, GOAL, FLOOR, LAVA))
OPAQUE_KINDS = 1 << WALL
PORTABLE_KINDS = sum(1 << kind for kind in (KEY, BALL, BOX))
"""Bit k stands for kind k: a shift is cheaper than a table look-up for every cell. Doors depend on their state."""


def encode(kind: int, colour: str = "red", state: int = 0) -> int:
    """Returns the code of a thing.

    >>> encode(BONUS, "yellow", state=2)
    611
    >>> encode(BOX, "green", state=encode(KEY, "blue"))
    14636

    Args:
      kind: one of `KINDS`.
      colour: one of `COLOUR_NAMES`.
      state: the number of a goal or bonus tile (0 to 15), a door's `OPEN`, `CLOSED` or `LOCKED`, or the code
        (without a state) of a box's content.
    """
    return kind | COLOUR_NAMES.index(colour) << 4 | state << 8


def kind_of(code):
    """Returns the kind in a code, or in each code of an array.

    >>> KINDS[kind_of(encode(DOOR, "blue", LOCKED))]
    'door'
    """
    return code & 15


def colour_of(code):
    """Returns the colour's index in `COLOUR_NAMES`, for a code or an array of codes.

    >>> COLOUR_NAMES[colour_of(encode(DOOR, "blue", LOCKED))]
    'blue'
    """
    return (code >> 4) & 15


def state_of(code):
    """Returns the state in a code, or in each code of an array.

    >>> state_of(encode(DOOR, "blue", LOCKED))
    3
    """
    return code >> 8


def walkable(code):
    """Returns whether agents can enter a cell with this code, or with each code of an array.

    >>> walkable(np.array([EMPTY, encode(WALL, "worst"), encode(DOOR, "red", OPEN), encode(DOOR, "red", CLOSED)]))
    array([ True, False,  True, False])
    """
    open_door = (code & 0x30F) == DOOR | OPEN << 8
    return ((WALKABLE_KINDS >> kind_of(code)) & 1 == 1) | open_door


def opaque(code):
    """Returns whether walls or shut doors block sight, for a code or an array of codes."""
    # Of a door's states only closed and locked have this bit.
    shut_door = (code & 0x20F) == DOOR | CLOSED << 8
    return ((OPAQUE_KINDS >> kind_of(code)) & 1 == 1) | shut_door


def portable(code):
    """Returns whether agents can pick it up, for a code or an array of codes.

    >>> portable(encode(KEY, "yellow")), portable(encode(GOAL, "green"))
    (True, False)
    """
    return (PORTABLE_KINDS >> kind_of(code)) & 1 == 1
