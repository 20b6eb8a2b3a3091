"""Raw keys give the worlds of typed keys, and what is no key is refused."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import make, make_env
from jaxsocial.env.keys import typed_key
from jaxsocial.env.scenarios.goal_cycle import GoalCycle, goal_cycle
from tests.compiling import quick_jit

SIZES = {"height": 5, "width": 5, "goals": 2, "clutter": 0, "agents": 2, "view_size": 3, "max_steps": 2}
ENV = make("goal_cycle", **SIZES, observation="symbolic")
ACTIONS = jnp.array([2, 1])


def play(reset_key, step_keys, last_key):
    """Plays through a restart with all methods that take a key."""
    state, timestep = ENV.reset(reset_key)
    state, timesteps = jax.lax.scan(lambda state, key: ENV.step(key, state, ACTIONS), state, step_keys)
    return timestep, timesteps, ENV.step_without_restart(last_key, state, ACTIONS)


@pytest.mark.slow
def test_raw_keys_give_the_same_worlds_in_jit_vmap_and_scan():
    typed = [jax.random.split(jax.random.key(seed), shape) for seed, shape in enumerate([3, (3, 3), 3])]
    raw = [jax.random.key_data(jax.random.clone(keys)) for keys in typed]
    assert raw[0].shape == (3, 2)
    # The check takes a scan's typed keys under vmap for used ones (jax 0.10 and 0.12).
    with jax.debug_key_reuse(False):
        expected = quick_jit(jax.vmap(play))(*typed)
    chex.assert_trees_all_equal(quick_jit(jax.vmap(play))(*raw), expected)
    first = jax.tree.map(lambda x: x[0], expected)
    alone = quick_jit(play)
    chex.assert_trees_all_equal(alone(*(keys[0] for keys in raw)), first)
    chex.assert_trees_all_equal(alone(*(np.asarray(keys[0]) for keys in raw)), first)


def test_a_raw_key_draws_what_the_typed_one_does():
    raw = jax.random.PRNGKey(7)
    assert jax.random.bits(typed_key(raw)) == jax.random.bits(jax.random.key(7))
    assert typed_key(np.asarray(raw)) == jax.random.key(7)


@pytest.mark.parametrize("method", ["reset", "step", "step_without_restart"])
@pytest.mark.parametrize(
    ("key", "message"),
    [
        (jnp.zeros(3, jnp.uint32), r"uint32\[3\]: give one of jax.random.key\(seed\)"),
        (jnp.zeros(2, jnp.int32), r"int32\[2\]: give one of"),
        (jnp.uint32(5), r"uint32\[\]: give one of"),
        (0, r"give one of jax.random.key"),
        (jnp.zeros((4, 2), jnp.uint32), r"shape \(4,\): give one key, or jax.vmap"),
        (jax.random.split(jax.random.key(0), 4), r"shape \(4,\): give one key, or jax.vmap"),
    ],
)
def test_what_is_no_key_is_refused_with_the_remedy(method, key, message):
    state, _ = jax.eval_shape(ENV.reset, jax.random.key(0))
    arguments = () if method == "reset" else (state, ACTIONS)
    with pytest.raises(ValueError, match=message):
        getattr(ENV, method)(key, *arguments)


def test_layouts_receive_typed_keys():
    def layout(key, scenario):
        assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        return GoalCycle()(key, scenario)

    env = make_env(dataclasses.replace(goal_cycle(**SIZES), layout=layout))
    state, _ = jax.eval_shape(env.reset, jax.random.PRNGKey(0))
    jax.eval_shape(env.step, jax.random.PRNGKey(0), state, ACTIONS)
