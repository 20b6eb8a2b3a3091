"""How the command line's arguments become one of the records of `options`."""

import ast
import contextlib
import dataclasses
import inspect
import io
import itertools
import re
import textwrap
import typing
from typing import Annotated

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from jaxsocial.cli.options import (
    DrawOptions,
    EvaluateOptions,
    PlayOptions,
    PresetsOptions,
    RenderOptions,
    ReproduceOptions,
    ScenariosOptions,
    SweepOptions,
    SweepReportOptions,
    TrainOptions,
)
from jaxsocial.config.config import Config
from jaxsocial.config.presets import preset
from jaxsocial.config.renamed import current_name
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed, in_place_of, layout_fields, settings
from jaxsocial.env.text.text_map import scenario_from_file

REFUSED = 2
HIDDEN = ("name", "things", "views", "text")
"""Fields of a world that the command line leaves alone: its scenario decides on them, or they need Python."""


def parse(arguments: list[str]):
    """The options of one verb.

    Args:
      arguments: the command line's, without the program's name.

    Raises:
      ValueError: a wrong name, type or value, in one line with the cure.
      SystemExit: help was asked for, and printed.
    """
    _refuse_old_names(arguments)
    named = _named_scenario(arguments)
    config, world = _begin_with(named, arguments)
    verb = tyro.conf.subcommand
    verbs = (
        Annotated[TrainOptions, verb("train", default=TrainOptions(config))]
        | Annotated[EvaluateOptions, verb("evaluate")]
        | Annotated[RenderOptions, verb("render")]
        | Annotated[PlayOptions, verb("play", default=PlayOptions(world))]
        | Annotated[DrawOptions, verb("draw", default=DrawOptions(world))]
        | Annotated[ReproduceOptions, verb("reproduce")]
        | Annotated[PresetsOptions, verb("presets")]
        | Annotated[SweepOptions, verb("sweep")]
        | Annotated[SweepReportOptions, verb("sweep-report")]
        | Annotated[ScenariosOptions, verb("scenarios")]
    )
    options = _parsed(verbs, arguments)
    if getattr(options, "scenario", None) != named:
        raise ValueError(f"name the scenario first: jaxsocial {arguments[0]} {options.scenario} [options]")
    return options


def _parsed(verbs, arguments: list[str]):
    rules = ConstructorRegistry()
    rules.struct_rule(_world_settings)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(verbs, prog="jaxsocial", args=arguments, config=(tyro.conf.SuppressFixed,), registry=rules)
    except SystemExit as leaving:
        if leaving.code == REFUSED:
            raise ValueError(_one_line(complaint.getvalue())) from None
        raise


def _refuse_old_names(arguments: list[str]) -> None:
    for argument in arguments:
        name = argument.split("=")[0].removeprefix("--").replace("-", "_")
        if argument.startswith("--") and (renamed := current_name(name)):
            raise ValueError(f"--{name.replace('_', '-')} is now called --{renamed.replace('_', '-')}: write that")


def _named_scenario(arguments: list[str]) -> str | None:
    """The scenario that is named, which decides on the defaults of all other options."""
    match arguments:
        case ["train", *rest]:
            return value_after("--scenario", rest)
        case ["play" | "draw", name, *_] if not name.startswith("-"):
            return name
    return None


def _begin_with(named: str | None, arguments: list[str]) -> tuple[Config, Scenario]:
    """What `train`, and what `play` and `draw` begin with."""
    config = preset(value_after("--preset", arguments) or "quickstart")
    file = value_after("--scenario-file", arguments)
    if named is not None and file is not None:
        raise ValueError(f"both the scenario {named} and the file {file}: leave one of them out")
    world = make_scenario(named or "goal_cycle") if file is None else scenario_from_file(file)
    if named is None and file is None:
        return config, world
    return dataclasses.replace(config, world=in_place_of(config.world, world)), world


def value_after(option: str, arguments: list[str]) -> str | None:
    """The value of an option, as ``--option value`` or ``--option=value``; None where it is not given."""
    for place, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name.replace("_", "-") == option:
            return value or next(iter(arguments[place + 1 :]), None)
    return None


def _world_settings(info: StructTypeInfo) -> StructConstructorSpec | None:
    """How a world becomes options: its settings that a command line can hold, the layout's own among them."""
    world = info.default
    if info.type is not Scenario or not isinstance(world, Scenario):
        return None
    values = settings(world)
    hints, meanings = {}, {}
    for record in (Scenario, type(world.layout)) if layout_fields(world) else (Scenario,):
        hints |= typing.get_type_hints(record)
        meanings |= _meanings(record)

    def build(**given):
        changes = {name: value for name, value in given.items() if value != values[name]}
        return changed(world, **changes) if changes else world

    names = [name for name in values if name not in HIDDEN]
    return StructConstructorSpec(
        build, tuple(StructFieldSpec(name, hints[name], values[name], meanings.get(name)) for name in names)
    )


def _meanings(record: type) -> dict[str, str]:
    """The docstring below each field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    meanings = {}
    for field, below in itertools.pairwise(getattr(body, "body", [])):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                meanings[name] = inspect.cleandoc(meaning)
    return meanings


def _one_line(box: str) -> str:
    """The parser's box of several lines as one: what is wrong, what it takes or what was meant, where help is."""
    # Its title stands in the frame's upper edge, or in a line of its own where the terminal has no such signs.
    _, *lines = [re.sub(r"-{3,}$", "", line.strip(" │╭╮╰╯─")) for line in box.splitlines() if line.strip()]
    wrong, *rest = [block.split("\n") for block in re.split(r"\n{2,}", "\n".join(lines).strip())]
    message = re.sub(r"Error parsing __tyro\S*: ", "", " ".join(wrong)).rstrip(".")
    explained = [line for block in rest for line in block]
    if "Argument helptext:" in explained:
        option, *meaning = explained[explained.index("Argument helptext:") + 1 : -1]
        message += f". It takes {option.split()[-1]}: {' '.join(meaning)}" if option.startswith("--") else ""
    if "Perhaps you meant:" in explained:
        message += f". Perhaps you meant {next(line for line in explained if line.startswith('--')).split()[0]}"
    return f"{message}. See jaxsocial --help, and jaxsocial train --help for every field."
