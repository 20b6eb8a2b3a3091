"""Mazes: rooms, corridors, the openings between them, and the start far from the goal."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import binom, chisquare

from jaxsocial.env import objects
from tests.env.scenarios.layouts import WITHIN_A_WORLD, WORLDS, at, is_kind, layouts

OBLONG = {"height": 9, "width": 23, "goals": 3, "agents": 6, "extra_connections": 0.5, "ghost": False}
TREE = {"height": 9, "width": 15, "extra_connections": 0.0, "rooms": 0}


def free(drawn):
    return ~is_kind(drawn.grid, objects.WALL)


def between(drawn):
    """Returns which walls between lattice cells are open, (worlds, walls)."""
    return np.concatenate(
        [free(drawn)[:, 1:-1:2, 2:-1:2].reshape(WORLDS, -1), free(drawn)[:, 2:-1:2, 1:-1:2].reshape(WORLDS, -1)], 1
    )


@pytest.mark.parametrize("sizes", [{}, OBLONG, TREE])
def test_cells_with_odd_rows_and_columns_are_free(sizes):
    _, drawn = layouts("maze", **sizes)
    assert free(drawn)[:, 1::2, 1::2].all()


def test_without_rooms_and_extra_connections_it_is_a_tree():
    scenario, drawn = layouts("maze", **TREE)
    lattice = (scenario.height // 2) * (scenario.width // 2)
    assert (between(drawn).sum(1) == lattice - 1).all()
    assert not free(drawn)[:, 2:-1:2, 2:-1:2].any()
    assert ndimage.label(free(drawn), WITHIN_A_WORLD)[1] == WORLDS


def test_every_wall_of_a_tree_is_open_in_some_and_closed_in_others():
    _, drawn = layouts("maze", **TREE)
    often = between(drawn).mean(0)
    assert often.min() > 0.2
    assert often.max() < 0.95


def test_corridors_wind():
    """Checks dead ends: a sixth of the cells after a depth-first walk in so small a maze, a third in other trees."""
    _, drawn = layouts("maze", **TREE)
    neighbours = ndimage.convolve(free(drawn).astype(int), WITHIN_A_WORLD.astype(int), mode="constant") - 1
    dead_ends = (free(drawn) & (neighbours == 1)).sum((1, 2)).mean()
    assert 0.13 < dead_ends / (4 * 7) < 0.19


def test_there_are_four_separate_rooms_of_three_by_three_or_three_by_five():
    _, drawn = layouts("maze")
    pillars = free(drawn)[:, 2:-1:2, 2:-1:2]
    rooms, count = ndimage.label(pillars, WITHIN_A_WORLD)
    sizes = np.bincount(rooms.ravel())[1:]
    assert set(sizes) == {1, 2}
    assert chisquare(np.bincount(sizes)[1:]).pvalue > 1e-3
    # Sometimes the last one does not fit.
    assert 3.95 < count / WORLDS <= 4


def test_extra_connections_are_around_rooms_and_have_their_probability():
    none, some, all_of_them = (between(layouts("maze", extra_connections=chance)[1]) for chance in (0.0, 0.05, 1.0))
    # The same keys give the same rooms and corridors.
    assert (none <= some).all()
    assert (some <= all_of_them).all()
    opened, might_be = (some & ~none).sum(), (all_of_them & ~none).sum()
    assert 1e-3 < binom.cdf(opened, might_be, 0.05) < 1 - 1e-3
    assert 15 < might_be / WORLDS < 40


def test_goals_are_uniform_over_the_free_cells():
    scenario, drawn = layouts("maze", **OBLONG)
    number = free(drawn).reshape(WORLDS, -1).cumsum(1).reshape(free(drawn).shape) - 1
    share = at(number, drawn.goals) / free(drawn).sum((1, 2))[:, None]
    for goal in range(scenario.goals):
        assert chisquare(np.histogram(share[:, goal], 10, (0, 1))[0]).pvalue > 1e-3


def starts(scenario, drawn):
    """Returns the cells around which agents start: the middle of their boxes, which end at the outer wall."""
    first, last = drawn.spawn[:, 0, :2], drawn.spawn[:, 0, 2:]
    most = (scenario.height - 2, scenario.width - 2)
    assert ((last - first == 2) | ((last - first == 1) & ((first == 1) | (last == most)))).all()
    return np.where(last - first == 2, first + 1, np.where(first == 1, first, last))


@pytest.mark.parametrize("sizes", [{}, OBLONG])
def test_the_start_is_a_free_cell_and_the_farthest_of_five_from_the_goals(sizes):
    scenario, drawn = layouts("maze", **sizes)
    start = starts(scenario, drawn)
    assert (drawn.spawn == drawn.spawn[:, :1]).all()
    assert (at(drawn.grid, start) == objects.EMPTY).all()
    row, column = np.ogrid[: scenario.height, : scenario.width]
    goals = drawn.goals[:, :, :, None, None]
    distance = (np.abs(goals[:, :, 0] - row) + np.abs(goals[:, :, 1] - column)).min(1)
    others = free(drawn) & (distance > 0)
    own = at(distance, start)[:, None, None]
    nearer = (others & (distance < own)).sum((1, 2)) + (others & (distance == own)).sum((1, 2)) / 2
    # The largest of five uniform numbers has mean 5/6 and standard deviation 0.14.
    assert abs((nearer / others.sum((1, 2))).mean() - 5 / 6) < 0.02


def test_agents_share_cells_only_where_fewer_are_free_than_agents():
    scenario, drawn = layouts("maze")
    row, column = np.ogrid[: scenario.height, : scenario.width]
    box = drawn.spawn[:, 0, :, None, None]
    near = (row >= box[:, 0]) & (column >= box[:, 1]) & (row <= box[:, 2]) & (column <= box[:, 3])
    room = (near & (drawn.grid == objects.EMPTY)).sum((1, 2))
    assert near[np.arange(WORLDS)[:, None], drawn.position[..., 0], drawn.position[..., 1]].all()
    assert (at(drawn.grid, drawn.position) == objects.EMPTY).all()
    index = np.sort(drawn.position[..., 0] * scenario.width + drawn.position[..., 1], axis=1)
    different = 1 + (np.diff(index, axis=1) > 0).sum(1)
    assert (different == np.minimum(room, scenario.agents)).all()
    assert set(different) == {2, 3}


def test_where_cells_cannot_be_shared_the_others_start_elsewhere():
    scenario, drawn = layouts("maze", **OBLONG)
    inside = (drawn.position >= drawn.spawn[..., :2]) & (drawn.position <= drawn.spawn[..., 2:])
    number = inside.all(-1).sum(1)
    assert number.min() >= 1
    assert number.min() < scenario.agents
