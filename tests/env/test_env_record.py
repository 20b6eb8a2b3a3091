"""`Env` as a record: equality, hashing, restarts, and the libraries that env needs."""

import dataclasses
import functools
import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial import make_dropout, make_env, make_rules, make_scenario
from jaxsocial.env.actions import checked_actions
from tests.compiling import quick_jit

OTHER_PACKAGES = ("flax", "optax", "distrax", "orbax", "chex", "pandas", "matplotlib", "tyro", "rich", "imageio")


def small(auto_reset=True, max_steps=2, **rules):
    scenario = make_scenario("goal_cycle", height=5, width=5, clutter=0, agents=2, view_size=3, max_steps=max_steps)
    return make_env(scenario, make_rules(scenario, **rules), auto_reset)


@pytest.mark.parametrize(
    "options", [{}, {"auto_reset": False}, {"penalty": 0.5}, {"dropout": make_dropout(leave=(0.0, 0.1))}]
)
def test_environments_of_equal_records_are_equal_and_hash_alike(options):
    assert small(**options) == small(**options)
    assert hash(small(**options)) == hash(small(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"auto_reset": False},
        {"max_steps": 3},
        {"penalty": 0.5},
        {"reward": (1.0, 1.0, 1.0)},
        {"dropout": make_dropout()},
    ],
)
def test_environments_of_other_records_differ(options):
    assert small(**options) != small()
    assert small() != small().scenario


def test_a_rebuilt_environment_hits_the_cache_of_jit():
    traced = []

    @functools.partial(quick_jit, static_argnums=0)
    def clock_after_reset(env, key):
        traced.append(float(env.rules.penalty))
        return env.reset(key)[0].clock

    for penalty in (1.5, 1.5, 0.5, 1.5, 0.5):
        clock_after_reset(small(penalty=penalty), jax.random.key(0))
    assert traced == [1.5, 0.5]


def test_an_environment_with_traced_rules_is_equal_to_itself_only():
    def compare(rules):
        env = make_env(small().scenario, rules)
        assert hash(env) == hash(small())
        assert env == dataclasses.replace(env)
        assert env != make_env(small().scenario, rules._replace(penalty=rules.penalty + 0))
        assert env != small()
        return rules.penalty

    jax.eval_shape(compare, small().rules)


def test_without_auto_reset_step_does_not_restart():
    env, restarting = small(auto_reset=False), small()
    state, _ = quick_jit(env.reset)(jax.random.key(0))
    step, actions = quick_jit(env.step), jnp.array([2, 0])
    for number in range(3):
        key = jax.random.key(number)
        expected = quick_jit(restarting.step_without_restart)(jax.random.clone(key), state, actions)
        state, timestep = step(key, state, actions)
        chex.assert_trees_all_equal((state, timestep), expected)
    assert int(state.clock) == 3
    assert timestep.truncated.all()


@pytest.mark.parametrize(
    "actions",
    [
        jnp.array([2]),
        jnp.zeros((5, 2), int),
        jnp.ones(2),
        np.array([0.5, 1.0]),
        jnp.ones(2, bool),
        [2, 0, 1],
        2,
    ],
    ids=str,
)
def test_actions_of_another_shape_or_type_are_refused_while_jax_traces(actions):
    env = small()
    state, _ = jax.eval_shape(env.reset, jax.random.key(0))
    with pytest.raises(ValueError, match="give 2 whole numbers, one for each agent, and step many worlds by jax"):
        jax.eval_shape(lambda state: env.step(jax.random.key(1), state, actions), state)


def test_actions_may_be_a_list_or_integers_of_any_width():
    for actions in ([2, 0], (2, 0), np.array([2, 0]), jnp.array([2, 0], jnp.uint8)):
        converted = checked_actions(actions, 2)
        assert (converted.tolist(), converted.dtype) == ([2, 0], jnp.int32)


def test_env_works_without_the_libraries_of_the_other_packages():
    program = f"""
import sys
for name in {OTHER_PACKAGES}:
    sys.modules[name] = None  # importing it raises
import jax, jaxsocial
env = jaxsocial.make("goal_cycle", height=5, width=5, clutter=0, agents=2, view_size=3)
state, _ = jax.jit(env.reset)(jax.random.key(0))
state, timestep = jax.jit(env.step)(jax.random.key(1), state, jax.numpy.zeros(2, int))
assert int(state.clock) == 1 and timestep.reward.shape == (2,)
"""
    root = Path(jaxsocial.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
