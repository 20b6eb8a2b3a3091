"""Rewards for entering cells: goals, the hidden cycle of bonus tiles, and the prestige that rewards build up.

Letters in shapes: A agents.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.env import objects
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Rules, State


class Entry(NamedTuple):
    """What an agent receives for entering a cell."""

    reward: Float[Array, " A"]
    last_goal: Int[Array, " A"]
    """The bonus tile that counts as last taken."""
    finished: Bool[Array, " A"]
    """Whether the cell ends the agent's episode."""


def entry_outcome(state: State, code: Int[Array, " A"], rules: Rules, scenario: Scenario) -> Entry:
    """Computes what each agent would receive for entering a cell in this step.

    Args:
      state: before the move, at the clock of this step.
      code: of each agent's cell.
      rules: rewards and the penalty.
      scenario: selects which rewards are compiled.
    """
    kind = objects.kind_of(code)
    reward, last_goal = cycle_reward(state, code, rules, scenario)
    if scenario.may_hold(objects.GOAL):
        reward = jnp.where(kind == objects.GOAL, goal_reward(code, rules), reward)
    if scenario.reward_decay:
        reward = reward * (1.0 - 0.9 * state.clock.astype(jnp.float32) / scenario.max_steps)
    return Entry(
        reward=jnp.where((kind == objects.BONUS) | (kind == objects.GOAL), reward, 0.0),
        last_goal=jnp.where(kind == objects.BONUS, last_goal, state.last_goal),
        finished=(kind == objects.GOAL) | (kind == objects.LAVA),
    )


def goal_reward(code: Int[Array, " A"], rules: Rules) -> Float[Array, "*A"]:
    """Returns the reward of each goal or bonus tile: by its number, or one for all."""
    return rules.reward[objects.state_of(code)] if rules.reward.ndim else rules.reward


def cycle_reward(
    state: State, code: Int[Array, " A"], rules: Rules, scenario: Scenario
) -> tuple[Float[Array, " A"], Int[Array, " A"]]:
    """Computes the reward of each bonus tile in the goal cycle (docs/protocol.md: reward).

    Args:
      state: with the bonus tile each agent took last.
      code: of the bonus tile that each agent enters.
      rules: rewards, and the penalty for any tile but the next of the cycle.
      scenario: the number of goals, `initial_reward` and `reset_on_mistake`.

    Returns:
      The rewards, and the tile that counts as last taken.
    """
    goals = max(scenario.goals, 1)
    number = objects.state_of(code)
    first = state.last_goal < 0
    # The first goal entered, whichever it is, counts as the next one.
    last = jnp.where(first, (number - 1) % goals, state.last_goal)
    correct = (number != last) & ((last + 1) % goals == number)
    reward = jnp.where(correct, goal_reward(code, rules), -jnp.abs(rules.penalty))
    if not scenario.initial_reward:
        reward = jnp.where(first, 0.0, reward)
    taken = correct | scenario.reset_on_mistake
    return reward, jnp.where(taken, number, last)


def update_prestige(state: State, reward: Float[Array, " A"], rules: Rules, scenario: Scenario) -> Float[Array, " A"]:
    """Returns the prestige of active agents after a step: p <- beta (p + r if r >= 0 else 0).

    Source: Ndousse et al. 2021, the prestige cue (docs/protocol.md).

    Args:
      state: with the prestige before.
      reward: of this step.
      rules: with beta, ``prestige_decay``.
      scenario: with `negative_prestige`, rewards are ignored as in the reference.
    """
    if scenario.negative_prestige:
        prestige = state.prestige * rules.prestige_decay
    else:
        prestige = jnp.where(reward >= 0, state.prestige + reward, 0.0) * rules.prestige_decay
    return jnp.where(state.active, prestige, state.prestige)
