"""Trains what figures need: runs of one program together, no run twice, stopped runs from where they were.

On a CPU, groups train side by side in processes, each pinned to one core: nothing is shared among cores that would have
to be combined at every update. Runs of one program are distributed over the free cores. On accelerators, groups train
one after another in this process, on all devices.
"""

import collections
import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console

from jaxsocial.config.config import Config
from jaxsocial.config.fields import digest
from jaxsocial.config.traced import same_program
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.store import SECONDS, folder_of, is_trained, resolved, run_name, seconds_of
from jaxsocial.sweep.backends import local
from jaxsocial.sweep.backends.items import Finished
from jaxsocial.training import checkpoint, loop, metrics
from jaxsocial.training.devices import check_memory, keep_compiled_programs
from jaxsocial.training.folder import config_of, write_at_once, write_config
from jaxsocial.training.loop import members_of
from jaxsocial.training.member import Member
from jaxsocial.training.metrics import METRICS
from jaxsocial.training.program import make_program
from jaxsocial.training.provenance import write_provenance
from jaxsocial.training.run import report_bad
from jaxsocial.training.stopping import Stopped, stop_requests

NAMES = "members.json"
TOGETHER = "together-"
WORK = "jaxsocial.reproduce.train:work"
BAD = "stopped before step"
"""What the log of a process says of a seed whose numbers are no longer finite (`train.run.report_bad`)."""
GRACE_SECONDS = 1800.0
"""For a process that is told to stop: it ends the chunk that it is at, which takes minutes on a CPU."""


class Executor(NamedTuple):
    """How groups are trained."""

    run_items: Callable[[Sequence[Path], Callable[[], Sequence[Path]]], Generator[Finished]]
    """(folders, more) -> trains groups and yields each that ends. Once one has ended it asks for more: those that have
    waited for it. After the time limit it ends early.

    Raises:
      Stopped, KeyboardInterrupt: asked to stop; what was learned is saved.
    """
    processes: int = 1
    """Groups at once."""


def make_executor(deadline: float = math.inf) -> Executor:
    """Returns an executor for this machine.

    Args:
      deadline: when to stop, in seconds of `time.monotonic`.
    """
    if jax.devices()[0].platform != "cpu":
        # Not in processes: this one measures, and so has taken the accelerator's memory.
        return Executor(lambda folders, more: _in_this_process(folders, more, deadline))
    # A user who limits jax's CPU devices limits the cores.
    options = local.Options(int(os.environ.get("JAX_NUM_CPU_DEVICES", 0)) or None, grace_seconds=GRACE_SECONDS)
    environments = local.core_environments(options.slots)
    return Executor(
        lambda folders, more: local.run_items(folders, WORK, options, environments, deadline, more),
        processes=len(environments),
    )


def _in_this_process(
    folders: Sequence[Path], more: Callable[[], Sequence[Path]], deadline: float
) -> Generator[Finished]:
    waiting = collections.deque(folders)
    with stop_requests() as asked:
        while waiting:
            folder = waiting.popleft()
            train_group(folder, lambda: asked() or time.monotonic() > deadline)
            waiting.extend(more())
            yield Finished(folder, None)


def work(folder: Path) -> None:
    """Trains a group in a process of its own.

    Raises:
      SystemExit: told to stop by SIGTERM or SIGINT, and saved.
    """
    keep_compiled_programs()
    with stop_requests() as stop:
        try:
            train_group(folder, stop)
        except Stopped as stopped:
            raise SystemExit(str(stopped)) from None


def train(conditions: Sequence[Condition], runs: Path, executor: Executor) -> None:
    """Trains all conditions that are not yet trained, each after those that it needs.

    Args:
      conditions: the conditions, and all that they need.
      runs: the folder of all runs.
      executor: how groups are trained.

    Raises:
      Stopped, KeyboardInterrupt: asked to stop, or the time is up; what was learned is saved.
      ValueError: a condition that cannot be trained. The others are stopped and saved.
    """
    begun: set[str] = set()

    def ready() -> list[Path]:
        waiting = [condition for condition in conditions if run_name(condition) not in begun]
        groups = ready_groups(waiting, runs, executor.processes)
        begun.update(folder.name for group in groups for folder in group_of(group).folders)
        return groups

    # A condition begins as soon as those that it needs are trained, whatever else still trains.
    with contextlib.closing(executor.run_items(ready(), ready)) as finished:
        for item in finished:
            if item.error is not None:
                raise ValueError(f"{item.folder.name}: {item.error}")
    # The executor ends early, without an error, when the time limit has passed.
    if not all(is_trained(condition, runs) for condition in conditions):
        raise Stopped("the time is up")


def left_to_train(conditions: Sequence[Condition], runs: Path) -> int:
    """Returns the learner steps, of all seeds, that are not yet saved."""
    return sum(
        condition.config.seeds
        * condition.config.iteration_steps
        * (condition.config.iterations - iterations_done(condition, runs))
        for condition in conditions
    )


def iterations_done(condition: Condition, runs: Path) -> int:
    """Returns how many iterations of a condition are saved, also where it trains in a group."""
    folders = [folder_of(condition, runs), *_groups_with(run_name(condition), runs)]
    return max(checkpoint.latest(folder) or 0 for folder in folders)


