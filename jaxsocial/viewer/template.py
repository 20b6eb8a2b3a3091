"""Fills the templates of pages that hold everything they show, and load nothing."""

import importlib.resources
import json
import re
from collections.abc import Mapping
from typing import Any


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Replaces places of a template by texts, in one pass: a text may contain the name of a place.

    >>> filled("<p>/* a */</p>/* b */", {"/* a */": "/* b */", "/* b */": "2"})
    '<p>/* b */</p>2'

    Args:
      template: the template.
      parts: place to text.
    """
    return re.sub("|".join(map(re.escape, parts)), lambda place: parts[place[0]], template)


def script_data(value: Any) -> str:
    r"""Returns a value as JSON that can stand inside a script element, which only "<" could end.

    >>> script_data({"name": "</script>"})
    '{"name":"\\u003c/script>"}'
    """
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def assets(package: str, *names: str) -> list[str]:
    """Returns the texts of files in the folder ``assets`` of a package.

    Args:
      package: its dotted name.
      names: of the files.
    """
    folder = importlib.resources.files(package) / "assets"
    return [(folder / name).read_text(encoding="utf-8") for name in names]
