"""The command line: one sub-command a verb; calls `run`, prints."""

import dataclasses
import functools
import json
import math
import sys
import time
from pathlib import Path

import imageio.v3 as imageio
import jax
from rich.console import Console
from rich.table import Table

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.cli import options
from jaxsocial.cli.parsing import REFUSED, parse, value_after
from jaxsocial.config.config import Config
from jaxsocial.config.presets import presets
from jaxsocial.env import render
from jaxsocial.env.core import make_env
from jaxsocial.env.registry import registered_scenarios
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.scenarios import marlgrid
from jaxsocial.env.types import Rules, make_rules
from jaxsocial.evaluate import finish, media, probes, returns
from jaxsocial.evaluate.episodes import beside, episode_player, without_teacher
from jaxsocial.play import game, terminal
from jaxsocial.reproduce import command
from jaxsocial.reproduce.scales import make_scale
from jaxsocial.sweep import command as sweep
from jaxsocial.sweep.executor import make_executor
from jaxsocial.train import checkpoint, distributed, pretrained, run
from jaxsocial.train.build import make_agent_setup
from jaxsocial.train.devices import keep_compiled_programs, use_all_cores
from jaxsocial.train.folder import config_of
from jaxsocial.train.loop import Stopped

INTERRUPTED = 130
LARGEST_TILE = 256


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0, 2 where it was refused, 130 where it was stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    console = Console()
    try:
        chosen = parse(arguments)
        keep_compiled_programs()
        use_all_cores()
        return _VERBS[type(chosen)](chosen, arguments, console)
    except ValueError as error:
        print(f"jaxsocial: {error}", file=sys.stderr)
        return REFUSED
    except (Stopped, sweep.Unfinished) as stop:
        print(f"jaxsocial: {stop}", file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED


def _train(chosen: options.TrainOptions, arguments: list[str], console: Console) -> int:
    longer = None if chosen.resume is None else _longer(chosen, arguments)
    console = _joined(chosen, console)
    if chosen.resume is not None:
        trained = run.resume(chosen.resume, console, longer)
    else:
        trained = run.train(chosen.config, chosen.out or run.new_folder(Path("runs"), chosen.config), console)
    finish.finish(trained, console)
    return 0


def _joined(chosen: options.TrainOptions, console: Console) -> Console:
    """Joins the hosts that train together, if there are several; what the first alone shows on."""
    given = chosen.hosts
    if given.hosts != 1 and chosen.resume is None and chosen.out is None:
        raise ValueError(f"--hosts {given.hosts} without --out: name a folder that all hosts share")
    if given.coordinator:
        # Who waits in vain is ended by jax, in many lines that name no cause.
        about = f"host {given.host} of {given.hosts} meets the others at {given.coordinator}"
        print(f"jaxsocial: {about}, and waits {distributed.JOINING} s at most", file=sys.stderr)
    distributed.join(given)
    return console if distributed.is_first() else Console(quiet=True)


def _longer(chosen: options.TrainOptions, arguments: list[str]) -> int | None:
    """The new length of a resumed run, if one was given."""
    free = ("--resume", "--total-steps", *distributed.OPTIONS)
    others = [a for a in arguments[1:] if a.startswith("--") and a.split("=")[0] not in free]
    if others:
        raise ValueError(f"{others[0]} cannot change a run that has begun: leave it out, or start a new run")
    return chosen.config.total_steps if value_after("--total-steps", arguments) else None


def _evaluate(chosen: options.EvaluateOptions, arguments: list[str], console: Console) -> int:
    if chosen.episodes < 1:
        raise ValueError(f"--episodes {chosen.episodes}: choose 1 or more")
    own = config_of(chosen.run)
    parameters, iteration = checkpoint.restore_parameters(chosen.run, own)
    config = _on_levels(own, chosen)
    config = config if chosen.partners is None else beside(config, chosen.partners)
    if chosen.probes:
        return _probe(chosen, config, parameters, console)
    episodes = episode_player(config, chosen.episodes, chosen.alone)(parameters)
    results = returns.evaluate(config, episodes, chosen.alone)
    first, count = config.rules.first_level, config.rules.levels
    about = [str(chosen.run), "alone" if chosen.alone else "in company"]
    about += [f"levels {first} to {first + count - 1}"] if count else []
    console.print(returns.table(results, ", ".join([*about, f"iteration {iteration} of {config.iterations}"])))
    return 0


def _probe(chosen: options.EvaluateOptions, config: Config, parameters: Parameters, console: Console) -> int:
    names = probes.chosen_probes(chosen.probes, config)
    results, transmission = probes.probe(config, parameters, names, chosen.episodes)
    console.print(probes.table(results, f"{chosen.run}, {chosen.episodes} episodes of each of {config.seeds} seeds"))
    for learner, score in transmission.items():
        console.print(f"cultural transmission, {learner}: {score}", highlight=False)
    path = chosen.run / "probes.json"
    path.write_text(json.dumps(probes.plain(results, transmission), indent=2) + "\n")
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)
    return 0


def _on_levels(config: Config, chosen: options.EvaluateOptions) -> Config:
    """The config of a run, on other levels where some are given."""
    given = {"first_level": chosen.first_level, "levels": chosen.levels}
    given = {name: number for name, number in given.items() if number is not None}
    return dataclasses.replace(config, rules=dataclasses.replace(config.rules, **given))


