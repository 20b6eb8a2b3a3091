"""The parser: the command line's arguments become one of the records of `options`."""

import contextlib
import dataclasses
import io
import re
import typing
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

import jaxsocial
from jaxsocial.cli.help import SUMMARIES, meanings, short_help
from jaxsocial.cli.options import VERBS, DrawOptions, PlayOptions, SweepOptions, TrainOptions
from jaxsocial.config.fields import flat
from jaxsocial.config.presets import preset
from jaxsocial.config.renamed import current_name
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed, in_place_of, layout_fields, settings
from jaxsocial.env.text.text_map import scenario_from_file
from jaxsocial.env.values import declared, fitting
from jaxsocial.training import distributed

FAILED, REFUSED, DISK_FULL = 1, 2, 3
"""Exit statuses."""
HIDDEN = ("name", "things", "views", "text")
"""Fields of a world that are no options: its scenario sets them, or they need Python."""
ABBREVIATED = {"lr": "learning_rate"}
"""Names that other libraries' options have."""


def parse(arguments: list[str]) -> Any:
    """Returns the options of one verb, a record of `options`.

    Args:
      arguments: the command line's, without the program's name.

    Raises:
      ValueError: a wrong name, type or value, in one line with the remedy.
      SystemExit: help or the version was asked for, and printed.

    >>> parse(["train", "--preset", "paper", "--seeds", "3"]).config.seeds
    3
    """
    if arguments[:1] == ["--version"]:
        print(f"jaxsocial {jaxsocial.__version__}")
        raise SystemExit(0)
    # tyro would refuse an old name too, but could not say what it is called now.
    for argument in arguments:
        name = argument.split("=")[0].removeprefix("--").replace("-", "_")
        if argument.startswith("--") and (renamed := current_name(name)):
            raise ValueError(f"--{name.replace('_', '-')} is now called --{renamed.replace('_', '-')}: write that")
    # tyro needs the defaults before it parses, and they follow from the preset and the scenario.
    named = _named_scenario(arguments)
    defaults = _defaults(named, arguments)
    if arguments and arguments[0] in SUMMARIES and {"-h", "--help"} & set(arguments):
        print(short_help(arguments[0], defaults[arguments[0]]))
        raise SystemExit(0)
    # tyro knows one help only.
    arguments = ["--help" if argument == "--help-all" else argument for argument in arguments]
    verbs: Any = Union[  # noqa: UP007, of a computed number of members
        tuple(
            Annotated[record, tyro.conf.subcommand(verb, **({"default": defaults[verb]} if verb in defaults else {}))]
            for verb, (record, _) in VERBS.items()
        )
    ]
    rules = ConstructorRegistry()
    rules.struct_rule(_world_settings)
    rules.primitive_rule(_path)
    complaint = io.StringIO()
    try:
        # tyro prints a refusal as a box of several lines.
        with contextlib.redirect_stderr(complaint):
            fixed = (tyro.conf.SuppressFixed,)
            options = tyro.cli(verbs, prog="jaxsocial", args=arguments, config=fixed, registry=rules)
    except SystemExit as leaving:
        if leaving.code == REFUSED:
            raise ValueError(_one_line(complaint.getvalue(), defaults.get(next(iter(arguments), "")))) from None
        raise
    for name, kind in declared(type(options)).items():
        fitting(getattr(options, name), kind, f"--{name.replace('_', '-')}")
    if getattr(options, "scenario", None) != named:
        raise ValueError(f"name the scenario first: jaxsocial {arguments[0]} {options.scenario} [options]")
    return _resumed(options, arguments) if arguments[0] == "train" and options.resume else options


def _resumed(options: TrainOptions, arguments: list[str]) -> TrainOptions:
    """Returns the options of a resumed run with its new length; refuses options that would change the run."""
    names = [option.split("=")[0].replace("_", "-") for option in arguments[1:] if option.startswith("--")]
    for name in names:
        # Another value would make the checkpoint and the config disagree.
        if name not in ("--resume", "--total-steps", "--log", "--when-disk-full", *distributed.OPTIONS):
            raise ValueError(f"{name} cannot change a run that has begun: leave it out, or start a new run")
    return dataclasses.replace(options, longer=options.config.total_steps if "--total-steps" in names else None)


