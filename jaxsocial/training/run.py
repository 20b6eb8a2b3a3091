"""A training run: builds and compiles once, then trains in chunks; between them it logs, shows and saves."""

import contextlib
import dataclasses
import datetime
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from rich.console import Console

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config, to_plain
from jaxsocial.training import checkpoint, distributed, loop, metrics, weights
from jaxsocial.training.devices import check_memory
from jaxsocial.training.folder import (
    CONFIG,
    CURVE,
    DISK_IS_FULL,
    EPISODE,
    EVALUATION,
    REPLAY,
    config_of,
    existing_run,
    new_run,
    write_config,
)
from jaxsocial.training.loop import Chunk
from jaxsocial.training.member import Member
from jaxsocial.training.pretrained import with_pinned_runs
from jaxsocial.training.program import Program, make_program
from jaxsocial.training.progress import ProgressDisplay, Status
from jaxsocial.training.provenance import write_provenance
from jaxsocial.training.stopping import Stopped, StoppedByCallback, stop_requests

Callback = Callable[[list[metrics.Row]], bool | None]
"""Receives the rows of metrics of each chunk, after they are written; before, if the disk is full and training goes on.
If it returns True, training stops."""
WhenDiskFull = Literal["stop", "continue"]
"""Whether training ends at the first row or checkpoint that a full disk refuses, or tries it again with the next."""


class Trained(NamedTuple):
    """The result of training, which `jaxsocial.finish` evaluates."""

    folder: Path
    config: Config
    parameters: Parameters
    """Of every seed and learner, the first two axes; whole on each host."""
    untrained: Parameters
    """The weights that the seeds drew, also where ``start_from`` has replaced them."""
    seconds: float


def new_folder(parent: Path, config: Config) -> Path:
    """Makes a new folder for a run, and returns it.

    Raises:
      ValueError: it cannot be made.
    """
    name = f"{config.preset}-seed{config.seed}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        path, number = parent / name, 1
        while True:
            try:
                path.mkdir()
                return path
            except FileExistsError:  # another process took the name in the same second
                number += 1
                path = parent / f"{name}-{number}"
    except OSError as error:
        raise ValueError(f"{parent} cannot be written ({error.strerror}): choose a folder by --out") from None


def train(
    config: Config,
    folder: Path,
    console: Console,
    callbacks: Sequence[Callback] = (),
    when_disk_full: WhenDiskFull = "stop",
) -> Trained:
    """Trains from the beginning. Several processes (`distributed.join`) all call it; they part after training.

    Args:
      config: the config.
      folder: the run's folder, which must not exist, or be empty.
      console: where to show progress.
      callbacks: called after each chunk, on every host.
      when_disk_full: "continue" needs a single host.

    Raises:
      OSError: the disk is full.
      ValueError: the folder is not empty or cannot be written, or the config's parts do not fit together.
      StoppedByCallback: a callback returned True; the members are saved.
      Stopped: asked to stop by a signal; the members are saved.
    """
    _check_hosts(when_disk_full)
    with _held_by_first_host(new_run(folder, console.print)):
        config = with_pinned_runs(config)
        distributed.check_alike("config", json.dumps(to_plain(config)))
        program = make_program(config)
        check_memory(program.memory(config.chunk_iterations), program.local_devices, config)
        members = program.begin()
        if distributed.is_first():
            write_provenance(folder)
            write_config(config, folder / CONFIG)  # last: with it the run has begun
        distributed.any_host(False)  # waits until the first host has written
        if distributed.any_host(not (folder / CONFIG).is_file()):
            if distributed.is_first():
                (folder / CONFIG).unlink()  # `new_run` removes a folder without it
            raise ValueError(f"{folder} is not the same folder on all hosts: choose one on a disk that they share")
        return _train(config, folder, program, members, 0, console, callbacks, when_disk_full)


def _check_hosts(when_disk_full: WhenDiskFull) -> None:
    if when_disk_full == "continue" and jax.process_count() > 1:
        raise ValueError("when_disk_full=continue needs a single host: leave it out")


@contextlib.contextmanager
def _held_by_first_host(folder: contextlib.AbstractContextManager) -> Iterator[None]:
    """Enters the context of a folder on the first host. If that is refused, all hosts raise."""
    with contextlib.ExitStack() as stack:
        refusal = None
        if distributed.is_first():
            try:
                stack.enter_context(folder)
            except ValueError as error:
                refusal = error
        if distributed.any_host(refusal is not None):
            raise refusal or ValueError("the first host has refused the folder: see its message")
        yield


