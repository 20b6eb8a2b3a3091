"""Members of a sweep: which there are, which can train side by side, and how many fit onto the devices at once."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import psutil

from jaxsocial.config.config import Config
from jaxsocial.config.traced import program_key
from jaxsocial.train.program import Program, make_program

SHARE = 0.9
"""Of the memory that is there, how much is used."""
GIB = 2**30


class Entry(NamedTuple):
    """One seed of one setting."""

    setting: int
    """The setting's number."""
    seed: int


class Fit(NamedTuple):
    """How many members train at once, and what that takes."""

    members: int
    bytes: int
    """On each device, by the compiled program's own account."""
    limit: int
    """What may be used of each device."""
    devices: int


def groups(settings: Sequence[Config], traced: Sequence[int]) -> list[list[int]]:
    """The settings of these numbers, in groups that differ in traced numbers only: a compilation each."""
    found: dict[Any, list[int]] = {}
    for number in traced:
        found.setdefault(program_key(settings[number]), []).append(number)
    return list(found.values())


def entries(settings: Sequence[Config], traced: Sequence[int]) -> list[Entry]:
    """All seeds of these settings."""
    return [Entry(number, settings[number].seed + seed) for number in traced for seed in range(settings[number].seeds)]


def config_of(entry: Entry, settings: Sequence[Config]) -> Config:
    """A config of this one seed."""
    return dataclasses.replace(settings[entry.setting], seed=entry.seed, seeds=1, keep_every=0)


def memory_limit() -> int:
    """Bytes of each device that a program may take: of those that the device has, or of those that are free here."""
    counted = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in counted:
        return int(SHARE * counted["bytes_limit"])
    return int(SHARE * psutil.virtual_memory().available / len(jax.local_devices()))


def fitted(
    configs: Sequence[Config], memory_gib: float | None = None, at_most: int | None = None
) -> tuple[Program, Fit]:
    """A program for as many of these members as fit, compiled.

    Args:
      configs: of one seed each.
      memory_gib: what may be used of each device; what is free if None.
      at_most: members at once; as many as there are if not given.

    Raises:
      MemoryError: not even one for each device fits.
    """
    limit = memory_limit() if memory_gib is None else int(memory_gib * GIB)
    devices = len(jax.devices())
    size = _for_all(devices, min(len(configs), at_most or len(configs)))
    while True:
        program = make_program(padded(configs[:size], size))
        needed = program.memory(1)
        if needed <= limit:
            return program, Fit(size, needed, limit, devices)
        if size <= devices:
            raise MemoryError(
                f"a member takes {needed / GIB:.3f} GiB, and {limit / GIB:.3f} GiB may be used: make sizes smaller"
            )
        # Where that is still too many, since members share something, the next round takes fewer.
        size = max(devices, min(size - devices, int(size * limit / needed)) // devices * devices)


def _for_all(devices: int, members: int) -> int:
    """Members or a few more, so that each device has as many, and its own: then they need not talk to each other."""
    return -(-members // devices) * devices


def padded(configs: Sequence[Config], size: int) -> list[Config]:
    """As many as a program takes: the last one again and again, where there are fewer."""
    return [*configs, *[configs[-1]] * (size - len(configs))]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was a lack of room."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
