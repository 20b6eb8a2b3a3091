"""Properties of every scenario, square or oblong, large or of minimal size."""

import dataclasses
import re

import numpy as np
import pytest

from jaxsocial import make_scenario
from jaxsocial.env import objects
from jaxsocial.env.registry import registered_scenarios
from jaxsocial.env.scenario import View
from tests.env.scenarios.layouts import areas, at, is_kind, layouts

CASES = [
    ("goal_cycle", {"height": 8, "width": 15, "goals": 5, "clutter": 20, "agents": 6}),
    ("cluttered", {}),
    ("cluttered", {"height": 6, "width": 13, "goals": 3, "density": 0.3, "agents": 5}),
    ("cluttered", {"height": 4, "width": 4, "goals": 2, "clutter": 2, "agents": 2, "random_goal": True}),
    ("empty", {}),
    ("empty", {"height": 3, "width": 5, "agents": 3}),
    ("door_key", {}),
    ("door_key", {"height": 7, "width": 14, "agents": 4}),
    ("door_key", {"height": 4, "width": 5, "agents": 1}),
    ("four_rooms", {}),
    ("four_rooms", {"height": 12, "width": 23, "goals": 4, "agents": 8}),
    ("four_rooms", {"height": 8, "width": 8, "goals": 9, "agents": 1}),
    ("maze", {}),
    ("maze", {"height": 9, "width": 23, "goals": 3, "agents": 6, "extra_connections": 0.5, "ghost": False}),
    ("maze", {"height": 5, "width": 5}),
    ("multi_room", {}),
    (
        "multi_room",
        {"height": 11, "width": 16, "min_rooms": 4, "max_side": 6, "doors": False, "goals": 2, "actions": 3},
    ),
    ("multi_room", {"height": 7, "width": 12, "max_rooms": 2, "max_side": 5, "agents": 9}),
    ("visibility", {}),
    ("visibility", {"height": 5, "width": 14, "agents": 7}),
]
SOLVABLE = ("empty", "four_rooms", "maze", "multi_room", "visibility")
NAMED = [f"{name}-{'-'.join(map(str, sizes.values()))}" for name, sizes in CASES]
every_case = pytest.mark.parametrize(("name", "sizes"), CASES, ids=NAMED)


def test_every_scenario_has_a_case():
    assert {name for name, _ in CASES} == set(registered_scenarios())


@every_case
def test_the_grid_holds_only_things_within_an_outer_wall(name, sizes):
    scenario, drawn = layouts(name, **sizes)
    numbered = is_kind(drawn.grid, objects.GOAL) | is_kind(drawn.grid, objects.BONUS)
    assert set(np.where(numbered, drawn.grid & 0xFF, drawn.grid).ravel()) <= {objects.EMPTY, *scenario.things}
    within = drawn.grid.copy()
    within[:, 1:-1, 1:-1] = scenario.things[0]
    assert (within == scenario.things[0]).all()
    assert objects.kind_of(scenario.things[0]) == objects.WALL


@every_case
def test_goals_are_at_their_positions_and_nowhere_else(name, sizes):
    scenario, drawn = layouts(name, **sizes)
    goals = at(drawn.grid, drawn.goals)
    assert np.isin(objects.kind_of(goals), (objects.GOAL, objects.BONUS)).all()
    assert (objects.state_of(goals) == np.arange(scenario.goals)).all()
    are_goals = is_kind(drawn.grid, objects.GOAL) | is_kind(drawn.grid, objects.BONUS)
    assert (are_goals.sum((1, 2)) == scenario.goals).all()


@every_case
def test_agents_start_on_free_cells_within_their_box(name, sizes):
    scenario, drawn = layouts(name, **sizes)
    assert objects.walkable(at(drawn.grid, drawn.position)).all()
    if drawn.spawn is not None and scenario.ghost:
        assert (drawn.position >= drawn.spawn[..., :2]).all()
        assert (drawn.position <= drawn.spawn[..., 2:]).all()


@pytest.mark.parametrize(("name", "sizes"), [case for case in CASES if case[0] != "maze" or "ghost" in case[1]])
def test_agents_start_in_different_cells(name, sizes):
    scenario, drawn = layouts(name, **sizes)
    index = np.sort(drawn.position[..., 0] * scenario.width + drawn.position[..., 1], axis=1)
    assert (np.diff(index, axis=1) > 0).all()


@pytest.mark.parametrize(("name", "sizes"), [case for case in CASES if case[0] in SOLVABLE])
def test_every_free_cell_can_be_reached_from_every_other(name, sizes):
    _, drawn = layouts(name, **sizes)
    _, count = areas(objects.walkable(drawn.grid) | is_kind(drawn.grid, objects.DOOR))
    assert count == len(drawn.grid)


@every_case
def test_a_scenario_can_be_rebuilt_from_its_fields(name, sizes):
    scenario = make_scenario(name, **sizes)
    fields = [field for record in (scenario, scenario.layout) for field in dataclasses.fields(record)]
    flat = {
        field.name: getattr(scenario if hasattr(scenario, field.name) else scenario.layout, field.name)
        for field in fields
        if field.name not in ("layout", "name")
    }
    again = make_scenario(scenario.name, **flat)
    assert again == scenario
    assert hash(again) == hash(scenario)


