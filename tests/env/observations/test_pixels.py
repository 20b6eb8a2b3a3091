"""Single tiles against the reference's; test_golden compares whole pictures."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.env import objects
from jaxsocial.env.observations import pixels, sprites
from jaxsocial.env.scenarios.goal_cycle import goal_cycle
from jaxsocial.env.text.text_map import scenario_from_text
from tests.test_golden import FOLDER

TILES = (3, 5, 8, 11, 16, 32)


def reference_tiles(tile):
    with np.load(FOLDER.parent / "tiles" / f"tiles_{tile}.npz", allow_pickle=False) as arrays:
        pictures = {tuple(key.tolist()): picture for key, picture in zip(arrays["key"], arrays["tile"], strict=True)}
        return pictures, arrays["empty"]


@pytest.mark.parametrize("tile", TILES)
def test_floor_equals_the_reference_s(tile):
    assert (sprites.empty(tile) == reference_tiles(tile)[1]).all()


@pytest.mark.parametrize("tile", TILES)
def test_walls_and_goals_equal_the_reference_s(tile):
    pictures, floor = reference_tiles(tile)
    things = pixels.things_of(goal_cycle())
    ours = pixels.atlas(things, tile)
    for number, code in enumerate(things):
        theirs = floor if code == objects.EMPTY else pictures[objects.kind_of(code), objects.colour_of(code), 0]
        for heading in range(4):
            assert (ours[heading, 1 + number] == np.rot90(theirs, heading + 1)).all()


@pytest.mark.parametrize("tile", TILES)
def test_every_thing_equals_the_reference_s(tile):
    pictures, _ = reference_tiles(tile)
    things = {key: picture for key, picture in pictures.items() if key[0] != objects.AGENT}
    assert {kind for kind, _, _ in things} == {3, 4, 7, 8, 9, 10, 11, 12}
    for (kind, colour, state), theirs in things.items():
        assert (sprites.thing(kind | colour << 4 | state << 8, tile) == theirs).all()


@pytest.mark.parametrize("tile", TILES)
def test_agents_of_every_colour_equal_the_reference_s(tile):
    pictures, _ = reference_tiles(tile)
    coverage = sprites.agent_coverage(tile)
    agents = {key: picture for key, picture in pictures.items() if key[0] == objects.AGENT}
    assert len(agents) >= 4 * 12
    for (_, colour, heading), theirs in agents.items():
        assert (objects.RGB[colour].astype(int) * coverage[heading][..., None] // 9 == theirs).all()


@pytest.mark.parametrize("cells", ["0G", "0G_~kob", "kx", "0GkoDb", "0G_~kobDLx"])
def test_every_thing_has_its_own_tile(cells):
    row = f"#{cells}.#"
    scenario = scenario_from_text("\n".join([row, row.replace("0", "."), row.replace("0", ".")]) + "\n\nx: red key")
    things = pixels.things_of(scenario)
    assert pixels.atlas_index(jnp.array(things), scenario).tolist() == list(range(1, len(things) + 1))


def test_colours_of_prestige_are_the_same_for_all_devices():
    """CPUs stack the channels, accelerators select among them."""
    red, blue = jnp.array([255.0, 0.0, 17.0]), jnp.array([0.0, 255.0, 3.0])
    expected = [[255, 0, 0], [0, 0, 255], [17, 0, 3]]
    assert pixels._red_and_blue_stacked(red, blue).tolist() == expected
    assert pixels._red_and_blue_selected(red, blue).tolist() == expected
