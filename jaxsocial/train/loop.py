"""The loop over compiled chunks: between two of them metrics are written, and members saved where that is due."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.train import checkpoint, distributed, metrics
from jaxsocial.train.member import Member
from jaxsocial.train.program import Program

METRICS = "metrics.jsonl"


class Chunk(NamedTuple):
    """What one compiled call has done."""

    members: Member
    iteration: int
    """Iterations done in all."""
    rows: list[metrics.Row]
    """A line a seed and learner, of all configs."""
    speed: float
    """Learner steps a second, of all members together."""
    saved: bool
    """Whether these members are on disk."""


def chunks(
    configs: Sequence[Config], folders: Sequence[Path], shared: Path, program: Program, members: Member, iteration: int
) -> Iterator[Chunk]:
    """Trains to the end, chunk by chunk.

    Args:
      configs: those that the program was made of.
      folders: where the metrics of each go.
      shared: where checkpoints of all members go.
      program: the compiled functions.
      members: to begin with; they are given away.
      iteration: how many iterations these have done.
    """
    config = configs[0]
    while iteration < config.iterations:
        size = min(config.chunk_iterations, config.iterations - iteration)
        began = time.monotonic()
        members, measured = program.chunk(members, size)
        host = {name: np.asarray(values) for name, values in distributed.fetched(measured).items()}
        seconds = time.monotonic() - began
        iteration += size
        rows = _write_metrics(host, configs, folders, iteration * config.iteration_steps)
        due = iteration % config.checkpoint_iterations == 0 or iteration == config.iterations
        if due:
            checkpoint.save(shared, members, iteration, config)
        seeds = sum(c.seeds for c in configs)
        yield Chunk(members, iteration, rows, size * config.iteration_steps * seeds / seconds, due)


def _write_metrics(host, configs: Sequence[Config], folders: Sequence[Path], step: int) -> list[metrics.Row]:
    rows, first = [], 0
    for config, folder in zip(configs, folders, strict=True):
        own = {name: values[first : first + config.seeds] for name, values in host.items()}
        rows.append(metrics.rows_of(own, step, config.seed))
        if distributed.is_first():
            metrics.append(folder / METRICS, rows[-1])
        first += config.seeds
    return [row for of_one in rows for row in of_one]


def members_of(members: Member, configs: Sequence[Config]) -> list[Member]:
    """The members of each config."""
    ends = np.cumsum([config.seeds for config in configs])
    return [
        jax.tree.map(lambda x, a=end - config.seeds, b=end: x[a:b], members)
        for config, end in zip(configs, ends.tolist(), strict=True)
    ]


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
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
