"""The environment: reset and step of one world, the clock, and the restart at an episode's end.

Everything is written for one world; `jax.vmap` makes a batch. The environment is given a `Scenario` and knows no
level by name. Letters in shapes: A agents.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.env import batching, objects, spaces, spawning
from jaxsocial.env.actions import act, checked_actions
from jaxsocial.env.keys import AnyKey, typed_key
from jaxsocial.env.observations.observe import first_observation, observe
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation, Rules, State, Timestep, make_rules

LEVELS_SEED = 2021
"""The seed of fixed levels. Never change it: levels are identified by their numbers."""
PRESENCE, DROPOUT = 2**32 - 1, 2**32 - 2
"""Folded into a key, for draws that are independent of all others from the same key."""


@dataclasses.dataclass(frozen=True, eq=False)
class Env:
    """The functions of one world. Environments made from equal records are equal, as static arguments of `jax.jit`.

    The methods take ``rules``; the environment's own are the default.
    """

    scenario: Scenario
    rules: Rules
    auto_reset: bool = True
    """Whether `step` restarts a world whose episode ends."""

    def __eq__(self, other):
        if not isinstance(other, Env):
            return NotImplemented
        if self is other:
            return True
        mine, others = jax.tree.leaves(self.rules), jax.tree.leaves(other.rules)
        return self._static() == other._static() and all(map(_same_array, mine, others))

    def __hash__(self):
        # Without the numbers of the rules: reading them waits for the device, and traced ones have no value.
        return hash(self._static())

    def _static(self):
        return type(self), self.scenario, self.auto_reset, jax.tree.structure(self.rules)

    @property
    def observation_space(self) -> Observation:
        """Returns the spaces of one agent's observation, see `spaces`; None where there is no such input."""
        return spaces.observation_space(self.scenario)

    @property
    def action_space(self) -> spaces.Discrete:
        """Returns the space of one agent's action."""
        return spaces.action_space(self.scenario)

    def reset(self, key: AnyKey, rules: Rules | None = None) -> tuple[State, Timestep]:
        """Draws a new world.

        Args:
          key: of `jax.random.key` or `jax.random.PRNGKey`, with equal worlds.
          rules: the environment's own if None.

        Raises:
          ValueError: an array that is no key, or several keys, with the remedy.
        """
        rules = self.rules if rules is None else rules
        return self.reset_to(_new_state(typed_key(key), rules, self.scenario), rules)

    def reset_to(self, state: State, rules: Rules | None = None) -> tuple[State, Timestep]:
        """Returns the first timestep of a given state, for worlds made by hand."""
        observation = first_observation(state, self.rules if rules is None else rules, self.scenario)
        ended = jnp.zeros(self.scenario.agents, bool)
        reward = jnp.zeros(self.scenario.agents, jnp.float32)
        return state, Timestep(observation, reward, ended, ended, observation, state.active)

    def step(
        self, key: AnyKey, state: State, actions: ArrayLike | Sequence[int], rules: Rules | None = None
    ) -> tuple[State, Timestep]:
        """Applies one step of all agents. If the episode ends, the world restarts in the same step.

        >>> from jaxsocial.env.registry import make
        >>> env = make("goal_cycle", agents=2, max_steps=100)
        >>> state, timestep = jax.eval_shape(env.reset, jax.random.key(0))
        >>> jax.eval_shape(env.step, jax.random.key(1), state, jnp.zeros(2, int))[1].observation.image.shape
        (2, 21, 21, 3)

        Args:
          key: of the acting order, of entries and of the restart.
          state: before the step.
          actions: integers, one per agent, from 0 to below `Scenario.actions` (`objects.ACTION_NAMES`). Other integers
            do nothing, but observations show them as ``last_action``; 3 to 5 pick up, drop and toggle in every world
            that holds such things.
          rules: the environment's own if None.

        Raises:
          ValueError: actions of another shape or type.
        """
        rules = self.rules if rules is None else rules
        if not self.auto_reset:
            return self.step_without_restart(key, state, actions, rules)
        step_key, restart_key = jax.random.split(typed_key(key))
        state, timestep = self.step_without_restart(step_key, state, actions, rules)

        def restart(restart_key, rules):
            new = _new_state(restart_key, rules, self.scenario)
            return new, first_observation(new, rules, self.scenario)

        state, observation = batching.where_needed(
            episode_ended(timestep), restart, (state, timestep.observation), restart_key, rules
        )
        return state, timestep._replace(observation=observation, present=state.active)

    def step_without_restart(
        self, key: AnyKey, state: State, actions: ArrayLike | Sequence[int], rules: Rules | None = None
    ) -> tuple[State, Timestep]:
        """Applies one step of all agents; ``observation`` and ``final_observation`` are equal.

        Args:
          key: of the acting order and of entries.
          state: before the step.
          actions: as in `step`.
          rules: the environment's own if None.

        Raises:
          ValueError: actions of another shape or type.
        """
        rules, scenario, key = self.rules if rules is None else rules, self.scenario, typed_key(key)
        actions = checked_actions(actions, scenario.agents)
        order_key, enter_key, respawn_key = key, None, None
        if scenario.enters_later:
            order_key, enter_key, respawn_key = jax.random.split(key, 3)
        if any(scenario.spawn_delay):
            where = _cells_for(enter_key, state, spawning.enters_now(state, scenario))
            state = spawning.enter(state, where, scenario)
        state, reward = act(state, actions, acting_order(order_key, scenario.agents), rules, scenario)
        where = state.position
        if scenario.respawn and scenario.enters_later:
            where = _cells_for(respawn_key, state, spawning.ends_now(state))
        state = spawning.settle(state, where, scenario)
        if rules.dropout is not None:
            uniform = jax.random.uniform(jax.random.fold_in(key, DROPOUT), (scenario.agents,), jnp.float32)
            state = spawning.apply_dropout(state, uniform, rules.dropout, scenario)
        observation = observe(state, reward, actions, rules, scenario)
        truncated = (state.clock >= scenario.max_steps) & ~state.finished
        return state, Timestep(observation, reward, state.finished, truncated, observation, state.active)


