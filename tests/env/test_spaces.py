"""The spaces of observations and actions hold all that occurs in play."""

import dataclasses
from typing import get_args

import jax
import numpy as np
import pytest

from jaxsocial import make, registered_scenarios
from jaxsocial.env.scenario import Style
from jaxsocial.env.spaces import FLOAT32, INT32, UINT8, Box, Discrete
from tests.env import random_play


@pytest.mark.parametrize(
    "name", [*random_play.QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in random_play.OTHERS)]
)
def test_all_observations_of_random_play_are_in_their_spaces(name):
    env = random_play.small(name)
    _, timesteps = random_play.play(name)
    for observation in (timesteps.observation, timesteps.final_observation):
        for field, space in env.observation_space._asdict().items():
            seen = getattr(observation, field)
            # Each number's smallest and largest value over steps and agents.
            assert space.contains(seen.min((0, 1))), field
            assert space.contains(seen.max((0, 1))), field


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("name", registered_scenarios())
def test_shapes_and_dtypes_are_those_of_observations(name, style):
    env = random_play.small(name, observation=style)
    _, timestep = jax.eval_shape(env.reset, jax.random.key(0))
    spaces = jax.tree.map(lambda space: (space.shape, space.dtype), env.observation_space)
    assert spaces == jax.tree.map(lambda x: (x.shape[1:], x.dtype), timestep.observation)


def test_inputs_that_a_scenario_lacks_are_none():
    space = make("goal_cycle", goals=4, actions=3, inputs=("last_action", "goal_position")).observation_space
    assert space.image == Box((21, 21, 3), UINT8, 0, 255)
    assert space.last_action == Discrete(4, start=-1)
    assert space.goal_position == Box((4, 2), FLOAT32, 0, 1)
    assert (space.reward, space.position, space.heading) == (None, None, None)


def test_actions_are_as_many_as_the_scenario_has():
    assert make("maze").action_space == Discrete(7)
    space = make("maze", actions=3).action_space
    assert (space.shape, space.dtype, space.low, space.high) == ((), INT32, 0, 2)
    assert [space.contains(action) for action in (-1, 0, 2, 3)] == [False, True, True, False]
    assert space.contains(np.int32(2))
    assert not space.contains(1.0)
    assert not space.contains(np.array([1]))


def test_a_box_holds_arrays_of_its_shape_dtype_and_bounds():
    space = Box((2,), FLOAT32, -1, np.inf)
    assert space.contains(np.float32([-1, 1e30]))
    for other in (np.float32([-2, 0]), np.float32([0, np.nan]), np.float32([0, 0, 0]), np.array([0.0, 0.0])):
        assert not space.contains(other)


def test_spaces_are_hashable_and_frozen():
    assert hash(make("maze").observation_space) == hash(make("maze").observation_space)
    with pytest.raises(dataclasses.FrozenInstanceError):
        make("maze").action_space.n = 5  # pyright: ignore[reportAttributeAccessIssue]