def _render(chosen: options.RenderOptions, arguments: list[str], console: Console) -> int:
    if chosen.out.suffix not in (".gif", ".png"):
        raise ValueError(f"--out {chosen.out}: end the name in .gif or .png")
    config = without_teacher(config_of(chosen.run))
    learners = pretrained.load_learners(chosen.run, chosen.seed)
    media.write_episode(chosen.out, config, learners, make_agent_setup(config), chosen.episode)
    console.print(f"wrote {chosen.out}", soft_wrap=True, highlight=False)
    return 0


def _play(chosen: options.PlayOptions, arguments: list[str], console: Console) -> int:
    terminal.refuse_unfit(console)
    table = game.make_game(chosen.world, _rules(chosen.world, chosen.level), chosen.partners)
    session = terminal.play(table, chosen.seed, console)
    returns = session.game.returns.tolist()
    results = (f"{name} {total:+.2f}" for name, total in zip(table.names, returns, strict=True))
    console.print(f"{chosen.world.name}, step {int(session.game.state.clock)}: {', '.join(results)}", highlight=False)
    return 0


def _draw(chosen: options.DrawOptions, arguments: list[str], console: Console) -> int:
    if chosen.out.suffix not in (".png", ".txt"):
        raise ValueError(f"--out {chosen.out}: end the name in .png or .txt")
    if not 1 <= chosen.tile <= LARGEST_TILE:
        raise ValueError(f"--tile {chosen.tile}: choose 1 to {LARGEST_TILE} pixels")
    rules = _rules(chosen.world, chosen.level)
    state, _ = jax.jit(make_env(chosen.world, rules).reset)(jax.random.key(chosen.seed))
    if chosen.out.suffix == ".png":
        imageio.imwrite(chosen.out, render.image(state, rules, chosen.world, chosen.tile))
    else:
        chosen.out.write_text(render.text(state, chosen.world), encoding="utf-8")
    console.print(f"wrote {chosen.out}", soft_wrap=True, highlight=False)
    return 0


def _rules(world: Scenario, level: int | None) -> Rules:
    """A world's usual rules, on one fixed level if it is given."""
    if level is None:
        return make_rules(world)
    if level < 0:
        raise ValueError(f"--level {level}: choose 0 or more")
    return make_rules(world, first_level=level, levels=1)


def _reproduce(chosen: options.ReproduceOptions, arguments: list[str], console: Console) -> int:
    scale = make_scale(chosen.scale)
    figures = [functools.partial(command.load, name) for name in command.chosen(chosen.figures)]
    for make in figures:
        make(scale)  # refused before anything is trained
    places = command.Places(chosen.runs / scale.name, chosen.out / scale.name)
    limit = math.inf if chosen.time_limit is None else chosen.time_limit
    deadline, missing = time.monotonic() + 60 * limit, list[command.NothingMeasured]()
    try:
        for make in figures:
            try:
                if chosen.report:
                    command.rebuild(make, scale, places, console)
                else:
                    command.reproduce(make, scale, places, console, deadline, chosen.partial, chosen.seeds)
            except command.NothingMeasured as nothing:
                missing.append(nothing)
    finally:
        command.write_claims(scale, places)
    if len(missing) == len(figures):
        raise missing[0]
    for nothing in missing:
        console.print(str(nothing), highlight=False)
    return 0


def _sweep(chosen: options.SweepOptions, arguments: list[str], console: Console) -> int:
    executor = make_executor(getattr(chosen, chosen.backend), chosen.processes, chosen.memory_gib)
    if (chosen.file is None) == (chosen.resume is None):
        raise ValueError("give a file that declares a sweep, or --resume with the folder of one that has begun")
    if chosen.file is not None:
        folder = chosen.out or sweep.new_folder(Path("runs"), chosen.file)
        declared = sweep.begin(chosen.file, folder, executor, console)
    else:
        folder = chosen.resume or Path()
        declared = sweep.read(folder)
        sweep.show_plan(declared, folder, executor, console)
    if chosen.dry_run:
        console.print(f"run it: jaxsocial sweep --resume {folder}", soft_wrap=True, highlight=False)
        return 0
    sweep.run(declared, folder, executor, console)
    sweep.report(folder, console)
    return 0


def _sweep_report(chosen: options.SweepReportOptions, arguments: list[str], console: Console) -> int:
    sweep.report(chosen.sweep, console, chosen.measure)
    return 0


def _presets(chosen: options.PresetsOptions, arguments: list[str], console: Console) -> int:
    table = Table("preset", "what it is", "learner steps")
    for name, (config, about) in presets().items():
        table.add_row(name, about, f"{config.total_steps:,}")
    console.print(table)
    return 0


def _scenarios(chosen: options.ScenariosOptions, arguments: list[str], console: Console) -> int:
    table = Table("scenario", "what it is")
    for name, build in registered_scenarios().items():
        table.add_row(name, (build.__doc__ or "").strip().splitlines()[0])
    for name, (scenario, sizes) in marlgrid.WORLDS.items():
        table.add_row(name, f"MarlGrid's: {scenario}, {sizes['height']} x {sizes['width']}, agents: {sizes['agents']}")
    console.print(table)
    return 0


_VERBS = {
    options.TrainOptions: _train,
    options.EvaluateOptions: _evaluate,
    options.RenderOptions: _render,
    options.PlayOptions: _play,
    options.DrawOptions: _draw,
    options.ReproduceOptions: _reproduce,
    options.SweepOptions: _sweep,
    options.SweepReportOptions: _sweep_report,
    options.PresetsOptions: _presets,
    options.ScenariosOptions: _scenarios,
}

if __name__ == "__main__":
    sys.exit(main())
