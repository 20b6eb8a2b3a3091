"""Observations against loops over cells: symbols, inputs, and views that differ."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.env import objects
from jaxsocial.env.observations import pixels
from jaxsocial.env.observations.observe import first_observation, observe
from jaxsocial.env.scenario import View
from jaxsocial.env.types import NO_ACTION
from tests.compiling import quick_jit

MAP = """
#########
#>.k#..G#
#..o'b.0#
#^.#D#L1#
#v..<.~_#
#########
"""
COLOURS = ("red", "blue", "prestige", "green")


@functools.cache
def world(**options):
    scenario = jaxsocial.scenario_from_text(MAP.replace("G", "."), colours=COLOURS, **options)
    env = jaxsocial.make_env(scenario)
    return env, quick_jit(env.reset)(jax.random.key(0))[0]


def on_a_bonus_tile(state):
    """Returns a state in which an agent stands on the bonus tile 1."""
    return state._replace(position=state.position.at[1].set(jnp.array([3, 7])))


CHANNELS = [0, 1, 2, 4]
"""All but prestige."""


def image(state, env):
    return np.asarray(quick_jit(lambda s: first_observation(s, env.rules, env.scenario))(state).image)


def expected_cell(state, agent, row, column, heading_of):
    """Returns (kind, colour, state, kind below) of a cell, by the rules of the docstrings."""
    if not (0 <= row < state.grid.shape[0] and 0 <= column < state.grid.shape[1]):
        return (objects.EMPTY, 0, 0, 0)
    code = int(state.grid[row, column])
    agents = [a for a in range(len(COLOURS)) if (row, column) == tuple(state.position[a].tolist())]
    if agents:
        shown = agent if agent in agents else min(agents, key=lambda a: int(state.arrival[a]))
        colour = objects.COLOUR_NAMES.index(COLOURS[shown])
        return (objects.AGENT, colour, heading_of(int(state.heading[shown])), objects.kind_of(code))
    state_shown = objects.state_of(code) if objects.kind_of(code) == objects.DOOR else 0
    return (objects.kind_of(code), objects.colour_of(code), state_shown, 0)


@pytest.mark.parametrize(("size", "offset"), [(7, 1), (5, 2)])
def test_symbols_are_rotated_to_the_observer_s_heading(size, offset):
    env, state = world(observation="symbolic", view_size=size, view_offset=offset, see_through_walls=True)
    state = on_a_bonus_tile(state)
    seen = image(state, env)
    assert (seen[..., 4] == objects.BONUS).any()
    for agent, (position, heading) in enumerate(zip(state.position.tolist(), state.heading.tolist(), strict=True)):
        forward, right_hand = objects.STEP[heading], objects.STEP[(heading + 1) % 4]
        for row, column in np.ndindex(size, size):
            ahead, aside = size - 1 - offset - row, column - size // 2
            cell = np.array(position) + ahead * forward + aside * right_hand
            relative = functools.partial(lambda other, own: (other - own + objects.UP) % 4, own=heading)
            assert tuple(seen[agent, row, column, CHANNELS]) == expected_cell(state, agent, *cell, relative)


def test_symbols_hide_what_a_picture_hides():
    symbolic, state = world(observation="symbolic")
    rgb, _ = world()
    kinds = image(state, symbolic)[..., 0]
    corners = image(state, rgb)[:, ::3, ::3]
    assert ((kinds == objects.UNSEEN) == (corners == objects.SHADOW).all(-1)).all()
    assert (kinds == objects.UNSEEN).any()
    asleep = image(state._replace(active=jnp.zeros(4, bool)), symbolic)
    assert (asleep == (objects.UNSEEN, 0, 0, 0, 0)).all()


def test_hidden_kinds_are_left_out_and_still_block_sight():
    plain, state = world(observation="symbolic")
    hiding, _ = world(observation="symbolic", hidden=("wall", "agent"))
    kinds, fewer = image(state, plain)[..., 0], image(state, hiding)[..., 0]
    own = np.zeros(kinds.shape, bool)
    own[:, 5, 3] = True
    left_out = (kinds == objects.WALL) | ((kinds == objects.AGENT) & ~own)
    assert left_out.any()
    assert (fewer == np.where(left_out, objects.EMPTY, kinds)).all()


def test_symbols_of_the_whole_world_are_the_same_for_all_agents():
    env, state = world(observation="symbolic_world")
    state = on_a_bonus_tile(state)
    seen = image(state, env)
    assert (seen[..., 4] == objects.BONUS).any()
    for row, column in np.ndindex(seen.shape[1:3]):
        expected = expected_cell(state, None, row, column, heading_of=lambda heading: heading)
        assert (seen[:, row, column][:, CHANNELS] == expected).all()


@pytest.mark.parametrize("style", ["symbolic", "symbolic_world"])
def test_prestige_is_the_blue_of_agents_whose_colour_shows_it(style):
    scenario = jaxsocial.scenario_from_text(
        MAP.replace("G", "."), colours=("prestige", "green", "prestige", "prestige"), observation=style
    )
    env = jaxsocial.make_env(scenario)
    state, _ = quick_jit(env.reset)(jax.random.key(0))
    state = state._replace(prestige=jnp.array([0.0, 5.0, 2.0, 100.0]), active=state.active.at[3].set(False))
    blue = pixels.tint(state, env.rules, env.scenario)[:, objects.BLUE].tolist()
    assert blue[0] == 0 < blue[2] < 255
    expected = [blue[0], 0, blue[2], 0]
    seen = np.asarray(image(state, env))
    is_agent = seen[..., 0] == objects.AGENT
    assert not seen[~is_agent][:, 3].any()
    for agent in (0, 1, 2):
        if style == "symbolic":
            row, column = env.scenario.view_size - 1 - env.scenario.view_offset, env.scenario.view_size // 2
        else:
            row, column = state.position[agent].tolist()
        assert seen[agent, row, column, 3] == expected[agent]


@pytest.mark.parametrize("style", ["rgb", "symbolic", "symbolic_world"])
def test_symbols_and_others_tell_what_the_image_shows(style):
    sizes = {"agents": 3, "height": 8, "width": 9, "view_size": 3, "clutter": 4}
    env = jaxsocial.make("goal_cycle", observation=style, inputs=("symbols", "others"), **sizes)
    plain = jaxsocial.make(
        "goal_cycle", observation="symbolic_world" if style == "symbolic_world" else "symbolic", **sizes
    )
    shown = []
    for seed in range(8):
        state, timestep = quick_jit(env.reset)(jax.random.key(seed))
        symbols = np.asarray(timestep.observation.symbols)
        np.testing.assert_array_equal(symbols, image(state, plain))
        agents = (symbols[..., 0] == objects.AGENT).sum((1, 2))
        np.testing.assert_array_equal(timestep.observation.others, agents > 1)
        shown += timestep.observation.others.tolist()
    assert any(shown)
    assert style == "symbolic_world" or not all(shown)


def test_some_agents_observe_as_all_do():
    env, state = world(inputs=("position", "heading", "goal_position", "symbols", "others"))
    whole = first_observation(state, env.rules, env.scenario)
    zeros = jnp.zeros(4, jnp.float32)
    last_action = jnp.full(4, NO_ACTION, jnp.int32)
    some = observe(state, zeros, last_action, env.rules, env.scenario, agents=(1, 3))
    jax.tree.map(lambda all_, few: np.testing.assert_array_equal(all_[jnp.array([1, 3])], few), whole, some)


def test_inputs_are_fields_beside_the_image():
    env, state = world(inputs=("reward", "position", "heading", "last_action", "goal_position"))
    _, timestep = quick_jit(env.reset)(jax.random.key(0))
    height, width = state.grid.shape
    np.testing.assert_allclose(timestep.observation.position, state.position / np.array([height, width]), rtol=1e-6)
    assert (timestep.observation.heading == state.heading).all()
    assert timestep.observation.reward.tolist() == [0.0] * 4
    assert timestep.observation.last_action.tolist() == [-1] * 4
    cells = timestep.observation.goal_position * np.array([height, width])
    np.testing.assert_allclose(cells, np.broadcast_to([[2, 7], [3, 7]], (4, 2, 2)), rtol=1e-6)
    absent = state._replace(position=state.position.at[1].set(-1))
    after = observe(absent, jnp.array([0.0, 0.5, 0.0, -1.5]), jnp.array([2, 2, 6, 1]), env.rules, env.scenario)
    assert after.position[1].tolist() == [0.0, 0.0]
    assert after.reward.tolist() == [0.0, 0.5, 0.0, -1.5]
    assert after.last_action.tolist() == [2, 2, 6, 1]
    assert world()[0].reset(jax.random.key(0))[1].observation.heading is None


def test_the_positions_of_goals_do_not_tell_their_order():
    env = jaxsocial.make("goal_cycle", inputs=("goal_position",), goals=4)
    state, timestep = quick_jit(env.reset)(jax.random.key(3))
    cells = np.round(timestep.observation.goal_position[0] * env.scenario.width).astype(int).tolist()
    assert cells == sorted(state.goals.tolist())
    assert cells != state.goals.tolist()


def test_smaller_views_are_padded_to_the_largest():
    views = (View(), View(size=3, offset=0, tile_pixels=5), View(size=5, tile_pixels=3), View())
    env, state = world(views=views)
    together = image(state, env)
    assert together.shape == (4, 21, 21, 3)
    for agent, view in enumerate(views):
        alike, _ = world(views=(view,) * 4)
        assert (together[agent, : view.pixels, : view.pixels] == image(state, alike)[agent]).all()
        assert not together[agent, view.pixels :].any()
        assert not together[agent, :, view.pixels :].any()
