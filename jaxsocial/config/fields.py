"""The fields of a config by dotted names, such as "coefficients.learning_rate": what they may hold, how they change."""

import dataclasses
import difflib
import functools
import hashlib
import json
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, Union

from jaxsocial.config.config import Config, to_plain
from jaxsocial.config.renamed import SCHEMA, current_name
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed, layout_fields, make_world
from jaxsocial.env.text.text_map import TextMap

DIGITS = 12
"""Of a hash, in hexadecimal: two of a million differ."""
NOT_SWEPT = {
    "schema": "it is the version of the fields' names",
    "seed": "the file's own `seed` says which is first",
    "seeds": "the file's own `seeds` says how many there are",
    "preset": "the file's own `preset` names what to begin from",
    "evaluation_episodes": "the file's own `episodes` says how many there are",
    "keep_every": "a sweep keeps no early checkpoints",
    "checkpoint_steps": "a sweep saves at its own moments",
    "world.things": "it follows from the rest of the world",
    "world.name": "the file's own `scenario` names another world",
}
"""Fields that no setting may change, and why."""


def flat(config: Config) -> dict[str, Any]:
    """Every field that a sweep may change, as a cell of a table can hold it: lists become text."""
    return {name: _cell(value) for name, value in _leaves(to_plain(config)) if name not in NOT_SWEPT}


def _leaves(plain: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def differences(config: Config) -> dict[str, Any]:
    """Returns the fields that differ from their defaults, by dotted names, as JSON holds them.

    The defaults are those of `Config` and, for the world, of its scenario, whose name is always included. A new field
    with a neutral default therefore changes nothing here.

    >>> from jaxsocial.config.presets import preset
    >>> differences(preset("paper-vanilla"))
    {'world.name': 'goal_cycle', 'sizes.prediction': 'none', 'preset': 'paper-vanilla'}
    """
    layout = config.world.layout
    text = {"text": layout.text} if isinstance(layout, TextMap) else {}
    usual = to_plain(Config(world=make_scenario("goal_cycle"))) | {
        "world": to_plain(make_world(config.world.name, **text))
    }
    defaults = dict(_leaves(usual))
    return {
        name: value
        for name, value in _leaves(to_plain(config))
        if name == "world.name" or name not in defaults or defaults[name] != value
    }


def config_hash(config: Config, ignored: Collection[str] = ()) -> str:
    """Returns a short hash that identifies a config by what differs from the defaults.

    Args:
      config: the config.
      ignored: dotted names of fields that do not count.

    Returns:
      12 hexadecimal digits.
    """
    counted = {name: value for name, value in differences(config).items() if name not in ignored}
    return digest({"schema": SCHEMA} | counted)


def digest(plain: Any) -> str:
    """Returns a short hash of what JSON can hold: 12 hexadecimal digits."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _cell(value):
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def with_fields(config: Config, values: Mapping[str, Any]) -> Config:
    """A config with other values, all changed at once, so that they only have to fit together.

    Args:
      config: to begin from.
      values: by dotted names, as TOML has them.

    Raises:
      ValueError: an unknown field, a value of the wrong type, or values that do not fit together.
    """
    whole, parts = {}, {}
    for name, value in values.items():
        part, _, inner = name.partition(".")
        held = fitting(value, type_of(config, name), name)
        if inner:
            parts.setdefault(part, {})[inner] = held
        else:
            whole[name] = held
    made = {part: _changed(getattr(config, part), inner) for part, inner in parts.items()}
    return dataclasses.replace(config, **made, **whole)


def _changed(record, changes: dict[str, Any]):
    if isinstance(record, Scenario):
        return changed(record, **changes)
    replace = getattr(record, "_replace", None)
    return replace(**changes) if replace else dataclasses.replace(record, **changes)


def type_of(config: Config, name: str) -> Any:
    """The type that a field is declared with.

    Raises:
      ValueError: there is no such field, with the most similar; or it is none that settings may differ in.
    """
    if name in NOT_SWEPT:
        raise ValueError(f"{name} cannot differ among settings: {NOT_SWEPT[name]}")
    if renamed := current_name(name):
        raise ValueError(f"{name} is now called {renamed}: write that")
    part, _, inner = name.partition(".")
    record = getattr(config, part, None) if inner else config
    kind = _declared(record, inner or part)
    if kind is None:
        known = flat(config)
        near = difflib.get_close_matches(name, known, 1) or [full for full in known if full.endswith(f".{name}")]
        hint = f"perhaps you meant {near[0]}" if near else "`jaxsocial train --help` lists every field"
        raise ValueError(f"field {name!r} does not exist: {hint}")
    return kind


def _declared(record, name: str) -> Any:
    """The type of a field of this record; None where it has none, or a record of its own."""
    kinds = dict(_types(type(record)))
    if isinstance(record, Scenario):
        kinds |= _types(type(record.layout)) if layout_fields(record) else {}
        kinds.pop("layout")
    kind = kinds.get(name)
    return None if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields") else kind


@functools.cache
def _types(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record) if dataclasses.is_dataclass(record) or hasattr(record, "_fields") else {}


def fitting(value, kind, name: str) -> Any:
    """A value that TOML has, as a field of this type holds it.

    Raises:
      ValueError: it is of another type, with those that fit.
    """
    try:
        return _converted(value, kind)
    except TypeError:
        raise ValueError(f"{name} = {value!r} is of the wrong type: give {_in_words(kind)}") from None


def _converted(value, kind) -> Any:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return next(_converted(value, one) for one in inside if _fits(value, one))
    if origin is Literal and value in inside:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_converted(one, inside[0]) for one in value)
    if kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool) and kind(value) == value:
        return kind(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    raise TypeError


def _fits(value, kind) -> bool:
    try:
        _converted(value, kind)
    except TypeError:
        return False
    return True


def _in_words(kind) -> str:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if origin is Literal:
        return " or ".join(f'"{one}"' for one in inside)
    if origin is tuple:
        return f"a list, each of it {_in_words(inside[0])}"
    return words.get(kind, str(kind))
