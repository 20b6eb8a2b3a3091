"""What a cell can hold: kinds, colours and headings, and one NumPy table for each property.

A cell is one small integer, its *code*: ``kind | colour << 4 | state << 8``. The tables are NumPy
on purpose: a ``jax.numpy`` array made at import would start a device.
"""

import numpy as np

# Kinds are numbered as in the reference (MarlGrid), so that recordings can be read as they are.
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
"""`UNSEEN` occurs in symbolic observations only, `AGENT` there and among hidden kinds: agents are never in a grid.
`SPACE` looks empty and blocks, as the reference's EmptySpace does."""
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

# Headings count quarter turns clockwise from "right"; rows grow downwards.
RIGHT, DOWN, LEFT, UP = range(4)
STEP = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)], np.int32)
"""(heading) -> (row, column) of one step forward."""

LEFT_TURN, RIGHT_TURN, FORWARD, PICK_UP, DROP, TOGGLE, DONE = range(7)
ACTION_NAMES = ("left", "right", "forward", "pick up", "drop", "toggle", "done")


def _bits(*kinds: int) -> int:
    return sum(1 << kind for kind in kinds)


WALKABLE_KINDS = _bits(EMPTY, BONUS, GOAL, FLOOR, LAVA)
OPAQUE_KINDS = _bits(WALL)
PORTABLE_KINDS = _bits(KEY, BALL, BOX)
"""Bit k for kind k: a shift is cheaper than a look-up in a table for every cell. Doors depend on their state."""


def encode(kind: int, colour: str = "red", state: int = 0) -> int:
    """The code of a thing.

    ``state`` is the number of a goal or bonus tile (0 to 15), a door's `OPEN`, `CLOSED` or `LOCKED`, or the code
    (without a state) of what is in a box.
    """
    return kind | COLOUR_NAMES.index(colour) << 4 | state << 8


def kind_of(code):
    """The kind in a code, or in an array of codes."""
    return code & 15


def colour_of(code):
    """The colour's number in a code, or in an array of codes."""
    return (code >> 4) & 15


def state_of(code):
    """The state in a code, or in an array of codes."""
    return code >> 8


def walkable(code):
    """Whether agents can step on what a code says; also of arrays of codes."""
    open_door = (code & 0x30F) == DOOR | OPEN << 8
    return ((WALKABLE_KINDS >> kind_of(code)) & 1 == 1) | open_door


def opaque(code):
    """Whether it hides what is behind it: walls, and doors that are not open; also of arrays of codes."""
    # Of a door's states only closed and locked have this bit.
    shut_door = (code & 0x20F) == DOOR | CLOSED << 8
    return ((OPAQUE_KINDS >> kind_of(code)) & 1 == 1) | shut_door


def portable(code):
    """Whether it can be picked up; also of arrays of codes."""
    return (PORTABLE_KINDS >> kind_of(code)) & 1 == 1
