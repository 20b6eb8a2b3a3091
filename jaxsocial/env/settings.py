"""Worlds as flat settings: stored with a run, and changed by the command line.

The settings of a world are the fields of its `Scenario`, and those of its layout if that is a dataclass.
"""

import dataclasses
from typing import Any

from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.text import text_map
from jaxsocial.env.values import fitting

KEPT = (
    *("agents", "views", "view_size", "view_offset", "tile_pixels", "see_through_walls"),
    *("observation", "inputs", "actions"),
)
"""The settings a run keeps if another scenario replaces its own."""


def settings(world: Scenario) -> dict[str, Any]:
    """Returns every setting by its name.

    >>> chosen = settings(make_scenario("maze", agents=2))
    >>> chosen["name"], chosen["agents"], chosen["extra_connections"]
    ('maze', 2, 0.05)
    """
    flat = {field.name: getattr(world, field.name) for field in dataclasses.fields(world) if field.name != "layout"}
    return flat | {field.name: getattr(world.layout, field.name) for field in layout_fields(world)}


def layout_fields(world: Scenario) -> tuple[dataclasses.Field, ...]:
    """Returns the fields of a world's layout; none if it is a function."""
    layout: Any = world.layout
    return dataclasses.fields(layout) if dataclasses.is_dataclass(layout) else ()


def make_world(name: str, **given) -> Scenario:
    """Builds a world from its settings, or with its scenario's defaults: the inverse of `settings`. A map is "text".

    >>> world = make_scenario("maze", agents=2)
    >>> make_world(**settings(world)) == world
    True

    Raises:
      ValueError: an unknown name or setting, or one that cannot be built, with the remedy.
    """
    # A user's builder need not take things, which follow from the other settings.
    own = {"things": fitting(given.pop("things"), tuple[int, ...], "things")} if "things" in given else {}
    return dataclasses.replace(make_scenario(name, **given), **own)


def changed(world: Scenario, **changes) -> Scenario:
    """Returns a world with other settings. Those it never set itself are its scenario's defaults for the new ones.

    So a larger world gets more clutter, unless it had a number of its own. Fewer agents have the settings of the first
    ones. Of more agents, colours are the usual ones, those that are added do not wait, and
    if all have the same view, they have it too.

    >>> world = make_scenario("goal_cycle", max_steps=99)
    >>> larger = changed(world, height=20)
    >>> (world.clutter, larger.clutter), larger.max_steps
    ((18, 29), 99)

    Raises:
      ValueError: see `make_world`.
    """
    text: dict[str, Any] = {"text": world.layout.text} if isinstance(world.layout, text_map.TextMap) else {}
    usual = settings(make_world(world.name, **text))
    own = {name: value for name, value in settings(world).items() if name != "things" and value != usual[name]}
    agents = changes.get("agents", world.agents)
    if agents < world.agents:
        own |= {name: own[name][:agents] for name in ("colours", "spawn_delay", "views") if own.get(name)}
    elif agents > world.agents:
        own.pop("colours", None)
        added = agents - world.agents
        own |= {"spawn_delay": own["spawn_delay"] + (0,) * added} if own.get("spawn_delay") else {}
        if len(set(own.get("views", ()))) == 1:
            own["views"] += own["views"][:1] * added
    return make_world(world.name, **(text | own | changes))


def in_place_of(old: Scenario, new: Scenario) -> Scenario:
    """Returns the new world for the agents of the old one: their number, views, observations and actions stay.

    If something can be picked up or opened, all actions are needed, and the new world has 7.

    >>> in_place_of(make_scenario("goal_cycle", agents=2, actions=3), make_scenario("maze")).actions
    3
    """
    kept = {name: getattr(old, name) for name in KEPT}
    return changed(new, **(kept | ({"actions": 7} if new.grid_changes else {})))
