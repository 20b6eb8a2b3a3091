"""Random play in every scenario. As a program it saves what happens, to be compared with another process."""

import sys
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial.env.core import Env, make_env
from jaxsocial.env.registry import make_scenario, registered_scenarios
from jaxsocial.env.scenario import Input, View
from jaxsocial.env.types import make_dropout, make_rules
from tests.compiling import quick_jit

STEPS = 12
COMMON = {"height": 7, "width": 7, "agents": 2, "view_size": 3, "max_steps": 4, "observation": "symbolic"}
OPTIONS = {
    "goal_cycle": {"goals": 2, "clutter": 1, "observation": "rgb"},
    "cluttered": {"clutter": 1, "respawn": True, "spawn_delay": (0, 2)},
    "door_key": {"width": 9, "ghost": False, "respawn": True, "spawn_delay": (0, 2)},
    "empty": {"views": (View(size=3), View(size=6, hidden=("agent",))), "colours": ("red", "prestige")},
    "four_rooms": {"height": 12, "width": 12, "see_through_walls": True},
    "maze": {"width": 9, "observation": "symbolic_world"},
    "multi_room": {"height": 9, "width": 13, "max_rooms": 3, "max_side": 5, "agents": 1},
    "visibility": {"negative_prestige": True, "observation": "symbolic_world"},
}


QUICK = ("goal_cycle", "door_key")
"""Together they use most features. Each scenario takes seconds to compile: the others are slow tests."""
OTHERS = tuple(name for name in registered_scenarios() if name not in QUICK)


def small(name: str, **options) -> Env:
    """Returns a small world of a scenario, with all inputs and with dropout."""
    sizes = COMMON | {"inputs": get_args(Input)} | OPTIONS.get(name, {}) | options
    scenario = make_scenario(name, **sizes)
    return make_env(scenario, make_rules(scenario, dropout=make_dropout(leave=0.1, rejoin=0.5)))


def play(name: str):
    """Returns the states and timesteps of some episodes in a small world of a scenario, steps first."""
    env = small(name)
    before, _ = jax.eval_shape(env.reset, jax.random.key(0))
    # Its clock runs out in the first step. So the layout is compiled once, for restarts.
    ending = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), before)
    ending = ending._replace(clock=ending.clock + env.scenario.max_steps - 1)

    def one_step(state, key):
        action_key, step_key = jax.random.split(key)
        actions = jax.random.randint(action_key, (env.scenario.agents,), 0, env.scenario.actions, jnp.int32)
        state, timestep = env.step(step_key, state, actions)
        return state, (state, timestep)

    program = quick_jit(lambda keys: jax.lax.scan(one_step, ending, keys)[1])
    return jax.tree.map(np.asarray, program(jax.random.split(jax.random.key(3), STEPS)))


def named_arrays(name: str) -> dict[str, np.ndarray]:
    """Returns the arrays of `play` by their names."""
    leaves = jax.tree_util.tree_leaves_with_path(play(name))
    return {name + jax.tree_util.keystr(path): leaf for path, leaf in leaves}


if __name__ == "__main__":
    np.savez(sys.argv[1], **{path: x for name in sys.argv[2:] for path, x in named_arrays(name).items()})
