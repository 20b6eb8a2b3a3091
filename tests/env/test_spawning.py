"""Late entries and respawns: where, when, and what happens to agents that do not respawn."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chisquare

import jaxsocial
from jaxsocial.env import objects, spawning
from tests.compiling import quick_jit


def state_of(text, **options):
    env = jaxsocial.make_env(jaxsocial.scenario_from_text(text, **options))
    return env, quick_jit(env.reset)(jax.random.key(0))[0]


def drawn(state, chosen, count=3000):
    keys = jax.random.split(jax.random.key(1), count)
    return np.asarray(quick_jit(jax.vmap(spawning.draw_cells, (0, None, None)))(keys, state, jnp.array(chosen)))


def test_drawn_cells_are_uniform_over_the_free_cells_of_the_box():
    _, state = state_of("#######\n#>..0.#\n#<..~.#\n#..#..#\n#######")
    boxes = jnp.array([[1, 1, 2, 5], [0, 0, 9, 9]])
    where = drawn(state._replace(spawn=boxes), [True, True])
    first = where[:, 0, 0] * 7 + where[:, 0, 1]
    # Both agents leave their cells. A bonus tile and lava are free. The second agent avoids the first.
    assert set(first.tolist()) == {7 * row + column for row in (1, 2) for column in range(1, 6)}
    assert chisquare(np.bincount(first)[np.unique(first)]).pvalue > 1e-3
    assert (where[:, 0] != where[:, 1]).any(-1).all()
    assert len(np.unique(where[:, 1], axis=0)) == 14


def test_from_a_full_box_agents_go_elsewhere_and_in_a_full_world_they_share_cells():
    _, state = state_of("#####\n#><.#\n#####")
    box = jnp.tile(jnp.array([1, 1, 1, 1]), (2, 1))
    second = drawn(state._replace(spawn=box), [False, True], 50)[:, 1]
    # The first cell is occupied: the second agent gets its own, which it leaves, or the third.
    assert set(map(tuple, second.tolist())) == {(1, 2), (1, 3)}
    _, full = state_of("####\n#><#\n####", ghost=False)
    full = full._replace(position=jnp.array([[1, 1], [1, 2]]), spawn=jnp.tile(jnp.array([1, 1, 1, 1]), (2, 1)))
    assert (objects.walkable(np.asarray(full.grid))[tuple(drawn(full, [True, True], 50)[:, 1].T)]).all()


def test_late_agents_enter_after_their_delay_and_act_in_the_same_step():
    env, state = state_of("######\n#>...#\n#....#\n######", agents=2, spawn_delay=(0, 2), colours=("red", "blue"))
    step = quick_jit(env.step_without_restart)
    active, heading = [], []
    for number in range(4):
        active.append(bool(state.active[1]))
        heading.append(int(state.heading[1]))
        assert (state.position[1].tolist() == [-1, -1]) == (not active[-1])
        state, timestep = step(jax.random.key(number), state, jnp.array([objects.DONE, objects.RIGHT_TURN]))
    assert active == [False, False, False, True]
    assert [int(state.heading[1]), heading[3]] == [(heading[0] + 2) % 4, (heading[0] + 1) % 4]
    assert not timestep.terminated.any()


def test_agents_that_enter_act_in_the_coming_step():
    env, state = state_of("######\n#>...#\n#....#\n######", agents=2, spawn_delay=(0, 2), colours=("red", "blue"))
    step, acts = quick_jit(env.step_without_restart), []
    for number in range(4):
        acts.append(spawning.acts_next(state, env.scenario).tolist())
        state, _ = step(jax.random.key(number), state, jnp.array([objects.DONE, objects.DONE]))
    assert acts == [[True, False], [True, False], [True, True], [True, True]]


def test_agents_that_enter_a_goal_or_lava_respawn_or_terminate():
    text = "#######\n#>G...#\n#>~.k.#\n#<....#\n#######"
    for respawn in (False, True):
        env, state = state_of(text, respawn=respawn, agents=3, max_steps=50)
        state = state._replace(carrying=jnp.array([objects.encode(objects.KEY), objects.EMPTY, objects.EMPTY]))
        after, timestep = quick_jit(env.step_without_restart)(jax.random.key(0), state, jnp.array([2, 2, 6]))
        assert timestep.reward.tolist() == [1.0, 0.0, 0.0]
        assert timestep.terminated.tolist() == [not respawn, not respawn, False]
        assert after.active.tolist() == [respawn, respawn, True]
        assert (int(after.carrying[0]) == objects.EMPTY) == respawn
        # Agents respawn at the starts that the map marks.
        expected = [[1, 1], [2, 1]] if respawn else [[1, 2], [2, 2]]
        assert after.position[:2].tolist() == expected
        later, timestep = quick_jit(env.step_without_restart)(jax.random.key(1), after, jnp.array([0, 0, 6]))
        assert (later.heading[:2] != after.heading[:2]).tolist() == [respawn, respawn]
        assert timestep.terminated.tolist() == [not respawn, not respawn, False]


def test_a_world_restarts_when_all_agents_have_terminated():
    env, state = state_of("######\n#>G..#\n#..>G#\n######")
    step = quick_jit(env.step)
    state, timestep = step(jax.random.key(0), state, jnp.array([2, 6]))
    assert timestep.terminated.tolist() == [True, False]
    assert int(state.clock) == 1
    state, timestep = step(jax.random.key(1), state, jnp.array([2, 2]))
    assert timestep.terminated.tolist() == [True, True]
    assert not timestep.truncated.any()
    assert timestep.reward.tolist() == [0.0, 1.0]
    assert int(state.clock) == 0
    assert state.active.all()
