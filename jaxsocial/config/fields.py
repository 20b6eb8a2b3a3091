"""The fields of a config by dotted names, such as "coefficients.learning_rate": their types, changes and hash."""

import dataclasses
import difflib
import functools
import hashlib
import json
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jaxsocial.config.config import Config, to_plain
from jaxsocial.config.renamed import SCHEMA, current_name
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed, layout_fields, make_world
from jaxsocial.env.text.text_map import TextMap
from jaxsocial.env.values import fitting, is_record

DIGITS = 12
"""Hexadecimal digits of a hash: two configs of a million differ with probability 0.998."""
NOT_SWEPT = {
    "schema": "it is the version of the fields' names",
    "seed": "use the file's own `seed`",
    "seeds": "use the file's own `seeds`",
    "preset": "use the file's own `preset`",
    "evaluation_episodes": "use the file's own `episodes`",
    "keep_every": "a sweep keeps no early checkpoints",
    "checkpoint_steps": "a sweep chooses when it saves",
    "world.things": "it follows from the rest of the world",
    "world.name": "use the file's own `scenario`",
}
"""Fields that settings of a sweep may not change, and why."""


def flat(config: Config) -> dict[str, Any]:
    """Returns every field that a sweep may change, as a table cell: lists become text.

    >>> from jaxsocial.config.presets import preset
    >>> flat(preset("paper"))["network.channels"]
    '32, 64, 64'
    """
    leaves = ((name, value) for name, value in _leaves(to_plain(config)) if name not in NOT_SWEPT)
    return {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in leaves}


def _leaves(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def differences(config: Config) -> dict[str, Any]:
    """Returns the fields that differ from their defaults, by dotted names, as JSON holds them.

    The defaults are those of `Config` and, for the world, of its scenario; the scenario's name and its map are
    always included. A new field that has its default is left out.

    >>> from jaxsocial.config.presets import preset
    >>> differences(preset("paper-vanilla"))
    {'world.name': 'goal_cycle', 'sizes.prediction': 'none', 'preset': 'paper-vanilla'}
    """
    layout = config.world.layout
    defaults = _defaults(type(config), config.world.name, layout.text if isinstance(layout, TextMap) else None)
    return {
        name: value
        for name, value in _leaves(to_plain(config))
        if name in ("world.name", "world.text") or name not in defaults or defaults[name] != value
    }


@functools.cache
def _defaults(kind: type[Config], world: str, text: str | None) -> dict[str, Any]:
    """Returns the default of each field, for a subclass of Config those of its own."""
    # A map's sizes follow from its text.
    usual = make_world(world) if text is None else make_world(world, text=text)
    return dict(_leaves(to_plain(kind(world=make_scenario("goal_cycle"))) | {"world": to_plain(usual)}))


def config_hash(config: Config, ignored: Collection[str] = ()) -> str:
    """Returns 12 hexadecimal digits that identify a config by its differences from the defaults.

    >>> from jaxsocial.config.presets import preset
    >>> paper, other = preset("paper"), dataclasses.replace(preset("paper"), seed=3)
    >>> config_hash(paper, ("seed",)) == config_hash(other, ("seed",)) != config_hash(other)
    True

    Args:
      config: the config.
      ignored: dotted names of fields that do not count.
    """
    counted = {name: value for name, value in differences(config).items() if name not in ignored}
    # As both were first written, so that the runs that they identify stay the same.
    if counted.get("sizes.prediction") == "current_frame":
        counted["sizes.prediction"] = "current"
    for name in ("penalty_ramp.ramp_start", "penalty_ramp.ramp_end"):
        if name in counted and counted[name].is_integer():
            counted[name] = int(counted[name])
    return digest({"schema": SCHEMA} | counted)


def digest(plain: Any) -> str:
    """Returns 12 hexadecimal digits that identify a value of JSON, whatever the order of its fields.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    # Not `hash`: Python draws a new salt in every process.
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:DIGITS]


def with_fields(config: Config, values: Mapping[str, Any]) -> Config:
    """Returns a config with other values. All are changed at once: only the result is checked.

    >>> from jaxsocial.config.presets import preset
    >>> with_fields(preset("quickstart"), {"sizes.worlds": 32, "total_steps": 1_000_000}).sizes.worlds
    32

    Args:
      config: the config to begin from.
      values: dotted names to values, as TOML has them.

    Raises:
      ValueError: an unknown field, a value of the wrong type, or values that do not fit together.
    """
    whole, parts = {}, {}
    for name, value in values.items():
        part, _, inner = name.partition(".")
        # Here too, for names in full. The records check the ranges.
        held = fitting(value, type_of(config, name), name)
        if inner:
            parts.setdefault(part, {})[inner] = held
        else:
            whole[name] = held
    for part, changes in parts.items():
        record = getattr(config, part)
        replace = changed if isinstance(record, Scenario) else getattr(type(record), "_replace", dataclasses.replace)
        whole[part] = replace(record, **changes)
    return dataclasses.replace(config, **whole)


def type_of(config: Config, name: str) -> Any:
    """Returns the type that a field is declared with.

    Raises:
      ValueError: there is no such field, with the most similar one; or a sweep may not change it.
    """
    if name in NOT_SWEPT:
        raise ValueError(f"{name} cannot differ among settings: {NOT_SWEPT[name]}")
    if renamed := current_name(name):
        raise ValueError(f"{name} is now called {renamed}: write that")
    part, _, inner = name.partition(".")
    record = getattr(config, part, None) if inner else config
    kinds = dict(_types(type(record)))
    if isinstance(record, Scenario):
        kinds |= _types(type(record.layout)) if layout_fields(record) else {}
        kinds.pop("layout")
    kind = kinds.get(inner or part)
    # A record of its own is no field: its fields are.
    if kind is None or is_record(kind):
        known = flat(config)
        near = difflib.get_close_matches(name, known, 1) or [full for full in known if full.endswith(f".{name}")]
        hint = f"perhaps you meant {near[0]}" if near else "`jaxsocial train --help-all` lists every field"
        raise ValueError(f"field {name!r} does not exist: {hint}")
    return kind


@functools.cache
def _types(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record) if is_record(record) else {}
