"""Worlds as flat settings, by which runs are stored and the command line changes them.

The settings of a world are the fields of its `Scenario`, and those of its layout where that is a dataclass.
"""

import dataclasses
from typing import Any

from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.text import text_map

KEPT = ("agents", "view_size", "view_offset", "tile_pixels", "see_through_walls", "actions")
"""What a run keeps of its world where another scenario takes that one's place."""


def settings(world: Scenario) -> dict[str, Any]:
    """Every setting by its name."""
    flat = {field.name: getattr(world, field.name) for field in dataclasses.fields(world) if field.name != "layout"}
    return flat | {field.name: getattr(world.layout, field.name) for field in layout_fields(world)}


def layout_fields(world: Scenario) -> tuple[dataclasses.Field, ...]:
    """The fields of a world's layout; none where it is a function."""
    layout: Any = world.layout
    return dataclasses.fields(layout) if dataclasses.is_dataclass(layout) else ()


def make_world(name: str, **given) -> Scenario:
    """The inverse of `settings`; what is left out is as its scenario has it. A map has the name "text".

    Raises:
      ValueError: an unknown name or setting, or one that cannot be built, with the cure.
    """
    things = given.pop("things", None)
    if given.get("views"):
        given["views"] = tuple(_view(view) for view in given["views"])
    world = _map(**given) if name == text_map.NAME else make_scenario(name, **given)
    return world if things in (None, world.things) else dataclasses.replace(world, things=things)


def _view(view: View | dict[str, Any]) -> View:
    """A view, also from its fields as a file has them."""
    if isinstance(view, View):
        return view
    fields: dict[str, Any] = view | {"hidden": tuple(view["hidden"])}
    return View(**fields)


def _map(text: str, **given) -> Scenario:
    try:
        return text_map.scenario_from_text(text, **given)
    except TypeError as error:
        raise ValueError(f"the map cannot be built: {error}") from None


def changed(world: Scenario, **changes) -> Scenario:
    """A world with other settings; those that it never set itself are as its scenario has them beside these.

    So a larger world gets more clutter, unless it had a number of its own.

    Raises:
      ValueError: see `make_world`.
    """
    text: dict[str, Any] = {"text": world.layout.text} if isinstance(world.layout, text_map.TextMap) else {}
    usual = settings(make_world(world.name, **text))
    own = {name: value for name, value in settings(world).items() if name != "things" and value != usual[name]}
    return make_world(world.name, **(text | own | changes))


def in_place_of(old: Scenario, new: Scenario) -> Scenario:
    """Another world for the same agents: their number, views and actions stay.

    Where something can be picked up or opened all actions are needed, whatever the old world had.
    """
    kept = {name: getattr(old, name) for name in KEPT}
    return changed(new, **(kept | ({"actions": 7} if new.grid_changes else {})))
