"""The environment: reset and step of one world, the clock, and the restart at an episode's end.

Everything is written for one world; `jax.vmap` makes thousands. It is handed a `Scenario` and knows
no level by name.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial import batching, paint
from jaxsocial.actions import act
from jaxsocial.world import Rules, Scenario, State, Timestep, make_rules


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
    layout_key, heading_key = jax.random.split(key)
    laid_out = scenario.layout(layout_key, scenario)
    agents = scenario.agents
    return State(
        grid=laid_out.grid,
        goals=laid_out.goals,
        position=jnp.where(rules.present[:, None], laid_out.position, -1),
        heading=jax.random.randint(heading_key, (agents,), 0, 4),
        active=rules.present,
        arrival=jnp.arange(agents),
        prestige=jnp.zeros(agents, jnp.float32),
        last_goal=jnp.full(agents, -1, jnp.int32),  # else a weak type: step would be traced twice
        clock=jnp.int32(0),
    )


def _reset_to(state: State, rules: Rules, scenario: Scenario) -> tuple[State, Timestep]:
    observation = paint.observe(state, rules, scenario)
    nobody = jnp.zeros(scenario.agents, bool)
    reward = jnp.zeros(scenario.agents, jnp.float32)
    return state, Timestep(observation, reward, nobody, nobody, observation)


def _step_without_restart(key, state, actions, rules, scenario) -> tuple[State, Timestep]:
    state, reward = act(state, actions, acting_order(key, scenario.agents), rules, scenario)
    observation = paint.observe(state, rules, scenario)
    out_of_time = jnp.broadcast_to(state.clock >= scenario.max_steps, (scenario.agents,))
    nobody = jnp.zeros(scenario.agents, bool)
    return state, Timestep(observation, reward, nobody, out_of_time, observation)


def _step(key, state, actions, rules, scenario) -> tuple[State, Timestep]:
    order_key, restart_key = jax.random.split(key)
    state, timestep = _step_without_restart(order_key, state, actions, rules, scenario)

    def restart(restart_key, rules):
        fresh = _fresh_state(restart_key, rules, scenario)
        return fresh, paint.observe(fresh, rules, scenario)

    state, observation = batching.where_needed(
        episode_ended(timestep), restart, (state, timestep.observation), restart_key, rules
    )
    return state, timestep._replace(observation=observation)


def acting_order(key: Key[Array, ""], agents: int) -> Int[Array, " A"]:
    """Each agent's place in a uniformly drawn acting order."""
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
