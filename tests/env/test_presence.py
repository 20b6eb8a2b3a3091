"""Presence: agents take part with their probabilities, equal ones together, and the level does not depend on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import make_dropout, make_rules
from tests.compiling import quick_jit
from tests.env.participation import ENV, WORLDS, played, probably, world

RESET = quick_jit(jax.vmap(ENV.reset, (0, None)))
COUNT = 2000


def reset_with(present, **levels):
    keys = jax.random.split(jax.random.key(3), COUNT)
    return jax.tree.map(np.asarray, RESET(keys, make_rules(ENV.scenario, present=present, **levels))[0])


def test_agents_are_present_with_their_probability_and_equal_ones_together():
    together = reset_with((1.0, 0.3, 0.3)).active
    assert together[:, 0].all()
    assert (together[:, 1] == together[:, 2]).all()
    assert probably(together[:, 1].sum(), COUNT, 0.3)
    # One draw decides for all: a rarer agent is present only if a more frequent one is.
    nested = reset_with((0.2, 0.7, 0.0)).active
    assert probably(nested[:, 0].sum(), COUNT, 0.2)
    assert probably(nested[:, 1].sum(), COUNT, 0.7)
    assert not (nested[:, 0] & ~nested[:, 1]).any()
    assert not nested[:, 2].any()


def test_presence_does_not_change_the_layout():
    everyone, some = reset_with(3), reset_with((1.0, 0.5, 0.0))
    for field in ("grid", "goals", "heading"):
        assert (getattr(everyone, field) == getattr(some, field)).all()
    assert (some.position == np.where(some.active[..., None], everyone.position, -1)).all()


def test_on_one_fixed_level_presence_varies_and_the_layout_does_not():
    states = reset_with((1.0, 0.5, 0.5), levels=1, first_level=7)
    assert (states.grid == states.grid[0]).all()
    assert (states.heading == states.heading[0]).all()
    assert probably(states.active[:, 1].sum(), COUNT, 0.5)
    for agent in range(3):
        assert len(np.unique(states.position[states.active[:, agent], agent], axis=0)) == 1


def test_probability_1_is_always_and_0_never_over_restarts():
    states, timesteps = played("first and third")
    assert (states.active == [True, False, True]).all()
    assert (states.finished == [False, True, False]).all()
    assert (states.position[..., 1, :] == -1).all()
    assert (timesteps.terminated[1:] == [False, True, False]).all()
    assert played("all")[0].active.all()


def test_presence_is_drawn_for_each_episode_and_holds_for_all_of_it():
    states, timesteps = played("half the time")
    begins = states.clock == 0
    assert begins.sum() == 5 * WORLDS  # 160 steps are four episodes, and one begins
    present = states.active[..., 1]
    assert probably(present[begins].sum(), begins.sum(), 0.5)
    assert begins[1:][present[1:] != present[:-1]].all()
    assert (states.active[..., 2] == present).all()
    assert (states.finished == ~states.active).all()
    assert (timesteps.present == states.active).all()


def test_timestep_present_is_false_for_late_finished_and_absent_agents():
    env, _ = world("######\n#>G..#\n#...>#\n#>...#\n######", spawn_delay=(0, 2, 0), respawn=False)
    rules = make_rules(env.scenario, present=(1.0, 1.0, 0.0))
    state, timestep = quick_jit(env.reset)(jax.random.key(0), rules)
    present, step = [timestep.present.tolist()], quick_jit(env.step_without_restart)
    for number in range(3):
        state, timestep = step(jax.random.key(number), state, jnp.array([2, 6, 6]), rules)
        present.append(timestep.present.tolist())
    assert present == [[True, False, False], [False, False, False], [False, False, False], [False, True, False]]
    assert timestep.terminated.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("make", "value", "remedy"),
    [
        (lambda: make_rules(ENV.scenario, present=(1.0, 0.5)), "(1.0, 0.5)", "or a probability for each of the 3"),
        (lambda: make_rules(ENV.scenario, present=(1.0, 0.5, 1.5)), "1.5", "0 to 1"),
        (lambda: make_rules(ENV.scenario, dropout=make_dropout((0.1, 0.2))), "(2,)", "one number for all"),
        (lambda: make_dropout(leave=1.5), "leave=1.5", "0 to 1"),
        (lambda: make_dropout(rejoin=(0.0, -0.1)), "-0.1", "0 to 1"),
    ],
)
def test_errors_name_the_value_and_the_remedy(make, value, remedy):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (both parts of the message are checked)
        make()
    assert value in str(error.value)
    assert remedy in str(error.value)
