"""Worlds as gymnax environments of the first agent (`pip install 'jaxsocial[gymnax]'`)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments import environment, spaces

from jaxsocial.bridges.one_agent import Game, as_arrays, one_agent
from jaxsocial.env import spaces as own
from jaxsocial.env.core import Env
from jaxsocial.env.types import Rules


@struct.dataclass
class EnvState(environment.EnvState):
    """A world between two steps."""

    time: Any
    """Steps of the episode."""
    game: Game


@struct.dataclass
class EnvParams(environment.EnvParams):
    """The traced numbers: the rules of the world."""

    max_steps_in_episode: Any = 1
    """For information; the scenario decides."""
    rules: Rules | None = None


class LearnerEnv(environment.Environment[EnvState, EnvParams]):
    """One world with one learner, its first agent, among partners.

    `step` returns observation, state, reward, terminated, truncated and info, as gymnax 1.0 does; with ``done=True`` it
    returns observation, state, reward, done and info, as before, which rejax 0.1 and PureJaxRL expect. Under `jax.vmap`
    only worlds whose episodes end are drawn anew. Observations are images, or dictionaries if the scenario names
    inputs; ``info["final_observation"]`` is of the episode that the step belongs to.
    """

    def __init__(self, env: Env, partners: tuple[str, ...] = (), done: bool = False):
        """Makes the environment.

        Args:
          env: the world.
          partners: a name for each other agent, or one for all of them.
          done: whether terminated and truncated are one flag.

        Raises:
          ValueError: partners that are unknown, or too few.
        """
        super().__init__()
        self._world, self._env, self._done = one_agent(env, partners), env, done

    @property
    def default_params(self) -> EnvParams:
        """Returns the environment's own rules."""
        return EnvParams(max_steps_in_episode=self._env.scenario.max_steps, rules=self._env.rules)

    def reset_env(self, key: jax.Array, params: EnvParams) -> tuple[Any, EnvState]:
        """Draws a new world."""
        game, observation = self._world.reset(key, params.rules)
        return as_arrays(observation), EnvState(time=game.state.clock, game=game)

    def step(self, key: jax.Array, state: EnvState, action: Any, params: EnvParams | None = None) -> Any:
        """Applies one step, and restarts the world in it if the learner's episode ends.

        Args:
          key: of the step.
          state: before the step.
          action: the learner's, an integer.
          params: the rules; the environment's own if None.
        """
        params = self.default_params if params is None else params
        game, found = self._world.step(key, state.game, jnp.asarray(action), params.rules)
        info = {"terminated": found.terminated, "truncated": found.truncated}
        info["final_observation"] = as_arrays(found.final_observation)
        state = EnvState(time=game.state.clock, game=game)
        flags = (found.ended,) if self._done else (found.terminated, found.truncated)
        return as_arrays(found.observation), state, found.reward, *flags, info

    def step_env(self, key: jax.Array, state: EnvState, action: Any, params: EnvParams) -> Any:
        """Applies one step without a restart; returns observation, state, reward, terminated (or done) and info.

        Args:
          key: of the step.
          state: before the step.
          action: the learner's, an integer.
          params: the rules.
        """
        game, found = self._world.step_without_restart(key, state.game, jnp.asarray(action), params.rules)
        state = EnvState(time=game.state.clock, game=game)
        over = found.ended if self._done else found.terminated
        return as_arrays(found.observation), state, found.reward, over, {}

    @property
    def name(self) -> str:
        """Returns the scenario's name."""
        return self._env.scenario.name

    @property
    def num_actions(self) -> int:
        """Returns the number of actions."""
        return self._env.scenario.actions

    def action_space(self, params: EnvParams | None = None) -> spaces.Discrete:
        """Returns the space of actions."""
        return spaces.Discrete(self.num_actions)

    def observation_space(self, params: EnvParams | None = None) -> spaces.Space:
        """Returns the space of observations."""
        parts = as_arrays(jax.tree.map(_space, self._env.observation_space))
        return spaces.Dict(parts) if isinstance(parts, dict) else parts


def _space(space: Any) -> spaces.Space:
    if isinstance(space, own.Discrete) and space.start == 0:
        return spaces.Discrete(space.n)
    return spaces.Box(space.low, space.high, space.shape, space.dtype)
