"""The environment: reset and step of one world, the clock, and the restart at an episode's end.

Everything is written for one world; `jax.vmap` makes thousands. It is handed a `Scenario` and knows
no level by name.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.env import batching, objects, spawning
from jaxsocial.env.actions import act
from jaxsocial.env.observations.observe import first_observation, observe
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Rules, State, Timestep, make_rules

LEVELS_SEED = 2021
"""Where fixed levels begin; never change it: levels are known by their numbers."""
PRESENCE, DROPOUT = 2**32 - 1, 2**32 - 2
"""Set who is drawn to take part apart from all else that is drawn from the same key."""


class Reset(Protocol):
    def __call__(self, key: Key[Array, ""], rules: Rules = ...) -> tuple[State, Timestep]: ...


class Step(Protocol):
    def __call__(
        self, key: Key[Array, ""], state: State, actions: Int[Array, " A"], rules: Rules = ...
    ) -> tuple[State, Timestep]: ...


class ResetTo(Protocol):
    def __call__(self, state: State, rules: Rules = ...) -> tuple[State, Timestep]: ...


class Env(NamedTuple):
    """Functions of one world, and what they were made from. ``rules`` defaults to `Env.rules` in each."""

    reset: Reset
    """A fresh world."""
    step: Step
    """One step of all agents; a world whose episode ends is restarted in the same step."""
    step_without_restart: Step
    """The same without the restart: ``observation`` and ``final_observation`` are equal."""
    reset_to: ResetTo
    """The first timestep of a given state, for worlds made by hand."""
    scenario: Scenario
    rules: Rules


def make_env(scenario: Scenario, rules: Rules | None = None) -> Env:
    """The environment of a scenario; its default rules are the paper's unless given."""
    default = make_rules(scenario) if rules is None else rules

    def reset(key, rules=default):
        return _reset(key, rules, scenario)

    def step(key, state, actions, rules=default):
        return _step(key, state, actions, rules, scenario)

    def step_without_restart(key, state, actions, rules=default):
        return _step_without_restart(key, state, actions, rules, scenario)

    def reset_to(state, rules=default):
        return _reset_to(state, rules, scenario)

    return Env(reset, step, step_without_restart, reset_to, scenario, default)


def _reset(key: Key[Array, ""], rules: Rules, scenario: Scenario) -> tuple[State, Timestep]:
    return _reset_to(_fresh_state(key, rules, scenario), rules, scenario)


def _fresh_state(key: Key[Array, ""], rules: Rules, scenario: Scenario) -> State:
    layout_key, heading_key = jax.random.split(_level_key(key, rules))
    # Layouts may leave weak types, with which step would be traced twice.
    laid_out = jax.tree.map(lambda x: jnp.asarray(x, jnp.int32), scenario.layout(layout_key, scenario))
    agents = scenario.agents
    # Of the episode's key and not the level's: in the same level company varies.
    taking_part = jax.random.uniform(jax.random.fold_in(key, PRESENCE)) < rules.present
    there = taking_part & (np.array(scenario.agent_delays) == 0)
    heading = jax.random.randint(heading_key, (agents,), 0, 4)
    if laid_out.heading is not None:
        heading = jnp.where(laid_out.heading < 0, heading, laid_out.heading)
    everywhere = np.array([0, 0, scenario.height - 1, scenario.width - 1], np.int32)
    return State(
        grid=laid_out.grid,
        goals=laid_out.goals,
        position=jnp.where(there[:, None], laid_out.position, -1),
        heading=heading,
        active=there,
        finished=~taking_part,
        away=jnp.zeros(agents, bool),
        arrival=jnp.arange(agents),
        carrying=jnp.full(agents, objects.EMPTY, jnp.int32),
        prestige=jnp.zeros(agents, jnp.float32),
        last_goal=jnp.full(agents, -1, jnp.int32),
        spawn=jnp.broadcast_to(everywhere, (agents, 4)) if laid_out.spawn is None else laid_out.spawn,
        clock=jnp.int32(0),
    )


