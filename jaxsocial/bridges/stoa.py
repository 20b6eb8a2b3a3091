"""Worlds as Stoa environments of the first agent (`pip install 'jaxsocial[stoa]'`)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from stoa import spaces
from stoa.env_types import StepType, TimeStep
from stoa.environment import Environment

from jaxsocial.bridges.one_agent import Game, as_arrays, one_agent
from jaxsocial.env import spaces as own
from jaxsocial.env.core import Env
from jaxsocial.env.types import Rules


@struct.dataclass
class EnvState:
    """A world between two steps, and the key of its next draws."""

    game: Game
    rng_key: jax.Array


class LearnerEnv(Environment):
    """One world with one learner, its first agent, among partners. Its parameters are the rules of the world.

    With ``auto_reset`` worlds restart in the step in which the learner's episode ends, under `jax.vmap` only those that
    need it, and ``extras["next_obs"]`` is the observation of the episode that ended. Without it, use Stoa's wrapper,
    which draws all worlds anew at every step.
    """

    def __init__(self, env: Env, partners: tuple[str, ...] = (), auto_reset: bool = True):
        """Makes the environment.

        Args:
          env: the world.
          partners: a name for each other agent, or one for all of them.
          auto_reset: whether worlds restart by themselves.

        Raises:
          ValueError: partners that are unknown, or too few.
        """
        self._world, self._env, self._auto_reset = one_agent(env, partners), env, auto_reset

    def reset(self, rng_key: jax.Array, env_params: Rules | None = None) -> tuple[EnvState, TimeStep]:
        """Draws a new world."""
        own_key, rng_key = jax.random.split(rng_key)
        game, observation = self._world.reset(own_key, env_params)
        timestep = TimeStep(
            step_type=StepType.FIRST,
            reward=jnp.float32(0),
            discount=jnp.float32(1),
            observation=as_arrays(observation),
            extras={"next_obs": as_arrays(observation)} if self._auto_reset else {},
        )
        return EnvState(game, rng_key), timestep

    def step(self, state: EnvState, action: Any, env_params: Rules | None = None) -> tuple[EnvState, TimeStep]:
        """Applies one step.

        Args:
          state: before the step.
          action: the learner's, an integer.
          env_params: the rules; the environment's own if None.
        """
        own_key, rng_key = jax.random.split(state.rng_key)
        step = self._world.step if self._auto_reset else self._world.step_without_restart
        game, found = step(own_key, state.game, jnp.asarray(action), env_params)
        ended = jnp.where(found.terminated, StepType.TERMINATED, StepType.TRUNCATED)
        timestep = TimeStep(
            step_type=jnp.where(found.ended, ended, StepType.MID),
            reward=found.reward,
            discount=1 - found.terminated.astype(jnp.float32),
            observation=as_arrays(found.observation),
            extras={"next_obs": as_arrays(found.final_observation)} if self._auto_reset else {},
        )
        return EnvState(game, rng_key), timestep

    def observation_space(self, env_params: Rules | None = None) -> spaces.Space:
        """Returns the space of observations."""
        parts = as_arrays(jax.tree.map(_space, self._env.observation_space))
        return spaces.DictSpace(parts) if isinstance(parts, dict) else parts

    def action_space(self, env_params: Rules | None = None) -> spaces.Space:
        """Returns the space of actions."""
        return spaces.DiscreteSpace(self._env.scenario.actions)

    def state_space(self, env_params: Rules | None = None) -> spaces.Space:
        """Raises NotImplementedError: states are records of arrays, without a space."""
        raise NotImplementedError


def _space(space: Any) -> spaces.Space:
    if isinstance(space, own.Discrete) and space.start == 0:
        return spaces.DiscreteSpace(space.n)
    return spaces.BoundedArraySpace(space.shape, space.dtype, space.low, space.high)
