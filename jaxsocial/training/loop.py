"""The training loop: compiled chunks of iterations, with metrics and checkpoints between them."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.training import distributed
from jaxsocial.training.member import Member
from jaxsocial.training.program import Program
from jaxsocial.training.stopping import Stopped


class Chunk(NamedTuple):
    """The members after a chunk of iterations, and its metrics."""

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
    save_iterations: int | float = math.inf,
    save_seconds: int | float = math.inf,
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
      stop: returns whether training is asked to stop; called after each chunk, on every host.
      call_iterations: iterations in one compiled call; those of a chunk if None.
      save_iterations: saves at multiples of it, or after the chunk in which one is passed; so a run that was stopped
        in between saves where one that was not does.
      save_seconds: saves after so many seconds since the last save.

    Returns:
      The members after the last iteration.

    Raises:
      Stopped: ``stop`` returned True before the end; the members are saved.
    """
    saved_at, saved_time = iteration, time.monotonic()
    while iteration < end:
        size, began = min(chunk_iterations, end - iteration), time.monotonic()
        call, calls = call_iterations or size, []
        for first in range(0, size, call):
            members, measured = program.chunk(members, min(call, size - first))
            calls.append(measured)
        # All calls are dispatched before the first result is fetched, so that the device does not wait.
        calls = [{name: np.asarray(x) for name, x in distributed.fetched(measured).items()} for measured in calls]
        metrics = {name: np.concatenate([measured[name] for measured in calls], axis=1) for name in calls[0]}
        iteration += size
        record(Chunk(members, iteration, metrics, time.monotonic() - began))
        passed = iteration // save_iterations > saved_at // save_iterations
        due = passed or time.monotonic() - saved_time >= save_seconds
        stopping = distributed.any_host(stop()) and iteration < end
        if due or stopping or iteration == end:
            save(members, iteration)
            saved_at, saved_time = iteration, time.monotonic()
        if stopping:
            raise Stopped("stopped and saved")
    return members


def members_of(members: Member, configs: Sequence[Config]) -> list[Member]:
    """Returns the members of each config, from the members of all of them in order."""
    ends = np.cumsum([config.seeds for config in configs])
    return [
        jax.tree.map(lambda x, a=end - config.seeds, b=end: x[a:b], members)
        for config, end in zip(configs, ends.tolist(), strict=True)
    ]
