"""Cluttered, empty and the visibility room: positions of things, and that all cells are equally likely."""

import numpy as np
import pytest
from scipy.stats import chisquare

from jaxsocial import make_scenario
from jaxsocial.env import objects
from tests.env.scenarios.layouts import counted, inner, is_kind, layouts


def inner_walls(drawn):
    return np.argwhere(is_kind(drawn.grid[:, 1:-1, 1:-1], objects.WALL))[:, 1:] + 1


@pytest.mark.parametrize("sizes", [{}, {"height": 6, "width": 13, "goals": 3, "density": 0.3, "agents": 5}])
def test_cluttered_has_its_goal_in_the_far_corner_and_its_number_of_walls(sizes):
    scenario, drawn = layouts("cluttered", **sizes)
    assert (drawn.goals[:, 0] == (scenario.height - 2, scenario.width - 2)).all()
    assert (is_kind(drawn.grid[:, 1:-1, 1:-1], objects.WALL).sum((1, 2)) == scenario.clutter).all()
    assert (drawn.grid[:, -2, -2] == objects.encode(objects.GOAL, "green")).all()


def test_clutter_and_further_goals_are_uniform_over_all_but_the_corner():
    scenario, drawn = layouts("cluttered", height=6, width=13, goals=3, density=0.3, agents=5)
    allowed = inner(scenario)
    allowed[-2, -2] = False
    # Without replacement counts vary less than chi-square assumes: the test may pass too easily.
    assert chisquare(counted(inner_walls(drawn), allowed)).pvalue > 1e-3
    for goal in (1, 2):
        assert chisquare(counted(drawn.goals[:, goal], allowed)).pvalue > 1e-3


def test_with_a_random_goal_all_cells_are_equally_likely():
    scenario, drawn = layouts("cluttered", random_goal=True)
    for positions in (drawn.goals, drawn.position, inner_walls(drawn)):
        assert chisquare(counted(positions, inner(scenario))).pvalue > 1e-3


def test_clutter_is_a_fraction_of_the_inner_cells_unless_given():
    assert make_scenario("cluttered").clutter == 12
    assert make_scenario("cluttered", height=15, width=8, density=0.25).clutter == 19
    assert make_scenario("goal_cycle", density=0.1).clutter == 12
    assert make_scenario("goal_cycle", density=0.1, clutter=3).clutter == 3


def test_empty_has_nothing_but_its_goal():
    scenario, drawn = layouts("empty")
    bare = np.zeros((7, 7), int)
    bare[-1, -1] = objects.encode(objects.GOAL, "green")
    assert (drawn.grid[:, 1:-1, 1:-1] == bare).all()
    assert chisquare(counted(drawn.position, inner(scenario))).pvalue > 1e-3


def test_the_visibility_room_equals_the_reference_s():
    _, drawn = layouts("visibility")
    rows = ["#" * 11, *["#.........#"] * 4, "########..#", *["#.........#"] * 4, "#" * 11]
    walls = np.array([[character == "#" for character in row] for row in rows])
    assert (is_kind(drawn.grid, objects.WALL) == walls).all()
    assert chisquare(counted(drawn.position, ~walls)).pvalue > 1e-3


def test_in_an_oblong_visibility_room_the_gap_has_two_cells_too():
    _, drawn = layouts("visibility", height=5, width=14, agents=7)
    assert (is_kind(drawn.grid[:, 2], objects.WALL) == [[True] * 11 + [False] * 2 + [True]]).all()
