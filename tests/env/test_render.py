"""Pictures, maps and terminals for people; test_golden compares the pixels themselves."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.env import objects, render
from jaxsocial.env.objects import encode
from jaxsocial.env.observations import pixels, symbolic
from jaxsocial.env.text.text_map import scenario_from_text
from tests.compiling import quick_jit

ROOM = """
#######
#>..2b#
#.#_~0#
#1k'.<#
#GLDo.#
#######
"""
STRANGE = """
#######
#wb.2B#
#A#_>0#
#1k.xx#
#GyDo^#
#######

w: agent up on yellow bonus 3
A: agent right on blue floor
B: green box with red ball
x: red key
y: red locked door
D: cyan open door
^: agent up on empty
"""


def made(text, **sizes):
    env = jaxsocial.make_env(scenario_from_text(text, **sizes))
    # Without the observations, which take long to compile.
    return env, quick_jit(lambda key: env.reset(key)[0])(jax.random.key(0))


def coloured(terminal):
    """Returns the (foreground colour, characters) of the first line of true-colour text."""
    runs = terminal.split("\n")[0].split("\x1b[38;2;")[1:]
    return [(run.split("m", 1)[0], run.split("m", 1)[1].split("\x1b")[0]) for run in runs]


def test_a_map_is_written_as_it_was_read():
    env, state = made(ROOM)
    assert render.text(state, env.scenario) == ROOM.lstrip()


def test_what_an_agent_sees_is_brighter_unless_it_sees_the_whole_world():
    env, state = made(ROOM)
    whole = dataclasses.replace(env.scenario, observation="symbolic_world")
    local, plain = (render.image(state, env.rules, scenario).astype(int) for scenario in (env.scenario, whole))
    assert set(np.unique(local - plain)) >= {0, 63}
    assert (local >= plain).all()


@pytest.mark.parametrize("text", [ROOM, STRANGE])
def test_a_written_map_can_be_read_back(text):
    env, state = made(text)
    again = scenario_from_text(render.text(state, env.scenario))
    shown = again.layout(jax.random.key(1), again)
    np.testing.assert_array_equal(shown.grid, state.grid)
    np.testing.assert_array_equal(shown.position, state.position)
    np.testing.assert_array_equal(shown.heading, state.heading)
    assert again.things == env.scenario.things


def test_a_legend_defines_only_unusual_characters():
    env, state = made(STRANGE)
    picture, legend = render.text(state, env.scenario).split("\n\n")
    assert picture.splitlines()[3] == "#1k.aa#"
    assert "a: red key" in legend.splitlines()
    assert "L: red locked door" in legend.splitlines()
    assert not any(line.startswith(("#", "k", "G")) for line in legend.splitlines())


def test_an_image_equals_pixels_whole_world_at_any_tile_size():
    env, state = made(ROOM)
    for tile in (3, 8):
        picture = render.image(state, env.rules, env.scenario, tile)
        assert picture.shape == (6 * tile, 7 * tile, 3)
        drawn = quick_jit(functools.partial(pixels.whole_world, scenario=env.scenario, tile=tile))(state, env.rules)
        np.testing.assert_array_equal(picture, drawn)


def test_a_view_is_the_observation_in_other_sizes():
    env = jaxsocial.make_env(scenario_from_text(ROOM, tile_pixels=5, view_size=5))
    state, timestep = quick_jit(env.reset)(jax.random.key(0))
    np.testing.assert_array_equal(render.view(state, 1, env.rules, env.scenario, 5), timestep.observation.image[1])
    assert render.view(state, 1, env.rules, env.scenario, 8).shape == (40, 40, 3)


def test_half_blocks_put_two_pixels_above_each_other():
    picture = np.array([[[255, 0, 0]] * 2, [[0, 0, 255]] * 2, [[0, 255, 0]] * 2], np.uint8)
    assert render.half_blocks(picture) == (
        "\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀▀\x1b[0m\n\x1b[38;2;0;255;0m\x1b[48;2;0;0;0m▀▀\x1b[0m"
    )


@pytest.mark.parametrize(
    ("colour", "number"), [((0, 0, 0), 16), ((255, 255, 255), 231), ((63, 63, 63), 237), ((250, 4, 3), 196)]
)
def test_the_nearest_of_256_colours_is_taken(colour, number):
    assert render.palette_colour(colour, False) == f"\x1b[38;5;{number}m"
    assert render.palette_colour(colour, True) == f"\x1b[48;5;{number}m"


def test_walls_and_floors_lit_or_not_differ_in_256_colours():
    env, state = made("#####\n#>..#\n###.#\n#.0.#\n#####", view_size=3)
    picture = render.image(state, env.rules, env.scenario, 3)
    colours = {tuple(pixel) for pixel in picture[1::3, 1::3].reshape(-1, 3).tolist()}
    assert len({render.palette_colour(colour, False) for colour in colours}) == len(colours) >= 5


def test_a_terminal_s_map_hides_the_order_of_the_cycle_and_marks_you():
    env, state = made(ROOM)
    seen = np.asarray(symbolic.whole_world(state, env.rules, env.scenario))
    plain = render.symbols_text(seen, render.no_colour, {}, (1, 1))
    assert "\x1b[7m>\x1b[0m" in plain.splitlines()[1]
    letters = plain.replace("\x1b[7m", "").replace("\x1b[0m", "")
    assert letters == ROOM.strip().replace("0", "*").replace("1", "*").replace("2", "*")


def test_a_terminal_s_map_has_the_colours_of_things_and_agents():
    env, state = made("#k>\n~.0\n1..")
    seen = np.asarray(symbolic.whole_world(state, env.rules, env.scenario))
    first = render.symbols_text(seen, render.true_colour, {(0, 2): (9, 8, 7)}, (2, 2))
    assert coloured(first) == [("74;65;42", "#"), ("255;255;0", "k"), ("9;8;7", ">")]


def test_of_agents_in_one_cell_the_first_is_shown():
    env, state = made(ROOM)
    together = state._replace(position=jnp.array([[1, 2], [1, 2]]), arrival=jnp.array([5, 4]))
    assert render.text(together, env.scenario).splitlines()[1] == "#.<.2b#"


def test_things_that_differ_have_different_characters():
    colours = [encode(objects.KEY, name) for name in ("red", "green", "blue", "pink")]
    env, state = made("#####\n#>..#\n#...#\n#####")
    crowded = state._replace(grid=state.grid.at[2, 1:4].set(jnp.array(colours[:3])).at[1, 3].set(colours[3]))
    again = scenario_from_text(render.text(crowded, env.scenario))
    np.testing.assert_array_equal(again.layout(jax.random.key(0), again).grid, crowded.grid)
