"""The traced records of a world. Letters in shapes: A agents, G goals, H W cells, V view, P its pixels.

A `Scenario` is static: every field shapes the program that is compiled. Every field of `Rules` may
vary between worlds, over training, or along a sweep, without another compilation.
"""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxsocial.env import objects
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.values import LARGEST, Index, NotNegative, Positive, Probability, Range, fitting

NEVER = 2**31 - 1
"""A clock that no episode reaches."""
NO_ACTION = -1
"""The last action before the first step."""


class Dropout(NamedTuple):
    """Agents that vanish and come back within an episode, as experts do in Bhoopchand et al. 2022.

    Each field is one number for all agents or one per agent. Each agent has its own draw at every step.
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
    """For entering a goal, or the next bonus tile of the cycle; any sign; one for all or one per goal."""
    penalty: Float[Array, ""]
    """For entering any other bonus tile, 0 or more: the reward is ``-abs(penalty)``."""
    prestige_decay: Float[Array, "*A"]
    """Factor on prestige after every step, 0 to 1 (beta); one for all or one per agent."""
    prestige_scale: Float[Array, "*A"]
    """Prestige at which an agent's blue is tanh(1) = 76 %, above 0; one for all or one per agent."""
    present: Float[Array, " A"]
    """Probability that an agent takes part in an episode, 0 to 1; an absent one is neither placed nor seen.

    One draw decides for all, so that agents of equal probability are present together; 1 always, 0 never.
    """
    first_level: Int[Array, ""]
    """The first of the fixed levels, see ``levels``."""
    levels: Int[Array, ""]
    """How many fixed levels episodes start from, drawn uniformly; 0 for a new one every time."""
    dropout: Dropout | None = None
    """Per-agent dropout probabilities. If None, dropout is not compiled."""


class State(NamedTuple):
    """One world. Positions are (row, column); an agent that is absent or has not entered yet is at (-1, -1)."""

    grid: Int[Array, "H W"]
    """Codes of `jaxsocial.env.objects`; agents are never in it."""
    goals: Int[Array, "G 2"]
    """Positions of the goals, in the order of their hidden cycle."""
    position: Int[Array, "A 2"]
    heading: Int[Array, " A"]
    """0 right, 1 down, 2 left, 3 up."""
    active: Bool[Array, " A"]
    """Acts and sees."""
    finished: Bool[Array, " A"]
    """Takes no further part in this episode: entered a goal or lava, or was absent from the start."""
    away: Bool[Array, " A"]
    """Left this episode for now: neither acts nor is seen, and comes back to where it left, its ``position``."""
    arrival: Int[Array, " A"]
    """When the agent arrived in its cell; of several in a cell the lowest is drawn."""
    carrying: Int[Array, " A"]
    """The code of what the agent holds; `objects.EMPTY` for nothing."""
    prestige: Float[Array, " A"]
    last_goal: Int[Array, " A"]
    """The bonus tile that counts as last taken; -1 before the first."""
    spawn: Int[Array, "A 4"]
    """The box each agent is put in when it enters late or respawns: first row and column, last row and column."""
    clock: Int[Array, ""]
    """Steps taken in this episode."""


class Observation(NamedTuple):
    """What every agent perceives. Fields that `Scenario.inputs` does not name are None."""

    image: UInt8[Array, "A height width channels"]
    """RGB, or the kind, colour, state, prestige and kind below of cells: see `Scenario.observation`."""
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
    symbols: UInt8[Array, "A rows columns 5"] | None = None
    """What the image shows, as symbols: equal to a symbolic image."""
    others: Bool[Array, " A"] | None = None
    """Whether the image shows another agent."""


class Timestep(NamedTuple):
    """What agents receive after a step. At an episode's end, ``observation`` is of the restarted world."""

    observation: Observation
    reward: Float[Array, " A"]
    terminated: Bool[Array, " A"]
    """The agent's episode has terminated, now or before: nothing of value follows. True if it is absent."""
    truncated: Bool[Array, " A"]
    """The clock ran out: what would follow still has value."""
    final_observation: Observation
    """Of the world before any restart; equal to ``observation`` where there was none."""
    present: Bool[Array, " A"]
    """In the world that ``observation`` shows, after any restart: acts and sees.

    False for an agent that is absent, away, not yet entered, or finished.
    """


def visible_position(state: State) -> Int[Array, "A 2"]:
    """Returns where agents can be seen and run into; (-1, -1) for one that is away or not in the world."""
    return jnp.where(state.away[:, None], -1, state.position)


