"""Single tiles against the reference's; whole pictures are compared in test_golden."""

import numpy as np
import pytest

from jaxsocial import cells, paint, shapes
from jaxsocial.scenarios.goal_cycle import goal_cycle
from tests.test_golden import FOLDER

TILES = (3, 5, 8, 11, 16, 32)


def reference_tiles(tile):
    with np.load(FOLDER.parent / "tiles" / f"tiles_{tile}.npz", allow_pickle=False) as arrays:
        pictures = {tuple(key.tolist()): picture for key, picture in zip(arrays["key"], arrays["tile"], strict=True)}
        return pictures, arrays["empty"]


@pytest.mark.parametrize("tile", TILES)
def test_floor_is_the_reference_s(tile):
    assert (shapes.empty(tile) == reference_tiles(tile)[1]).all()


@pytest.mark.parametrize("tile", TILES)
def test_walls_and_goals_are_the_reference_s(tile):
    pictures, floor = reference_tiles(tile)
    things = paint.things_of(goal_cycle())
    ours = paint.atlas(things, tile)
    for number, code in enumerate(things):
        theirs = floor if code == cells.EMPTY else pictures[cells.kind_of(code), cells.colour_of(code), 0]
        for heading in range(4):
            assert (ours[heading, 1 + number] == np.rot90(theirs, heading + 1)).all()


@pytest.mark.parametrize("tile", TILES)
def test_every_thing_is_the_reference_s(tile):
    pictures, _ = reference_tiles(tile)
    things = {key: picture for key, picture in pictures.items() if key[0] != cells.AGENT}
    assert {kind for kind, _, _ in things} == {3, 4, 7, 8, 9, 10, 11, 12}
    for (kind, colour, state), theirs in things.items():
        assert (shapes.thing(kind | colour << 4 | state << 8, tile) == theirs).all()


@pytest.mark.parametrize("tile", TILES)
def test_agents_of_every_colour_are_the_reference_s(tile):
    pictures, _ = reference_tiles(tile)
    coverage = shapes.agent_coverage(tile)
    agents = {key: picture for key, picture in pictures.items() if key[0] == cells.AGENT}
    assert len(agents) >= 4 * 12
    for (_, colour, heading), theirs in agents.items():
        assert (cells.RGB[colour].astype(int) * coverage[heading][..., None] // 9 == theirs).all()
