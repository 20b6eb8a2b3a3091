"""What a sweep runs on: a backend, how many items at once, and how much memory."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsocial.sweep.backends import local, ray, slurm
from jaxsocial.sweep.backends.items import Finished

RunItems = Callable[[Sequence[Path], str], Iterator[Finished]]
"""Executes items, each in a process of its own, and yields them as they end."""


class Executor(NamedTuple):
    """What a sweep runs on."""

    run_items: RunItems
    processes: int = 1
    """Items at once."""
    memory_gib: float | None = None
    """The GiB that programs may use on each device; an item's share of those that are free if None."""


def make_executor(
    backend: local.Options | ray.Options | slurm.Options, processes: int | None = None, memory_gib: float | None = None
) -> Executor:
    """Returns the executor of a backend.

    Args:
      backend: the options of a backend; their type chooses it.
      processes: items at once, 1 or more; one per GPU, or one, if None.
      memory_gib: the GiB that programs may use on each device, above 0; an item's share of those that are free if None.

    Raises:
      ValueError: a number out of range.
    """
    if memory_gib is not None and memory_gib <= 0:
        raise ValueError(f"--memory-gib {memory_gib}: choose above 0")
    if processes is not None and processes < 1:
        raise ValueError(f"--processes {processes}: choose 1 or more")
    if isinstance(backend, local.Options):
        backend = dataclasses.replace(backend, slots=processes or backend.slots)
        processes = len(local.slot_environments(backend.slots, local.visible_gpus()))
        return Executor(functools.partial(local.run_items, options=backend), processes, memory_gib)
    module = ray if isinstance(backend, ray.Options) else slurm
    return Executor(functools.partial(module.run_items, options=backend), processes or 1, memory_gib)
