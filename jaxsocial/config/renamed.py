"""Names that fields of a config had in earlier versions: old runs load, and old options get a message."""

from collections.abc import Mapping
from typing import Any

from jaxsocial.env.values import Count, fitting

SCHEMA = 2
"""Version of the names and meanings of a config's fields. Stored configs without a number have version 1."""

RENAMED = {
    "company": "partner_schedule",
    "network.products": "network.matmul_dtype",
    "penalty_ramp.first_share": "penalty_ramp.initial_fraction",
    "penalty_ramp.hold_steps": "penalty_ramp.ramp_start",
    "penalty_ramp.full_steps": "penalty_ramp.ramp_end",
}
"""Name in version 1 to name in version 2. A part of a config stands for all of its fields."""

RENAMED_VALUES = {
    ("network.encoder", "contrasts"): "tile_contrast",
    ("sizes.prediction", "next"): "frame",
    ("sizes.prediction", "current"): "current_frame",
}
"""(field, value in an earlier version) to the current value."""


def current_name(name: str) -> str | None:
    """Returns the current name of a renamed field; None for every other name.

    >>> current_name("company.epsilon")
    'partner_schedule.epsilon'
    >>> current_name("sizes.worlds")
    """
    if name in RENAMED:
        return RENAMED[name]
    part, _, inner = name.partition(".")
    return f"{RENAMED[part]}.{inner}" if part in RENAMED else None


def upgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a stored config with current names, without its version number.

    Raises:
      ValueError: a later version wrote it, or it is no config.

    >>> upgraded({"company": {"leave": 0.1}, "network": {"products": "float32", "encoder": "contrasts"}})
    {'partner_schedule': {'leave': 0.1}, 'network': {'matmul_dtype': 'float32', 'encoder': 'tile_contrast'}}
    """
    if not isinstance(plain, dict):
        raise ValueError(f"a config is a table of fields, and this is a {type(plain).__name__}: restore it")
    version = fitting(plain.get("schema", 1), Count, "schema")
    fields = {name: value for name, value in plain.items() if name != "schema"}
    if version > SCHEMA:
        raise ValueError(f"schema={version}: a later version of jaxsocial wrote this config, update jaxsocial")
    return _renamed(fields, RENAMED if version == 1 else {})


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    renamed = {}
    for name, value in fields.items():
        full = prefix + name
        new = names.get(full, full).removeprefix(prefix)
        value = _renamed(value, names, f"{full}.") if isinstance(value, dict) else value
        # Values changed without another version, so that hashes of runs stay the same.
        renamed[new] = RENAMED_VALUES.get((full, value), value) if isinstance(value, str) else value
    return renamed
