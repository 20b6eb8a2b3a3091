"""Scenarios that cannot be built raise errors with the value and the remedy."""

import jax
import pytest

from jaxsocial.env.scenario import Scenario
from jaxsocial.env.scenarios.goal_cycle import GoalCycle, goal_cycle
from jaxsocial.env.types import make_rules


@pytest.mark.parametrize(
    ("sizes", "value", "remedy"),
    [
        ({"height": 2, "clutter": 0}, "height=2", "3 rows"),
        ({"width": 2, "clutter": 0}, "width=2", "3 columns"),
        ({"agents": 0}, "agents=0", "at least 1"),
        ({"goals": 17}, "goals=17", "0 to 16"),
        ({"goals": -1}, "goals=-1", "0 to 16"),
        ({"clutter": -1}, "clutter=-1", "0 or more"),
        ({"height": 4, "width": 4, "goals": 3, "clutter": 2}, "do not fit on the 4 inner cells", "enlarge"),
        ({"height": 4, "width": 4, "goals": 0, "clutter": 2, "agents": 3}, "agents=3", "enlarge"),
        ({"view_size": 2}, "view_size=2", "3 cells or more"),
        ({"view_size": 16}, "view_size=16", "15 cells or fewer"),
        ({"view_offset": 7}, "view_offset=7", "0 to 6"),
        ({"view_offset": -1}, "view_offset=-1", "0 to 6"),
        ({"tile_pixels": 0}, "tile_pixels=0", "1 pixel"),
        ({"max_steps": 0}, "max_steps=0", "at least 1 step"),
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


def test_rules_count_the_present_agents():
    rules = make_rules(goal_cycle(agents=3), present=2)
    assert rules.present.tolist() == [1.0, 1.0, 0.0]
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(rules))
