"""The training loop: compiled chunks of iterations, with metrics and checkpoints between them."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.train import distributed
from jaxsocial.train.member import Member
from jaxsocial.train.program import Program
from jaxsocial.train.stopping import Stopped


class Chunk(NamedTuple):
    """What the members are after a chunk of iterations, and what was measured in it."""

    members: Member
    iteration: int
    """Iterations done since the start of training."""
    metrics: dict[str, np.ndarray]
    """Arrays of shape (members, iterations, learners), on the host."""
    seconds: float


def train(
    program: Program,
    members: Member,
    iteration: int,
    end: int,
    chunk_iterations: int,
    record: Callable[[Chunk], None],
    save: Callable[[Member, int], None],
    stop: Callable[[], bool],
    call_iterations: int | None = None,
    save_iterations: float = math.inf,
    save_seconds: float = math.inf,
) -> Member:
    """Trains members to the iteration ``end`` and saves them.

    Args:
      program: the compiled functions.
      members: where to begin; their buffers are donated.
      iteration: iterations that they have done.
      end: the iteration to reach.
      chunk_iterations: iterations between two calls of ``record``.
      record: receives each chunk, before it is saved: after a kill, records later than the checkpoint are dropped.
      save: (members, iteration) -> None.
      stop: whether training is asked to stop; asked after each chunk, on every host.
      call_iterations: iterations in one compiled call; those of a chunk if None.
      save_iterations: saves once so many iterations have passed since the last save.
      save_seconds: the same in seconds.

    Returns:
      The members after the last iteration.

    Raises:
      Stopped: ``stop`` returned True before the end; the members are saved.
    """
    saved_at, saved_time = iteration, time.monotonic()
    while iteration < end:
        size = min(chunk_iterations, end - iteration)
        began = time.monotonic()
        members, metrics = _call(program, members, size, call_iterations or size)
        iteration += size
        record(Chunk(members, iteration, metrics, time.monotonic() - began))
        due = iteration - saved_at >= save_iterations or time.monotonic() - saved_time >= save_seconds
        stopping = distributed.any_host(stop()) and iteration < end
        if due or stopping or iteration == end:
            save(members, iteration)
            saved_at, saved_time = iteration, time.monotonic()
        if stopping:
            raise Stopped("stopped and saved")
    return members


def _call(program: Program, members: Member, size: int, call_iterations: int) -> tuple[Member, dict[str, np.ndarray]]:
    each = []
    for first in range(0, size, call_iterations):
        members, metrics = program.chunk(members, min(call_iterations, size - first))
        each.append(metrics)
    each = [{name: np.asarray(x) for name, x in distributed.fetched(metrics).items()} for metrics in each]
    return members, {name: np.concatenate([metrics[name] for metrics in each], axis=1) for name in each[0]}


def members_of(members: Member, configs: Sequence[Config]) -> list[Member]:
    """Returns the members of each config, from members of all of them in their order."""
    ends = np.cumsum([config.seeds for config in configs])
    return [
        jax.tree.map(lambda x, a=end - config.seeds, b=end: x[a:b], members)
        for config, end in zip(configs, ends.tolist(), strict=True)
    ]