def _level_key(key: Key[Array, ""], rules: Rules) -> Key[Array, ""]:
    """The key as it is, or that of one of the fixed levels."""
    number = rules.first_level + jax.random.randint(jax.random.clone(key), (), 0, jnp.maximum(rules.levels, 1))
    level = jax.random.fold_in(jax.random.key(LEVELS_SEED), number)
    # jax's checker takes a chosen key for a used one (jax 0.10).
    return jax.random.clone(jnp.where(rules.levels > 0, level, key))


def _reset_to(state: State, rules: Rules, scenario: Scenario) -> tuple[State, Timestep]:
    observation = first_observation(state, rules, scenario)
    nobody = jnp.zeros(scenario.agents, bool)
    reward = jnp.zeros(scenario.agents, jnp.float32)
    return state, Timestep(observation, reward, nobody, nobody, observation, state.active)


def _step_without_restart(key, state, actions, rules, scenario) -> tuple[State, Timestep]:
    state, reward = _act(key, state, actions, rules, scenario)
    if rules.dropout is not None:
        lot = jax.random.uniform(jax.random.fold_in(key, DROPOUT), (scenario.agents,))
        state = spawning.come_and_go(state, lot, rules.dropout, scenario)
    observation = observe(state, reward, actions, rules, scenario)
    out_of_time = (state.clock >= scenario.max_steps) & ~state.finished
    return state, Timestep(observation, reward, state.finished, out_of_time, observation, state.active)


def _act(key, state, actions, rules, scenario) -> tuple[State, Float[Array, " A"]]:
    """Late agents enter, all act, and those that came to an end are put elsewhere or rest."""
    if not scenario.enters_later:
        state, reward = act(state, actions, acting_order(key, scenario.agents), rules, scenario)
        return spawning.settle(state, state.position, scenario), reward
    order_key, enter_key, again_key = jax.random.split(key, 3)
    if any(scenario.spawn_delay):
        where = _places_for(enter_key, state, spawning.enters_now(state, scenario))
        state = spawning.enter(state, where, scenario)
    state, reward = act(state, actions, acting_order(order_key, scenario.agents), rules, scenario)
    where = state.position
    if scenario.respawn:
        where = _places_for(again_key, state, spawning.leaves_now(state))
    return spawning.settle(state, where, scenario), reward


def _places_for(key, state: State, who: Bool[Array, " A"]) -> Int[Array, "A 2"]:
    """Places for ``who``; drawn only if some world of the batch needs one."""
    return batching.where_needed(who.any(), spawning.draw, state.position, key, state, who)


def _step(key, state, actions, rules, scenario) -> tuple[State, Timestep]:
    order_key, restart_key = jax.random.split(key)
    state, timestep = _step_without_restart(order_key, state, actions, rules, scenario)

    def restart(restart_key, rules):
        fresh = _fresh_state(restart_key, rules, scenario)
        return fresh, first_observation(fresh, rules, scenario)

    state, observation = batching.where_needed(
        episode_ended(timestep), restart, (state, timestep.observation), restart_key, rules
    )
    return state, timestep._replace(observation=observation, present=state.active)


def acting_order(key: Key[Array, ""], agents: int) -> Int[Array, " A"]:
    """Each agent's place in a uniformly drawn acting order."""
    if agents == 1:
        return jnp.zeros(1, jnp.int32)
    lot = jax.random.bits(key, (agents,))
    # A lot drawn twice (once in 2**32) goes to the lower index first, so that places stay distinct.
    index = jnp.arange(agents)
    before = (lot[:, None] < lot[None, :]) | ((lot[:, None] == lot[None, :]) & (index[:, None] < index))
    return before.sum(0)


def episode_ended(timestep: Timestep) -> Bool[Array, ""]:
    """Whether the world restarted with this timestep: the clock ran out, or all agents came to their end."""
    return timestep.truncated.any(-1) | timestep.terminated.all(-1)


def discount(timestep: Timestep) -> Float[Array, " A"]:
    """0 for an agent whose episode came to a natural end, else 1: running out of time keeps value."""
    return 1.0 - timestep.terminated
