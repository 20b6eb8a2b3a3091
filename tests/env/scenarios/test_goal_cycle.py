"""The layout of Goal Cycle: its contents, and that all cells are equally likely."""

import functools

import jax
import numpy as np
import pytest
from scipy.stats import chisquare

from jaxsocial.env import objects
from jaxsocial.env.scenarios.goal_cycle import goal_cycle

SIZES = [
    {},
    {"height": 8, "width": 15, "goals": 5, "clutter": 20, "agents": 6},
    {"height": 4, "width": 5, "goals": 3, "clutter": 3, "agents": 3},
    {"height": 5, "width": 4, "goals": 0, "clutter": 0, "agents": 6},
]


@functools.cache
def layouts(**sizes):
    scenario = goal_cycle(**sizes)
    keys = jax.random.split(jax.random.key(3), 1_000)
    drawn = jax.jit(jax.vmap(lambda key: scenario.layout(key, scenario)))(keys)
    return scenario, jax.tree.map(np.asarray, drawn)


@pytest.mark.parametrize("sizes", SIZES)
def test_every_layout_holds_what_the_scenario_says(sizes):
    scenario, drawn = layouts(**sizes)
    kinds = objects.kind_of(drawn.grid)
    border = 2 * (scenario.height + scenario.width) - 4
    assert ((kinds == objects.WALL).sum((1, 2)) == border + scenario.clutter).all()
    assert ((kinds == objects.BONUS).sum((1, 2)) == scenario.goals).all()
    inner = drawn.grid.copy()
    inner[:, 1:-1, 1:-1] = objects.encode(objects.WALL, "worst")
    assert (inner == objects.encode(objects.WALL, "worst")).all()


@pytest.mark.parametrize("sizes", SIZES)
def test_goals_are_listed_in_the_order_of_their_cycle(sizes):
    scenario, drawn = layouts(**sizes)
    world = np.arange(1_000)[:, None]
    at_goals = drawn.grid[world, drawn.goals[..., 0], drawn.goals[..., 1]]
    assert (objects.kind_of(at_goals) == objects.BONUS).all()
    assert (objects.state_of(at_goals) == np.arange(scenario.goals)).all()


@pytest.mark.parametrize("sizes", SIZES)
def test_agents_start_in_distinct_cells_without_walls(sizes):
    scenario, drawn = layouts(**sizes)
    world = np.arange(1_000)[:, None]
    under = drawn.grid[world, drawn.position[..., 0], drawn.position[..., 1]]
    assert objects.walkable(under).all()
    index = drawn.position[..., 0] * scenario.width + drawn.position[..., 1]
    assert all(len(set(row)) == scenario.agents for row in index.tolist())


def counted(scenario, positions):
    """Returns how often each inner cell occurs."""
    counts = np.zeros((scenario.height, scenario.width), int)
    np.add.at(counts, (positions[:, 0], positions[:, 1]), 1)
    return counts[1:-1, 1:-1].ravel()


@pytest.mark.parametrize("goal", range(3))
def test_each_goal_is_uniform_over_the_inner_cells(goal):
    scenario, drawn = layouts()
    assert chisquare(counted(scenario, drawn.goals[:, goal])).pvalue > 1e-3


def test_clutter_and_agents_are_uniform_over_the_inner_cells():
    scenario, drawn = layouts()
    walls = np.argwhere(objects.kind_of(drawn.grid[:, 1:-1, 1:-1]) == objects.WALL)[:, 1:] + 1
    # Without replacement counts vary less than chi-square assumes: the test may pass too easily.
    assert chisquare(counted(scenario, walls)).pvalue > 1e-3
    assert chisquare(counted(scenario, drawn.position.reshape(-1, 2))).pvalue > 1e-3


def test_agents_may_start_on_goals():
    _, drawn = layouts()
    together = (drawn.position[:, :, None] == drawn.goals[:, None]).all(-1)
    # 3 agents, 3 goals, 103 free cells.
    assert 40 < together.sum() < 150


def test_names_of_sizes_are_checked():
    with pytest.raises(TypeError, match="hieght"):
        goal_cycle(hieght=9)
