"""The plan of a sweep before it runs: groups, batches, memory and time, measured on its own programs."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from jaxsocial.config.config import Config
from jaxsocial.sweep.members import GIB, fitted, member_config
from jaxsocial.sweep.spec import Sweep, share_of
from jaxsocial.sweep.work import DONE, is_done, read_plain, read_settings, read_task, write_plain
from jaxsocial.training.devices import keep_compiled_programs, use_all_cores
from jaxsocial.training.program import Program
from jaxsocial.training.tables import Table, counted

TIMED = 3
"""Iterations of which the fastest counts."""


class Measured(NamedTuple):
    """Memory and time of a group's program."""

    members: int
    """Members at once."""
    bytes: int
    limit: int
    """The bytes that may be used on each device."""
    devices: int
    kind: str
    compile_seconds: float
    iteration_seconds: float | None
    """Seconds of one iteration of all members at once; None if the program is for a device that is not here."""


def measure(folder: Path) -> None:
    """Compiles and times a group's program, in a process of its own. The folder is laid out as an item's.

    A program for a device that is not here is compiled only.
    """
    if is_done(folder):
        return
    keep_compiled_programs()
    use_all_cores()
    task, settings = read_task(folder), read_settings(folder.parents[1])
    try:
        began = time.perf_counter()
        configs = [member_config(entry, settings) for entry in task.entries]
        program, fit = fitted(configs, task.memory_gib, target=task.target)
        compile_seconds = time.perf_counter() - began
        seconds = _iteration_seconds(program) if task.target is None else None
        kind = task.target or jax.devices()[0].device_kind
        found = Measured(*fit, kind, compile_seconds, seconds)._asdict()
    except (ValueError, MemoryError) as error:
        # Written down, since a process can hand over nothing but files.
        found = {"refused": str(error)}
    write_plain(folder / DONE, found)


def _iteration_seconds(program: Program) -> float:
    members, seconds = program.begin(), []
    for _ in range(TIMED):
        began = time.perf_counter()
        # Calls return before they are computed.
        members, _ = jax.block_until_ready(program.chunk(members, 1))
        seconds.append(time.perf_counter() - began)
    return min(seconds)  # other load on the machine only adds time


def read_measured(folder: Path) -> Measured:
    """Reads what `measure` has found.

    Raises:
      ValueError: the group's settings cannot be built.
    """
    found = read_plain(folder / DONE)
    if "refused" in found:
        (folder / DONE).unlink()  # the reason, such as a missing file, may be gone the next time
        first = read_task(folder).entries[0].setting
        raise ValueError(f"setting {first}, and those of its sizes, cannot be built: {found['refused']}")
    return Measured(**found)


def rung_end(config: Config, sweep: Sweep, rung: int) -> int:
    """Returns the iteration that ends a rung: a log point, and for the last rung the end of training.

    >>> from jaxsocial.sweep.spec import make_sweep
    >>> sweep = make_sweep({"fixed": {"total_steps": 100_000, "log_steps": 1}, "halving": {"steps": [2e4, 6e4]}})
    >>> config = sweep.settings[0]
    >>> [rung_end(config, sweep, rung) * config.iteration_steps for rung in range(3)]
    [21504, 61440, 101376]

    Args:
      config: a setting.
      sweep: the sweep.
      rung: from 0 on.
    """
    if rung >= len(sweep.comparisons):
        return config.iterations
    every = config.chunk_iterations
    return min(math.ceil(sweep.comparisons[rung] / (every * config.iteration_steps)) * every, config.iterations)


def rungs(sweep: Sweep) -> int:
    """Returns the number of rungs: one more than comparisons."""
    return len(sweep.comparisons) + 1


def step_ends(sweep: Sweep) -> dict[int, list[int]]:
    """Returns the learner steps at which the rungs of each setting end."""
    return {
        number: [end * config.iteration_steps for end in _rung_ends(config, sweep)]
        for number, config in enumerate(sweep.settings)
    }


def _rung_ends(config: Config, sweep: Sweep) -> list[int]:
    return [rung_end(config, sweep, rung) for rung in range(rungs(sweep))]


def evaluated_at(config: Config, sweep: Sweep) -> list[int]:
    """Returns the iterations after which settings are evaluated: evenly spaced ones, and the ends of rungs."""
    every, count = config.chunk_iterations, sweep.evaluations
    # Whole log points: evaluation then is in a row that exists anyway.
    spaced = [round(config.iterations / every * number / count) * every for number in range(1, count + 1)]
    return sorted({*spaced, *_rung_ends(config, sweep)} - {0})


def group_seconds(measured: Measured, count: int, config: Config, sweep: Sweep) -> float:
    """Returns the training time of a group in one process, without evaluation; NaN if its program was not timed.

    Args:
      measured: its program.
      count: members at the beginning; halving reduces them.
      config: one of its settings.
      sweep: the sweep.
    """
    total, done = 0.0, 0
    iteration_seconds = math.nan if measured.iteration_seconds is None else measured.iteration_seconds
    for end in _rung_ends(config, sweep):
        # Fewer members are another program.
        total += measured.compile_seconds if end > done else 0.0
        total += math.ceil(count / measured.members) * (end - done) * iteration_seconds
        count, done = count if sweep.population.every else share_of(sweep.halving.keep, count), end
    return total


def plan_table(sweep: Sweep, groups: Sequence[Sequence[int]], measured: Sequence[Measured], processes: int) -> Table:
    """Returns the plan.

    Args:
      sweep: the sweep.
      groups: the numbers of the settings of each group.
      measured: the program of each group.
      processes: the number of items that run at once.
    """
    rows, each = [], []
    for number, (group, found) in enumerate(zip(groups, measured, strict=True)):
        count = sum(sweep.settings[setting].seeds for setting in group)
        each.append(group_seconds(found, count, sweep.settings[group[0]], sweep))
        counts = number, len(group), count, min(found.members, count), math.ceil(count / found.members)
        memory = f"{found.bytes / GIB:.2f} of {found.limit / GIB:.1f}"
        minutes = "?" if math.isnan(each[-1]) else f"{each[-1] / 60:.1f}"
        rows.append((*map(str, counts), memory, f"{found.compile_seconds:.0f} s", minutes))
    # The longest group keeps one process busy to the end.
    seconds = max(sum(each) / min(processes, len(each)), max(each))
    time_said = "not timed, since it is not here" if math.isnan(seconds) else f"about {seconds / 60:.1f} minutes"
    seeds = sum(config.seeds for config in sweep.settings)
    title = (
        f"{counted(len(sweep.settings), 'setting')}, {counted(seeds, 'seed')} of them in all, "
        f"{counted(len(groups) * rungs(sweep), 'compilation')}, {measured[0].devices} x {measured[0].kind} a process: "
        f"{time_said}"
    )
    return Table(title, ("group", "settings", "seeds", "at once", "batches", "GiB", "compiling", "minutes"), rows, 0)
