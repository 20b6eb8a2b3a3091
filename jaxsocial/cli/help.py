"""The short help of verbs with many options, and the meanings of fields."""

import ast
import functools
import inspect
import itertools
import shutil
import textwrap
from operator import attrgetter
from typing import Any

WIDEST = 100
"""Columns of the short help, at most."""

SUMMARIES = {
    "train": (
        "jaxsocial train --preset quickstart --seeds 3 --world.goals 5 --coefficients.learning-rate 1e-3",
        (
            *("config.preset", "scenario", "config.total_steps", "config.seed", "config.seeds", "config.partners"),
            *("config.rules.penalty", "config.coefficients.learning_rate", "out", "resume"),
        ),
    ),
    "sweep": (
        "jaxsocial sweep experiments/sweep.toml --dry-run",
        ("file", "out", "resume", "extend", "dry_run", "memory_gib", "processes", "backend"),
    ),
}
"""Verb to (an example, the fields that its short help lists, as paths into the record of its options)."""


def short_help(verb: str, options: Any) -> str:
    """Returns the short help of a verb of `SUMMARIES`.

    Args:
      verb: the verb.
      options: the record of its options, with the default values.
    """
    example, fields = SUMMARIES[verb]
    width = min(shutil.get_terminal_size().columns, WIDEST)
    wrapped = functools.partial(textwrap.wrap, width=width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    lines = [f"usage: jaxsocial {verb} [options]", "", *textwrap.wrap(inspect.getdoc(options) or "", width), ""]
    for path in fields:
        owner, _, field = path.rpartition(".")
        record = attrgetter(owner)(options) if owner else options
        value = getattr(record, field)
        option = "--" + path.removeprefix("config.").replace("_", "-") if path != "file" else "FILE"
        given = " ".join(value) if isinstance(value, tuple) else value
        default = "" if value is None or value is False else f" (default: {given})"
        meaning = meanings(type(record))[field].replace("\n", " ")
        lines += [f"  {option}{default}", *wrapped(meaning)]
    return "\n".join([*lines, "", f"example: {example}", f"every field: jaxsocial {verb} --help-all"])


def meanings(record: type) -> dict[str, str]:
    """Returns the docstring below each field of a class.

    >>> from jaxsocial.learning.settings import Coefficients
    >>> meanings(Coefficients)["gamma"]
    'Discount per step, 0 to 1.'
    """
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    found = {}
    for field, below in itertools.pairwise(getattr(body, "body", [])):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                found[name] = inspect.cleandoc(meaning)
    return found