def make_rules(
    scenario: Scenario,
    reward: float | Sequence[float] | Float[Array, "*G"] = 1.0,
    penalty: Float[Array, ""] | float = 1.5,
    prestige_decay: float | Sequence[float] | Float[Array, "*A"] = 0.99,
    prestige_scale: float | Sequence[float] | Float[Array, "*A"] = 4.0,
    present: ArrayLike | Sequence[float] | None = None,
    first_level: Int[Array, ""] | int = 0,
    levels: Int[Array, ""] | int = 0,
    dropout: Dropout | None = None,
) -> Rules:
    """Returns the rules of a scenario. The defaults are those of the training runs in Ndousse et al. 2021.

    The shapes of all numbers are checked, and their ranges too, except for arrays of jax, which may be traced.

    >>> world = Scenario(layout=print, things=(), agents=3)
    >>> make_rules(world, penalty=0.5, present=2).present.tolist()
    [1.0, 1.0, 0.0]

    Args:
      scenario: with the number of agents.
      reward: for a goal, or the next bonus tile, any finite number; one for all or one per goal.
      penalty: for any other bonus tile, 0 or more: the reward is minus the penalty.
      prestige_decay: factor per step, 0 to 1; one for all or one per agent.
      prestige_scale: the prestige at which blue is at 76 %, above 0; one for all or one per agent.
      present: how many agents always take part, the first ones first, 0 or more; or each agent's probability, 0 to 1;
        None for all.
      first_level: the number of the first fixed level, 0 or more.
      levels: how many fixed levels (layout, starts and headings) episodes start from; 0 for new ones. Train on
        ``first_level=0, levels=K`` and test on ``first_level=K``.
      dropout: see `make_dropout`; none if None.

    Raises:
      ValueError: a number out of range, or as many as there are no goals or agents.
    """
    agents = scenario.agents
    if present is None or isinstance(present, int | np.integer):
        number = agents if present is None else fitting(present, Annotated[int, Range(0, agents)], "present")
        present = (jnp.arange(agents) < number).astype(jnp.float32)
    elif np.shape(present) != (agents,):
        raise ValueError(
            f"present={present}: give a whole number of agents, or a probability for each of the {agents} agents"
        )
    for name, values in dropout._asdict().items() if dropout is not None else ():
        if values.shape not in ((), (agents,)):
            raise ValueError(
                f"dropout.{name} has the shape {values.shape}, but there are {agents} agents: "
                "give one number for all, or one for each"
            )
    rules = Rules(
        reward=_numbers("reward", reward, float),
        penalty=_numbers("penalty", penalty, NotNegative),
        prestige_decay=_numbers("prestige_decay", prestige_decay, Probability),
        prestige_scale=_numbers("prestige_scale", prestige_scale, Positive),
        present=_numbers("present", present, Probability),
        first_level=_numbers("first_level", first_level, Index, jnp.int32),
        levels=_numbers("levels", levels, Index, jnp.int32),
        dropout=dropout,
    )
    _check_lengths(rules, scenario)
    if isinstance(first_level, int) and isinstance(levels, int) and first_level + levels - 1 > LARGEST[int]:
        raise ValueError(f"first_level={first_level}, levels={levels}: the last level is above {LARGEST[int]}")
    return rules


def make_dropout(
    leave: float | Sequence[float] | Float[Array, "*A"] = 0.0,
    rejoin: float | Sequence[float] | Float[Array, "*A"] = 0.0,
    gone_from: int | Sequence[int] | Int[Array, "*A"] | None = None,
) -> Dropout:
    """Returns the probabilities with which agents vanish and come back, one for all or one per agent.

    >>> make_dropout(leave=(0.0, 0.05), rejoin=0.2).leave.shape
    (2,)

    Args:
      leave: probability per step that an agent disappears, 0 to 1.
      rejoin: probability per step that one that is away comes back, 0 to 1.
      gone_from: the clock from which on an agent stays away, 0 or more (0 is as 1: all take part in the first step);
        never if None.

    Raises:
      ValueError: a number out of range.
    """
    return Dropout(
        leave=_numbers("leave", leave, Probability),
        rejoin=_numbers("rejoin", rejoin, Probability),
        gone_from=_numbers("gone_from", NEVER if gone_from is None else gone_from, Index, jnp.int32),
    )


def _numbers(name: str, given: Any, kind: Any, dtype: Any = jnp.float32) -> Array:
    """Returns one number or several as an array, after a check of their range if they are no arrays of jax."""
    if not any(isinstance(one, Array) for one in jax.tree.leaves(given)):
        given = fitting(given, kind | tuple[kind, ...], name)
    # Of fixed types: numbers of Python would be weakly typed, and compiled programs be traced again.
    return jnp.asarray(given, dtype)


def _check_lengths(rules: Rules, scenario: Scenario) -> None:
    """Checks that there is one number for all, or one for each goal or agent."""
    goals = scenario.goals
    if scenario.may_hold(objects.BONUS) and scenario.may_hold(objects.GOAL):
        goals = rules.reward.size  # goals beside the cycle have numbers too, which only the layout knows
    counts = {"reward": goals, "prestige_decay": scenario.agents, "prestige_scale": scenario.agents}
    for name in ("reward", "penalty", "prestige_decay", "prestige_scale", "first_level", "levels"):
        shape, count = getattr(rules, name).shape, counts.get(name)
        if shape not in ((), (count,)):
            each = f", or {count}, one for each {'goal' if name == 'reward' else 'agent'}" if count is not None else ""
            raise ValueError(f"{name} has the shape {shape}: give one number{each}; jax.vmap makes many worlds' rules")
