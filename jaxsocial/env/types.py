"""What is traced of a world. Letters in shapes: A agents, G goals, H W cells, V view, P its pixels.

A `Scenario` is static: every field shapes the program that is compiled. Every field of `Rules` may
vary between worlds, over training, or along a sweep, without another compilation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxsocial.env.scenario import Scenario

NEVER = 2**31 - 1
"""A clock that no episode reaches."""


class Dropout(NamedTuple):
    """Agents that vanish and come back within an episode, as experts do in Bhoopchand et al. 2022.

    Each field is one for all or one an agent; each agent has a draw of its own at every step.
    """

    leave: Float[Array, "*A"]
    """Probability per step that an agent disappears, 0 to 1."""
    rejoin: Float[Array, "*A"]
    """Probability per step that one that is away comes back, 0 to 1."""
    gone_from: Int[Array, "*A"]
    """The clock from which on an agent stays away for the rest of the episode; `NEVER` for never."""


class Rules(NamedTuple):
    """The numbers of the world that may change without recompiling."""

    reward: Float[Array, "*G"]
    """For entering a goal, or the next bonus tile of the cycle; any sign; one for all or one a goal."""
    penalty: Float[Array, ""]
    """For entering any other bonus tile; ``-abs(penalty)`` is paid."""
    prestige_decay: Float[Array, "*A"]
    """Factor on prestige after every step, 0 to 1 (beta); one for all or one an agent."""
    prestige_scale: Float[Array, "*A"]
    """Prestige at which an agent's blue is tanh(1) = 76 %, above 0; one for all or one an agent."""
    present: Float[Array, " A"]
    """Probability that an agent takes part in an episode, 0 to 1; one that does not is neither placed nor seen.

    One draw decides for all, so that agents of equal probability come and go together; 1 always, 0 never.
    """
    first_level: Int[Array, ""]
    """The first of the fixed levels, see ``levels``."""
    levels: Int[Array, ""]
    """How many fixed levels episodes begin from, drawn uniformly; 0 for a fresh one every time."""
    dropout: Dropout | None = None
    """Who vanishes and comes back; None compiles nothing for it."""


class State(NamedTuple):
    """One world. Positions are (row, column); an agent that is absent or has not entered yet is at (-1, -1)."""

    grid: Int[Array, "H W"]
    """Codes of `jaxsocial.env.objects`; agents are never in it."""
    goals: Int[Array, "G 2"]
    """Where the goals are, in the order of their hidden cycle."""
    position: Int[Array, "A 2"]
    heading: Int[Array, " A"]
    """0 right, 1 down, 2 left, 3 up."""
    active: Bool[Array, " A"]
    """Acts and sees."""
    finished: Bool[Array, " A"]
    """Takes no more part in this episode: came to its end, or was absent from the start."""
    away: Bool[Array, " A"]
    """Left this episode for now: neither acts nor is seen, and comes back to where it left, its ``position``."""
    arrival: Int[Array, " A"]
    """When the agent came to its cell; of several in a cell the lowest is drawn."""
    carrying: Int[Array, " A"]
    """The code of what the agent holds; `cells.EMPTY` for nothing."""
    prestige: Float[Array, " A"]
    last_goal: Int[Array, " A"]
    """The bonus tile that counts as last taken; -1 before the first."""
    spawn: Int[Array, "A 4"]
    """Where each agent is put when it enters late or again: the first row and column and the last ones."""
    clock: Int[Array, ""]
    """Steps taken in this episode."""


class Observation(NamedTuple):
    """What every agent perceives. Fields that `Scenario.inputs` does not name are None."""

    image: UInt8[Array, "A height width channels"]
    """A picture in RGB, or the kind, colour and state of cells: see `Scenario.observation`."""
    reward: Float[Array, " A"] | None = None
    """Of the last step; 0 at first."""
    position: Float[Array, "A 2"] | None = None
    """(row / H, column / W); zeros where the agent is not in the world."""
    heading: Int[Array, " A"] | None = None
    """0 right, 1 down, 2 left, 3 up."""
    last_action: Int[Array, " A"] | None = None
    """-1 at first."""
    goal_position: Float[Array, "A G 2"] | None = None
    """(row / H, column / W) of every goal, in their order; the same for all agents."""


