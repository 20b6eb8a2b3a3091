"""Worlds as dm_env environments of the first agent (`pip install 'jaxsocial[dm-env]'`)."""

from typing import Any

import dm_env
import jax
import numpy as np
from dm_env import specs

from jaxsocial.bridges.one_agent import as_arrays, one_agent
from jaxsocial.env.core import Env


class LearnerEnv(dm_env.Environment):
    """One world with one learner, its first agent, among partners; each episode in a new world."""

    def __init__(self, env: Env, partners: tuple[str, ...] = (), seed: int = 0):
        """Makes the environment.

        Args:
          env: the world.
          partners: a name for each other agent, or one for all of them.
          seed: of all draws, from the first reset on.

        Raises:
          ValueError: partners that are unknown, or too few.
        """
        self._world, self._key, self._game = one_agent(env, partners), jax.random.key(seed), None
        self._reset, self._step = jax.jit(self._world.reset), jax.jit(self._world.step_without_restart)

    def _next_key(self):
        self._key, key = jax.random.split(self._key)
        return key

    def reset(self) -> dm_env.TimeStep:
        """Draws a new world; returns the first step, without reward and discount."""
        self._game, observation = self._reset(self._next_key())
        return dm_env.restart(as_arrays(jax.device_get(observation)))

    def step(self, action: Any) -> dm_env.TimeStep:
        """Applies one step. At the end the discount is 0 if the episode terminated, and 1 if time ran out."""
        if self._game is None:
            return self.reset()
        game, outcome = self._step(self._next_key(), self._game, np.int32(action))
        found = jax.device_get(outcome)
        ended = found.terminated or found.truncated
        self._game, kind = (None, dm_env.StepType.LAST) if ended else (game, dm_env.StepType.MID)
        observation = as_arrays(found.observation)
        return dm_env.TimeStep(kind, float(found.reward), 1.0 - float(found.terminated), observation)

    def observation_spec(self) -> Any:
        """Returns the specification of the image, or of a dictionary if there are further inputs."""
        space = self._world.env.observation_space
        return as_arrays(jax.tree.map(lambda x: specs.BoundedArray(x.shape, x.dtype, x.low, x.high), space))

    def action_spec(self) -> specs.DiscreteArray:
        """Returns the specification of actions."""
        return specs.DiscreteArray(self._world.env.scenario.actions)
