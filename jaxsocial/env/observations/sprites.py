"""One tile for each thing and agent: MarlGrid's shapes, anti-aliased with 3 x 3 samples a pixel.

All of this is NumPy. It runs once, while a program is traced, and gives tables of pixels. Shapes are functions of
coordinates (x, y) in a tile of side 1, y downwards, as in MarlGrid's and MiniGrid's ``rendering`` modules.
"""

import functools
import itertools
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxsocial.env import objects

SAMPLES = 3
"""Samples along a side of a pixel."""
TRIANGLE = np.array([(0.12, 0.19), (0.87, 0.50), (0.12, 0.81)])
"""Corners (x, y) of an agent that faces right."""
LAVA = (255, 128, 0)
BLACK = (0, 0, 0)

Coordinates = Float[np.ndarray, "*S"]
Shape = Callable[[Coordinates, Coordinates], Bool[np.ndarray, "*S"]]
Tile = UInt8[np.ndarray, "t t 3"]


def _rectangle(left: float, right: float, top: float, bottom: float) -> Shape:
    return lambda x, y: (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def _square(margin: float) -> Shape:
    return _rectangle(margin, 1 - margin, margin, 1 - margin)


def _circle(x_centre: float, y_centre: float, radius: float) -> Shape:
    return lambda x, y: (x - x_centre) ** 2 + (y - y_centre) ** 2 <= radius**2


def _line(x_start: float, y_start: float, x_end: float, y_end: float, width: float) -> Shape:
    """Returns all points within ``width`` of a segment."""
    start, direction = np.array([x_start, y_start]), np.array([x_end - x_start, y_end - y_start])

    def inside(x, y):
        offset = np.stack([x, y], axis=-1) - start
        along = np.clip(offset @ direction / (direction @ direction), 0, 1)
        return np.linalg.norm(offset - along[..., None] * direction, axis=-1) <= width

    return inside


def triangle(corners: Float[np.ndarray, "3 2"]) -> Shape:
    """Returns a triangle, by barycentric coordinates (u, v).

    As in the reference's ``point_in_triangle``, two edges belong to it and the third, u + v = 1, does not.
    """
    a, b, c = corners
    first, second = c - a, b - a
    scale = 1 / ((first @ first) * (second @ second) - (first @ second) ** 2)

    def inside(x, y):
        offset = np.stack([x - a[0], y - a[1]], axis=-1)
        u = ((second @ second) * (offset @ first) - (first @ second) * (offset @ second)) * scale
        v = ((first @ first) * (offset @ second) - (first @ second) * (offset @ first)) * scale
        return (u >= 0) & (v >= 0) & (u + v < 1)

    return inside


def _sample_centres(tile: int) -> Coordinates:
    return (np.arange(tile * SAMPLES) + 0.5) / (tile * SAMPLES)


@functools.lru_cache
def agent_coverage(tile: int) -> np.ndarray:
    """Returns how many of the 9 samples of each pixel an agent covers, shape (4 headings, tile, tile).

    >>> agent_coverage(3)[objects.RIGHT].tolist()
    [[2, 0, 0], [6, 7, 2], [2, 0, 0]]
    """
    centre = _sample_centres(tile) - 0.5
    row, column = centre[:, None], centre[None, :]
    inside = triangle(TRIANGLE)
    pictures = []
    for heading in range(4):
        # As in the reference the sample points are rotated, not the picture.
        forward, right_hand = objects.STEP[heading], objects.STEP[(heading + 1) % 4]
        x = 0.5 + row * forward[0] + column * forward[1]
        y = 0.5 + row * right_hand[0] + column * right_hand[1]
        pictures.append(inside(x, y).reshape(tile, SAMPLES, tile, SAMPLES).sum((1, 3)))
    return np.stack(pictures)


@functools.lru_cache
def empty(tile: int) -> Tile:
    """Returns bare floor: black, from 11 pixels on with faint grid lines along the top and the right.

    >>> int(empty(8).max()), int(empty(16).max())
    (0, 6)
    """
    picture = np.zeros((tile, tile, 3), np.uint8)
    if tile > 10:
        picture[0, :] = picture[:, -1] = min(20, tile - 10)
    return picture


def thing(code: int, tile: int) -> Tile:
    """Returns the tile of a thing, before the floor is added and the tile is rotated.

    >>> thing(objects.encode(objects.GOAL, "green"), 2)[0].tolist()
    [[0, 255, 0], [0, 255, 0]]
    """
    centre = _sample_centres(tile)
    x, y = np.meshgrid(centre, centre)
    samples = np.zeros((*x.shape, 3), np.uint8)
    for shape, colour in _layers(code):
        samples[shape(x, y)] = np.array(colour).astype(np.uint8)
    # The reference truncates the mean of the samples to 8 bits; so does `astype`.
    return samples.reshape(tile, SAMPLES, tile, SAMPLES, 3).mean((1, 3)).astype(np.uint8)


def _layers(code: int) -> list:
    """Returns the (shape, colour) pairs of a thing, each painted over those before it."""
    colour = objects.RGB[objects.colour_of(code)]
    match objects.kind_of(code):
        case objects.WALL | objects.BONUS | objects.GOAL:
            return [(_square(0.0), colour)]
        case objects.FLOOR:
            return [(_rectangle(0.031, 1.0, 0.031, 1.0), colour / 2)]
        case objects.LAVA:
            layers: list = [(_square(0.0), LAVA)]
            for wave in range(3):
                low, high = 0.3 + 0.2 * wave, 0.4 + 0.2 * wave
                points = [(0.1, low), (0.3, high), (0.5, low), (0.7, high), (0.9, low)]
                layers += [(_line(*a, *b, width=0.03), BLACK) for a, b in itertools.pairwise(points)]
            return layers
        case objects.KEY:
            shaft_and_bits = [(0.50, 0.63, 0.31, 0.88), (0.38, 0.50, 0.59, 0.66), (0.38, 0.50, 0.81, 0.88)]
            ring = [(_circle(0.56, 0.28, 0.190), colour), (_circle(0.56, 0.28, 0.064), BLACK)]
            return [*((_rectangle(*edges), colour) for edges in shaft_and_bits), *ring]
        case objects.BALL:
            return [(_circle(0.5, 0.5, 0.31), colour)]
        case objects.BOX:
            return [(_square(0.12), colour), (_square(0.18), BLACK), (_rectangle(0.16, 0.84, 0.47, 0.53), colour)]
        case objects.DOOR:
            return _door(colour, objects.state_of(code))
    return []


def _door(colour: np.ndarray, state: int) -> list:
    if state == objects.OPEN:
        return [(_rectangle(0.88, 1.0, 0.0, 1.0), colour), (_rectangle(0.92, 0.96, 0.04, 0.96), BLACK)]
    if state == objects.LOCKED:
        slot = _rectangle(0.52, 0.75, 0.50, 0.56)
        return [(_square(0.0), colour), (_square(0.06), 0.45 * colour), (slot, colour)]
    frame = [(_square(0.0), colour), (_square(0.04), BLACK), (_square(0.08), colour), (_square(0.12), BLACK)]
    return [*frame, (_circle(0.75, 0.50, 0.08), colour)]
