"""Tiles and patches against loops over pixels, and the effect of contrasts."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxsocial
from jaxsocial.agents.networks.tiles import from_tiles, overlap_add, patches, tile_contrast, to_tiles
from jaxsocial.env import objects
from jaxsocial.env.observations import pixels
from tests.agents.worlds import drawn

TILE = 3


def test_from_tiles_inverts_to_tiles():
    frame = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), np.uint8)
    np.testing.assert_array_equal(from_tiles(to_tiles(jnp.asarray(frame), TILE).astype(jnp.float32), TILE), frame)


def test_tiles_hold_the_pixels_of_the_frame():
    picture = np.random.default_rng(0).integers(0, 256, (2, 21, 21, 3), np.uint8)
    tiles = np.asarray(to_tiles(jnp.asarray(picture), TILE))
    assert tiles.dtype == np.uint8
    for row, column in ((0, 0), (2, 5), (6, 6)):
        square = picture[:, row * 3 : row * 3 + 3, column * 3 : column * 3 + 3]
        np.testing.assert_array_equal(tiles[:, row, column], square.reshape(2, 27))


INPUT = np.random.default_rng(2).random((2, 5, 6, 4), np.float32)
PATCHES = np.random.default_rng(3).random((2, 3, 4, 9 * 4), np.float32)


def every_patch():
    """Yields (row, column, slice) of each patch."""
    yield from ((r, c, np.s_[:, r : r + 3, c : c + 3]) for r in range(3) for c in range(4))


def patches_by_loop(frames):
    found = np.zeros_like(PATCHES)
    for row, column, patch in every_patch():
        found[:, row, column] = frames[patch].reshape(2, -1)
    return found


def overlap_add_by_loop(values):
    total = np.zeros_like(INPUT)
    for row, column, patch in every_patch():
        total[patch] += values[:, row, column].reshape(2, 3, 3, 4)
    return total


def test_patches_and_their_gradient_equal_loops():
    found, gradient = jax.vjp(patches, jnp.asarray(INPUT))
    np.testing.assert_array_equal(found, patches_by_loop(INPUT))
    np.testing.assert_allclose(gradient(jnp.asarray(PATCHES))[0], overlap_add_by_loop(PATCHES), rtol=1e-6)


def test_overlap_add_and_its_gradient_equal_loops():
    found, gradient = jax.vjp(overlap_add, jnp.asarray(PATCHES))
    np.testing.assert_allclose(found, overlap_add_by_loop(PATCHES), rtol=1e-6)
    np.testing.assert_array_equal(gradient(jnp.asarray(INPUT))[0], patches_by_loop(INPUT))


def test_contrasts_are_corner_distances_and_middle():
    tile = np.random.default_rng(1).random((TILE, TILE, 3), np.float32)
    distances = [abs(tile[r, c] - tile[0, 0]).sum() for r in range(TILE) for c in range(TILE) if (r, c) != (0, 0)]
    expected = [*0.7 * tile[0, 0], *1.275 * np.array(distances), *1.275 * tile[1, 1]]
    np.testing.assert_allclose(tile_contrast(jnp.asarray(tile.reshape(1, -1)))[0], expected, rtol=1e-5)


def test_an_agent_stands_out_from_floor_and_goal():
    """Pixels of a goal have three times the norm of those of this agent; contrasts have a similar norm."""
    env, state = drawn("##### #...# #.0.# #...# #####", [(1, 1, objects.UP)])
    rules = jaxsocial.make_rules(env.scenario)
    looks = pixels.Looks(*(x[..., None] for x in pixels.looks_of(state, rules, env.scenario)))
    picture = pixels.agent_tiles(looks, jnp.array([objects.UP]), env.scenario, TILE)
    agent, goal = picture.reshape(-1) / 255.0, jnp.tile(jnp.array([1.0, 1.0, 0.0]), TILE * TILE)
    assert jnp.linalg.norm(goal) > 3 * jnp.linalg.norm(agent)
    assert jnp.linalg.norm(tile_contrast(agent)) > 0.8 * jnp.linalg.norm(tile_contrast(goal))
