"""Marks of agents in windows: made in the grid or cell by cell, they are the same."""

import jax
import jax.numpy as jnp
import pytest

from jaxsocial.env import objects
from jaxsocial.env.core import make_env
from jaxsocial.env.observations import vision
from jaxsocial.env.scenario import View
from jaxsocial.env.scenarios.goal_cycle import goal_cycle

MARKS = jnp.array([5, 6, 7, 8], jnp.int32)


@pytest.fixture(scope="module")
def state():
    """Agents 0 and 1 share the cell in a corner, of which 1 came first; 2 is away; 3 is not in the world."""
    state, _ = make_env(goal_cycle(agents=4)).reset(jax.random.key(0))
    return state._replace(
        position=jnp.array([(1, 1), (1, 1), (2, 1), (-1, -1)], jnp.int32),
        heading=jnp.array([objects.RIGHT, objects.UP, objects.LEFT, objects.DOWN], jnp.int32),
        arrival=jnp.array([4, 2, 0, 3], jnp.int32),
        away=jnp.array([False, False, True, False]),
    )


@pytest.mark.parametrize("offset", [0, 2])
@pytest.mark.parametrize("size", [3, 4, 7, 9])
@pytest.mark.parametrize("agents", [slice(0, 1), slice(1, 2), slice(2, 4), slice(None)])
def test_windows_show_the_marks_of_the_grid(state, agents, size, offset):
    view = View(size=size, offset=offset)
    marked = vision.with_marks(state, MARKS)
    expected = vision.window(marked, state.position[agents], state.heading[agents], view)
    assert (vision.windows_with_marks(state, agents, MARKS, view) == expected).all()


def test_only_the_first_agent_of_a_cell_and_none_that_is_away_is_marked(state):
    windows = vision.windows_with_marks(state, slice(0, 1), MARKS, View(size=7, offset=1))
    marks = vision.split_marks(windows)[1]
    assert marks[marks > 0].tolist() == [6]
