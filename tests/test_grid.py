"""Drawing and sampling on arrays."""

import collections
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chisquare

from jaxsocial import grid


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
    places = [tuple(place) for place in np.argwhere(free)]
    keys = jax.random.split(jax.random.key(1), 6_000)
    drawn = np.asarray(jax.vmap(lambda key: grid.distinct_cells(key, free, 2))(keys))
    counts = collections.Counter(tuple(map(tuple, cells)) for cells in drawn)
    choices = list(itertools.permutations(places, 2))
    assert set(counts) <= set(choices)
    assert chisquare([counts[choice] for choice in choices]).pvalue > 1e-3
