"""Symbolic images as numbers for networks: one-hot features of cells, and the classes that predictions choose from.

Only what a world can show has a place: its things, its agents' colours, and states where there are doors. What the
paper's worlds show always has one, and goals and bonus tiles share one, as they look alike: so learners can be measured
in worlds that they were not trained in.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from jaxsocial.env import objects
from jaxsocial.env.scenario import Scenario

PRESTIGE_LEVELS = 4
"""Classes of prestige in predictions, of equal width."""
STATES = 4
"""Headings of agents, and states of doors."""
STOOD_ON = (objects.BONUS, objects.FLOOR, objects.LAVA, objects.DOOR)
"""Kinds below an agent that are told apart; goals and bonus tiles share one here too."""
ON = 16
"""An agent's kind in predictions is AGENT + ON * (the kind below it): whether it stands on a goal is what matters."""
PRESTIGE = objects.COLOUR_NAMES.index("prestige")
BASE_KINDS = (objects.EMPTY, objects.UNSEEN, objects.BONUS, objects.WALL, objects.AGENT)
"""Kinds that every network knows."""


class Classes(NamedTuple):
    """The classes of kind, colour and state of one cell."""

    kinds: tuple[int, ...]
    """Also of agents on each kind of `STOOD_ON`, see `ON`."""
    colours: tuple[int, ...]
    """Without that of agents whose colour shows prestige, which has `PRESTIGE_LEVELS` classes after them."""
    levels: int
    """`PRESTIGE_LEVELS`, or 0 if no agent's colour shows prestige."""


def classes_of(world: Scenario) -> Classes:
    """Returns the classes that cells of a world can have.

    >>> from jaxsocial.env.registry import make_scenario
    >>> [len(part) for part in classes_of(make_scenario("goal_cycle"))[:2]]
    [6, 3]
    """
    # What is carried in a box appears once it is opened.
    inside = [objects.state_of(code) for code in world.things if objects.kind_of(code) == objects.BOX]
    things = (objects.EMPTY, objects.UNSEEN, *world.things, *inside)
    kinds = sorted(({objects.kind_of(code) for code in things} | set(BASE_KINDS)) - {objects.GOAL})
    colours = {objects.colour_of(code) for code in things}
    colours |= {objects.COLOUR_NAMES.index(name) for name in world.agent_colours}
    levels = PRESTIGE_LEVELS if PRESTIGE in colours else 0
    kinds += [objects.AGENT + ON * kind for kind in kinds if kind in STOOD_ON]
    return Classes(tuple(kinds), tuple(sorted(colours - {PRESTIGE})), levels)


class OneHot(NamedTuple):
    """The class of each cell, in kind, colour and state."""

    kind: Bool[Array, "*N kinds rows columns"]
    colour: Bool[Array, "*N colours rows columns"]
    state: Bool[Array, "*N 4 rows columns"]


def one_hot(symbols: UInt8[Array, "*N rows columns 5"], classes: Classes) -> OneHot:
    """Returns the classes of cells.

    >>> from jaxsocial.env.registry import make_scenario
    >>> classes = classes_of(make_scenario("goal_cycle"))
    >>> agent = jnp.array([objects.AGENT, PRESTIGE, objects.UP, 200, objects.BONUS], jnp.uint8)
    >>> [part.astype(int).ravel().tolist() for part in one_hot(agent[None, None], classes)]
    [[0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1]]
    """
    kind, colour, state, prestige, below = _split(symbols)
    levels = (colour == PRESTIGE) & (prestige // (256 // PRESTIGE_LEVELS) == _column(range(classes.levels)))
    return OneHot(
        kind=kind + np.uint8(ON) * below == _column(classes.kinds),
        colour=jnp.concatenate([colour == _column(classes.colours), levels], axis=-3),
        state=state == _column(range(STATES)),
    )


def _split(symbols):
    # Classes and features are the third axis from the end: on CPU XLA vectorises over the last one, and there are
    # more cells than classes.
    kind, colour, state, prestige, below = (symbols[..., None, :, :, channel] for channel in range(5))
    kind, below = (jnp.where(x == objects.GOAL, np.uint8(objects.BONUS), x) for x in (kind, below))
    return kind, colour, state, prestige, below


def _column(numbers) -> np.ndarray:
    return np.array(list(numbers), np.uint8)[:, None, None]


def cell_features(world: Scenario) -> Callable[[UInt8[Array, "*N rows columns 5"]], Float[Array, "*N F rows columns"]]:
    """Returns a function from cells to features.

    They are kind, colour where kinds do not tell it, kind below, heading, state of doors, and prestige. Bare floor
    is all zeros. Headings are relative to the observer in a view, and absolute in `symbolic_world`.
    """
    kinds, colours, has_doors, has_prestige = _feature_parts(world)
    doors = (objects.OPEN, objects.CLOSED, objects.LOCKED)

    def features(symbols):
        kind, colour, state, prestige, below = _split(symbols)
        # Bare floor has a colour too, which has no meaning.
        parts = [kind == _column(kinds), (colour == _column(colours)) & (kind != objects.EMPTY)]
        parts += [below == _column(tuple(one for one in kinds if one in STOOD_ON))]
        parts += [(state == _column(range(STATES))) & (kind == objects.AGENT)]
        parts += [(state == _column(doors)) & (kind == objects.DOOR)] if has_doors else []
        found = [part.astype(jnp.float32) for part in parts]
        found += [prestige.astype(jnp.float32) / 255.0] if has_prestige else []
        return jnp.concatenate(found, axis=-3)

    return features


def _feature_parts(world: Scenario) -> tuple[tuple[int, ...], tuple[int, ...], bool, bool]:
    """Returns the kinds and colours that have a feature, and whether doors and prestige do."""
    classes = classes_of(world)
    kinds = tuple(kind for kind in classes.kinds if objects.EMPTY < kind < ON)
    goals = {objects.GOAL: objects.BONUS}
    looks = {
        (goals.get(objects.kind_of(code), objects.kind_of(code)), objects.colour_of(code)) for code in world.things
    }
    looks |= {(objects.AGENT, objects.COLOUR_NAMES.index(name)) for name in world.agent_colours}
    told = len({kind for kind, _ in looks}) == len(looks) and not world.may_hold(objects.BOX)
    colours = () if told else classes.colours + ((PRESTIGE,) if classes.levels else ())
    return kinds, colours, world.may_hold(objects.DOOR), classes.levels > 0


def feature_count(world: Scenario) -> int:
    """Returns the number of features of one cell.

    >>> from jaxsocial.env.registry import make_scenario
    >>> feature_count(make_scenario("goal_cycle"))
    10
    """
    kinds, colours, has_doors, has_prestige = _feature_parts(world)
    below = sum(kind in STOOD_ON for kind in kinds)
    return len(kinds) + below + len(colours) + STATES + 3 * has_doors + has_prestige
