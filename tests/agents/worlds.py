"""Worlds from pictures, and episodes of experts, for the tests of this folder."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxsocial
from jaxsocial.env import objects
from jaxsocial.env.types import Observation, State
from tests.compiling import quick_jit

LETTERS = {"#": objects.encode(objects.WALL, "worst"), ".": objects.EMPTY}


def drawn(picture: str, agents: list[tuple[int, int, int]], **sizes):
    """Returns environment and state of a picture: # wall, . floor, 0 to 9 goals; agents are (row, column, heading)."""
    rows = picture.split()
    goals = sorted((int(c), (r, k)) for r, row in enumerate(rows) for k, c in enumerate(row) if c.isdigit())
    codes = LETTERS | {str(n): objects.encode(objects.BONUS, "yellow", state=n) for n, _ in goals}
    env = jaxsocial.make(
        "goal_cycle", height=len(rows), width=len(rows[0]), goals=len(goals), agents=len(agents), clutter=0, **sizes
    )
    seats = jnp.array(agents, jnp.int32)
    state = State(
        grid=jnp.array([[codes[c] for c in row] for row in rows], jnp.int32),
        goals=jnp.array([cell for _, cell in goals], jnp.int32),
        position=seats[:, :2],
        heading=seats[:, 2],
        active=jnp.ones(len(agents), bool),
        finished=jnp.zeros(len(agents), bool),
        away=jnp.zeros(len(agents), bool),
        arrival=jnp.arange(len(agents)),
        carrying=jnp.zeros(len(agents), jnp.int32),
        prestige=jnp.zeros(len(agents)),
        last_goal=jnp.full(len(agents), -1),
        spawn=jnp.zeros((len(agents), 4), jnp.int32),
        clock=jnp.int32(0),
    )
    return env, state


def episode(env, policy, state, steps, rules=None):
    """Returns (position, action, reward) of every step of one world, without a restart."""
    rules = env.rules if rules is None else rules
    observation = Observation(jnp.zeros((env.scenario.agents, *env.scenario.observation_shape), jnp.uint8))

    def one_step(carried, key):
        state, memory, first = carried
        act_key, step_key = jax.random.split(key)
        memory, actions = policy.apply(policy.parameters, act_key, memory, state, observation, first)
        after, timestep = env.step_without_restart(step_key, state, actions, rules)
        return (after, memory, jnp.bool_(False)), (after.position, actions, timestep.reward)

    start = (state, policy.init(), jnp.bool_(True))
    return jax.lax.scan(one_step, start, jax.random.split(jax.random.key(0), steps))[1]


def play_drawn(expert, picture, agents, steps, rules=None, **sizes):
    """Plays an `episode` from a picture with this expert for every agent; returns NumPy arrays."""
    env, state = drawn(picture, agents, **sizes)
    policy = expert(tuple(range(len(agents))), env.scenario)
    return jax.tree.map(np.asarray, quick_jit(lambda state: episode(env, policy, state, steps, rules))(state))


def play_many(env, expert, worlds, seed=0):
    """Plays one episode in each of many random worlds; returns first states and rewards (worlds, steps, agents)."""
    policy = expert(tuple(range(env.scenario.agents)), env.scenario)

    @quick_jit
    def play(keys):
        state, _ = jax.vmap(env.reset)(keys)
        return state, jax.vmap(lambda s: episode(env, policy, s, env.scenario.max_steps)[2])(state)

    # jax's checker counts the transposition of keys in a vmapped scan as use (jax 0.10).
    with jax.debug_key_reuse(False):
        return jax.tree.map(np.asarray, play(jax.random.split(jax.random.key(seed), worlds)))