def resume(
    folder: Path,
    console: Console,
    total_steps: int | None = None,
    callbacks: Sequence[Callback] = (),
    when_disk_full: WhenDiskFull = "stop",
) -> Trained:
    """Continues a run from its last checkpoint, exactly as if it had not stopped.

    Args:
      folder: the run's folder.
      console: where to show progress.
      total_steps: a new length, in learner steps; that of the run if None.
      callbacks: called after each chunk, on every host.
      when_disk_full: as in `train`.

    Raises:
      OSError: the disk is full.
      ValueError: there is no run in the folder, it is damaged, in use, or longer already.
      StoppedByCallback: a callback returned True; the members are saved.
      Stopped: asked to stop by a signal; the members are saved.
    """
    _check_hosts(when_disk_full)
    config = config_of(folder)
    if weights.has_only_weights(folder):
        raise ValueError(f"{folder} holds weights alone: train further in a new run, --start-from {folder}")
    if total_steps is not None:
        config = dataclasses.replace(config, total_steps=total_steps)
    path = folder / metrics.METRICS
    with _held_by_first_host(existing_run(folder)):
        begun = checkpoint.last_whole(folder, config, console.print)
        iteration = begun or 0
        if iteration > config.iterations:
            raise ValueError(
                f"total_steps={total_steps}: {folder} has been trained for {iteration * config.iteration_steps} "
                "already, choose as many or more"
            )
        rows = metrics.rows_until(path, config, iteration)
        program = make_program(config)
        check_memory(program.memory(config.chunk_iterations), program.local_devices, config)
        # With a checkpoint, the run of start_from is not read: it may be gone.
        members = program.begin() if begun is None else checkpoint.restore(folder, begun, program.untrained())
        # All have read by now.
        distributed.check_alike("config or checkpoint", json.dumps([to_plain(config), iteration]))
        if distributed.is_first():
            if iteration < config.iterations:
                # The evaluation of a shorter run is no result of this one.
                for name in (EVALUATION, CURVE, EPISODE, REPLAY):
                    (folder / name).unlink(missing_ok=True)
            if total_steps is not None:
                write_config(config, folder / CONFIG)
            metrics.cut(path, rows)
        members = program.place(members)
        return _train(config, folder, program, members, iteration, console, callbacks, when_disk_full)


def _train(
    config: Config,
    folder: Path,
    program: Program,
    members: Member,
    iteration: int,
    console: Console,
    callbacks: Sequence[Callback],
    when_disk_full: WhenDiskFull,
) -> Trained:
    began = time.monotonic()
    untrained = program.untrained().learner.parameters
    # Read before the first chunk, to which the members are donated.
    healthy = np.asarray(distributed.fetched(members.healthy))
    total, done = config.iterations * config.iteration_steps, iteration * config.iteration_steps
    with ProgressDisplay(console, total, done_steps=done) as display, stop_requests() as stop:
        between = _BetweenChunks(config, folder, console, display, stop, callbacks, when_disk_full, healthy)
        try:
            members = loop.train(
                program,
                members,
                iteration,
                config.iterations,
                config.chunk_iterations,
                between.record,
                save=between.save,
                stop=lambda: between.called_off or stop(),
                save_iterations=config.checkpoint_iterations,
            )
        except Stopped:
            kind = StoppedByCallback if between.called_off else Stopped
            raise kind(f"stopped and saved; continue with: jaxsocial train --resume {folder}") from None
    learned, untrained = distributed.fetched((members.learner.parameters, untrained))
    distributed.leave()
    return Trained(folder, config, learned, untrained, time.monotonic() - began)


@dataclasses.dataclass
class _BetweenChunks:
    """What a run does between chunks: it writes metrics, shows progress, calls callbacks and saves."""

    config: Config
    folder: Path
    console: Console
    display: ProgressDisplay
    stop: Callable[[], bool]
    callbacks: Sequence[Callback]
    when_disk_full: WhenDiskFull
    healthy: np.ndarray
    """Whether each seed was healthy after the last chunk."""
    called_off: bool = False
    """Whether a callback has said stop."""
    unwritten: list[metrics.Row] = dataclasses.field(default_factory=list)

    def record(self, chunk: Chunk) -> None:
        """Writes and shows the metrics of a chunk, and calls the callbacks."""
        config, step = self.config, chunk.iteration * self.config.iteration_steps
        rows = metrics.rows_of(chunk.metrics, step, config.seed)
        self.unwritten.extend(rows)
        with _full_disk(self.console, self.when_disk_full):
            self._write()
        returns = " ".join(f"{metrics.learner_return(row):.2f}" for row in rows)
        trained = config.seeds * chunk.metrics["loss"].shape[1] * config.iteration_steps
        self.display.show(Status(step, config.preset, returns, trained / chunk.seconds))
        after = np.asarray(distributed.fetched(chunk.members.healthy))
        self.healthy = report_bad(self.console, config, self.healthy, after, chunk.iteration)
        answers = [callback(rows) for callback in self.callbacks]  # one that says stop does not silence the others
        self.called_off = any(answers)

    def save(self, members: Member, iteration: int) -> None:
        """Saves a checkpoint. The last one needs a disk with space."""
        last = iteration == self.config.iterations or self.called_off or self.stop()
        with _full_disk(self.console, "stop" if last else self.when_disk_full):
            self._write()  # before the checkpoint that covers them
            checkpoint.save(self.folder, members, iteration, self.config)

    def _write(self) -> None:
        if self.unwritten and distributed.is_first():
            metrics.append(self.folder / metrics.METRICS, self.unwritten)
        self.unwritten.clear()


@contextlib.contextmanager
def _full_disk(console: Console, then: WhenDiskFull) -> Iterator[None]:
    """Leaves the context with a line in place of an error if the disk is full and training is to continue."""
    try:
        yield
    except OSError as error:
        if then == "stop" or error.errno not in DISK_IS_FULL:
            raise
        console.print(f"the disk is full: {error.filename or 'metrics'} is tried again later", highlight=False)


def report_bad(console: Console, config: Config, before: Any, healthy: Any, iteration: int) -> Any:
    """Prints which seeds have just stopped because a number became non-finite.

    Args:
      console: where to print.
      config: the config of the seeds.
      before: whether each seed was healthy before the chunk.
      healthy: whether each is healthy after it.
      iteration: iterations done.

    Returns:
      The argument ``healthy``.
    """
    for index in np.flatnonzero(before & ~healthy):
        console.print(
            f"seed {config.seed + index} stopped before step {iteration * config.iteration_steps:,}: its loss or a "
            "weight is no longer a finite number; it keeps what it had learned, the others continue. A lower "
            "coefficients.learning_rate may help",
            highlight=False,
        )
    return healthy