def _named_scenario(arguments: list[str]) -> str | None:
    """Returns the scenario that is named. It decides on the defaults of all other options."""
    match arguments:
        case ["train", *rest]:
            return value_after("--scenario", rest)
        case ["play" | "draw", name, *_] if not name.startswith("-"):
            return name
    return None


def _defaults(named: str | None, arguments: list[str]) -> dict[str, Any]:
    """Returns the options that verbs begin from: the preset's, and the world of a scenario or a file."""
    config = preset(value_after("--preset", arguments) or "quickstart")
    file = value_after("--scenario-file", arguments)
    if named is not None and file is not None:
        raise ValueError(f"both the scenario {named} and the file {file}: leave one of them out")
    world = make_scenario(named or "goal_cycle") if file is None else scenario_from_file(file)
    if named is not None or file is not None:
        config = dataclasses.replace(config, world=in_place_of(config.world, world))
    return {
        "train": TrainOptions(config),
        "play": PlayOptions(world),
        "draw": DrawOptions(world),
        "sweep": SweepOptions(),
    }


def value_after(option: str, arguments: list[str]) -> str | None:
    """Returns the value of an option; None if it is not given.

    >>> value_after("--seed", ["train", "--seed=4"]), value_after("--seed", ["train", "--seed", "5"])
    ('4', '5')
    """
    for index, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name.replace("_", "-") == option:
            return value or next(iter(arguments[index + 1 :]), None)
    return None


def _path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Returns how a path is read: shells leave the ~ of --out=~/run as it is."""
    if info.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda given: Path(given[0]).expanduser(),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


def _world_settings(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Returns how a world becomes options: its settings that a command line can hold, and those of its layout."""
    world = info.default
    if info.type is not Scenario or not isinstance(world, Scenario):
        return None
    # tyro cannot describe a callable layout, so its settings stand beside those of the world.
    values = settings(world)
    hints, docs = {}, {}
    for record in (Scenario, type(world.layout)) if layout_fields(world) else (Scenario,):
        hints |= typing.get_type_hints(record)
        docs |= meanings(record)

    def build(**given):
        # Values that were not given are left unset: they follow from those that were.
        changes = {name: value for name, value in given.items() if value != values[name]}
        return changed(world, **changes) if changes else world

    names = [name for name in values if name not in HIDDEN]
    return StructConstructorSpec(
        build, tuple(StructFieldSpec(name, hints[name], values[name], docs.get(name)) for name in names)
    )


def _meant(message: str, options: Any) -> str:
    """Returns the options whose last part is the one that tyro does not know; empty if there is none."""
    unknown = re.match(r"Unrecognized options?: --([\w-]+)", message)
    if unknown is None or not isinstance(options, TrainOptions):
        return ""
    name = unknown[1].replace("-", "_")
    name = ABBREVIATED.get(name, name)
    found = [field for field in flat(options.config) if field.endswith(f".{name}")]
    return " or ".join(f"--{field.replace('_', '-')}" for field in found)


def _one_line(box: str, options: Any) -> str:
    """Returns tyro's message of several lines as one: what is wrong, what is expected, and where help is.

    Args:
      box: the message.
      options: the record of the verb's options; None if the verb has no config and no world.
    """
    # The title is in the frame's upper edge, or in its own line in terminals without frame characters.
    _, *lines = [re.sub(r"-{3,}$", "", line.strip(" │╭╮╰╯─")) for line in box.splitlines() if line.strip()]
    wrong, *rest = [block.split("\n") for block in re.split(r"\n{2,}", "\n".join(lines).strip())]
    # jaxsocial's verbs have no verbs below them, so that no option can be misplaced.
    needless = r"Error parsing __tyro\S*: | or misplaced| \(applied to [^)]*\)| Arguments are applied to .* can matter"
    message = re.sub(needless, "", " ".join(wrong)).rstrip(".")
    explained = [line for block in rest for line in block]
    if "Argument helptext:" in explained:
        option, *meaning = explained[explained.index("Argument helptext:") + 1 : -1]
        message += f". It takes {option.split()[-1]}: {' '.join(meaning)}" if option.startswith("--") else ""
    if meant := _meant(message, options):
        message += f". Perhaps you meant {meant}"
    elif "Perhaps you meant:" in explained:
        near = next(line for line in explained if line.startswith("--")).split()[0]
        # tyro proposes an option of another verb too.
        message += "" if near in message else f". Perhaps you meant {near}"
    return f"{message}. See jaxsocial --help, and jaxsocial train --help-all for every field."
