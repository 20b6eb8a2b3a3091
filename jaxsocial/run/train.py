"""A training run: build once, compile once, loop over compiled chunks; between them log, show and save."""

import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from jaxsocial.agents.network import Parameters
from jaxsocial.run import checkpoint, evaluate, media, metrics
from jaxsocial.run.config import Config, write_config
from jaxsocial.run.episodes import episode_player, without_teacher
from jaxsocial.run.program import Member, Program, make_parts, make_program

METRICS, EVALUATION, CURVE, EPISODE = "metrics.jsonl", "evaluation.json", "learning_curve.png", "episode.gif"
LIBRARIES = ("jaxsocial", "jax", "jaxlib", "flax", "optax", "distrax", "orbax-checkpoint", "numpy")


class Finished(NamedTuple):
    """What came out of a run."""

    folder: Path
    results: list[evaluate.Result]
    seconds: float


class InterruptedTraining(Exception):  # noqa: N818, asked for: no error
    """Training was asked to stop, and has saved; the message says how to go on."""


def new_folder(parent: Path, config: Config) -> Path:
    """A folder name for a run that is not taken."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = parent / f"{config.preset}-seed{config.seed}-{stamp}"
    return path if not path.exists() else path.with_name(f"{path.name}-{time.time_ns() % 1000:03d}")


def train(config: Config, folder: Path, console: Console) -> Finished:
    """Trains from the beginning, into a folder that must not exist yet.

    Raises:
      ValueError: the folder exists, or the config's parts do not fit together.
      InterruptedTraining: asked to stop; what was learned is saved.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: choose another --out, or go on with it by --resume {folder}")
    program = make_program(config)
    members = program.begin()
    folder.mkdir(parents=True)
    try:
        write_config(config, folder / "config.json")
        _write_circumstances(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return _go_on(config, folder, program, members, 0, console)


def resume(folder: Path, console: Console, total_steps: int | None = None) -> Finished:
    """Goes on with a run from its last checkpoint, as if it had never stopped; to a new length if one is given.

    Raises:
      ValueError: there is no run in the folder.
      InterruptedTraining: asked to stop; what was learned is saved.
    """
    config = checkpoint.config_of(folder)
    if total_steps is not None:
        config = dataclasses.replace(config, total_steps=total_steps)
        write_config(config, folder / "config.json")
    program = make_program(config)
    members, iteration = program.begin(), 0
    if checkpoint.latest(folder) is not None:
        members, iteration = checkpoint.restore(folder, members)
    metrics.cut(folder / METRICS, iteration * config.iteration_steps)
    return _go_on(config, folder, program, program.place(members), iteration, console)


def _go_on(config, folder, program: Program, members: Member, iteration: int, console: Console) -> Finished:
    began = time.monotonic()
    untrained = program.begin().learner.parameters
    with _display(console) as bar, _stop_requests() as stop_requested:
        task = _add_task(bar, config, iteration)
        members = _train_loop(config, folder, program, members, iteration, bar, task, stop_requested)
    results = _measure(config, folder, members.learner.parameters, untrained)
    seconds = time.monotonic() - began
    _show(config, folder, results, seconds, console)
    return Finished(folder, results, seconds)


def _train_loop(config, folder, program, members, iteration, bar: Progress, task: TaskID, stop_requested) -> Member:
    healthy = np.asarray(members.healthy)
    while iteration < config.iterations:
        size = min(config.chunk_iterations, config.iterations - iteration)
        began = time.monotonic()
        members, measured = program.chunk(members, size)
        host = {name: np.asarray(values) for name, values in measured.items()}
        speed = size * config.iteration_steps * config.seeds / (time.monotonic() - began)
        iteration += size
        rows = metrics.rows_of(host, iteration * config.iteration_steps, config.seed)
        metrics.append(folder / METRICS, rows)
        _advance(bar, task, config, iteration, speed, rows)
        healthy = _report_bad(bar.console, config, healthy, np.asarray(members.healthy), iteration)
        due = iteration % config.checkpoint_iterations == 0
        if due or stop_requested() or iteration == config.iterations:
            checkpoint.save(folder, members, iteration, config)
        if stop_requested() and iteration < config.iterations:
            raise InterruptedTraining(f"stopped and saved; go on with: jaxsocial train --resume {folder}")
    return members


def _report_bad(console: Console, config: Config, before, healthy, iteration: int):
    """Says which seeds have just been stopped because a number went bad; returns those that go on."""
    for index in np.flatnonzero(before & ~healthy):
        console.print(
            f"seed {config.seed + index} stopped before step {iteration * config.iteration_steps:,}: its loss or a "
            "weight is no longer a finite number; it keeps what it had learned, the others go on. A lower "
            "coefficients.learning_rate may help",
            highlight=False,
        )
    return healthy


def _measure(config: Config, folder: Path, parameters: Parameters, untrained) -> list[evaluate.Result]:
    """Evaluation, pictures, and last of all the file whose presence says that the run is whole."""
    play = episode_player(config, config.evaluation_episodes)
    results = evaluate.evaluate(config, play(parameters))
    results += evaluate.results_of(play(untrained), config, "untrained learner", [0])
    config = without_teacher(config)
    rows = metrics.read(folder / METRICS)
    media.write_learning_curve(folder / CURVE, rows, results, config)
    first_seed = jax.tree.map(lambda x: x[0], parameters)
    media.write_episode(folder / EPISODE, config, first_seed, make_parts(config), config.seed)
    (folder / EVALUATION).write_text(json.dumps(evaluate.plain(results), indent=2) + "\n")
    return results


def _show(config, folder, results, seconds, console: Console) -> None:
    console.print(
        evaluate.table(
            results, f"{config.preset}: {config.iterations * config.iteration_steps:,} steps in {seconds / 60:.1f} min"
        )
    )
    console.print(f"everything of this run is in {folder}", soft_wrap=True, highlight=False)


def _display(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[steps]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[speed]}"),
        TextColumn("return {task.fields[reward]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
    )


def _add_task(bar: Progress, config: Config, iteration: int) -> TaskID:
    done = iteration * config.iteration_steps
    return bar.add_task(
        "train",
        total=config.iterations * config.iteration_steps,
        completed=done,
        steps="compiling",
        speed="",
        reward="-",
    )


def _advance(bar: Progress, task: TaskID, config: Config, iteration: int, speed: float, rows) -> None:
    done, total = iteration * config.iteration_steps, config.iterations * config.iteration_steps
    returns = " ".join(f"{metrics.learner_return(row):.2f}" for row in rows)
    steps = f"{done / 1e6:.1f} of {total / 1e6:.1f} M steps"
    bar.update(task, completed=done, steps=steps, speed=f"{speed / 1e3:,.1f} k steps/s", reward=returns)


@contextlib.contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """While inside, Ctrl-C and a termination ask for a stop after the chunk; a second Ctrl-C stops at once."""
    asked: list[int] = []

    def ask(number, frame):
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_circumstances(folder: Path) -> None:
    """Where, when and with what a run was made."""
    facts = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES if _installed(name)},
        "git": _git_commit(),
    }
    (folder / "run.json").write_text(json.dumps(facts, indent=2) + "\n")


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    return None
