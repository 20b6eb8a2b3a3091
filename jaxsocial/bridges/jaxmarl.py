"""Worlds as JaxMARL environments (`pip install 'jaxsocial[jaxmarl]'`)."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxmarl.environments import MultiAgentEnv, spaces

from jaxsocial.env.core import Env, episode_ended
from jaxsocial.env.types import Observation, State


@struct.dataclass
class EnvState:
    """A world between two steps."""

    world: State
    done: jax.Array
    """Of each agent."""
    step: jax.Array
    """Steps of the episode."""


class ParallelEnv(MultiAgentEnv):
    """One world; agents are called agent_0, agent_1, ...

    Under `jax.vmap` only worlds whose episodes end are drawn anew. ``infos["truncated"]`` tells of each agent whether
    it ran out of steps.
    """

    def __init__(self, env: Env, flat: bool = False, final_observation: bool = False):
        """Makes the environment.

        Args:
          env: the world.
          flat: whether observations are vectors of all their numbers, as JaxMARL's recurrent baselines want them; else
            they are images.
          final_observation: whether ``infos["final_observation"]`` has, for each agent, the observation of the episode
            that the step belongs to. JaxMARL's baselines fail with it: they want one number an agent in each info.

        Raises:
          ValueError: the scenario names inputs beside the image, and ``flat`` is false.
        """
        if env.scenario.inputs and not flat:
            raise ValueError(
                f"inputs={env.scenario.inputs}: give flat=True, JaxMARL has no dictionaries of observations"
            )
        super().__init__(env.scenario.agents)
        # JaxMARL restarts a finished world in its step.
        self._env, self._flat, self._with_final = dataclasses.replace(env, auto_reset=True), flat, final_observation
        space = env.observation_space
        if flat:
            length = sum(math.prod(part.shape) for part in jax.tree.leaves(space))
            one = spaces.Box(-jnp.inf, jnp.inf, (length,), jnp.float32)
        else:
            one = spaces.Box(space.image.low, space.image.high, space.image.shape, space.image.dtype)
        self.observation_spaces = dict.fromkeys(self.agents, one)
        self.action_spaces = dict.fromkeys(self.agents, spaces.Discrete(env.scenario.actions))

    def reset(self, key: jax.Array) -> tuple[dict, EnvState]:
        """Draws a new world; returns the observations of all agents and the state."""
        world, timestep = self._env.reset(key)
        return self._of_agents(timestep.observation), EnvState(world, world.finished, world.clock)

    def step(
        self, key: jax.Array, state: EnvState, actions: dict, reset_state: EnvState | None = None
    ) -> tuple[dict, EnvState, dict, dict, dict]:
        """Applies one step; returns observations, state, rewards, dones and infos.

        Args:
          key: for all draws.
          state: before the step.
          actions: of each agent.
          reset_state: the state that a world restarts from if its episode ends; a new one if None.
        """
        if reset_state is None:
            return self._step(key, state, actions, self._env.step)
        observations, state, *results = self.step_env(key, state, actions)
        over = results[1]["__all__"]
        again = self._env.reset_to(reset_state.world)[1].observation
        state, observations = jax.tree.map(
            lambda new, old: jnp.where(over, new, old), (reset_state, self._of_agents(again)), (state, observations)
        )
        return observations, state, *results

    def step_env(self, key: jax.Array, state: EnvState, actions: dict) -> tuple[dict, EnvState, dict, dict, dict]:
        """Applies one step without a restart.

        Args:
          key: of the step.
          state: before the step.
          actions: of every agent, by its name.
        """
        return self._step(key, state, actions, self._env.step_without_restart)

    def get_obs(self, state: EnvState) -> dict:
        """Returns the observations of a state as those of a first step."""
        return self._of_agents(self._env.reset_to(state.world)[1].observation)

    def get_avail_actions(self, state: EnvState) -> dict:
        """Returns that every agent can take every action."""
        return dict.fromkeys(self.agents, jnp.ones(self._env.scenario.actions, bool))

    @property
    def name(self) -> str:
        """Returns the scenario's name."""
        return self._env.scenario.name

    @property
    def agent_classes(self) -> dict[str, list[str]]:
        """Returns one class of all agents."""
        return {"agents": self.agents}

    def _step(
        self, key: jax.Array, state: EnvState, actions: dict, step: Callable[..., Any]
    ) -> tuple[dict, EnvState, dict, dict, dict]:
        given = jnp.stack([jnp.asarray(actions[name], jnp.int32) for name in self.agents])
        world, timestep = step(key, state.world, given)
        ended = timestep.terminated | timestep.truncated
        dones = dict(zip(self.agents, ended, strict=True)) | {"__all__": episode_ended(timestep)}
        rewards = dict(zip(self.agents, timestep.reward, strict=True))
        infos: dict[str, Any] = {"truncated": timestep.truncated}
        if self._with_final:
            infos["final_observation"] = self._of_agents(timestep.final_observation)
        return (
            self._of_agents(timestep.observation),
            EnvState(world, world.finished, world.clock),
            rewards,
            dones,
            infos,
        )

    def _of_agents(self, observation: Observation) -> dict:
        if not self._flat:
            return dict(zip(self.agents, observation.image, strict=True))
        parts = [x.reshape(self.num_agents, -1).astype(jnp.float32) for x in jax.tree.leaves(observation)]
        return dict(zip(self.agents, jnp.concatenate(parts, axis=-1), strict=True))
