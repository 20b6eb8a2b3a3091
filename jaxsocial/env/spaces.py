"""The spaces of one agent's observations and actions, which other libraries' interfaces can translate."""

import dataclasses
from typing import Any

import numpy as np

from jaxsocial.env.scenario import SYMBOLS, Scenario
from jaxsocial.env.types import Observation

INT32, UINT8, FLOAT32, BOOL = (np.dtype(name) for name in ("int32", "uint8", "float32", "bool"))


@dataclasses.dataclass(frozen=True)
class Box:
    """Arrays of one shape and dtype whose numbers are between two bounds.

    >>> space = Box((2,), FLOAT32, 0, 1)
    >>> space.contains(np.float32([0.5, 1.0])), space.contains(np.float32([0.5, 1.5]))
    (True, False)
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    low: int | float
    """The smallest number, included; -inf for none."""
    high: int | float
    """The largest number, included; inf for none."""

    def contains(self, x) -> bool:
        """Returns whether an array has the shape and dtype, and all of its numbers are within the bounds."""
        x = np.asarray(x)
        fits = (x.shape, x.dtype) == (self.shape, self.dtype)
        return fits and bool(((x >= self.low) & (x <= self.high)).all())


@dataclasses.dataclass(frozen=True)
class Discrete:
    """The ``n`` integers from ``start`` on.

    >>> Discrete(3).contains(2), Discrete(3).contains(3), Discrete(4, start=-1).contains(-1)
    (True, False, True)
    """

    n: int
    start: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns (), the shape of one integer."""
        return ()

    @property
    def dtype(self) -> np.dtype:
        """Returns int32; `contains` accepts integers of any width."""
        return INT32

    @property
    def low(self) -> int:
        """Returns the smallest integer."""
        return self.start

    @property
    def high(self) -> int:
        """Returns the largest integer."""
        return self.start + self.n - 1

    def contains(self, x) -> bool:
        """Returns whether it is one integer within the bounds."""
        x = np.asarray(x)
        return x.shape == () and np.issubdtype(x.dtype, np.integer) and bool(self.low <= x <= self.high)


def observation_space(scenario: Scenario) -> Observation:
    """Returns the spaces of one agent's observation; None where the scenario has no such input.

    >>> from jaxsocial.env.registry import make_scenario
    >>> space = observation_space(make_scenario("maze", inputs=("heading",)))
    >>> space.image.shape, space.heading, space.position
    ((21, 21, 3), Discrete(n=4, start=0), None)
    """
    available = {
        # Rules may change at every step, so that rewards have no bounds.
        "reward": Box((), FLOAT32, -np.inf, np.inf),
        "position": Box((2,), FLOAT32, 0, 1),
        "heading": Discrete(4),
        "last_action": Discrete(1 + scenario.actions, start=-1),
        "goal_position": Box((scenario.goals, 2), FLOAT32, 0, 1),
        "symbols": Box((*scenario.view_shape, SYMBOLS), UINT8, 0, 255),
        "others": Box((), BOOL, 0, 1),
    }
    # Any: elsewhere the fields of an Observation are arrays.
    image: Any = Box(scenario.observation_shape, UINT8, 0, 255)
    inputs: dict[str, Any] = {name: available[name] for name in scenario.inputs}
    return Observation(image, **inputs)


def action_space(scenario: Scenario) -> Discrete:
    """Returns the space of one agent's action, see `objects.ACTION_NAMES`.

    >>> from jaxsocial.env.registry import make_scenario
    >>> action_space(make_scenario("maze", actions=3))
    Discrete(n=3, start=0)
    """
    return Discrete(scenario.actions)
