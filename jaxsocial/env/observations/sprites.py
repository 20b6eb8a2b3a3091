"""The pictures of things and agents, one tile each: the reference's shapes, three by three samples a pixel.

All of this is NumPy: it runs once, while a program is traced, and leaves tables of pixels.
"""

import functools
import itertools
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxsocial.env import objects

SAMPLES = 3
TRIANGLE = np.array([(0.12, 0.19), (0.87, 0.50), (0.12, 0.81)])
"""Corners (x, y) of an agent facing right, in a tile of side 1."""
LAVA = (255, 128, 0)
BLACK = (0, 0, 0)

Coordinates = Float[np.ndarray, "*S"]
Shape = Callable[[Coordinates, Coordinates], Bool[np.ndarray, "*S"]]
Tile = UInt8[np.ndarray, "t t 3"]


def rectangle(left: float, right: float, top: float, bottom: float) -> Shape:
    """The samples within these edges; a tile's side is 1."""
    return lambda x, y: (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def square(margin: float) -> Shape:
    """A rectangle with the same margin all round."""
    return rectangle(margin, 1 - margin, margin, 1 - margin)


def circle(x_centre: float, y_centre: float, radius: float) -> Shape:
    return lambda x, y: (x - x_centre) ** 2 + (y - y_centre) ** 2 <= radius**2


def line(x_start: float, y_start: float, x_end: float, y_end: float, width: float) -> Shape:
    """All samples within ``width`` of a line between two points."""
    start, way = np.array([x_start, y_start]), np.array([x_end - x_start, y_end - y_start])

    def inside(x, y):
        offset = np.stack([x, y], axis=-1) - start
        along = np.clip(offset @ way / (way @ way), 0, 1)
        return np.linalg.norm(offset - along[..., None] * way, axis=-1) <= width

    return inside


def triangle(corners: Float[np.ndarray, "3 2"]) -> Shape:
    """Barycentric, with two edges in and one out, as the reference has it."""
    a, b, c = corners
    first, second = c - a, b - a
    scale = 1 / ((first @ first) * (second @ second) - (first @ second) ** 2)

    def inside(x, y):
        offset = np.stack([x - a[0], y - a[1]], axis=-1)
        u = ((second @ second) * (offset @ first) - (first @ second) * (offset @ second)) * scale
        v = ((first @ first) * (offset @ second) - (first @ second) * (offset @ first)) * scale
        return (u >= 0) & (v >= 0) & (u + v < 1)

    return inside


def _sample_middles(tile: int) -> Coordinates:
    return (np.arange(tile * SAMPLES) + 0.5) / (tile * SAMPLES)


def drawn(tile: int, strokes: list) -> Tile:
    """Shapes with their colours painted one over another on black, and averaged over the samples of each pixel."""
    middle = _sample_middles(tile)
    x, y = np.meshgrid(middle, middle)
    samples = np.zeros((*x.shape, 3), np.uint8)
    for shape, colour in strokes:
        samples[shape(x, y)] = np.array(colour).astype(np.uint8)
    return samples.reshape(tile, SAMPLES, tile, SAMPLES, 3).mean((1, 3)).astype(np.uint8)


@functools.lru_cache
def agent_coverage(tile: int) -> np.ndarray:
    """(4 headings, tile, tile): how many of its 9 samples of each pixel an agent covers."""
    middle = _sample_middles(tile) - 0.5
    inside = triangle(TRIANGLE)
    pictures = []
    for heading in range(4):
        forward, right_hand = objects.STEP[heading], objects.STEP[(heading + 1) % 4]
        row, column = middle[:, None], middle[None, :]
        x = 0.5 + row * forward[0] + column * forward[1]
        y = 0.5 + row * right_hand[0] + column * right_hand[1]
        covered = inside(x, y).reshape(tile, SAMPLES, tile, SAMPLES)
        pictures.append(covered.sum((1, 3)))
    return np.stack(pictures)


@functools.lru_cache
def empty(tile: int) -> Tile:
    """Bare floor, with faint lines along the top and the right from 11 pixels on."""
    picture = np.zeros((tile, tile, 3), np.uint8)
    if tile > 10:
        picture[0, :] = picture[:, -1] = min(20, tile - 10)
    return picture


def thing(code: int, tile: int) -> Tile:
    """The picture of a thing before it is lit by the floor and turned."""
    return drawn(tile, _strokes(code))


def _strokes(code: int) -> list:
    kind, state = objects.kind_of(code), objects.state_of(code)
    colour = objects.RGB[objects.colour_of(code)]
    match kind:
        case objects.WALL | objects.BONUS | objects.GOAL:
            return [(square(0.0), colour)]
        case objects.FLOOR:
            return [(rectangle(0.031, 1.0, 0.031, 1.0), colour / 2)]
        case objects.LAVA:
            return _lava()
        case objects.KEY:
            return _key(colour)
        case objects.BALL:
            return [(circle(0.5, 0.5, 0.31), colour)]
        case objects.BOX:
            return [(square(0.12), colour), (square(0.18), BLACK), (rectangle(0.16, 0.84, 0.47, 0.53), colour)]
        case objects.DOOR:
            return _door(colour, state)
    return []


def _lava():
    strokes: list = [(square(0.0), LAVA)]
    for wave in range(3):
        low, high = 0.3 + 0.2 * wave, 0.4 + 0.2 * wave
        points = [(0.1, low), (0.3, high), (0.5, low), (0.7, high), (0.9, low)]
        strokes += [(line(*a, *b, width=0.03), BLACK) for a, b in itertools.pairwise(points)]
    return strokes


def _key(colour):
    return [
        (rectangle(0.50, 0.63, 0.31, 0.88), colour),
        (rectangle(0.38, 0.50, 0.59, 0.66), colour),
        (rectangle(0.38, 0.50, 0.81, 0.88), colour),
        (circle(0.56, 0.28, 0.190), colour),
        (circle(0.56, 0.28, 0.064), BLACK),
    ]


def _door(colour, state):
    if state == objects.OPEN:
        return [(rectangle(0.88, 1.0, 0.0, 1.0), colour), (rectangle(0.92, 0.96, 0.04, 0.96), BLACK)]
    if state == objects.LOCKED:
        slot = rectangle(0.52, 0.75, 0.50, 0.56)
        return [(square(0.0), colour), (square(0.06), 0.45 * colour), (slot, colour)]
    frame = [(square(0.0), colour), (square(0.04), BLACK), (square(0.08), colour), (square(0.12), BLACK)]
    return [*frame, (circle(0.75, 0.50, 0.08), colour)]
