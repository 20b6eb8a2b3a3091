"""The registry of scenarios by name."""

import dataclasses
import difflib
import inspect
from collections.abc import Callable
from typing import Any

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
from jaxsocial.env.text import text_map
from jaxsocial.env.types import Rules, make_rules
from jaxsocial.env.values import declared, fitting, imported

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
      name: one of `registered_scenarios`, or of `marlgrid.WORLDS`, or ``module:function`` for a function of your own
        that is annotated to return a `Scenario`. The latter works in every process that can import the module, and so
        in sweeps and in runs that are read again.
      sizes: fields of `Scenario`, and the arguments of the scenario's builder.

    Raises:
      ValueError: an unknown name or size, or one that cannot be built, with the remedy.
    """
    build = _builder(marlgrid.WORLDS[name][0] if name in marlgrid.WORLDS else name)
    sizes = _fitting_sizes(name, build, sizes)
    if name in marlgrid.WORLDS:
        sizes = marlgrid.scenario_and_sizes(name, sizes)[1]
    try:
        world = build(**sizes)
    except TypeError as error:
        raise ValueError(f"scenario {name!r} cannot be built: {error}") from None
    return dataclasses.replace(world, name=name) if ":" in name else world


def _builder(name: str) -> Callable[..., Scenario]:
    """Returns the function that builds a scenario."""
    if name in _SCENARIOS:
        return _SCENARIOS[name]
    if name == text_map.NAME:
        return text_map.scenario_from_text
    if ":" not in name:
        known = ", ".join([*sorted(_SCENARIOS), *marlgrid.WORLDS])
        raise ValueError(f"scenario {name!r} is unknown: choose from {known}, or name your own as module:function")
    return imported(name, Scenario, "scenario")


def _fitting_sizes(name: str, build: Callable[..., Scenario], sizes: dict[str, Any]) -> dict[str, Any]:
    """Returns the sizes as the types that the builder and `Scenario` declare."""
    parameters = inspect.signature(build).parameters.values()
    kinds = {p.name: p.annotation for p in parameters if p.kind is not p.VAR_KEYWORD}
    if len(kinds) < len(parameters):
        kinds = declared(Scenario) | kinds
    for size, value in sizes.items():
        if size not in kinds:
            near = difflib.get_close_matches(size, kinds, 1) or [kind for kind in kinds if kind.endswith(f"_{size}")]
            hint = f"perhaps you meant {near[0]}" if near else f"choose from {', '.join(kinds)}"
            if ":" in name and size in declared(Scenario):
                hint = "let the function take **sizes, and hand them to its Scenario"
            if size in Rules._fields:
                hint = f"it is one of the rules, make_env(scenario, make_rules(scenario, {size}={value!r}))"
            raise ValueError(f"scenario {name!r} has no size {size!r}: {hint}")
    return {size: fitting(value, kinds[size], size) for size, value in sizes.items()}


def make(name: str, *, rules: Rules | None = None, auto_reset: bool = True, **sizes) -> Env:
    """Makes the environment of a scenario.

    Args:
      name: of the scenario.
      rules: as `make_rules` returns them; the scenario's usual ones if None.
      auto_reset: whether `Env.step` restarts a world whose episode has ended.
      **sizes: of the scenario, such as ``height`` and ``agents``.

    >>> env = make("goal_cycle", height=9, width=9, goals=4)
    >>> env.scenario.observation_shape
    (21, 21, 3)
    >>> make("MarlGrid-3AgentEmpty9x9-v0").scenario.colours
    ('red', 'blue', 'purple')

    Raises:
      ValueError: an unknown name or size, or one that cannot be built, with the remedy.
    """
    scenario = make_scenario(name, **sizes)
    if rules is None and name in marlgrid.PENALTIES:
        rules = make_rules(scenario, penalty=marlgrid.PENALTIES[name])
    return make_env(scenario, rules, auto_reset)


for _build in (goal_cycle, cluttered, empty, door_key, four_rooms, maze, multi_room, visibility):
    register(_build.__name__, _build)
