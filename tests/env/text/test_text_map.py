"""Maps in characters: what is read, what is refused, and where agents start."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.agents.scripted import knowing_expert
from jaxsocial.env import objects
from jaxsocial.env.objects import encode
from jaxsocial.env.text import alphabet, maps
from jaxsocial.env.text.text_map import scenario_from_file, scenario_from_text
from tests.compiling import quick_jit

CYCLE = """
    #######
    #>..2.#
    #.#.0.#
    #1...<#
    #######
"""
EVERYTHING = """
#.0_~
Gkob#
DL'Gx
yz..w

x: red key
y = a green box with a red ball
z: cyan bonus 1
w: agent up on blue floor
"""


def fresh(scenario, seed=0):
    return jax.tree.map(np.asarray, scenario.layout(jax.random.key(seed), scenario))


def after_one_step(env, actions):
    """Returns positions and rewards, without the observations, which take long to compile."""

    @quick_jit
    def play(reset_key, step_key):
        state, _ = env.reset(reset_key)
        state, timestep = env.step_without_restart(step_key, state, jnp.array(actions))
        return state.position, timestep.reward

    return play(*jax.random.split(jax.random.key(0)))


def test_every_character_is_read_as_its_thing():
    drawn = maps.read(EVERYTHING)
    assert drawn.grid.tolist() == [
        [encode(objects.WALL, "worst"), 0, encode(objects.BONUS, "yellow"), encode(objects.FLOOR, "worst"), 0x97],
        [
            encode(objects.GOAL, "green", 2),
            encode(objects.KEY, "yellow"),
            encode(objects.BALL, "blue"),
            encode(objects.BOX, "purple"),
            encode(objects.WALL, "worst"),
        ],
        [
            *(encode(objects.DOOR, "yellow", state) for state in (objects.CLOSED, objects.LOCKED, objects.OPEN)),
            encode(objects.GOAL, "green", 3),
            encode(objects.KEY, "red"),
        ],
        [
            encode(objects.BOX, "green", encode(objects.BALL, "red")),
            encode(objects.BONUS, "cyan", 1),
            0,
            0,
            encode(objects.FLOOR, "blue"),
        ],
    ]
    assert (drawn.starts.tolist(), drawn.headings.tolist()) == ([[3, 4]], [objects.UP])
    assert drawn.goals.tolist() == [[0, 2], [3, 1]]


def test_things_leave_out_the_numbers_of_goals_and_nothing_else():
    scenario = scenario_from_text(EVERYTHING)
    in_grid = maps.read(EVERYTHING).grid
    numbered = np.isin(objects.kind_of(in_grid), (objects.GOAL, objects.BONUS))
    assert set(scenario.things) == set(np.where(numbered, in_grid & 0xFF, in_grid).ravel().tolist()) - {objects.EMPTY}


def test_bonus_tiles_make_a_goal_cycle():
    scenario = scenario_from_text(CYCLE, view_size=5)
    assert (scenario.height, scenario.width, scenario.agents, scenario.goals) == (5, 7, 2, 3)
    layout = fresh(scenario)
    assert layout.goals.tolist() == [[2, 4], [3, 1], [1, 4]]
    assert layout.position.tolist() == [[1, 1], [3, 5]]
    assert layout.heading.tolist() == [objects.RIGHT, objects.LEFT]
    assert layout.spawn.tolist() == [[1, 1, 1, 1], [3, 5, 3, 5]]


def test_goals_count_where_there_is_no_cycle():
    scenario = scenario_from_text("#####\n#A.G#\n#G..#\n#####")
    layout = fresh(scenario)
    assert layout.goals.tolist() == [[1, 3], [2, 1]]
    assert objects.state_of(layout.grid[[1, 2], [3, 1]]).tolist() == [0, 1]


def test_agents_without_a_start_begin_on_free_floor_and_respawn_anywhere():
    scenario = scenario_from_text("####\n#>_#\n#.0#\n####", agents=3)
    seen = set()
    for seed in range(20):
        layout = fresh(scenario, seed)
        assert layout.position[0].tolist() == [1, 1]
        assert layout.heading.tolist() == [objects.RIGHT, -1, -1]
        assert layout.spawn[1:].tolist() == [[0, 0, 3, 3]] * 2
        seen.add(tuple(map(tuple, layout.position[1:].tolist())))
    assert seen == {((1, 2), (2, 1)), ((2, 1), (1, 2))}


def test_fewer_agents_than_starts_take_the_first_ones():
    layout = fresh(scenario_from_text(CYCLE, agents=1))
    assert layout.position.tolist() == [[1, 1]]


def test_the_environment_runs_a_map():
    env = jaxsocial.make_env(scenario_from_text("#####\n#>0.#\n#..1#\n#####", view_size=3))
    position, reward = after_one_step(env, [objects.FORWARD])
    assert reward.tolist() == [1.0]
    assert position.tolist() == [[1, 2]]


def test_maps_are_equal_by_their_text():
    indented = "\n".join(f"   {line}" for line in CYCLE.splitlines()) + "\n\n"
    assert scenario_from_text(CYCLE) == scenario_from_text(indented)
    assert hash(scenario_from_text(CYCLE)) == hash(scenario_from_text(indented))
    assert scenario_from_text(CYCLE) != scenario_from_text(CYCLE.replace(">", "A"))


def test_blank_rows_and_first_columns_count_if_they_are_drawn_with_dots():
    drawn = maps.read("..A0\n....\n.1 A")
    assert drawn.grid.shape == (3, 4)
    assert drawn.starts.tolist() == [[0, 2], [2, 3]]
    assert maps.read("  A0\n  1A").grid.shape == (2, 2)


def test_a_file_is_read_as_its_text(tmp_path, monkeypatch):
    path = tmp_path / "cycle.txt"
    monkeypatch.setenv("HOME", str(tmp_path))
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text(CYCLE, encoding=encoding)
        assert scenario_from_file(path, max_steps=9) == scenario_from_text(CYCLE, max_steps=9)
    assert scenario_from_file("~/cycle.txt") == scenario_from_text(CYCLE)
    with pytest.raises(ValueError, match="is no file"):
        scenario_from_file(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("\n  \n", "the map is empty: draw it with #"),
        ("####\n#..#\n###", "line 3 of the map has 3 characters, the first has 4: fill it up"),
        ("\n####\n#.?#\n####", r"line 3, column 3: '\?' is unknown; use # wall"),
        ("###\n#\t#\n###", r"line 2, column 2: '\\t'"),
        ("####\n#02#\n####", "numbered 0, 2: number them 0 to 1, each once"),
        ("####\n#00#\n####", "numbered 0, 0"),
        ("#" + 17 * "G" + "#", "17 goals and bonus tiles: draw 16 or fewer"),
        ("###\n#x#\n###\n\nx: rde key", "line 5: 'rde key' names no thing: write"),
        ("###\n#x#\n###\n\nred key", "line 5, 'red key', is no line of a legend: write one such as x: red key"),
        (
            "A  0\n    \n1  A",
            "line 3, '1  A', is no line .* rows of bare floor with [.] since a blank line",
        ),
        ("###\n#x#\n###\n\nx: locked key", "only a door is open, closed or locked, leave 'locked' out"),
        ("###\n#x#\n###\n\nx: key 3", "only bonus tiles are numbered, leave '3' out"),
        ("###\n#x#\n###\n\nx: ball with red key", "only a box holds a thing"),
        ("###\n#x#\n###\n\nx: red empty", "an empty cell has no colour"),
        ("###\n#x#\n###\n\nx: bonus 16", "bonus 16: choose 0 to 15"),
        ("###\n#x#\n###\n\nx: box with door", "'door' does not go into a box"),
        ("###\n#x#\n###\n\nx: box with box with key", "'box with key' does not go into a box"),
    ],
)
def test_unreadable_maps_are_refused_with_position_and_remedy(text, remedy):
    with pytest.raises(ValueError, match=remedy):
        scenario_from_text(text)


@pytest.mark.parametrize(
    ("sizes", "remedy"),
    [
        ({"height": 6}, "height=6: the map has 5"),
        ({"goals": 2}, "goals=2: the map has 3"),
        ({"clutter": 1}, "clutter=1: the map has 0"),
        ({"agents": 12}, "2 starts and room for 11 agents in all"),
    ],
)
def test_sizes_that_contradict_the_map_are_refused(sizes, remedy):
    with pytest.raises(ValueError, match=remedy):
        scenario_from_text(CYCLE, **sizes)
    with pytest.raises(ValueError, match=remedy):
        dataclasses.replace(scenario_from_text(CYCLE), **sizes)


@pytest.mark.parametrize("code", sorted(set(alphabet.CHARACTERS.values()) | {encode(objects.SPACE, "red")}))
def test_words_and_codes_go_both_ways(code):
    words = alphabet.in_words(code)
    goal = objects.kind_of(code) == objects.GOAL
    assert alphabet.from_words(words) == (code & 0xFF if goal else code)


def test_a_map_needs_no_walls_and_all_its_cells_count():
    scenario = scenario_from_text("_.G\n<AG\n.AG", agents=6, max_steps=3)
    assert fresh(scenario).position.shape == (6, 2)
    env = jaxsocial.make_env(scenario)
    assert after_one_step(env, [objects.FORWARD] * 6)[0][0].tolist() == [1, 0]


def test_experts_stay_inside_a_world_without_walls():
    env = jaxsocial.make_env(scenario_from_text("0..\n...\n.v1"))
    expert = knowing_expert((0,), env.scenario)

    @quick_jit
    def play(key):
        state, timestep = env.reset(key)

        def one_step(carried, key):
            state, memory, first = carried
            act_key, step_key = jax.random.split(key)
            memory, actions = expert.apply(expert.parameters, act_key, memory, state, timestep.observation, first)
            state, after = env.step_without_restart(step_key, state, actions)
            return (state, memory, jnp.bool_(False)), after.reward[0]

        carried = state, expert.init(), jnp.bool_(True)
        return jax.lax.scan(one_step, carried, jax.random.split(jax.random.key(1), 20))[1]

    # The first goal is 2 actions away, each way between both goals 4 steps and 2 turns.
    rewards = np.asarray(play(jax.random.key(0)))
    assert np.flatnonzero(rewards).tolist() == [1, 7, 13, 19]
    assert (rewards >= 0).all()
