"""MarlGrid's environment names, and the worlds that they stand for."""

import pytest

from jaxsocial import make, make_scenario, registered_scenarios
from jaxsocial.env.registry import register
from jaxsocial.env.scenarios.marlgrid import WORLDS
from tests.env.scenarios.layouts import layouts

COLOURS = ("red", "blue", "purple", "orange", "olive", "pink")
EXPECTED = {
    "MarlGrid-1AgentCluttered15x15-v0": ("cluttered", 11, 1, 5, 0, 30, 1, True),
    "MarlGrid-3AgentCluttered11x11-v0": ("cluttered", 11, 3, 7, 0, 12, 1, True),
    "MarlGrid-3AgentCluttered15x15-v0": ("cluttered", 15, 3, 7, 0, 25, 1, True),
    "MarlGrid-2AgentEmpty9x9-v0": ("empty", 9, 2, 7, 0, 0, 1, True),
    "MarlGrid-3AgentEmpty9x9-v0": ("empty", 9, 3, 7, 0, 0, 1, True),
    "MarlGrid-4AgentEmpty9x9-v0": ("empty", 9, 4, 7, 0, 0, 1, True),
    "Goalcycle-demo-solo-v0": ("goal_cycle", 13, 1, 7, 1, 12, 3, False),
}


def test_all_names_are_there():
    assert WORLDS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_name_stands_for_marlgrid_s_world(name):
    base, side, agents, view_size, view_offset, clutter, goals, reward_decay = EXPECTED[name]
    scenario = make_scenario(name)
    assert (scenario.name, scenario.height, scenario.width, scenario.agents) == (base, side, side, agents)
    assert (scenario.view_size, scenario.view_offset, scenario.tile_pixels) == (view_size, view_offset, 8)
    assert (scenario.clutter, scenario.goals, scenario.reward_decay) == (clutter, goals, reward_decay)
    assert scenario.colours == COLOURS[:agents]
    assert scenario.max_steps == 100
    assert (scenario.actions, scenario.ghost, scenario.respawn) == (7, True, False)
    assert scenario.observation_shape == (8 * view_size, 8 * view_size, 3)


def test_the_goal_is_in_the_far_corner():
    for name, corner in (("MarlGrid-3AgentCluttered15x15-v0", (13, 13)), ("MarlGrid-4AgentEmpty9x9-v0", (7, 7))):
        assert (layouts(name)[1].goals == corner).all()


def test_sizes_can_be_replaced():
    scenario = make_scenario("MarlGrid-3AgentCluttered11x11-v0", agents=5, height=8, view_size=9)
    assert (scenario.agents, scenario.height, scenario.width, scenario.view_size) == (5, 8, 11, 9)
    assert scenario.colours == COLOURS[:5]
    assert scenario.clutter == 8
    assert make_scenario("MarlGrid-3AgentCluttered11x11-v0", clutter=2).clutter == 2
    assert make_scenario("MarlGrid-2AgentEmpty9x9-v0", colours=("green", "cyan")).colours == ("green", "cyan")


def test_the_goal_cycle_demo_has_no_penalty():
    assert make("Goalcycle-demo-solo-v0").rules.penalty == 0
    assert make("MarlGrid-2AgentEmpty9x9-v0").rules.penalty == 1.5


def test_the_names_are_reserved_and_suggested_but_are_no_scenarios():
    name = "MarlGrid-2AgentEmpty9x9-v0"
    with pytest.raises(ValueError, match="choose another name"):
        register(name, make_scenario)
    with pytest.raises(ValueError, match=name):
        make_scenario("MarlGrid-2AgentEmpty-v0")
    assert name not in registered_scenarios()
