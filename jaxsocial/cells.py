"""What a cell can hold: kinds, colours and headings, and one NumPy table for each property.

A cell is one small integer, its *code*: ``kind | colour << 4 | state << 8``. The tables are NumPy
on purpose: a ``jax.numpy`` array made at import would start a device.
"""

import numpy as np

# Kinds are numbered as in the reference (MarlGrid), so that recordings can be read as they are.
EMPTY, BONUS, WALL, AGENT = 0, 3, 8, 13
KINDS = {EMPTY: "empty", BONUS: "bonus", WALL: "wall", AGENT: "agent"}

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


def _by_kind(*kinds: int) -> np.ndarray:
    table = np.zeros(16, bool)
    table[list(kinds)] = True
    return table


WALKABLE = _by_kind(EMPTY, BONUS)
OPAQUE = _by_kind(WALL)


def encode(kind: int, colour: str = "red", state: int = 0) -> int:
    """The code of a thing. ``state`` is a bonus tile's number in the cycle (0 to 15)."""
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
