"""A thousand layouts of a scenario, and the areas that are connected in them."""

import functools

import jax
import numpy as np
from scipy import ndimage

from jaxsocial import make_scenario
from jaxsocial.env import objects
from tests.compiling import quick_jit

WORLDS = 1_000
WITHIN_A_WORLD = np.zeros((3, 3, 3), bool)
WITHIN_A_WORLD[1] = ndimage.generate_binary_structure(2, 1)


@functools.cache
def layouts(name, **sizes):
    """Returns the scenario and `WORLDS` of its layouts, as NumPy arrays."""
    scenario = make_scenario(name, **sizes)
    keys = jax.random.split(jax.random.key(3), WORLDS)
    drawn = quick_jit(jax.vmap(lambda key: scenario.layout(key, scenario)))(keys)
    return scenario, jax.tree.map(np.asarray, drawn)


def at(grids, positions):
    """Returns each world's codes at its own positions (row, column)."""
    world = np.arange(len(grids)).reshape(-1, *[1] * (positions.ndim - 2))
    return grids[world, positions[..., 0], positions[..., 1]]


def areas(passable):
    """Returns the number of each cell's connected area, 0 where not passable; and the count of areas in all worlds."""
    return ndimage.label(passable, WITHIN_A_WORLD)


def counted(positions, allowed):
    """Returns how often each of the ``allowed`` cells occurs; checks that no other does."""
    counts = np.zeros(allowed.shape, int)
    positions = positions.reshape(-1, 2)
    np.add.at(counts, (positions[:, 0], positions[:, 1]), 1)
    assert not counts[~allowed].any()
    return counts[allowed]


def inner(scenario):
    """Returns which cells are within the outer wall."""
    allowed = np.zeros((scenario.height, scenario.width), bool)
    allowed[1:-1, 1:-1] = True
    return allowed


def is_kind(grids, kind):
    return objects.kind_of(grids) == kind
