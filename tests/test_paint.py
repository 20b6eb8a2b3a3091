"""Single tiles against the reference's; whole pictures are compared in test_golden."""

import numpy as np
import pytest

from jaxsocial import cells, paint
from jaxsocial.scenarios.goal_cycle import goal_cycle
from tests.test_golden import FOLDER

TILES = (3, 5, 8, 11, 16, 32)


def reference_tiles(tile):
    with np.load(FOLDER.parent / "tiles" / f"tiles_{tile}.npz", allow_pickle=False) as arrays:
        pictures = {tuple(key.tolist()): picture for key, picture in zip(arrays["key"], arrays["tile"], strict=True)}
        return pictures, arrays["empty"]


@pytest.mark.parametrize("tile", TILES)
def test_floor_is_the_reference_s(tile):
    assert (paint.empty_tile(tile) == reference_tiles(tile)[1]).all()


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
def test_agents_of_every_colour_are_the_reference_s(tile):
    pictures, _ = reference_tiles(tile)
    coverage = paint.agent_coverage(tile)
    agents = {key: picture for key, picture in pictures.items() if key[0] == cells.AGENT}
    assert len(agents) >= 4 * 12
    for (_, colour, heading), theirs in agents.items():
        assert (cells.RGB[colour].astype(int) * coverage[heading][..., None] // 9 == theirs).all()
