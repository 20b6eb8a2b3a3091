"""A world as its first agent meets it: the other agents are players, scripted or trained, and part of the world.

What interfaces for one agent share. Everything is written for one world; `jax.vmap` makes a batch.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.agents.policy import LastStep, Policy, perceived
from jaxsocial.env import batching
from jaxsocial.env.core import Env
from jaxsocial.env.keys import AnyKey, typed_key
from jaxsocial.env.types import NO_ACTION, Observation, Rules, State
from jaxsocial.training.build import seated


class Game(NamedTuple):
    """A world between two steps."""

    state: State
    observation: Observation
    """Of all agents."""
    memory: Any
    """Of the partners' policies."""
    first: Bool[Array, ""]
    """Whether no step of this episode was made."""
    last: LastStep
    """Rewards and actions of all agents in the last step."""


class Outcome(NamedTuple):
    """What a step brings to the first agent."""

    observation: Observation
    """After a step that ends the episode, the first one of the next episode."""
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    """Whether the agent's part in the episode ended."""
    truncated: Bool[Array, ""]
    """Whether the episode ran out of steps."""
    final_observation: Observation
    """The observation of the episode that the step belongs to."""

    @property
    def ended(self) -> Bool[Array, "*N"]:
        """Returns whether the episode ended, either way."""
        return self.terminated | self.truncated


@dataclasses.dataclass(frozen=True)
class OneAgent:
    """The functions of a world with one agent that acts."""

    env: Env
    partners: Policy
    """The players of all other agents."""

    def reset(self, key: AnyKey, rules: Rules | None = None) -> tuple[Game, Observation]:
        """Draws a new world; returns it and the first agent's observation.

        Args:
          key: for all draws.
          rules: the environment's own if None.
        """
        state, timestep = self.env.reset(key, rules)
        agents = self.env.scenario.agents
        last = LastStep(jnp.zeros(agents, jnp.float32), jnp.full(agents, NO_ACTION, jnp.int32))
        game = Game(state, timestep.observation, self.partners.init(), jnp.bool_(True), last)
        return game, of_first(timestep.observation)

    def step(self, key: AnyKey, game: Game, action: Int[Array, ""], rules: Rules | None = None) -> tuple[Game, Outcome]:
        """Applies one step of all agents. If the first agent's episode ends, the world restarts in the same step.

        Under `jax.vmap` only the worlds whose episodes end are drawn anew.

        Args:
          key: for all draws.
          game: before the step.
          action: the first agent's.
          rules: the environment's own if None.
        """
        rules = self.env.rules if rules is None else rules
        step_key, restart_key = jax.random.split(typed_key(key))
        game, outcome = self.step_without_restart(step_key, game, action, rules)
        game = batching.where_needed(
            outcome.ended, lambda key, rules: self.reset(key, rules)[0], game, restart_key, rules
        )
        return game, outcome._replace(observation=of_first(game.observation))

    def step_without_restart(
        self, key: AnyKey, game: Game, action: Int[Array, ""], rules: Rules | None = None
    ) -> tuple[Game, Outcome]:
        """Applies one step of all agents; ``observation`` and ``final_observation`` are equal.

        Args:
          key: for all draws.
          game: before the step.
          action: the first agent's.
          rules: the environment's own if None.
        """
        rules = self.env.rules if rules is None else rules
        partner_key, step_key = jax.random.split(typed_key(key))
        seen = perceived(self.partners, game.state, game.observation, game.last, rules)
        memory, others = self.partners.apply(
            self.partners.parameters, partner_key, game.memory, game.state, seen, game.first
        )
        actions = jnp.concatenate([jnp.asarray(action, jnp.int32)[None], others])
        state, timestep = self.env.step_without_restart(step_key, game.state, actions, rules)
        last = LastStep(timestep.reward, actions)
        game = Game(state, timestep.observation, memory, jnp.bool_(False), last)
        own = of_first(timestep.observation)
        return game, Outcome(own, timestep.reward[0], timestep.terminated[0], timestep.truncated[0], own)


def of_first(observation: Observation) -> Observation:
    """Returns the first agent's observation."""
    return jax.tree.map(lambda x: x[0], observation)


def as_arrays(observation: Observation) -> Any:
    """Returns the image, or a dictionary of the image and the scenario's inputs if there are any."""
    parts = {name: part for name, part in observation._asdict().items() if part is not None}
    return parts["image"] if len(parts) == 1 else parts


def one_agent(env: Env, partners: tuple[str, ...] = ()) -> OneAgent:
    """Returns a world with one agent that acts.

    >>> from jaxsocial.env.registry import make
    >>> world = one_agent(make("goal_cycle", agents=2), ("expert",))
    >>> game, observation = jax.eval_shape(world.reset, jax.random.key(0))
    >>> observation.image.shape
    (21, 21, 3)

    Args:
      env: the environment.
      partners: a name for each other agent, or one for all of them; see `jaxsocial.config.config.Config.partners`.

    Raises:
      ValueError: partners that are unknown, or too few.
    """
    others = env.scenario.agents - 1
    names = partners * others if len(partners) == 1 else partners
    if len(names) != others:
        raise ValueError(f"partners={partners} are {len(names)}, but {others} agents are beside the first: name each")
    return OneAgent(env, seated(names, env.scenario))