def ready_groups(conditions: Sequence[Condition], runs: Path, processes: int = 1) -> list[Path]:
    """Makes the folders of all groups that can train now, and returns them.

    A run that has begun continues in its group. Runs of one program that have not begun train together, distributed
    over the free processes. A group of one run has the run's folder; one of several has a folder that names them.

    Args:
      conditions: the conditions to train.
      runs: the folder of all runs.
      processes: groups at once.
    """
    left = [condition for condition in conditions if not is_trained(condition, runs)]
    ready = [condition for condition in left if all(is_trained(needed, runs) for needed in condition.needs())]
    for condition in ready:
        folder = folder_of(condition, runs)
        if not (folder / "config.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_provenance(folder)
            write_config(resolved(condition, runs), folder / "config.json")
    names, groups = [run_name(condition) for condition in ready], []
    while names:
        first, *others = names
        alike = [first]
        if begun := _groups_with(first, runs):
            alike = json.loads((begun[0] / NAMES).read_text())
        # A run that began alone stays alone: in a group its rounding would differ.
        # Orbax keeps early checkpoints by folder, and a group has one folder for all.
        elif checkpoint.latest(runs / first) is None and not (config := config_of(runs / first)).keep_every:
            fresh = (name for name in others if checkpoint.latest(runs / name) is None and not _groups_with(name, runs))
            alike += [name for name in fresh if same_program(config, config_of(runs / name))]
            alike = alike[: math.ceil(len(alike) / max(1, processes - len(groups)))]
        groups.append(runs / first if len(alike) == 1 else _group_folder(alike, runs))
        names = [name for name in names if name not in alike]
    return groups


def _groups_with(name: str, runs: Path) -> list[Path]:
    """Returns the folder of the group that a run has begun with, if there is one."""
    return [path.parent for path in runs.glob(f"{TOGETHER}*/{NAMES}") if name in json.loads(path.read_text())]


def _group_folder(names: Sequence[str], runs: Path) -> Path:
    folder = runs / f"{TOGETHER}{digest(sorted(names))}"
    if not (folder / NAMES).is_file():
        folder.mkdir(exist_ok=True)
        write_at_once(folder / NAMES, json.dumps(list(names)) + "\n")
    return folder


class Group(NamedTuple):
    """Runs that train in one program."""

    shared: Path
    """Where all of them are saved while they train; the run's own folder if it is one."""
    folders: list[Path]
    configs: list[Config]


def group_of(folder: Path) -> Group:
    """Returns the group of a folder that `ready_groups` made."""
    path = folder / NAMES
    names = json.loads(path.read_text()) if path.is_file() else [folder.name]
    folders = [folder.parent / name for name in names]
    return Group(folder, folders, [config_of(own) for own in folders])


def train_group(folder: Path, stop: Callable[[], bool]) -> None:
    """Trains a group from where it was.

    Args:
      folder: the group's.
      stop: whether training is asked to stop.

    Raises:
      Stopped: asked to stop; what was learned is saved.
      ValueError: it does not fit into memory.
    """
    if stop():
        raise Stopped("stopped before it began")
    group, console, began = group_of(folder), Console(soft_wrap=True), time.monotonic()
    config, program = group.configs[0], make_program(group.configs)
    check_memory(program.memory(config.chunk_iterations), program.local_devices, config)
    begun = checkpoint.last_whole(folder, group.configs, console.print)
    members = program.begin() if begun is None else checkpoint.restore(folder, begun, program.untrained())
    iteration = begun or 0
    for one, own in zip(group.configs, group.folders, strict=True):
        metrics.cut(own / METRICS, metrics.rows_until(own / METRICS, one, iteration))
    saved = program.place(members), iteration
    healthy, before = np.asarray(saved[0].healthy), seconds_of(folder)

    def record(chunk: loop.Chunk) -> None:
        nonlocal healthy
        metrics.write_rows(chunk.metrics, group.configs, group.folders, chunk.iteration * config.iteration_steps)
        after, first = np.asarray(chunk.members.healthy), 0
        for one in group.configs:
            own = slice(first, first + one.seeds)
            report_bad(console, one, healthy[own], after[own], chunk.iteration)
            first += one.seeds
        healthy = after

    def save(members: Member, iteration: int) -> None:
        nonlocal saved
        saved = members, iteration
        seconds = before + time.monotonic() - began
        for own in group.folders:
            _write_seconds(own, seconds / len(group.folders))
        _write_seconds(folder, seconds)
        checkpoint.save(folder, members, iteration, group.configs)

    try:
        loop.train(
            program,
            *saved,
            end=config.iterations,
            chunk_iterations=config.chunk_iterations,
            record=record,
            save=save,
            stop=stop,
            save_iterations=config.checkpoint_iterations,
        )
    except Stopped:
        _save_apart(group, *saved)
        raise
    _save_apart(group, *saved)
    # All runs of the group have checkpoints of their own by now.
    if folder not in group.folders:
        shutil.rmtree(folder)


def _write_seconds(folder: Path, seconds: float) -> None:
    write_at_once(folder / SECONDS, json.dumps(round(seconds, 1)) + "\n")


def _save_apart(group: Group, members: Member, iteration: int) -> None:
    """Saves each run of a group in its own folder, where it can be measured."""
    if group.shared in group.folders:
        return
    for config, folder, own in zip(group.configs, group.folders, members_of(members, group.configs), strict=True):
        if checkpoint.latest(folder) != iteration:
            checkpoint.save(folder, own, iteration, config)
