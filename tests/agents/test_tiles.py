"""Tiles against loops over pixels, and what contrast is for."""

import jax.numpy as jnp
import numpy as np

import jaxsocial
from jaxsocial import cells, paint
from jaxsocial.agents.tiles import contrasts, from_tiles, to_tiles
from tests.agents.worlds import drawn

TILE = 3


def test_tiles_and_frames_are_inverse():
    frame = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), np.uint8)
    np.testing.assert_array_equal(from_tiles(to_tiles(jnp.asarray(frame), TILE).astype(jnp.float32), TILE), frame)


def test_contrasts_are_corner_distances_and_middle():
    tile = np.random.default_rng(1).random((TILE, TILE, 3), np.float32)
    distances = [abs(tile[r, c] - tile[0, 0]).sum() for r in range(TILE) for c in range(TILE) if (r, c) != (0, 0)]
    expected = [*0.7 * tile[0, 0], *1.275 * np.array(distances), *1.275 * tile[1, 1]]
    np.testing.assert_allclose(contrasts(jnp.asarray(tile.reshape(1, -1)))[0], expected, rtol=1e-5)


def test_an_agent_stands_out_from_floor_and_goal():
    """By the pixels, a goal weighs at least three times what this agent does; by contrasts, hardly more."""
    env, state = drawn("##### #...# #.0.# #...# #####", [(1, 1, cells.UP)])
    rules = jaxsocial.make_rules(env.scenario)
    picture = paint.agent_tiles(state, jnp.array([cells.UP]), rules, env.scenario, TILE)
    agent, goal = picture.reshape(-1) / 255.0, jnp.tile(jnp.array([1.0, 1.0, 0.0]), TILE * TILE)
    assert jnp.linalg.norm(goal) > 3 * jnp.linalg.norm(agent)
    assert jnp.linalg.norm(contrasts(agent)) > 0.8 * jnp.linalg.norm(contrasts(goal))
