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


@pytest.fixture(scope="module")
def played_with_64_bits(tmp_path_factory):
    """Returns what another process plays with 64-bit numbers; it stops at a NaN, and at a write of another width."""
    file = tmp_path_factory.mktemp("played") / "64.npz"
    command = [sys.executable, "-W", "error::FutureWarning", "-m", random_play.__name__, str(file)]
    flags = {"JAX_ENABLE_X64": "1", "JAX_DEBUG_NANS": "1", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(np.load(file))


@pytest.mark.parametrize("name", registered_scenarios())
def test_64_bits_change_neither_dtypes_nor_worlds(name, played_with_64_bits):
    for path, expected in random_play.named_arrays(name).items():
        found = played_with_64_bits[path]
        assert found.dtype == expected.dtype, path
        if np.issubdtype(expected.dtype, np.floating):
            np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=path)
        else:
            np.testing.assert_array_equal(found, expected, err_msg=path)


def test_steps_without_jit_are_those_with_it():
    step = quick_jit(ENV.step)
    state, first = quick_jit(ENV.reset)(jax.random.key(0))
    with jax.disable_jit():
        chex.assert_trees_all_equal(ENV.reset(jax.random.key(0)), (state, first))
    for number in range(3):
        key, actions = jax.random.key(number), jnp.array([2, 1])
        with jax.disable_jit():
            eager = ENV.step(jax.random.clone(key), state, actions)
        state, timestep = step(key, state, actions)
        chex.assert_trees_all_equal(eager, (state, timestep))
    assert timestep.truncated.all()


def test_rematerialised_steps_have_the_same_rewards_and_gradients():
    """The return's derivative by the reward is the number of goals entered."""

    def rewards(reward, keys, step):
        rules = ENV.rules._replace(reward=reward)

        def one_step(state, key):
            state, timestep = step(key, state, jnp.array([2, 2]), rules)
            return state, timestep.reward

        return jax.lax.scan(one_step, ENV.reset(jax.random.key(4), rules)[0], keys)[1]

    keys = jax.random.split(jax.random.key(5), 12)
    plain = quick_jit(lambda reward: rewards(reward, jax.random.clone(keys), ENV.step))(jnp.float32(1))

    def total(reward):
        collected = rewards(reward, keys, jax.checkpoint(ENV.step))
        return collected.sum(), collected

    gradient, checkpointed = quick_jit(jax.grad(total, has_aux=True))(jnp.float32(1))
    chex.assert_trees_all_equal(checkpointed, plain)
    assert gradient == (plain == 1).sum() > 0


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
