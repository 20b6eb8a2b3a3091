"""Four rooms: the walls of the paper's world, and the positions of goals and agents."""

import numpy as np
import pytest
from scipy.stats import chisquare

from jaxsocial.env import objects
from tests.env.scenarios.layouts import counted, is_kind, layouts

OBLONG = {"height": 12, "width": 23, "goals": 4, "agents": 8}


@pytest.mark.parametrize("sizes", [{}, OBLONG, {"height": 8, "width": 8, "goals": 9, "agents": 1}])
def test_the_walls_cross_in_the_middle_and_each_arm_has_its_gap(sizes):
    scenario, drawn = layouts("four_rooms", **sizes)
    height, width = scenario.height, scenario.width
    walls = np.zeros((height, width), bool)
    walls[[0, height // 2, -1]] = True
    walls[:, [0, width // 2, -1]] = True
    gaps = [(width // 4, height // 2), (width // 2, height // 4)]
    gaps += [((3 * width - 1) // 4, height // 2), (width // 2, (3 * height - 1) // 4)]
    for x, y in gaps:
        walls[y, x] = False
    assert (is_kind(drawn.grid, objects.WALL) == walls).all()
    assert (walls[1:-1, 1:-1].sum()) == height + width - 5 - 4


@pytest.mark.parametrize("sizes", [{}, OBLONG])
def test_goals_are_uniform_over_corners_away_from_the_first_row_and_column(sizes):
    scenario, drawn = layouts("four_rooms", **sizes)
    height, width = scenario.height, scenario.width
    meeting = [(x, y) for x in (0, width // 2, width - 1) for y in (0, height // 2, height - 1)]
    diagonal = {(x + right, y + down) for x, y in meeting for right in (-1, 1) for down in (-1, 1)}
    allowed = np.zeros((height, width), bool)
    for x, y in diagonal:
        if 1 < x < width - 1 and 1 < y < height - 1:
            allowed[y, x] = True
    assert allowed.sum() == 9
    for goal in range(scenario.goals):
        assert chisquare(counted(drawn.goals[:, goal], allowed)).pvalue > 1e-3
    assert (drawn.grid[allowed[None] & (drawn.grid > 0)] & 0xFF == objects.encode(objects.GOAL, "yellow")).all()


@pytest.mark.parametrize(("sizes", "rows", "columns"), [({}, 3, 3), (OBLONG, 2, 4)])
def test_agents_are_uniform_over_a_box_in_the_first_corner(sizes, rows, columns):
    scenario, drawn = layouts("four_rooms", **sizes)
    box = np.zeros((scenario.height, scenario.width), bool)
    box[1 : 1 + rows, 1 : 1 + columns] = True
    counts = counted(drawn.position, box)
    assert (counts > 0).all()
    if scenario.agents < box.sum():
        assert chisquare(counts).pvalue > 1e-3
    assert (drawn.spawn == (1, 1, rows, columns)).all()
