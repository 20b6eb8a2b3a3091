"""The command line: one sub-command a verb; parses, calls `run`, prints."""

import contextlib
import dataclasses
import io
import re
import sys
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from jaxsocial.registry import registered_scenarios
from jaxsocial.run import checkpoint, evaluate, media, train
from jaxsocial.run.config import Config, preset, presets
from jaxsocial.run.program import make_parts

REFUSED, INTERRUPTED = 2, 130


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Trains a learner and leaves a run folder: config, metrics, checkpoints, evaluation, curve and GIF."""

    config: Annotated[Config, tyro.conf.arg(name="")]
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
class PresetsOptions:
    """Lists the presets: whole configs to begin from."""


@dataclasses.dataclass(frozen=True)
class ScenariosOptions:
    """Lists the scenarios: kinds of worlds."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0, 2 where it was refused, 130 where it was stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    console = Console()
    try:
        options = parse(arguments)
        return _VERBS[type(options)](options, arguments, console)
    except ValueError as error:
        print(f"jaxsocial: {error}", file=sys.stderr)
        return REFUSED
    except train.InterruptedTraining as stop:
        print(f"jaxsocial: {stop}", file=sys.stderr)
        return INTERRUPTED


def parse(arguments: list[str]):
    """The options of one verb.

    Raises:
      ValueError: a wrong name, type or value, in one line with the cure.
      SystemExit: help was asked for, and printed.
    """
    chosen = preset(_value_after("--preset", arguments) or "quickstart")
    verb = tyro.conf.subcommand
    verbs = (
        Annotated[TrainOptions, verb("train", default=TrainOptions(chosen))]
        | Annotated[EvaluateOptions, verb("evaluate")]
        | Annotated[RenderOptions, verb("render")]
        | Annotated[PresetsOptions, verb("presets")]
        | Annotated[ScenariosOptions, verb("scenarios")]
    )
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(verbs, prog="jaxsocial", args=arguments, config=(tyro.conf.SuppressFixed,))
    except SystemExit as leaving:
        if leaving.code == REFUSED:
            raise ValueError(_one_line(complaint.getvalue())) from None
        raise


def _value_after(option: str, arguments: list[str]) -> str | None:
    for place, argument in enumerate(arguments):
        if argument == option and place + 1 < len(arguments):
            return arguments[place + 1]
        if argument.startswith(f"{option}="):
            return argument.removeprefix(f"{option}=")
    return None


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


def _train(options: TrainOptions, arguments: list[str], console: Console) -> int:
    if options.resume is not None:
        train.resume(options.resume, console, _longer(options, arguments))
    else:
        train.train(options.config, options.out or train.new_folder(Path("runs"), options.config), console)
    return 0


def _longer(options: TrainOptions, arguments: list[str]) -> int | None:
    """The new length of a resumed run, if one was given."""
    others = [a for a in arguments[1:] if a.startswith("--") and a.split("=")[0] not in ("--resume", "--total-steps")]
    if others:
        raise ValueError(f"{others[0]} cannot change a run that has begun: leave it out, or start a new run")
    return options.config.total_steps if _value_after("--total-steps", arguments) else None


def _evaluate(options: EvaluateOptions, arguments: list[str], console: Console) -> int:
    if options.episodes < 1:
        raise ValueError(f"--episodes {options.episodes}: choose 1 or more")
    config = checkpoint.config_of(options.run)
    parameters, iteration = checkpoint.restore_parameters(options.run, config)
    play = evaluate.episode_player(config, make_parts(config), options.episodes, options.alone)
    results = evaluate.evaluate(config, play(parameters), options.alone)
    company = "alone" if options.alone else "in company"
    console.print(evaluate.table(results, f"{options.run}, {company}, iteration {iteration} of {config.iterations}"))
    return 0


def _render(options: RenderOptions, arguments: list[str], console: Console) -> int:
    if options.out.suffix not in (".gif", ".png"):
        raise ValueError(f"--out {options.out}: end the name in .gif or .png")
    loaded = checkpoint.load_policy(options.run, options.seed)
    media.write_episode(options.out, loaded.config, loaded.parameters, make_parts(loaded.config), options.episode)
    console.print(f"wrote {options.out}", soft_wrap=True, highlight=False)
    return 0


def _presets(options: PresetsOptions, arguments: list[str], console: Console) -> int:
    table = Table("preset", "what it is", "learner steps")
    for name, (config, about) in presets().items():
        table.add_row(name, about, f"{config.total_steps:,}")
    console.print(table)
    return 0


def _scenarios(options: ScenariosOptions, arguments: list[str], console: Console) -> int:
    table = Table("scenario", "what it is")
    for name, build in registered_scenarios().items():
        table.add_row(name, (build.__doc__ or "").strip().splitlines()[0])
    console.print(table)
    return 0


_VERBS = {
    TrainOptions: _train,
    EvaluateOptions: _evaluate,
    RenderOptions: _render,
    PresetsOptions: _presets,
    ScenariosOptions: _scenarios,
}

if __name__ == "__main__":
    sys.exit(main())
