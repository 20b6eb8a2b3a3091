"""A person's game in the learner's seat among scripted partners: what keys do, and what the screen says.

Nothing here touches a terminal, see `jaxsocial.play.terminal`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsocial.env import objects
from jaxsocial.env.core import episode_ended, make_env
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation, Rules, State
from jaxsocial.train.build import seated

_quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""At a person's speed only the time to compile counts."""
YOU = 0
"""The person's seat."""
KEYS = {
    "up": objects.FORWARD,
    "w": objects.FORWARD,
    "left": objects.LEFT_TURN,
    "a": objects.LEFT_TURN,
    "right": objects.RIGHT_TURN,
    "d": objects.RIGHT_TURN,
    "p": objects.PICK_UP,
    "x": objects.DROP,
    " ": objects.TOGGLE,
    ".": objects.DONE,
}
"""Keys that act."""


class Game(NamedTuple):
    """A world between two turns."""

    key: Key[Array, ""]
    state: State
    observation: Observation
    memory: Any
    """The partners'."""
    first: Bool[Array, ""]
    reward: Float[Array, " A"]
    """Of the last turn."""
    returns: Float[Array, " A"]
    over: Bool[Array, ""]
    """Whether the episode has ended."""


class GameSetup(NamedTuple):
    """What a game is played with; its functions compile at their first call."""

    begin: Callable[[Key[Array, ""]], Game]
    turn: Callable[[Game, Int[Array, ""]], Game]
    """One step: the person's action, and the partners' own."""
    names: tuple[str, ...]
    """Who sits where, the person first."""
    scenario: Scenario
    rules: Rules


class Session(NamedTuple):
    """A game and how it is shown."""

    game: Game
    own_view: bool = False
    """Whether the person sees what its agent sees; else the whole world."""
    as_text: bool = False
    note: str = ""
    """What the last key was answered."""
    left: bool = False


def default_partners(scenario: Scenario) -> tuple[str, ...]:
    """Experts where there is something to head for, else random players."""
    return ("expert" if scenario.goals else "random",) * (scenario.agents - 1)


def make_game(scenario: Scenario, rules: Rules, partners: tuple[str, ...] = ()) -> GameSetup:
    """Everything a game needs.

    Args:
      scenario: the world.
      rules: its numbers.
      partners: one name a seat beside the person, or one for all; `default_partners` if there are none.

    Raises:
      ValueError: partners that are unknown or too many.
    """
    names = partners or default_partners(scenario)
    names = names * (scenario.agents - 1) if len(names) == 1 else names
    policy = seated(names, scenario)
    env = make_env(scenario, rules)

    def begin(key):
        reset_key, key = jax.random.split(key)
        state, timestep = env.reset(reset_key)
        nothing = jnp.zeros(scenario.agents, jnp.float32)
        return Game(
            key, state, timestep.observation, policy.init(), jnp.bool_(True), nothing, nothing, jnp.bool_(False)
        )

    def turn(game, action):
        key, partner_key, step_key = jax.random.split(game.key, 3)
        memory, others = policy.apply(
            policy.parameters, partner_key, game.memory, game.state, game.observation, game.first
        )
        state, timestep = env.step_without_restart(step_key, game.state, jnp.concatenate([action[None], others]))
        returns = game.returns + timestep.reward
        over = episode_ended(timestep)
        return Game(key, state, timestep.observation, memory, jnp.bool_(False), timestep.reward, returns, over)

    return GameSetup(_quick_jit(begin), _quick_jit(turn), ("you", *names), scenario, rules)


def press(key: str, session: Session, setup: GameSetup) -> Session:
    """What a key does: a letter, or the name of an arrow."""
    session = session._replace(note="")
    match key:
        case _ if key in KEYS:
            return _act(KEYS[key], session, setup)
        case "r":
            return session._replace(game=setup.begin(session.game.key), note="a new episode")
        case "v":
            return session._replace(own_view=not session.own_view)
        case "t":
            return session._replace(as_text=not session.as_text)
        case "q":
            return session._replace(left=True)
    return session._replace(note=f"{key!r} does nothing")


def _act(action: int, session: Session, setup: GameSetup) -> Session:
    if session.game.over:
        return session._replace(note="the episode is over: r begins another")
    if action >= setup.scenario.actions:
        return session._replace(note=f"{objects.ACTION_NAMES[action]!r} is left out of this world")
    return session._replace(game=setup.turn(session.game, jnp.int32(action)))
