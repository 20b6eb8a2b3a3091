"""Worlds as PettingZoo's parallel environments (`pip install 'jaxsocial[pettingzoo]'`)."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pettingzoo
from gymnasium import spaces

from jaxsocial.bridges.gymnasium import METADATA, as_gymnasium, as_numpy, rendered
from jaxsocial.env import render
from jaxsocial.env.core import Env


class ParallelEnv(pettingzoo.ParallelEnv):
    """One world; agents are called agent_0, agent_1, ...

    Agents that enter later, or are absent for now, act and observe nothing until they are there, and
    ``infos[agent]["present"]`` says so. An agent that takes no part in an episode is not among `agents`. Observations
    are images, or dictionaries of the image and the scenario's inputs.
    """

    def __init__(self, env: Env, render_mode: str | None = None):
        """Makes the environment.

        Args:
          env: the world; it is not restarted at an episode's end.
          render_mode: "rgb_array" for pictures of the whole world, "ansi" for text, or None.
        """
        self.metadata = METADATA | {"name": env.scenario.name}
        self.render_mode = render_mode
        self.possible_agents = [f"agent_{number}" for number in range(env.scenario.agents)]
        self.agents: list[str] = []
        self._env, self._key, self._state = env, None, None
        self._reset, self._step = jax.jit(env.reset), jax.jit(env.step_without_restart)
        self._spaces = {name: as_gymnasium(env.observation_space) for name in self.possible_agents}
        self._actions = {name: spaces.Discrete(env.scenario.actions) for name in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Space:
        """Returns an agent's space of observations."""
        return self._spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """Returns an agent's space of actions."""
        return self._actions[agent]

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        """Draws a new world; returns observations and infos of all agents that take part."""
        if seed is not None or self._key is None:
            self._key = jax.random.key(np.random.SeedSequence(seed).generate_state(1)[0])
        self._state, timestep = self._reset(self._next_key())
        state, timestep = jax.device_get((self._state, timestep))
        self.agents = [name for name, ended in zip(self.possible_agents, state.finished, strict=True) if not ended]
        return self._of_agents(timestep)

    def step(self, actions: Mapping[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        """Applies one step; returns observations, rewards, terminations, truncations and infos.

        Raises:
          RuntimeError: `reset` has not been called.
        """
        if self._state is None:
            raise RuntimeError("call reset before step")
        given = np.array([int(actions.get(name, 0)) for name in self.possible_agents], np.int32)
        self._state, timestep = self._step(self._next_key(), self._state, given)
        timestep = jax.device_get(timestep)
        observations, infos = self._of_agents(timestep)
        numbers = {name: self.possible_agents.index(name) for name in self.agents}
        rewards = {name: float(timestep.reward[number]) for name, number in numbers.items()}
        terminated = {name: bool(timestep.terminated[number]) for name, number in numbers.items()}
        truncated = {name: bool(timestep.truncated[number]) for name, number in numbers.items()}
        self.agents = [name for name in self.agents if not (terminated[name] or truncated[name])]
        return observations, rewards, terminated, truncated, infos

    def render(self) -> Any:
        """Returns the whole world as a picture of shape (height, width, 3), or as text."""
        return rendered(self._state, self._env, self.render_mode)

    def state(self) -> np.ndarray:
        """Returns a picture of the whole world, one tile a cell."""
        return np.asarray(
            render.image(self._state, self._env.rules, self._env.scenario, self._env.scenario.tile_pixels)
        )

    def _next_key(self):
        self._key, key = jax.random.split(self._key)
        return key

    def _of_agents(self, timestep) -> tuple[dict, dict]:
        observations, infos = {}, {}
        for name in self.agents:
            number = self.possible_agents.index(name)
            observations[name] = as_numpy(jax.tree.map(lambda x, n=number: x[n], timestep.observation))
            infos[name] = {"present": bool(timestep.present[number])}
        return observations, infos
