"""Scenarios that cannot be built raise errors with the value and the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.env.scenario import Scenario
from jaxsocial.env.scenarios.goal_cycle import GoalCycle, goal_cycle
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.env.types import make_rules


@pytest.mark.parametrize(
    ("sizes", "value", "remedy"),
    [
        ({"height": 2, "clutter": 0}, "height=2", "3 to 4096"),
        ({"width": 2, "clutter": 0}, "width=2", "3 to 4096"),
        ({"agents": 0}, "agents=0", "1 to 4096"),
        ({"goals": 17}, "goals=17", "0 to 16"),
        ({"goals": -1}, "goals=-1", "0 to 16"),
        ({"clutter": -1}, "clutter=-1", "0 or more"),
        ({"height": 4, "width": 4, "goals": 3, "clutter": 2}, "do not fit on the 4 inner cells", "enlarge"),
        ({"height": 4, "width": 4, "goals": 0, "clutter": 2, "agents": 3}, "agents=3", "enlarge"),
        ({"view_size": 2}, "view_size=2", "3 to 15"),
        ({"view_size": 16}, "view_size=16", "3 to 15"),
        ({"view_offset": 7}, "view_offset=7", "0 to 6"),
        ({"view_offset": -1}, "view_offset=-1", "0 to 6"),
        ({"tile_pixels": 0}, "tile_pixels=0", "1 to 256"),
        ({"max_steps": 0}, "max_steps=0", "1 or more"),
        ({"actions": 4}, "actions=4", "choose 7, or 3"),
        ({"colours": ("red",)}, "('red',)", "each of the 3 agents"),
        ({"colours": ("red", "mauve", "blue")}, "mauve", "prestige"),
    ],
)
def test_errors_name_the_value_and_the_remedy(sizes, value, remedy):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (both parts of the message are checked)
        goal_cycle(**sizes)
    assert value in str(error.value)
    assert remedy in str(error.value)


def test_things_must_be_given():
    with pytest.raises(TypeError, match="things"):
        Scenario(layout=GoalCycle())  # pyright: ignore[reportCallIssue]


def test_smallest_and_fullest_worlds_can_be_built():
    goal_cycle(height=3, width=3, goals=1, clutter=0, agents=1)
    goal_cycle(height=4, width=5, goals=3, clutter=3, agents=3)
    goal_cycle(view_size=15, view_offset=14, tile_pixels=1, goals=16)


def test_scenarios_of_equal_sizes_are_equal_and_hash_alike():
    assert hash(goal_cycle(goals=4)) == hash(goal_cycle(goals=4))
    assert goal_cycle(goals=4) == goal_cycle(goals=4) != goal_cycle(goals=5)


def test_clutter_is_15_percent_of_the_inner_cells_unless_given():
    assert goal_cycle().clutter == 18
    assert goal_cycle(height=8, width=15).clutter == int(0.15 * 6 * 13)
    assert goal_cycle(clutter=0).clutter == 0


@pytest.mark.parametrize(
    ("numbers", "remedy"),
    [
        ({"penalty": -5.0}, "penalty=-5.0: choose 0 or more"),
        ({"penalty": float("nan")}, "penalty=nan: choose 0 or more"),
        ({"prestige_decay": 1.5}, "prestige_decay=1.5: choose 0 to 1"),
        ({"prestige_decay": (0.5, 0.5, float("inf"))}, "choose 0 to 1"),
        ({"prestige_decay": (0.5, 0.5)}, r"has the shape \(2,\): give one number, or 3, one for each agent"),
        ({"prestige_decay": jnp.ones(4)}, r"has the shape \(4,\): give one number, or 3, one for each agent"),
        ({"prestige_scale": 0.0}, "choose a number above 0"),
        ({"prestige_scale": 1e-50}, "choose a number above 0"),
        ({"reward": float("inf")}, "reward=inf: choose a finite number"),
        ({"reward": (1.0, 2.0)}, r"reward has the shape \(2,\): give one number, or 4, one for each goal"),
        ({"present": 4}, "present=4: choose 0 to 3"),
        ({"present": np.int64(4)}, "choose 0 to 3"),
        ({"present": 0.5}, "present=0.5: give a whole number of agents, or a probability for each of the 3"),
        ({"present": jnp.int32(2)}, "present=2: give a whole number of agents"),
        ({"levels": -3}, "levels=-3: choose 0 or more"),
        ({"first_level": 3_000_000_000}, "first_level=3000000000: choose 2147483647 or less"),
        ({"first_level": 2**31 - 1, "levels": 2}, "the last level is above 2147483647"),
    ],
)
def test_rules_out_of_range_or_of_another_shape_are_refused(numbers, remedy):
    with pytest.raises(ValueError, match=remedy):
        make_rules(goal_cycle(agents=3, goals=4), **numbers)


def test_traced_rules_are_checked_by_their_shapes():
    """So a curriculum can make them inside a compiled program."""
    made = jax.eval_shape(lambda x: make_rules(goal_cycle(), penalty=x, reward=jnp.stack([x, x, x])), jnp.float32(1))
    assert (made.penalty.shape, made.reward.shape) == ((), (3,))


def test_goals_beside_a_cycle_have_rewards_of_their_own():
    scenario = scenario_from_text("A01\n..G\n...")
    assert (scenario.goals, make_rules(scenario, reward=(1.0, 2.0, 5.0)).reward.shape) == (2, (3,))


def test_rules_count_the_present_agents():
    rules = make_rules(goal_cycle(agents=3), present=2)
    assert rules.present.tolist() == [1.0, 1.0, 0.0]
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(rules))
