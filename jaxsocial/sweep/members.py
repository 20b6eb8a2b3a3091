"""The members of a sweep: which share a program, and how many fit onto the devices at once."""

import dataclasses
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import jax

from jaxsocial.config.config import Config
from jaxsocial.config.fields import config_hash
from jaxsocial.config.traced import program_key
from jaxsocial.training.accelerators import described_device, memory_of
from jaxsocial.training.devices import GIB, memory_limit
from jaxsocial.training.program import Program, make_program

LENGTH = ("total_steps", "seed", "seeds")
"""Fields that an extension of a sweep may change in a setting that has begun."""


class Entry(NamedTuple):
    """One member: one seed of one setting."""

    setting: int
    """The setting's number."""
    seed: int


class Fit(NamedTuple):
    """How many members train at once, and the memory that they need."""

    members: int
    bytes: int
    """On each device, as the compiler reports."""
    limit: int
    """The bytes that may be used on each device."""
    devices: int


def identity(config: Config) -> str:
    """Returns digits that identify a setting, however long it trains and with however many seeds."""
    return config_hash(config, LENGTH)


def groups(settings: Sequence[Config], numbers: Sequence[int]) -> list[list[int]]:
    """Returns the settings of these numbers in groups that share a program.

    >>> from jaxsocial.sweep.spec import make_sweep
    >>> grid = {"rules.penalty": [0.5, 1.0], "network.memory": [8, 16]}
    >>> groups(make_sweep({"grid": grid}).settings, range(4))
    [[0, 2], [1, 3]]
    """
    found: dict[Hashable, list[int]] = {}
    for number in numbers:
        found.setdefault(program_key(settings[number]), []).append(number)
    return list(found.values())


def entries(settings: Sequence[Config], numbers: Sequence[int]) -> list[Entry]:
    """Returns all seeds of the settings of these numbers."""
    return [Entry(number, settings[number].seed + seed) for number in numbers for seed in range(settings[number].seeds)]


def member_config(entry: Entry, settings: Sequence[Config]) -> Config:
    """Returns the config of one seed."""
    # A checkpoint holds a whole batch, so none can be kept for a single run.
    return dataclasses.replace(settings[entry.setting], seed=entry.seed, seeds=1, keep_every=0)


def fitted(
    configs: Sequence[Config],
    memory_gib: float | None = None,
    at_most: int | None = None,
    target: str | None = None,
) -> tuple[Program, Fit]:
    """Compiles a program for as many members as fit.

    Args:
      configs: the configs of the members, one seed each.
      memory_gib: the GiB that may be used on each device; those that are free, or those of the target, if None.
      at_most: the largest number of members at once; all if None.
      target: the accelerator to compile for, which need not be here; all devices that are here if None.

    Raises:
      ValueError: there is no compiler for the target.
      MemoryError: not even one member per device fits.
    """
    used = jax.devices() if target is None else [described_device(target)]
    limit = memory_limit() if target is None else memory_of(target)
    limit = limit if memory_gib is None else int(memory_gib * GIB)
    devices = len(used)
    # A multiple of the devices: then each holds whole members, and they do not communicate.
    size = -(-min(len(configs), at_most or len(configs)) // devices) * devices
    while True:
        program = make_program(padded(configs[:size], size), used)
        needed = program.memory(1)
        if needed <= limit:
            return program, Fit(size, needed, limit, devices)
        if size <= devices:
            raise MemoryError(
                f"a member takes {needed / GIB:.3f} GiB, and {limit / GIB:.3f} GiB may be used: make sizes smaller, "
                "or run fewer items at once"
            )
        # Members share some memory, so the proportional size may still be too large; then the next pass reduces it.
        size = max(devices, min(size - devices, int(size * limit / needed)) // devices * devices)


def padded(configs: Sequence[Config], size: int) -> list[Config]:
    """Returns ``size`` configs: these, and the last one repeated."""
    return [*configs, *[configs[-1]] * (size - len(configs))]


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that memory ran out."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
