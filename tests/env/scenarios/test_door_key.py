"""Door and key: the wall, its door and key, and that the goal cannot be reached without the key."""

import numpy as np
import pytest
from scipy.stats import chisquare

from jaxsocial.env import objects
from tests.env.scenarios.layouts import areas, at, counted, is_kind, layouts

SIZES = [{}, {"height": 7, "width": 14, "agents": 4}, {"height": 4, "width": 5, "agents": 1}]


def positions(drawn, kind):
    """Returns the position of each world's only thing of that kind, (worlds, 2)."""
    found = np.argwhere(is_kind(drawn.grid, kind))
    assert (found[:, 0] == np.arange(len(drawn.grid))).all()
    return found[:, 1:]


@pytest.mark.parametrize("sizes", SIZES)
def test_there_is_one_locked_yellow_door_in_the_only_wall_and_one_yellow_key(sizes):
    scenario, drawn = layouts("door_key", **sizes)
    door, key = positions(drawn, objects.DOOR), positions(drawn, objects.KEY)
    assert (at(drawn.grid, door) == objects.encode(objects.DOOR, "yellow", objects.LOCKED)).all()
    assert (at(drawn.grid, key) == objects.encode(objects.KEY, "yellow")).all()
    inner = is_kind(drawn.grid[:, 1:-1, 1:-1], objects.WALL)
    assert (inner.sum((1, 2)) == scenario.height - 3).all()
    assert (inner.sum(1).argmax(1) + 1 == door[:, 1]).all()
    assert (drawn.goals == (scenario.height - 2, scenario.width - 2)).all()


@pytest.mark.parametrize("sizes", SIZES)
def test_the_key_can_be_reached_and_the_goal_only_through_the_door(sizes):
    _, drawn = layouts("door_key", **sizes)
    shut = objects.walkable(drawn.grid) | is_kind(drawn.grid, objects.KEY)
    number, count = areas(shut)
    assert count == 2 * len(drawn.grid)
    key = at(number, positions(drawn, objects.KEY))
    assert (at(number, drawn.position) == key[:, None]).all()
    assert (at(number, drawn.goals) != key[:, None]).all()
    assert areas(shut | is_kind(drawn.grid, objects.DOOR))[1] == len(drawn.grid)


@pytest.mark.parametrize("sizes", SIZES[:2])
def test_column_and_row_of_the_door_are_uniform(sizes):
    scenario, drawn = layouts("door_key", **sizes)
    allowed = np.zeros((scenario.height, scenario.width), bool)
    allowed[1:-2, 2:-2] = True
    assert chisquare(counted(positions(drawn, objects.DOOR), allowed)).pvalue > 1e-3


def test_key_and_agents_are_uniform_left_of_the_wall():
    _, drawn = layouts("door_key")
    chosen = positions(drawn, objects.DOOR)[:, 1] == 4
    left = np.zeros((8, 8), bool)
    left[1:-1, 1:4] = True
    assert chisquare(counted(positions(drawn, objects.KEY)[chosen], left)).pvalue > 1e-3
    assert chisquare(counted(drawn.position[chosen], left)).pvalue > 1e-3
    assert (drawn.spawn[chosen] == (1, 1, 6, 3)).all()
