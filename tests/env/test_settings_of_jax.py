"""The environment with 64-bit numbers, checks for NaNs, without jit, and rematerialised; and copies of its records."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import make, make_dropout, make_env, make_rules, make_scenario, registered_scenarios, scenario_from_text
from jaxsocial.env import objects
from tests.compiling import quick_jit
from tests.env import random_play

ROOT = Path(__file__).parents[2]
SIZES = {"height": 5, "width": 5, "goals": 2, "clutter": 0, "agents": 2, "view_size": 3, "max_steps": 3}
ENV = make("goal_cycle", **SIZES, observation="symbolic")
MAP = """
#####
#>.0#
#<.1#
#####
"""


@pytest.mark.parametrize("names", [random_play.QUICK, pytest.param(random_play.OTHERS, marks=pytest.mark.slow)])
def test_64_bits_change_neither_dtypes_nor_worlds(names, tmp_path):
    """Compares with a process that has 64-bit numbers, and stops at a NaN and at a write of another width."""
    command = [sys.executable, "-W", "error::FutureWarning", "-m", random_play.__name__, str(tmp_path / "64"), *names]
    flags = {"JAX_ENABLE_X64": "1", "JAX_DEBUG_NANS": "1", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "64.npz") as played:
        for path, expected in (item for name in names for item in random_play.named_arrays(name).items()):
            assert played[path].dtype == expected.dtype, path
            rounding = 1e-6 if np.issubdtype(expected.dtype, np.floating) else 0
            np.testing.assert_allclose(played[path], expected, rtol=rounding, err_msg=path)


@pytest.mark.parametrize("name", registered_scenarios())
def test_64_bits_change_no_dtype_of_a_reset_or_a_step(name):
    env = random_play.small(name)

    def first_two():
        first = env.reset(jax.random.key(0))
        return first, env.step(jax.random.key(1), first[0], jnp.zeros(env.scenario.agents, int))

    expected = jax.tree.map(lambda x: x.dtype, jax.eval_shape(first_two))
    with jax.enable_x64(True):
        assert jax.tree.map(lambda x: x.dtype, jax.eval_shape(first_two)) == expected


def test_a_reset_without_jit_is_that_with_it():
    """Of steps, test_core shows the same."""
    expected = quick_jit(ENV.reset)(jax.random.key(0))
    with jax.disable_jit():
        chex.assert_trees_all_equal(ENV.reset(jax.random.key(0)), expected)


def test_rematerialised_steps_are_those_that_are_not():
    state, _ = quick_jit(ENV.reset)(jax.random.key(0))
    state, actions = state._replace(clock=jnp.int32(SIZES["max_steps"] - 1)), jnp.array([2, 1])
    expected = quick_jit(ENV.step)(jax.random.key(1), state, actions)
    assert expected[1].truncated.all()
    chex.assert_trees_all_equal(quick_jit(jax.checkpoint(ENV.step))(jax.random.key(1), state, actions), expected)


def test_gradients_pass_through_rematerialised_steps():
    """The return's derivative by the reward is the number of goals entered."""

    def rewards(reward):
        rules = ENV.rules._replace(reward=reward)
        step = jax.checkpoint(ENV.step_without_restart)

        def one_step(state, key):
            state, timestep = step(key, state, jnp.array([2, 2]), rules)
            return state, timestep.reward

        keys = jax.random.split(jax.random.key(5), 3)
        collected = jax.lax.scan(one_step, before_goals(), keys)[1]
        return collected.sum(), collected

    gradient, collected = quick_jit(jax.grad(rewards, has_aux=True))(jnp.float32(1))
    assert gradient == (collected == 1).sum() == 2


def before_goals():
    """Returns a state in which both agents face the only goal."""
    state, _ = jax.eval_shape(ENV.reset, jax.random.key(0))
    state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), state)
    grid = state.grid.at[2, 3].set(objects.encode(objects.BONUS, "yellow"))
    return state._replace(grid=grid, position=state.position + 2, active=~state.active, last_goal=state.last_goal - 1)


SCENARIOS = [
    *(random_play.small(name).scenario for name in registered_scenarios()),
    make_scenario("maze", extra_connections=0.5, rooms=2),
    scenario_from_text(MAP),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_of_records_are_equal_and_hash_alike(scenario, copied):
    rules = make_rules(scenario, penalty=0.5, dropout=make_dropout(leave=0.1))
    env = make_env(scenario, rules, auto_reset=False)
    assert copied(scenario) == scenario
    assert hash(copied(scenario)) == hash(scenario)
    assert copied(env) == env
    assert hash(copied(env)) == hash(env)
    chex.assert_trees_all_equal(copied(rules), rules)
    assert copied(env.observation_space) == env.observation_space