class Timestep(NamedTuple):
    """What agents receive after a step. At an end, ``observation`` is of the restarted world."""

    observation: Observation
    reward: Float[Array, " A"]
    terminated: Bool[Array, " A"]
    """The agent's episode came to a natural end, now or before: nothing of value follows. True if it is absent."""
    truncated: Bool[Array, " A"]
    """The clock ran out: what would follow still has value."""
    final_observation: Observation
    """Of the world before any restart; equal to ``observation`` where there was none."""
    present: Bool[Array, " A"]
    """In the world that ``observation`` shows, after any restart: acts and sees.

    False for one that is absent, away, not yet entered, or at rest after its end.
    """


def visible_position(state: State) -> Int[Array, "A 2"]:
    """Where agents stand for others to see and run into; (-1, -1) for one that is not in the world, or away."""
    return jnp.where(state.away[:, None], -1, state.position)


def make_rules(
    scenario: Scenario,
    reward: float | Sequence[float] = 1.0,
    penalty: float = 1.5,
    prestige_decay: float = 0.99,
    prestige_scale: float = 4.0,
    present: int | Sequence[float] | Float[Array, " A"] | None = None,
    first_level: int = 0,
    levels: int = 0,
    dropout: Dropout | None = None,
) -> Rules:
    """Rules for a scenario; the defaults are the paper's: penalty 1.5, and the prestige constants of its training runs.

    ``present`` counts the agents that always take part, the first ones first, or gives each agent's probability.

    With ``levels`` every episode begins from one of that many fixed levels (layout, starts and headings), the same
    for equal numbers: train on ``first_level=0, levels=K`` and test on ``first_level=K``.

    Raises:
      ValueError: ``present`` or a field of ``dropout`` is not of this many agents, or no probability.
    """
    return Rules(
        reward=jnp.asarray(reward, jnp.float32),
        penalty=jnp.float32(penalty),
        prestige_decay=jnp.float32(prestige_decay),
        prestige_scale=jnp.float32(prestige_scale),
        present=_presence(present, scenario.agents),
        first_level=jnp.int32(first_level),
        levels=jnp.int32(levels),
        dropout=None if dropout is None else _fitting(dropout, scenario.agents),
    )


def make_dropout(
    leave: float | Sequence[float] = 0.0,
    rejoin: float | Sequence[float] = 0.0,
    gone_from: int | Sequence[int] | None = None,
) -> Dropout:
    """Who vanishes and comes back; each one for all agents or one an agent.

    Raises:
      ValueError: a probability outside 0 to 1.
    """
    _check_probabilities("leave", leave)
    _check_probabilities("rejoin", rejoin)
    return Dropout(
        leave=jnp.asarray(leave, jnp.float32),
        rejoin=jnp.asarray(rejoin, jnp.float32),
        gone_from=jnp.asarray(NEVER if gone_from is None else gone_from, jnp.int32),
    )


def _presence(present: int | Sequence[float] | Array | None, agents: int) -> Float[Array, " A"]:
    if present is None or isinstance(present, int):
        taking_part = agents if present is None else present
        return (jnp.arange(agents) < taking_part).astype(jnp.float32)
    if len(present) != agents:
        raise ValueError(f"present={present} is for {len(present)} agents, but there are {agents}: give one for each")
    _check_probabilities("present", present)
    return jnp.asarray(present, jnp.float32)


def _check_probabilities(name: str, given: float | Sequence[float] | Array) -> None:
    """Refuses plain numbers that are no probabilities; arrays may be traced, and are taken as they come."""
    if isinstance(given, Array):
        return
    if not all(0 <= probability <= 1 for probability in ([given] if isinstance(given, int | float) else given)):
        raise ValueError(f"{name}={given}: choose probabilities, 0 to 1")


def _fitting(dropout: Dropout, agents: int) -> Dropout:
    for name, values in dropout._asdict().items():
        if values.shape not in ((), (agents,)):
            raise ValueError(
                f"dropout.{name} has the shape {values.shape}, but there are {agents} agents: "
                "give one number for all, or one for each"
            )
    return dropout
