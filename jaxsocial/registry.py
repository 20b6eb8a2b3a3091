"""The scenarios by name."""

from collections.abc import Callable

from jaxsocial.env import Env, make_env
from jaxsocial.scenarios.goal_cycle import goal_cycle
from jaxsocial.world import Scenario

_SCENARIOS: dict[str, Callable[..., Scenario]] = {}


def register(name: str, build: Callable[..., Scenario]) -> None:
    """Makes ``make(name, **sizes)`` call ``build(**sizes)``.

    Raises:
      ValueError: the name is taken.
    """
    if name in _SCENARIOS:
        raise ValueError(f"scenario {name!r} is registered already: choose another name")
    _SCENARIOS[name] = build


def registered_scenarios() -> dict[str, Callable[..., Scenario]]:
    """The builders of all scenarios, by name."""
    return dict(_SCENARIOS)


def make_scenario(name: str, **sizes) -> Scenario:
    """The scenario of that name with these sizes.

    Raises:
      ValueError: an unknown name or size, or one that cannot be built, with the cure.
    """
    if name not in _SCENARIOS:
        raise ValueError(f"scenario {name!r} is unknown: choose from {', '.join(sorted(_SCENARIOS))}")
    try:
        return _SCENARIOS[name](**sizes)
    except TypeError as error:
        raise ValueError(f"scenario {name!r} cannot be built: {error}") from None


def make(name: str, **sizes) -> Env:
    """The environment of a scenario.

    >>> env = make("goal_cycle", height=9, width=9, goals=4)
    >>> env.scenario.observation_shape
    (21, 21, 3)

    Raises:
      ValueError: an unknown name or size, or one that cannot be built, with the cure.
    """
    return make_env(make_scenario(name, **sizes))


register("goal_cycle", goal_cycle)
