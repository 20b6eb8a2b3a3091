"""Worlds with absent agents and dropout, for the tests of presence and dropout."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import binomtest

import jaxsocial
from jaxsocial import make_dropout, make_rules
from jaxsocial.env.types import NEVER
from tests.compiling import quick_jit

ENV = jaxsocial.make(
    "goal_cycle", height=7, width=7, goals=3, clutter=3, agents=3, max_steps=40, view_size=3, tile_pixels=1
)
STEPS, WORLDS = 160, 48
DROPOUTS = {"seldom": (0.1, 0.3), "often": (0.4, 0.4), "briefly": (0.02, 1.0)}
"""Probabilities of leaving and of coming back."""
SETTINGS = {
    "first and third": {"present": (1.0, 0.0, 1.0)},
    "all": {"present": 3},
    "half the time": {"present": (1.0, 0.5, 0.5)},
    "partners leave": {"dropout": make_dropout(leave=(0.0, 1.0, 1.0), gone_from=3 * (NEVER,))},
    "gone": {"dropout": make_dropout(rejoin=1.0, gone_from=(NEVER, 5, 0))},
} | {name: {"dropout": make_dropout(*chances)} for name, chances in DROPOUTS.items()}


def played(name: str):
    """Returns the states and timesteps of four episodes with these settings, time first: the reset and 160 steps."""
    first = WORLDS * list(SETTINGS).index(name)
    return jax.tree.map(lambda leaf: leaf[:, first : first + WORLDS], _all_played())


@functools.cache
def _all_played():
    """Plays with all settings at once, so that one program is compiled."""
    all_rules = [make_rules(ENV.scenario, **{"dropout": make_dropout()} | setting) for setting in SETTINGS.values()]
    all_rules = [
        rules._replace(dropout=jax.tree.map(lambda x: jnp.broadcast_to(x, 3), rules.dropout)) for rules in all_rules
    ]
    rules = jax.tree.map(lambda *leaves: jnp.repeat(jnp.stack(leaves), WORLDS, axis=0), *all_rules)
    return jax.tree.map(np.asarray, _play(jax.random.key(1), rules))


@quick_jit
def _play(key, rules):
    worlds = len(rules.penalty)
    reset_key, key = jax.random.split(key)
    start = jax.vmap(ENV.reset)(jax.random.split(reset_key, worlds), rules)

    def one_step(state, key):
        action_key, step_key = jax.random.split(key)
        actions = jax.random.randint(action_key, (worlds, 3), 0, 3)
        state, timestep = jax.vmap(ENV.step)(jax.random.split(step_key, worlds), state, actions, rules)
        return state, (state, timestep)

    _, rest = jax.lax.scan(one_step, start[0], jax.random.split(key, STEPS))
    return jax.tree.map(lambda one, many: jnp.concatenate([one[None], many]), start, rest)


def probably(successes, trials, probability) -> bool:
    """Returns whether so many successes are plausible for this probability."""
    return binomtest(int(successes), int(trials), probability).pvalue > 1e-3


def world(text: str, **options):
    """Returns the environment and the first state of a map."""
    env = jaxsocial.make_env(jaxsocial.scenario_from_text(text, max_steps=50, **options))
    return env, quick_jit(env.reset)(jax.random.key(0))[0]


def sent_away(state, agent):
    return state._replace(active=state.active.at[agent].set(False), away=state.away.at[agent].set(True))
