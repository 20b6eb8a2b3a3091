"""The command line's options: one record a verb, and how arguments become one."""

import ast
import contextlib
import dataclasses
import inspect
import io
import itertools
import re
import textwrap
import typing
from pathlib import Path
from typing import Annotated

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from jaxsocial.registry import make_scenario
from jaxsocial.run.config import Config
from jaxsocial.run.presets import preset
from jaxsocial.run.worlds import changed, in_place_of, layout_fields, settings
from jaxsocial.scenario import Scenario
from jaxsocial.scenarios.text_map import scenario_from_file

REFUSED = 2
HIDDEN = ("name", "things", "views", "text")
"""Fields of a world that the command line leaves alone: its scenario decides on them, or they need Python."""
World = Annotated[Scenario, tyro.conf.arg(name="")]


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Trains a learner and leaves a run folder: config, metrics, checkpoints, evaluation, curve and GIF."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    scenario: str | None = None
    """Another world for the preset, with its agents, views and actions: see `jaxsocial scenarios`."""
    scenario_file: Path | None = None
    """The same from a file that holds a map in characters."""
    out: Path | None = None
    """The run's folder; must not exist yet. Without it one is made under runs/."""
    resume: Path | None = None
    """Go on with the run in this folder; takes no other option but --total-steps."""


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Returns, goals and penalties of everyone in a run, over whole episodes, with 95 % intervals."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    episodes: int = 256
    """Episodes a seed."""
    alone: bool = False
    """Take the partners away."""
    probes: tuple[str, ...] = ()
    """Measure social learning among company, alone, half, random, anti_expert, or all of these, and save it in the
    run's folder as probes.json."""
    partners: tuple[str, ...] | None = None
    """Others beside the learner, as many as you like; those of the run if not given."""
    first_level: int | None = None
    """The first of the fixed levels to play, such as the first that was not trained on; as trained if not given."""
    levels: int | None = None
    """How many fixed levels, 0 for a fresh one every time; as trained if not given."""


@dataclasses.dataclass(frozen=True)
class RenderOptions:
    """An episode of a run as a picture: the whole world, and what each agent sees."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    out: Path = Path("episode.gif")
    """A .gif of the whole episode, or a .png of its last moment."""
    seed: int | None = None
    """Which trained seed plays; the run's first if not given."""
    episode: int = 0
    """Which episode: a number that its random draws begin from."""


@dataclasses.dataclass(frozen=True)
class PlayOptions:
    """A game in the terminal: you in the learner's seat, scripted or trained partners in the others."""

    world: World
    scenario: tyro.conf.Positional[str | None] = None
    """The world, named before all options: see `jaxsocial scenarios`; goal_cycle if there is neither it nor a file."""
    scenario_file: Path | None = None
    """A file that holds a map in characters."""
    partners: tuple[str, ...] = ()
    """Who sits beside you, one a seat or one for all: expert, searching_expert, random, or run:FOLDER for a trained
    one. Without it experts, or where there are no goals random players."""
    seed: int = 0
    """What the game's random draws begin from."""
    level: int | None = None
    """Play this fixed level in every episode."""


@dataclasses.dataclass(frozen=True)
class DrawOptions:
    """A fresh world as a picture, what agents see highlighted, or as a map in characters."""

    world: World
    scenario: tyro.conf.Positional[str | None] = None
    """The world, named before all options: see `jaxsocial scenarios`; goal_cycle if there is neither it nor a file."""
    scenario_file: Path | None = None
    """A file that holds a map in characters."""
    out: Path = Path("world.png")
    """A .png, or a .txt that --scenario-file reads."""
    tile: int = 32
    """Pixels on a side of a cell."""
    seed: int = 0
    """What the world's random draws begin from."""
    level: int | None = None
    """Draw this fixed level."""


@dataclasses.dataclass(frozen=True)
class ReproduceOptions:
    """A figure of the paper by one command: trains what is missing, measures it, and writes a table and pictures."""

    figures: tyro.conf.Positional[tuple[str, ...]]
    """Among figure4, figure5, figure6, figure7, penalty, behaviour, or all of these."""
    scale: str = "laptop"
    """smoke: minutes, proves that every step runs; laptop: hours on two cores; paper: the paper's sizes."""
    time_limit: float | None = None
    """Minutes after which to stop, saved; the same command goes on."""
    partial: bool = False
    """Train nothing, and measure also what is not yet trained to its end."""
    report: bool = False
    """Train and measure nothing: build tables and pictures again from results.json."""
    runs: Path = Path("runs/reproduce")
    """Where trained conditions go, shared by all figures of a scale."""
    out: Path = Path("experiments/results")
    """Where results go: a folder a scale, in it one a figure."""


@dataclasses.dataclass(frozen=True)
class PresetsOptions:
    """Lists the presets: whole configs to begin from."""


@dataclasses.dataclass(frozen=True)
class ScenariosOptions:
    """Lists the scenarios: kinds of worlds."""


def parse(arguments: list[str]):
    """The options of one verb.

    Raises:
      ValueError: a wrong name, type or value, in one line with the cure.
      SystemExit: help was asked for, and printed.
    """
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
