"""What a sweep runs on: which backend executes its items, how many at once, with how much memory."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsocial.sweep.backends import local, ray, slurm
from jaxsocial.sweep.backends.items import Finished
from jaxsocial.sweep.options import SweepOptions

RunItems = Callable[[Sequence[Path], str], Iterator[Finished]]
"""Executes items, each in a process of its own, and yields them as they end."""


class Means(NamedTuple):
    """What a sweep runs on."""

    run_items: RunItems
    processes: int = 1
    """Items at once."""
    memory_gib: float | None = None
    """What programs may use of each device; what is free if None."""


def means_of(chosen: SweepOptions) -> Means:
    """The means that the command line has chosen.

    Raises:
      ValueError: numbers that make no sense, with the cure.
    """
    if chosen.memory_gib is not None and chosen.memory_gib <= 0:
        raise ValueError(f"--memory-gib {chosen.memory_gib}: choose above 0")
    if chosen.processes is not None and chosen.processes < 1:
        raise ValueError(f"--processes {chosen.processes}: choose 1 or more")
    if chosen.backend == "local":
        own = dataclasses.replace(chosen.local, slots=chosen.processes or chosen.local.slots)
        slots = local.slot_environments(own.slots, local.visible_gpus())
        return Means(functools.partial(local.run_items, options=own), len(slots), chosen.memory_gib)
    run_items = {
        "ray": functools.partial(ray.run_items, options=chosen.ray),
        "slurm": functools.partial(slurm.run_items, options=chosen.slurm),
    }[chosen.backend]
    return Means(run_items, chosen.processes or 1, chosen.memory_gib)
