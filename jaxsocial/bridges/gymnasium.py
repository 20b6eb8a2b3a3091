"""Worlds as Gymnasium environments of the first agent (`pip install 'jaxsocial[gymnasium]'`)."""

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from jaxsocial.bridges.one_agent import as_arrays, one_agent
from jaxsocial.env import render
from jaxsocial.env import spaces as own
from jaxsocial.env.core import Env
from jaxsocial.env.types import Observation, State

TILE = 16
"""Pixels of a cell in rendered pictures."""
METADATA = {"render_modes": ["rgb_array", "ansi"], "render_fps": 10}


def as_gymnasium(space: Observation) -> spaces.Space:
    """Returns the space of one agent's observations: of the image, or of a dictionary if there are further inputs."""
    parts = as_arrays(jax.tree.map(_translated, space))
    return spaces.Dict(parts) if isinstance(parts, dict) else parts


def _translated(space: Any) -> spaces.Space:
    if isinstance(space, own.Discrete):
        return spaces.Discrete(space.n, start=space.start)
    if space.dtype == bool:
        return spaces.MultiBinary(space.shape) if space.shape else spaces.Discrete(2)
    return spaces.Box(space.low, space.high, space.shape, space.dtype)


def as_numpy(observation: Observation) -> Any:
    """Returns one agent's observation, or those of many worlds, as `as_gymnasium` describes it."""
    parts = as_arrays(jax.tree.map(np.asarray, observation))
    if isinstance(parts, np.ndarray):
        return parts
    # Gymnasium's Discrete wants integers of 64 bits, and no arrays of one number.
    return {name: part.astype(np.int64)[()] if part.dtype in (np.int32, bool) else part for name, part in parts.items()}


def rendered(state: State | None, env: Env, mode: str | None) -> Any:
    """Returns a world as a picture of shape (height, width, 3), as text, or None.

    Args:
      state: the world; None before the first reset.
      env: its environment.
      mode: "rgb_array", "ansi", or None.
    """
    if mode is None or state is None:
        return None
    if mode == "ansi":
        return render.text(state, env.scenario)
    return np.asarray(render.image(state, env.rules, env.scenario, TILE))


class LearnerEnv(gymnasium.Env):
    """One world with one learner, its first agent, among partners."""

    def __init__(self, env: Env, partners: tuple[str, ...] = (), render_mode: str | None = None):
        """Makes the environment.

        Args:
          env: the world.
          partners: a name for each other agent, or one for all of them.
          render_mode: "rgb_array" for pictures of the whole world, "ansi" for text, or None.

        Raises:
          ValueError: partners that are unknown, or too few.
        """
        self._world, self._game, self.render_mode = one_agent(env, partners), None, render_mode
        self._reset, self._step = jax.jit(self._world.reset), jax.jit(self._world.step_without_restart)
        self.metadata = METADATA | {"name": env.scenario.name}
        self.observation_space = as_gymnasium(env.observation_space)
        self.action_space = spaces.Discrete(env.scenario.actions)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        """Draws a new world; returns the learner's observation and an empty dictionary."""
        super().reset(seed=seed)
        self._key = jax.random.key(int(self.np_random.integers(2**31)))
        self._game, observation = self._reset(self._next_key())
        return as_numpy(observation), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        """Applies one step; returns the observation, the reward, terminated, truncated and an empty dictionary.

        Raises:
          gymnasium.error.ResetNeeded: `reset` has not been called.
        """
        if self._game is None:
            raise gymnasium.error.ResetNeeded("call reset before step")
        self._game, outcome = self._step(self._next_key(), self._game, np.int32(action))
        found = jax.device_get(outcome)
        return as_numpy(found.observation), float(found.reward), bool(found.terminated), bool(found.truncated), {}

    def render(self) -> Any:
        """Returns the whole world as a picture of shape (height, width, 3), or as text."""
        return rendered(None if self._game is None else self._game.state, self._world.env, self.render_mode)

    def _next_key(self):
        self._key, key = jax.random.split(self._key)
        return key


class LearnerVectorEnv(gymnasium.vector.VectorEnv):
    """Many worlds, each with one learner among partners. Worlds restart in the step in which their episode ends.

    Everything but what Gymnasium asks for stays on the device.
    """

    def __init__(self, env: Env, num_envs: int, partners: tuple[str, ...] = ()):
        """Makes the environments.

        Args:
          env: the world.
          num_envs: the number of worlds, 1 or more.
          partners: a name for each other agent, or one for all of them.

        Raises:
          ValueError: partners that are unknown, or too few.
        """
        world = one_agent(env, partners)
        self.num_envs, self._games = num_envs, None
        self.metadata = METADATA | {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = as_gymnasium(env.observation_space)
        self.single_action_space = spaces.Discrete(env.scenario.actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

        @jax.jit
        def reset(key):
            key, own_key = jax.random.split(key)
            return key, *jax.vmap(world.reset)(jax.random.split(own_key, num_envs))

        @jax.jit
        def step(key, games, actions):
            key, own_key = jax.random.split(key)
            return key, *jax.vmap(world.step)(jax.random.split(own_key, num_envs), games, actions)

        self._reset, self._step = reset, step

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        """Draws all worlds anew; returns the learners' observations and an empty dictionary."""
        super().reset(seed=seed)
        key = jax.random.key(int(self.np_random.integers(2**31)))
        self._key, self._games, observation = self._reset(key)
        return as_numpy(observation), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Applies one step in each world; ``final_obs`` in the last result is of the episodes that ended.

        Raises:
          gymnasium.error.ResetNeeded: `reset` has not been called.
        """
        if self._games is None:
            raise gymnasium.error.ResetNeeded("call reset before step")
        self._key, self._games, found = self._step(self._key, self._games, jnp.asarray(actions, jnp.int32))
        reward, terminated, truncated, ended = map(
            np.asarray, (found.reward, found.terminated, found.truncated, found.ended)
        )
        infos: dict[str, Any] = {}
        if ended.any():
            final = as_numpy(found.final_observation)
            infos["final_obs"], infos["_final_obs"] = np.full(self.num_envs, None, object), ended
            for number in np.flatnonzero(ended):
                infos["final_obs"][number] = jax.tree.map(lambda x, n=number: x[n], final)
        return as_numpy(found.observation), reward, terminated, truncated, infos
