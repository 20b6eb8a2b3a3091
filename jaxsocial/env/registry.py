"""The registry of scenarios by name."""

from collections.abc import Callable

from jaxsocial.env.core import Env, make_env
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.scenarios import marlgrid
from jaxsocial.env.scenarios.cluttered import cluttered
from jaxsocial.env.scenarios.door_key import door_key
from jaxsocial.env.scenarios.empty import empty
from jaxsocial.env.scenarios.four_rooms import four_rooms
from jaxsocial.env.scenarios.goal_cycle import goal_cycle
from jaxsocial.env.scenarios.maze import maze
from jaxsocial.env.scenarios.multi_room import multi_room
from jaxsocial.env.scenarios.visibility import visibility
from jaxsocial.env.types import make_rules

_SCENARIOS: dict[str, Callable[..., Scenario]] = {}


def register(name: str, build: Callable[..., Scenario]) -> None:
    """Registers a scenario: ``make(name, **sizes)`` then calls ``build(**sizes)``.

    Raises:
      ValueError: the name is taken.
    """
    if name in _SCENARIOS or name in marlgrid.WORLDS:
        raise ValueError(f"scenario {name!r} is registered already: choose another name")
    _SCENARIOS[name] = build


def registered_scenarios() -> dict[str, Callable[..., Scenario]]:
    """Returns the builders of all scenarios by name, without MarlGrid's names for some of their worlds.

    >>> sorted(registered_scenarios())[:3]
    ['cluttered', 'door_key', 'empty']
    """
    return dict(_SCENARIOS)


def make_scenario(name: str, **sizes) -> Scenario:
    """Builds a scenario by its name, or by MarlGrid's name for one of its worlds.

    >>> make_scenario("maze", height=11, width=15, agents=2).max_steps
    100

    Args:
      name: one of `registered_scenarios`, or of `marlgrid.WORLDS`.
      sizes: fields of `Scenario`, and the arguments of the scenario's builder.

    Raises:
      ValueError: an unknown name or size, or one that cannot be built, with the remedy.
    """
    if name in marlgrid.WORLDS:
        name, sizes = marlgrid.scenario_and_sizes(name, sizes)
    if name not in _SCENARIOS:
        known = ", ".join([*sorted(_SCENARIOS), *marlgrid.WORLDS])
        raise ValueError(f"scenario {name!r} is unknown: choose from {known}")
    # A TypeError names a size that the builder does not know.
    try:
        return _SCENARIOS[name](**sizes)
    except TypeError as error:
        raise ValueError(f"scenario {name!r} cannot be built: {error}") from None


def make(name: str, **sizes) -> Env:
    """Makes the environment of a scenario.

    >>> env = make("goal_cycle", height=9, width=9, goals=4)
    >>> env.scenario.observation_shape
    (21, 21, 3)
    >>> make("MarlGrid-3AgentEmpty9x9-v0").scenario.colours
    ('red', 'blue', 'purple')

    Raises:
      ValueError: an unknown name or size, or one that cannot be built, with the remedy.
    """
    scenario = make_scenario(name, **sizes)
    if name in marlgrid.PENALTIES:
        return make_env(scenario, make_rules(scenario, penalty=marlgrid.PENALTIES[name]))
    return make_env(scenario)


for _build in (goal_cycle, cluttered, empty, door_key, four_rooms, maze, multi_room, visibility):
    register(_build.__name__, _build)