@every_case
def test_sizes_are_checked_where_a_field_is_replaced(name, sizes):
    scenario = make_scenario(name, **sizes)
    with pytest.raises(ValueError, match=r"agents=1000\b"):
        dataclasses.replace(scenario, agents=1000)


def test_sizes_become_the_declared_types():
    given = {"height": 9.0, "agents": np.int64(2), "colours": ["red", "blue"], "views": [{"size": 5}, {"size": 7}]}
    made = make_scenario("goal_cycle", **given)
    assert made == make_scenario("goal_cycle", height=9, agents=2, colours=("red", "blue"), views=(View(5), View(7)))
    assert hash(made) == hash(dataclasses.replace(made))
    assert isinstance(made.height, int)


@pytest.mark.parametrize(
    ("name", "sizes", "remedy"),
    [
        ("cluttered", {"height": 4, "width": 4, "clutter": 4}, "goals=1, clutter=4, .* use fewer"),
        ("cluttered", {"density": -0.1}, r"density=-0\.1: choose 0 to 1"),
        ("cluttered", {"hieght": 9}, "no size 'hieght': perhaps you meant height"),
        ("cluttered", {"density": float("inf")}, "density=inf: choose 0 to 1"),
        ("goal_cycle", {"density": float("nan")}, "density=nan: choose 0 to 1"),
        (
            "goal_cycle",
            {"penalty": 2},
            r"one of the rules, make_env\(scenario, make_rules\(scenario, penalty=2\)\)",
        ),
        ("goal_cycle", {"clutter": 0.15}, "clutter = 0.15 is of the wrong type: give a whole number"),
        ("goal_cycle", {"height": "9"}, "height = '9' is of the wrong type: give a whole number"),
        ("goal_cycle", {"colours": "red"}, "colours = 'red' is of the wrong type: give a list, each of it a text"),
        ("goal_cycle", {"observation": "pixels"}, "observation='pixels': choose from rgb, symbolic, symbolic_world"),
        ("goal_cycle", {"views": [{"sise": 5}]}, "field sise is unknown: choose from size, offset"),
        ("goal_cycle", {"max_steps": 2**31}, "max_steps=2147483648: choose 2147483647 or less"),
        ("goal_cycle", {"max_steps": 2**31 - 1}, "max_steps=2147483647: choose 238609293 or less for 3 agents"),
        ("maze", {"extra_connections": float("nan")}, "extra_connections=nan: choose 0 to 1"),
        ("MarlGrid-3AgentEmpty9x9-v0", {"agents": "3"}, "agents = '3' is of the wrong type"),
        ("empty", {"goals": 2}, "goals=2, .* 1 goal and no clutter, choose these or the scenario cluttered"),
        ("empty", {"clutter": 3}, "clutter=3: .* or the scenario cluttered"),
        ("visibility", {"width": 4}, "width=4: .* 5 rows and 5 columns"),
        ("visibility", {"goals": 1}, "goals=1, .* choose 0 of both"),
        ("visibility", {"height": 5, "width": 5, "agents": 9}, "agents=9 do not fit on the 8 free cells"),
        ("door_key", {"width": 4}, "width=4: .* 4 rows and 5 columns"),
        ("door_key", {"goals": 2}, "goals=2, .* choose these"),
        ("door_key", {"height": 5}, "agents=3: .* only 2 cells without the key, choose height=6"),
        ("door_key", {"actions": 3}, "actions=3: .* choose 7"),
        ("four_rooms", {"height": 7}, "height=7, .* 8 rows"),
        ("four_rooms", {"goals": 10}, "goals=10, .* 1 to 9"),
        ("four_rooms", {"clutter": 1}, "clutter=1: .* no clutter"),
        ("four_rooms", {"height": 11, "agents": 4}, "agents=4 do not fit where they start, 1 x 3 .* 12 x 12 takes 4"),
        ("maze", {"width": 12}, "width=12: .* odd number such as 13"),
        ("maze", {"clutter": 1}, "clutter=1: .* no clutter"),
        ("maze", {"height": 3, "width": 7}, "3 x 7 may have only 5 .* 5 x 5 is enough"),
        ("maze", {"extra_connections": 1.5}, r"extra_connections=1\.5: choose 0 to 1"),
        ("maze", {"rooms": -1}, "rooms=-1: choose 0 or more"),
        ("maze", {"rooms": 0}, r"extra_connections=0\.05: .* choose 0, or rooms=1"),
        ("multi_room", {"height": 14}, "max_rooms=6: 14 x 25 .* room for 1 x 3 rooms .*enlarge"),
        ("multi_room", {"agents": 10}, "agents=10, .* takes 9 agents"),
        ("multi_room", {"goals": 0}, "goals=0, .* 1 to 9 goals"),
        ("multi_room", {"actions": 3}, "actions=3: .* choose 7, or doors=False"),
        ("multi_room", {"min_rooms": 7}, "min_rooms=7, max_rooms=6: .* smaller first"),
        ("multi_room", {"min_side": 2}, "min_side=2: choose 3 to 4096"),
    ],
)
def test_impossible_sizes_are_refused_with_the_remedy(name, sizes, remedy):
    with pytest.raises(ValueError, match=re.compile(remedy, re.DOTALL)):
        make_scenario(name, **sizes)
