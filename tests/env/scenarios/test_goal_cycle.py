"""The layout of Goal Cycle: its contents, and that all cells are equally likely."""

import numpy as np
import pytest
from scipy.stats import chisquare

from jaxsocial.env import objects
from jaxsocial.env.scenarios.goal_cycle import goal_cycle
from tests.env.scenarios.layouts import at, counted, inner, is_kind, layouts

SIZES = [
    {},
    {"height": 8, "width": 15, "goals": 5, "clutter": 20, "agents": 6},
    {"height": 4, "width": 5, "goals": 3, "clutter": 3, "agents": 3},
    {"height": 5, "width": 4, "goals": 0, "clutter": 0, "agents": 6},
]


@pytest.mark.parametrize("sizes", SIZES)
def test_every_layout_holds_what_the_scenario_says(sizes):
    scenario, drawn = layouts("goal_cycle", **sizes)
    border = 2 * (scenario.height + scenario.width) - 4
    assert (is_kind(drawn.grid, objects.WALL).sum((1, 2)) == border + scenario.clutter).all()
    assert (is_kind(drawn.grid, objects.BONUS).sum((1, 2)) == scenario.goals).all()
    assert (drawn.grid[:, ~inner(scenario)] == objects.encode(objects.WALL, "worst")).all()


@pytest.mark.parametrize("sizes", SIZES)
def test_goals_are_listed_in_the_order_of_their_cycle(sizes):
    scenario, drawn = layouts("goal_cycle", **sizes)
    at_goals = at(drawn.grid, drawn.goals)
    assert (objects.kind_of(at_goals) == objects.BONUS).all()
    assert (objects.state_of(at_goals) == np.arange(scenario.goals)).all()


@pytest.mark.parametrize("sizes", SIZES)
def test_agents_start_in_distinct_cells_without_walls(sizes):
    scenario, drawn = layouts("goal_cycle", **sizes)
    assert objects.walkable(at(drawn.grid, drawn.position)).all()
    index = drawn.position[..., 0] * scenario.width + drawn.position[..., 1]
    assert all(len(set(row)) == scenario.agents for row in index.tolist())


@pytest.mark.parametrize("goal", range(3))
def test_each_goal_is_uniform_over_the_inner_cells(goal):
    scenario, drawn = layouts("goal_cycle")
    assert chisquare(counted(drawn.goals[:, goal], inner(scenario))).pvalue > 1e-3


def test_clutter_and_agents_are_uniform_over_the_inner_cells():
    scenario, drawn = layouts("goal_cycle")
    walls = np.argwhere(objects.kind_of(drawn.grid[:, 1:-1, 1:-1]) == objects.WALL)[:, 1:] + 1
    # Without replacement counts vary less than chi-square assumes: the test may pass too easily.
    assert chisquare(counted(walls, inner(scenario))).pvalue > 1e-3
    assert chisquare(counted(drawn.position, inner(scenario))).pvalue > 1e-3


def test_agents_may_start_on_goals():
    _, drawn = layouts("goal_cycle")
    together = (drawn.position[:, :, None] == drawn.goals[:, None]).all(-1)
    # 3 agents, 3 goals, 103 free cells.
    assert 40 < together.sum() < 150


def test_names_of_sizes_are_checked():
    with pytest.raises(TypeError, match="hieght"):
        goal_cycle(hieght=9)
