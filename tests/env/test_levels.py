"""Fixed levels: the same for equal numbers, drawn uniformly, and their numbers are traced."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chisquare

import jaxsocial
from jaxsocial import make_rules
from tests.compiling import quick_jit

ENV = jaxsocial.make("goal_cycle", height=7, width=7, goals=3, clutter=5, agents=2, max_steps=4)
RESET = quick_jit(jax.vmap(ENV.reset, (0, None)))


def reset_with(count=600, seed=0, **levels):
    return RESET(jax.random.split(jax.random.key(seed), count), make_rules(ENV.scenario, **levels))[0]


def distinct(states):
    """Returns how often each different start occurs."""
    flat = np.concatenate(
        [np.asarray(leaf).reshape(len(leaf), -1) for leaf in (states.grid, states.position, states.heading[..., None])],
        1,
    )
    return {row.tobytes(): int(count) for row, count in zip(*np.unique(flat, axis=0, return_counts=True), strict=True)}


def test_all_levels_are_equally_likely():
    counts = distinct(reset_with(levels=20))
    assert len(counts) == 20
    assert chisquare(list(counts.values())).pvalue > 1e-3
    assert len(distinct(reset_with())) == 600


def test_a_level_depends_on_its_number_and_not_on_the_key():
    pool, again = distinct(reset_with(levels=20)), distinct(reset_with(levels=20, seed=1))
    assert pool.keys() == again.keys()
    assert not pool.keys() & distinct(reset_with(first_level=20, levels=20)).keys()
    assert distinct(reset_with(first_level=5, levels=1)).keys() < pool.keys()


def test_later_episodes_start_from_the_same_levels():
    rules = make_rules(ENV.scenario, first_level=3, levels=1)
    start, _ = ENV.reset(jax.random.key(0), rules)
    state = start
    step = quick_jit(ENV.step)
    for number in range(4):
        state, timestep = step(jax.random.key(number + 1), state, jnp.array([2, 1]), rules)
    assert timestep.truncated.all()
    chex.assert_trees_all_equal(state, start)
