"""A person's game in the learner's seat among scripted partners: its state, and what keys do.

Nothing here touches a terminal: see `jaxsocial.play.terminal`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.agents.policy import LastStep, perceived
from jaxsocial.env import objects
from jaxsocial.env.core import episode_ended, make_env
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import NO_ACTION, Observation, Rules, State
from jaxsocial.training.build import seated

_quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""Compiles fast: a person never notices how long a step takes."""
YOU = 0
"""The person's seat."""
ARROWS = {"up": objects.FORWARD, "left": objects.LEFT_TURN, "right": objects.RIGHT_TURN}
LETTERS = {"w": objects.FORWARD, "a": objects.LEFT_TURN, "d": objects.RIGHT_TURN}
KEYS = ARROWS | LETTERS | {"p": objects.PICK_UP, "x": objects.DROP, " ": objects.TOGGLE, ".": objects.DONE}
"""From keys to actions."""


class Game(NamedTuple):
    """A world between two turns."""

    key: Key[Array, ""]
    state: State
    observation: Observation
    memory: Any
    """Of the partners' policies."""
    first: Bool[Array, ""]
    last: LastStep
    """Rewards and actions of the last turn."""
    returns: Float[Array, " A"]
    over: Bool[Array, ""]
    """Whether the episode has ended."""


class GameSetup(NamedTuple):
    """The functions and facts of a game; the functions compile at their first call."""

    begin: Callable[[Key[Array, ""]], Game]
    turn: Callable[[Game, Int[Array, ""]], Game]
    """Plays one step, given the person's action."""
    names: tuple[str, ...]
    """One for each seat, the person's first."""
    scenario: Scenario
    rules: Rules


class Session(NamedTuple):
    """A game, and how it is shown."""

    game: Game
    own_view: bool = False
    """Whether the person sees its agent's view; else the whole world."""
    as_text: bool = False
    note: str = ""
    """The answer to the last key."""
    left: bool = False


def default_partners(scenario: Scenario) -> tuple[str, ...]:
    """Returns experts if the world has goals, else random players."""
    return ("expert" if scenario.goals else "random",) * (scenario.agents - 1)


def make_setup(scenario: Scenario, rules: Rules, partners: tuple[str, ...] = ()) -> GameSetup:
    """Returns the setup of a game.

    Args:
      scenario: the world.
      rules: its traced numbers.
      partners: one name for each other seat, or one for all; empty for `default_partners`.

    Raises:
      ValueError: unknown partners, or too many.
    """
    names = partners or default_partners(scenario)
    names = names * (scenario.agents - 1) if len(names) == 1 else names
    policy = seated(names, scenario)
    env = make_env(scenario, rules)

    def begin(key):
        reset_key, key = jax.random.split(key)
        state, timestep = env.reset(reset_key)
        zero, first, over = jnp.zeros(scenario.agents, jnp.float32), jnp.bool_(True), jnp.bool_(False)
        last = LastStep(zero, jnp.full(scenario.agents, NO_ACTION, jnp.int32))
        return Game(key, state, timestep.observation, policy.init(), first, last, zero, over)

    def turn(game, action):
        key, partner_key, step_key = jax.random.split(game.key, 3)
        seen = perceived(policy, game.state, game.observation, game.last, rules)
        memory, others = policy.apply(policy.parameters, partner_key, game.memory, game.state, seen, game.first)
        actions = jnp.concatenate([action[None], others])
        state, timestep = env.step_without_restart(step_key, game.state, actions)
        returns = game.returns + timestep.reward
        over = episode_ended(timestep)
        last = LastStep(timestep.reward, actions)
        return Game(key, state, timestep.observation, memory, jnp.bool_(False), last, returns, over)

    return GameSetup(_quick_jit(begin), _quick_jit(turn), ("you", *names), scenario, rules)


def press(key: str, session: Session, setup: GameSetup) -> Session:
    """Returns the session after a key.

    Args:
      key: a letter, or the name of an arrow.
      session: the session before.
      setup: the game's setup.
    """
    session = session._replace(note="")
    match key:
        case _ if key in KEYS and session.game.over:
            return session._replace(note="the episode is over: r begins another")
        case _ if key in KEYS and KEYS[key] >= setup.scenario.actions:
            return session._replace(note=f"{objects.ACTION_NAMES[KEYS[key]]!r} is left out of this world")
        case _ if key in KEYS:
            return session._replace(game=setup.turn(session.game, jnp.int32(KEYS[key])))
        case "r":
            return session._replace(game=setup.begin(session.game.key), note="a new episode")
        case "v":
            return session._replace(own_view=not session.own_view)
        case "t":
            return session._replace(as_text=not session.as_text)
        case "q":
            return session._replace(left=True)
    return session._replace(note=f"{key!r} does nothing")