def make_env(scenario: Scenario, rules: Rules | None = None, auto_reset: bool = True) -> Env:
    """Returns the environment of a scenario.

    >>> from jaxsocial.env.registry import make_scenario
    >>> make_env(make_scenario("maze")) == make_env(make_scenario("maze"))
    True

    Args:
      scenario: the static description.
      rules: the defaults of `make_rules` if None.
      auto_reset: whether `Env.step` restarts a world whose episode ends.
    """
    return Env(scenario, make_rules(scenario) if rules is None else rules, auto_reset)


def _same_array(one, other) -> bool:
    if isinstance(one, Tracer) or isinstance(other, Tracer):
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    return (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())


def _new_state(key: Key[Array, ""], rules: Rules, scenario: Scenario) -> State:
    layout_key, heading_key = jax.random.split(_level_key(key, rules))
    # Layouts may leave weak types, with which step would be traced twice.
    layout = jax.tree.map(lambda x: jnp.asarray(x, jnp.int32), scenario.layout(layout_key, scenario))
    agents = scenario.agents
    # From the episode's key and not the level's: on one level the agents that take part vary.
    present = jax.random.uniform(jax.random.fold_in(key, PRESENCE), (), jnp.float32) < rules.present
    # Without delays there is no array of them: a GPU would write it in every step.
    active = present & (np.array(scenario.agent_delays) == 0) if any(scenario.agent_delays) else present
    heading = jax.random.randint(heading_key, (agents,), 0, 4, jnp.int32)
    if layout.heading is not None:
        heading = jnp.where(layout.heading < 0, heading, layout.heading)
    everywhere = np.array([0, 0, scenario.height - 1, scenario.width - 1], np.int32)
    return State(
        grid=layout.grid,
        goals=layout.goals,
        position=jnp.where(active[:, None], layout.position, -1),
        heading=heading,
        active=active,
        finished=~present,
        away=jnp.zeros(agents, bool),
        arrival=jnp.arange(agents, dtype=jnp.int32),
        carrying=jnp.full(agents, objects.EMPTY, jnp.int32),
        prestige=jnp.zeros(agents, jnp.float32),
        last_goal=jnp.full(agents, -1, jnp.int32),
        spawn=jnp.broadcast_to(everywhere, (agents, 4)) if layout.spawn is None else layout.spawn,
        clock=jnp.int32(0),
    )


def _level_key(key: Key[Array, ""], rules: Rules) -> Key[Array, ""]:
    """Returns the key itself, or that of one of the fixed levels."""
    drawn = jax.random.randint(jax.random.clone(key), (), 0, jnp.maximum(rules.levels, 1), jnp.int32)
    number = rules.first_level + drawn
    level = jax.random.fold_in(jax.random.key(LEVELS_SEED), number)
    # jax's checker takes a chosen key for a used one (jax 0.10).
    return jax.random.clone(jnp.where(rules.levels > 0, level, key))


def _cells_for(key, state: State, chosen: Bool[Array, " A"]) -> Int[Array, "A 2"]:
    """Draws cells for the chosen agents, but only if some world of the batch needs one."""
    return batching.where_needed(chosen.any(), spawning.draw_cells, state.position, key, state, chosen)


def acting_order(key: Key[Array, ""], agents: int) -> Int[Array, " A"]:
    """Draws each agent's position in the acting order, uniformly over all orders."""
    if agents == 1:
        return jnp.zeros(1, jnp.int32)
    noise = jax.random.bits(key, (agents,), jnp.uint32)
    # Equal numbers (once in 2**32) go to the lower index first, so that positions stay distinct.
    index = jnp.arange(agents, dtype=jnp.int32)
    before = (noise[:, None] < noise[None, :]) | ((noise[:, None] == noise[None, :]) & (index[:, None] < index))
    return before.sum(0, dtype=jnp.int32)


def episode_ended(timestep: Timestep) -> Bool[Array, ""]:
    """Returns whether the world's episode ended: the clock ran out, or all agents terminated."""
    return timestep.truncated.any(-1) | timestep.terminated.all(-1)


def discount(timestep: Timestep) -> Float[Array, " A"]:
    """Returns 0 for an agent whose episode terminated, else 1: truncation keeps the value of what would follow."""
    return 1.0 - timestep.terminated.astype(jnp.float32)
