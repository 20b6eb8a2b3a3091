"""Who takes part in an episode: as often as asked for, equal ones together, and the same level whoever comes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import make_dropout, make_rules
from tests.compiling import quick_jit
from tests.env.company import ENV, WORLDS, played, probably, world

RESET = quick_jit(jax.vmap(ENV.reset, (0, None)))
COUNT = 2000


def begun(present, **levels):
    keys = jax.random.split(jax.random.key(3), COUNT)
    return jax.tree.map(np.asarray, RESET(keys, make_rules(ENV.scenario, present=present, **levels))[0])


def test_agents_take_part_as_often_as_they_should_and_equal_ones_together():
    together = begun((1.0, 0.3, 0.3)).active
    assert together[:, 0].all()
    assert (together[:, 1] == together[:, 2]).all()
    assert probably(together[:, 1].sum(), COUNT, 0.3)
    # One draw decides for all: the rarer is there only if the more frequent one is.
    nested = begun((0.2, 0.7, 0.0)).active
    assert probably(nested[:, 0].sum(), COUNT, 0.2)
    assert probably(nested[:, 1].sum(), COUNT, 0.7)
    assert not (nested[:, 0] & ~nested[:, 1]).any()
    assert not nested[:, 2].any()


def test_company_draws_nothing_that_layouts_are_drawn_from():
    everyone, some = begun(3), begun((1.0, 0.5, 0.0))
    for field in ("grid", "goals", "heading"):
        assert (getattr(everyone, field) == getattr(some, field)).all()
    assert (some.position == np.where(some.active[..., None], everyone.position, -1)).all()


def test_on_one_fixed_level_company_varies_and_the_layout_does_not():
    states = begun((1.0, 0.5, 0.5), levels=1, first_level=7)
    assert (states.grid == states.grid[0]).all()
    assert (states.heading == states.heading[0]).all()
    assert probably(states.active[:, 1].sum(), COUNT, 0.5)
    for agent in range(3):
        assert len(np.unique(states.position[states.active[:, agent], agent], axis=0)) == 1


def test_one_is_always_and_nought_is_never_over_restarts():
    states, timesteps = played("first and third")
    assert (states.active == [True, False, True]).all()
    assert (states.finished == [False, True, False]).all()
    assert (states.position[..., 1, :] == -1).all()
    assert (timesteps.terminated[1:] == [False, True, False]).all()
    assert played("all")[0].active.all()


def test_company_is_drawn_anew_for_each_episode_and_for_the_whole_of_it():
    states, timesteps = played("half the time")
    begins = states.clock == 0
    assert begins.sum() == 5 * WORLDS  # 160 steps are four episodes, and one begins
    company = states.active[..., 1]
    assert probably(company[begins].sum(), begins.sum(), 0.5)
    assert begins[1:][company[1:] != company[:-1]].all()
    assert (states.active[..., 2] == company).all()
    assert (states.finished == ~states.active).all()
    assert (timesteps.present == states.active).all()


def test_present_tells_of_those_that_enter_late_rest_or_are_absent():
    env, _ = world("######\n#>G..#\n#...>#\n#>...#\n######", spawn_delay=(0, 2, 0), respawn=False)
    rules = make_rules(env.scenario, present=(1.0, 1.0, 0.0))
    state, timestep = quick_jit(env.reset)(jax.random.key(0), rules)
    seen, step = [timestep.present.tolist()], quick_jit(env.step_without_restart)
    for number in range(3):
        state, timestep = step(jax.random.key(number), state, jnp.array([2, 6, 6]), rules)
        seen.append(timestep.present.tolist())
    assert seen == [[True, False, False], [False, False, False], [False, False, False], [False, True, False]]
    assert timestep.terminated.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("make", "value", "cure"),
    [
        (lambda: make_rules(ENV.scenario, present=(1.0, 0.5)), "(1.0, 0.5)", "there are 3: give one for each"),
        (lambda: make_rules(ENV.scenario, present=(1.0, 0.5, 1.5)), "1.5", "0 to 1"),
        (lambda: make_rules(ENV.scenario, dropout=make_dropout((0.1, 0.2))), "(2,)", "one number for all"),
        (lambda: make_dropout(leave=1.5), "leave=1.5", "0 to 1"),
        (lambda: make_dropout(rejoin=(0.0, -0.1)), "-0.1", "0 to 1"),
    ],
)
def test_refusal_has_the_value_and_the_cure(make, value, cure):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (both parts of the message are checked)
        make()
    assert value in str(refusal.value)
    assert cure in str(refusal.value)
