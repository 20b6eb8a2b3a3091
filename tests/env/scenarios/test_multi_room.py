"""Multi-room: the sizes of rooms, and one door between each room and the next."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import chisquare

from jaxsocial.env import objects
from tests.env.scenarios.layouts import WORLDS, areas, at, is_kind, layouts

SIZES = [
    {},
    {"height": 30, "width": 16, "goals": 4, "agents": 4},
    {"height": 7, "width": 12, "max_rooms": 2, "max_side": 5, "agents": 9},
]
IN_A_ROW, IN_A_COLUMN = np.array([(0, -1), (0, 1)]), np.array([(-1, 0), (1, 0)])


def numbered_rooms(drawn):
    """Returns the room of each floor cell, numbered from 1 over all worlds; each room's extent; its world."""
    rooms, _ = areas(objects.walkable(drawn.grid))
    extents = ndimage.find_objects(rooms)
    return rooms, extents, np.array([extent[0].start for extent in extents])


def doors(drawn, rooms):
    """Returns each door's world, its colour, and the numbers of the two rooms that it joins."""
    world, row, column = np.nonzero(is_kind(drawn.grid, objects.DOOR))
    codes = drawn.grid[world, row, column]
    assert (objects.state_of(codes) == objects.CLOSED).all()
    sides = [
        np.stack([rooms[world, row + down, column + right] for down, right in way], axis=1)
        for way in (IN_A_ROW, IN_A_COLUMN)
    ]
    assert ((sides[0] > 0).all(1) ^ (sides[1] > 0).all(1)).all()
    assert ((sides[0] > 0).any(1) ^ (sides[1] > 0).any(1)).all()
    return world, objects.colour_of(codes), np.where((sides[0] > 0).all(1)[:, None], *sides)


@pytest.mark.parametrize("sizes", SIZES)
def test_rooms_are_rectangles_with_allowed_sides(sizes):
    scenario, drawn = layouts("multi_room", **sizes)
    rooms, extents, worlds = numbered_rooms(drawn)
    sides = np.array([(extent[1].stop - extent[1].start, extent[2].stop - extent[2].start) for extent in extents]) + 2
    assert (np.bincount(rooms.ravel())[1:] == (sides - 2).prod(1)).all()
    layout = scenario.layout
    assert (sides >= layout.min_side).all()
    assert (sides <= layout.max_side).all()
    assert set(np.bincount(worlds)) == set(range(layout.min_rooms, layout.max_rooms + 1))


def test_number_of_rooms_and_sides_of_the_first_are_uniform():
    _, drawn = layouts("multi_room")
    _, _, worlds = numbered_rooms(drawn)
    assert chisquare(np.bincount(np.bincount(worlds), minlength=7)[2:]).pvalue > 1e-3
    sides = drawn.spawn[:, 0, 2:] - drawn.spawn[:, 0, :2] + 3
    for side in sides.T:
        assert chisquare(np.bincount(side, minlength=9)[5:]).pvalue > 1e-3


@pytest.mark.parametrize("sizes", SIZES)
def test_agents_are_at_one_end_of_a_chain_and_goals_at_the_other(sizes):
    _, drawn = layouts("multi_room", **sizes)
    rooms, _, worlds = numbered_rooms(drawn)
    number = np.bincount(worlds)
    world, _, joined = doors(drawn, rooms)
    assert (np.bincount(world) == number - 1).all()
    degree = np.bincount(joined.ravel(), minlength=rooms.max() + 1)[1:]
    assert (np.bincount(worlds, degree == 1) == 2).all()
    assert (np.bincount(worlds, degree == 2) == number - 2).all()
    start, end = at(rooms, drawn.position), at(rooms, drawn.goals)
    assert (start == start[:, :1]).all()
    assert (end == end[:, :1]).all()
    assert (start[:, 0] != end[:, 0]).all()
    assert (degree[np.stack([start[:, 0], end[:, 0]]) - 1] == 1).all()
    # A connected graph whose nodes have degree 2, except for two ends, is a chain.
    assert areas(objects.walkable(drawn.grid) | is_kind(drawn.grid, objects.DOOR))[1] == WORLDS


@pytest.mark.parametrize("sizes", SIZES)
def test_agents_respawn_in_the_whole_first_room(sizes):
    _, drawn = layouts("multi_room", **sizes)
    rooms, extents, _ = numbered_rooms(drawn)
    for world, number in enumerate(at(rooms, drawn.position)[:, 0]):
        _, rows, columns = extents[number - 1]
        box = (rows.start, columns.start, rows.stop - 1, columns.stop - 1)
        assert (drawn.spawn[world] == box).all()


def test_doors_of_a_room_differ_in_colour_and_colours_are_uniform():
    _, drawn = layouts("multi_room")
    rooms, _, _ = numbered_rooms(drawn)
    _, colours, joined = doors(drawn, rooms)
    pairs = {
        (room, colour) for room, colour in zip(joined.ravel().tolist(), np.repeat(colours, 2).tolist(), strict=True)
    }
    assert len(pairs) == joined.size
    assert chisquare(np.unique(colours, return_counts=True)[1]).pvalue > 1e-3
    assert len(set(colours.tolist())) == 7


def test_without_doors_there_are_openings():
    sizes = {"height": 11, "width": 16, "min_rooms": 4, "max_side": 6, "goals": 2, "actions": 3}
    scenario, bare = layouts("multi_room", doors=False, **sizes)
    _, shut = layouts("multi_room", **(sizes | {"actions": 7}))
    assert not is_kind(bare.grid, objects.DOOR).any()
    assert not scenario.may_hold(objects.DOOR)
    assert (np.where(is_kind(shut.grid, objects.DOOR), objects.EMPTY, shut.grid) == bare.grid).all()


def test_the_board_has_every_offset():
    _, drawn = layouts("multi_room")
    floor = objects.walkable(drawn.grid)
    assert floor.any(0)[1:-1, 1:-1].all()
