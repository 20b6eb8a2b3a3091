"""What a sweep will take, before anything runs: groups, batches, memory and time, measured on its own programs."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from rich.table import Table

from jaxsocial.config.config import Config
from jaxsocial.sweep.members import GIB, config_of, fitted
from jaxsocial.sweep.spec import Sweep
from jaxsocial.sweep.work import DONE, is_done, read_settings, read_task, write_plain
from jaxsocial.train.devices import keep_compiled_programs, use_all_cores

MEASURED = DONE
TIMED = 3
"""Iterations of which the quickest counts."""


class Measured(NamedTuple):
    """What a group's program takes."""

    members: int
    """At once."""
    bytes: int
    limit: int
    """Of each device."""
    devices: int
    kind: str
    compile_seconds: float
    iteration_seconds: float
    """Of all members at once."""


def measure(folder: Path) -> None:
    """Compiles and times a group, whose members ``folder`` names as an item does. In a process of its own."""
    if is_done(folder):
        return
    keep_compiled_programs()
    use_all_cores()
    try:
        found = _measured(folder)
    except (ValueError, MemoryError) as error:
        found = {"refused": str(error)}
    write_plain(folder / MEASURED, found)


def _measured(folder: Path) -> dict[str, Any]:
    task, settings = read_task(folder), read_settings(folder.parents[1])
    began = time.perf_counter()
    program, fit = fitted([config_of(entry, settings) for entry in task.entries], task.memory_gib)
    compiled = time.perf_counter() - began
    members, seconds = program.begin(), []
    for _ in range(TIMED):
        began = time.perf_counter()
        members, _ = jax.block_until_ready(program.chunk(members, 1))
        seconds.append(time.perf_counter() - began)
    kind = jax.devices()[0].device_kind
    return Measured(*fit, kind, compiled, min(seconds))._asdict()


def read_measured(folder: Path) -> Measured:
    """What `measure` has found.

    Raises:
      ValueError: the group's settings cannot be built, with the cure.
    """
    found = json.loads((folder / MEASURED).read_text())
    if "refused" in found:
        (folder / MEASURED).unlink()  # what was missing may be there the next time
        first = read_task(folder).entries[0].setting
        raise ValueError(f"setting {first}, and those of its sizes, cannot be built: {found['refused']}")
    return Measured(**found)


def rung_end(config: Config, sweep: Sweep, rung: int) -> int:
    """The iteration that ends a rung, at whole log points; the last rung goes to the end."""
    if rung >= len(sweep.halving.steps):
        return config.iterations
    every = config.chunk_iterations
    return min(math.ceil(sweep.halving.steps[rung] / (every * config.iteration_steps)) * every, config.iterations)


def rungs(sweep: Sweep) -> int:
    """How many there are: one more than comparisons."""
    return len(sweep.halving.steps) + 1


def _rung_ends(config: Config, sweep: Sweep) -> list[int]:
    return [rung_end(config, sweep, rung) for rung in range(rungs(sweep))]


def evaluated_at(config: Config, sweep: Sweep) -> list[int]:
    """The iterations after which settings are evaluated: evenly spaced, and where they are compared."""
    every, count = config.chunk_iterations, sweep.evaluations
    spaced = [round(config.iterations / every * number / count) * every for number in range(1, count + 1)]
    return sorted({*spaced, *_rung_ends(config, sweep)} - {0})


def group_seconds(measured: Measured, count: int, config: Config, sweep: Sweep) -> float:
    """How long so many members of a group take in one process, settings dropped on the way and evaluation left out."""
    total, done = 0.0, 0
    for end in _rung_ends(config, sweep):
        # Fewer members are another program.
        total += measured.compile_seconds if end > done else 0.0
        total += math.ceil(count / measured.members) * (end - done) * measured.iteration_seconds
        count, done = math.ceil(count * sweep.halving.keep), end
    return total


def drawn(sweep: Sweep, groups: Sequence[Sequence[int]], measured: Sequence[Measured], processes: int) -> Table:
    """The plan, for a terminal."""
    table = Table(title=_title(sweep, groups, measured, processes), title_justify="left")
    for heading in ("group", "settings", "seeds", "at once", "batches", "GiB", "compiling", "minutes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, (group, found) in enumerate(zip(groups, measured, strict=True)):
        config = sweep.settings[group[0]]
        count = sum(sweep.settings[setting].seeds for setting in group)
        table.add_row(
            str(number),
            str(len(group)),
            str(count),
            str(min(found.members, count)),
            str(math.ceil(count / found.members)),
            f"{found.bytes / GIB:.2f} of {found.limit / GIB:.1f}",
            f"{found.compile_seconds:.0f} s",
            f"{group_seconds(found, count, config, sweep) / 60:.1f}",
        )
    return table


def _title(sweep: Sweep, groups, measured: Sequence[Measured], processes: int) -> str:
    each = [
        group_seconds(found, sum(sweep.settings[s].seeds for s in group), sweep.settings[group[0]], sweep)
        for group, found in zip(groups, measured, strict=True)
    ]
    # The longest group keeps one process busy to the end.
    seconds = max(sum(each) / min(processes, len(each)), max(each))
    seeds = sum(config.seeds for config in sweep.settings)
    devices = f"{measured[0].devices} x {measured[0].kind}"
    return (
        f"{len(sweep.settings)} settings, {seeds} seeds of them in all, {len(groups) * rungs(sweep)} compilations, "
        f"{devices} a process: about {seconds / 60:.1f} minutes"
    )
