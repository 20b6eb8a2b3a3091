"""Grids and random cells."""

import collections
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chisquare

from jaxsocial.env import grid, objects


def test_border_is_one_cell_wide_and_leaves_the_rest():
    drawn = np.asarray(grid.with_border(jnp.arange(20).reshape(4, 5), -7))
    assert (drawn[1:-1, 1:-1] == np.arange(20).reshape(4, 5)[1:-1, 1:-1]).all()
    assert (drawn == -7).sum() == 2 * 5 + 2 * 2


def test_cells_are_distinct_and_free():
    free = jnp.zeros((4, 6), bool).at[1:3, 2:5].set(True)
    drawn = jax.vmap(lambda key: grid.distinct_cells(key, free, 6))(jax.random.split(jax.random.key(0), 200))
    for cells in np.asarray(drawn):
        assert {tuple(cell) for cell in cells} == {(row, column) for row in (1, 2) for column in (2, 3, 4)}


def test_every_ordered_choice_is_equally_likely():
    free = jnp.array([[True, False, True], [False, True, True]])
    free_cells = [tuple(cell) for cell in np.argwhere(free)]
    keys = jax.random.split(jax.random.key(1), 6_000)
    drawn = np.asarray(jax.vmap(lambda key: grid.distinct_cells(key, free, 2))(keys))
    counts = collections.Counter(tuple(map(tuple, cells)) for cells in drawn)
    choices = list(itertools.permutations(free_cells, 2))
    assert set(counts) <= set(choices)
    assert chisquare([counts[choice] for choice in choices]).pvalue > 1e-3


def test_preferred_cells_come_first_and_then_the_other_free_cells():
    free = jnp.zeros((4, 6), bool).at[1:3, 2:5].set(True)
    preferred = jnp.zeros((4, 6), bool).at[:, 4].set(True)
    keys = jax.random.split(jax.random.key(2), 200)
    drawn = np.asarray(jax.vmap(lambda key: grid.distinct_cells(key, free, 6, preferred))(keys))
    assert (np.sort(drawn[:, :2, 0]) == (1, 2)).all()
    assert (drawn[:, :2, 1] == 4).all()
    assert (drawn[:, 2:, 1] < 4).all()
    assert np.asarray(free)[drawn[..., 0], drawn[..., 1]].all()


def test_a_walled_grid_is_empty_inside():
    walls = np.asarray(grid.walled(3, 5))
    assert (walls[1, 1:-1] == objects.EMPTY).all()
    assert (walls == objects.encode(objects.WALL, "worst")).sum() == 12


def test_a_box_includes_its_first_and_last_cells():
    inside = np.argwhere(grid.in_box((5, 6), jnp.array([1, 2, 3, 2])))
    assert inside.tolist() == [[1, 2], [2, 2], [3, 2]]
    assert not grid.in_box((5, 6), (3, 0, 2, 5)).any()


def test_things_are_numbered_in_their_order():
    code = objects.encode(objects.GOAL, "green")
    drawn = grid.with_numbered(grid.walled(4, 5), jnp.array([[2, 3], [1, 1]]), code)
    assert (int(drawn[2, 3]), int(drawn[1, 1])) == (code, objects.encode(objects.GOAL, "green", 1))
    assert (drawn != grid.walled(4, 5)).sum() == 2


def test_uniforms_are_those_of_jax_in_another_shape():
    key = jax.random.key(7)
    assert (grid.uniforms(key, 3, 4, 5) == jax.random.uniform(jax.random.clone(key), (3, 4, 5))).all()


def test_integers_from_uniforms_are_uniform_and_reach_both_ends():
    drawn = grid.integers_from_uniforms(grid.uniforms(jax.random.key(8), 6_000), -2, jnp.int32(4))
    counts = collections.Counter(np.asarray(drawn).tolist())
    assert set(counts) == set(range(-2, 5))
    assert chisquare(list(counts.values())).pvalue > 1e-3
    assert int(grid.integers_from_uniforms(jnp.float32(1 - 2**-24), 0, 799)) == 799


def test_a_share_of_the_inner_cells_is_rounded_down():
    assert grid.share_of_inner(0.15, 13, 13) == 18
    assert grid.share_of_inner(0.15, 8, 15) == 11
