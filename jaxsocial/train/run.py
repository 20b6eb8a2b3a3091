"""A training run: build once, compile once, loop over compiled chunks; between them log, show and save."""

import dataclasses
import datetime
import json
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config, to_plain
from jaxsocial.train import checkpoint, distributed, loop, metrics
from jaxsocial.train.build import FROZEN
from jaxsocial.train.folder import CURVE, EPISODE, EVALUATION, config_of, write_config
from jaxsocial.train.loop import Chunk
from jaxsocial.train.member import Member
from jaxsocial.train.pretrained import pinned
from jaxsocial.train.program import Program, make_program
from jaxsocial.train.progress import ProgressDisplay, Status
from jaxsocial.train.provenance import write_provenance
from jaxsocial.train.stopping import Stopped, stop_requests


class Trained(NamedTuple):
    """What came out of training; `jaxsocial.evaluate.finish` measures it."""

    folder: Path
    config: Config
    parameters: Parameters
    """Of every seed and learner, the first two axes, whole on each host."""
    untrained: Parameters
    """The same before training."""
    seconds: float


def new_folder(parent: Path, config: Config) -> Path:
    """A folder name for a run that is not taken."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = parent / f"{config.preset}-seed{config.seed}-{stamp}"
    return path if not path.exists() else path.with_name(f"{path.name}-{time.time_ns() % 1000:03d}")


def train(config: Config, folder: Path, console: Console) -> Trained:
    """Trains from the beginning, into a folder that must not exist yet.

    Several processes (`distributed.join`) all call it; they part after training.

    Raises:
      ValueError: the folder exists, or the config's parts do not fit together.
      Stopped: asked to stop; what was learned is saved.
    """
    config = dataclasses.replace(config, partners=tuple(map(_pinned, config.partners)), teacher=_pinned(config.teacher))
    distributed.check_alike("config", json.dumps(to_plain(config)))
    if distributed.any_host(distributed.is_first() and folder.exists()):
        raise ValueError(f"{folder} exists: choose another --out, or go on with it by --resume {folder}")
    program = make_program(config)
    members = program.begin()
    if distributed.is_first():
        _make_folder(folder, config)
    _check_shared(folder)
    return _go_on(config, folder, program, members, 0, console)


def _pinned(player: str) -> str:
    return FROZEN + pinned(player.removeprefix(FROZEN)) if player.startswith(FROZEN) else player


def _make_folder(folder: Path, config: Config) -> None:
    folder.mkdir(parents=True)
    try:
        write_config(config, folder / "config.json")
        write_provenance(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise


def _check_shared(folder: Path) -> None:
    """Once the first host has written: it waits, and each looks whether it sees that."""
    distributed.any_host(False)
    if distributed.any_host(not (folder / "config.json").is_file()):
        if distributed.is_first():
            shutil.rmtree(folder)
        raise ValueError(f"{folder} is not the same folder on all hosts: choose one on a disk that they share")


def resume(folder: Path, console: Console, total_steps: int | None = None) -> Trained:
    """Goes on with a run from its last checkpoint, as if it had never stopped; to a new length if one is given.

    Raises:
      ValueError: there is no run in the folder, or it is longer already.
      Stopped: asked to stop; what was learned is saved.
    """
    config = config_of(folder)
    if total_steps is not None:
        config = dataclasses.replace(config, total_steps=total_steps)
    program = make_program(config)
    begun = checkpoint.latest(folder) is not None
    # What it began from need not be there any more.
    members, iteration = checkpoint.restore(folder, program.untrained()) if begun else (program.begin(), 0)
    distributed.check_alike("config or checkpoint", json.dumps([to_plain(config), iteration]))  # all have read by now
    if iteration > config.iterations:
        raise ValueError(
            f"--total-steps {total_steps}: {folder} has been trained for {iteration * config.iteration_steps} already"
        )
    if distributed.is_first():
        if iteration < config.iterations:
            _forget_results(folder)
        if total_steps is not None:
            write_config(config, folder / "config.json")
        metrics.cut(folder / metrics.METRICS, iteration * config.iteration_steps)
    return _go_on(config, folder, program, program.place(members), iteration, console)


def _forget_results(folder: Path) -> None:
    """What was measured is no result of a run that is trained further."""
    for name in (EVALUATION, CURVE, EPISODE):
        (folder / name).unlink(missing_ok=True)


def _go_on(
    config: Config, folder: Path, program: Program, members: Member, iteration: int, console: Console
) -> Trained:
    began = time.monotonic()
    untrained = program.untrained().learner.parameters
    healthy = np.asarray(distributed.fetched(members.healthy))

    def record(chunk: Chunk) -> None:
        nonlocal healthy
        step = chunk.iteration * config.iteration_steps
        rows = metrics.write_rows(chunk.metrics, [config], [folder], step)
        returns = " ".join(f"{metrics.learner_return(row):.2f}" for row in rows)
        trained = config.seeds * chunk.metrics["loss"].shape[1] * config.iteration_steps
        display.show(Status(step, config.preset, returns, trained / chunk.seconds))
        after = np.asarray(distributed.fetched(chunk.members.healthy))
        healthy = report_bad(console, config, healthy, after, chunk.iteration)

    total = config.iterations * config.iteration_steps
    with ProgressDisplay(console, total) as display, stop_requests() as stop:
        try:
            members = loop.train(
                program,
                members,
                iteration,
                config.iterations,
                config.chunk_iterations,
                record,
                save=lambda members, iteration: checkpoint.save(folder, members, iteration, config),
                stop=stop,
                save_iterations=config.checkpoint_iterations,
            )
        except Stopped:
            raise Stopped(f"stopped and saved; continue with: jaxsocial train --resume {folder}") from None
    learned, untrained = distributed.fetched((members.learner.parameters, untrained))
    distributed.leave()
    return Trained(folder, config, learned, untrained, time.monotonic() - began)


def report_bad(console: Console, config: Config, before, healthy, iteration: int):
    """Says which seeds have just been stopped because a number went bad; returns those that go on."""
    for index in np.flatnonzero(before & ~healthy):
        console.print(
            f"seed {config.seed + index} stopped before step {iteration * config.iteration_steps:,}: its loss or a "
            "weight is no longer a finite number; it keeps what it had learned, the others go on. A lower "
            "coefficients.learning_rate may help",
            highlight=False,
        )
    return healthy
