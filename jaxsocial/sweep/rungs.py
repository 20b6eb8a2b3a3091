"""The rungs of a sweep: the settings that are still in it, and the items that take them to the next comparison.

A rung after the last comparison takes what is short of its end there, also what an extension has added.

The items of a rung are written down before it begins, so that a resumed sweep has the same items.
"""

import collections
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from jaxsocial.sweep.members import Entry, entries, groups
from jaxsocial.sweep.plan import evaluated_at, rung_end
from jaxsocial.sweep.population import parents
from jaxsocial.sweep.report.ranking import best_first
from jaxsocial.sweep.spec import Sweep, share_of
from jaxsocial.sweep.work import (
    TASK,
    Task,
    check_settings,
    is_done,
    locations,
    read_plain,
    read_settings,
    read_task,
    settings_digest,
    write_plain,
    write_task,
)

ITEMS = "items"
NAME = re.compile(r"rung\d+-group\d+-part\d+")
"""The name of an item."""


def begin_rung(
    folder: Path, sweep: Sweep, rung: int, alive: Sequence[int], processes: int, memory_gib: float | None
) -> list[Path]:
    """Returns the folders of a rung's items: those that were written down, or new ones. None are if none is needed.

    Args:
      folder: the sweep's folder.
      sweep: the sweep.
      rung: from 0 on; those after the last comparison go to the end.
      alive: the numbers of the settings that are still in the sweep.
      processes: the number of items that run at once.
      memory_gib: the GiB that may be used on each device; those that are free if None.

    Raises:
      ValueError: settings have changed since the rung was written down, or it names no items.
    """
    path = folder / f"rung-{rung}.json"
    if not path.is_file():
        tasks = _tasks(folder, sweep, rung, alive, processes, memory_gib)
        if not tasks:
            return []  # nothing is written down: an extension may need this rung
        write_plain(path, [(name, task._asdict()) for name, task in tasks.items()])
    folders = []
    for name, task in read_plain(path):
        if not NAME.fullmatch(name):
            raise ValueError(f"{path} names {name!r}, which is no item: restore that file, or begin another sweep")
        folders.append(folder / ITEMS / name)
        write_task(folders[-1], Task(**task))
        if memory_gib is not None and not is_done(folders[-1]):  # a resumed sweep may have less
            write_plain(folders[-1] / TASK, read_task(folders[-1])._replace(memory_gib=memory_gib)._asdict())
        check_settings(folders[-1], sweep.settings)
    return folders


def _tasks(
    folder: Path, sweep: Sweep, rung: int, alive: Sequence[int], processes: int, memory_gib: float | None
) -> dict[str, Task]:
    """Divides the members that are short of the rung's end among items, in proportion to their numbers."""
    held, short = _held(folder), []
    # A copy begins from where the setting is that it copies.
    for setting, parent in parents(folder).items():
        for entry in entries(sweep.settings, [setting]):
            if entry not in held and entry._replace(setting=parent) in held:
                held[entry] = held[entry._replace(setting=parent)]
    for number, group in enumerate(groups(sweep.settings, alive)):
        end = rung_end(sweep.settings[group[0]], sweep, rung)
        # Members of one program begin at the same iteration.
        starts: dict[int, list[Entry]] = {}
        for entry in entries(sweep.settings, group):
            starts.setdefault(held[entry].iteration if entry in held else 0, []).append(entry)
        short += [(number, start, end, members) for start, members in sorted(starts.items()) if start < end]
    whole, parts, tasks = sum(len(members) for *_, members in short), collections.Counter(), {}
    for number, start, end, members in short:
        config = sweep.settings[members[0].setting]
        # More items than processes would compile the same program more often.
        count = min(len(members), max(1, round(processes * len(members) / whole)))
        size = math.ceil(len(members) / count)
        for first in range(0, len(members), size):
            own = members[first : first + size]
            sources = [held[entry][:2] for entry in own] if start else None
            digest = settings_digest(own, sweep.settings)
            task = Task(own, end, evaluated_at(config, sweep), sweep.save_seconds, memory_gib, sources, digest)
            tasks[f"rung{rung}-group{number}-part{parts[number]}"] = task
            parts[number] += 1
    return tasks


class _Held(NamedTuple):
    """Where a member was saved last."""

    batch: str
    place: int
    iteration: int


def _held(folder: Path) -> dict[Entry, _Held]:
    """Returns where the members of finished items are."""
    found: dict[Entry, _Held] = {}
    done = [item for item in (folder / ITEMS).glob("*") if is_done(item)]
    # By number: the locations of later rungs overwrite those of earlier ones.
    for item in sorted(done, key=lambda path: int(path.name.split("-")[0].removeprefix("rung"))):
        end = read_task(item).end
        found |= {entry: _Held(*place, end) for entry, place in locations(item).items()}
    return found


def total_steps(sweep: Path, items: Sequence[Path]) -> int:
    """Returns the learner steps of all members of these items at their end, earlier rungs included."""
    settings, total = read_settings(sweep), 0
    for item in items:
        task = read_task(item)
        total += len(task.entries) * task.end * settings[task.entries[0].setting].iteration_steps
    return total


def survivors(table: pd.DataFrame, sweep: Sweep, alive: Sequence[int], rung: int) -> list[int]:
    """Returns the settings that continue: the best share of those that are in, at least one.

    Settings are ranked by the interquartile mean over their seeds at the rung's end, also if some have been trained for
    longer since; those without a known value are the worst.

    Args:
      table: the sweep's table so far.
      sweep: the sweep.
      alive: the numbers of the settings that are still in the sweep.
      rung: whose end it is.
    """
    ends = dict.fromkeys(range(len(sweep.settings)), -1)
    ends |= {n: rung_end(sweep.settings[n], sweep, rung) * sweep.settings[n].iteration_steps for n in alive}
    own = table.loc[table["step"] <= table["setting"].map(lambda number: ends[number]), :]
    # The same ranking as in the report, so that it shows why a setting was dropped.
    ranked = best_first(own, sweep)
    return sorted(ranked[: share_of(sweep.halving.keep, len(ranked))])
