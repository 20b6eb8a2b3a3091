"""The rungs of a sweep: the settings that are still in it, and the items that take them to the next comparison.

The items of a rung are written down before it begins, so that a resumed sweep has the same items.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from jaxsocial.sweep.members import Entry, entries, groups
from jaxsocial.sweep.plan import evaluated_at, rung_end
from jaxsocial.sweep.report.ranking import About, rank
from jaxsocial.sweep.spec import Sweep
from jaxsocial.sweep.work import (
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
    """Returns the folders of a rung's items: those that were written down, or new ones.

    Args:
      folder: the sweep's folder.
      sweep: the sweep.
      rung: from 0 on; the last rung goes to the end.
      alive: the numbers of the settings that are still in the sweep.
      processes: the number of items that run at once.
      memory_gib: the GiB that may be used on each device; those that are free if None.

    Raises:
      ValueError: settings have changed since the rung was written down, or it names no items.
    """
    path = folder / f"rung-{rung}.json"
    if not path.is_file():
        tasks = _tasks(folder, sweep, rung, alive, processes, memory_gib)
        write_plain(path, [(name, task._asdict()) for name, task in tasks.items()])
    folders = []
    for name, task in read_plain(path):
        if not NAME.fullmatch(name):
            raise ValueError(f"{path} names {name!r}, which is no item: restore that file, or begin another sweep")
        folders.append(folder / ITEMS / name)
        write_task(folders[-1], Task(**task))
        check_settings(folders[-1], sweep.settings)
    return folders


def _tasks(
    folder: Path, sweep: Sweep, rung: int, alive: Sequence[int], processes: int, memory_gib: float | None
) -> dict[str, Task]:
    """Divides the members of each group among items, in proportion to the group's share of all members."""
    known: dict[Entry, tuple[str, int]] = {}
    if rung:
        done = [item for item in (folder / ITEMS).iterdir() if is_done(item)]
        # By number: the locations of later rungs overwrite those of earlier ones.
        for item in sorted(done, key=lambda path: int(path.name.split("-")[0].removeprefix("rung"))):
            known |= locations(item)
    whole, tasks = sum(sweep.settings[number].seeds for number in alive), {}
    for number, group in enumerate(groups(sweep.settings, alive)):
        config = sweep.settings[group[0]]
        end = rung_end(config, sweep, rung)
        if rung and end == rung_end(config, sweep, rung - 1):
            continue  # the group is at its end
        members = entries(sweep.settings, group)
        # More items than processes would compile the same program more often.
        count = min(len(members), max(1, round(processes * len(members) / whole)))
        size = math.ceil(len(members) / count)
        for first in range(0, len(members), size):
            own = members[first : first + size]
            sources = [known[entry] for entry in own] if rung else None
            digest = settings_digest(own, sweep.settings)
            task = Task(own, end, evaluated_at(config, sweep), sweep.save_seconds, memory_gib, sources, digest)
            tasks[f"rung{rung}-group{number}-part{first // size}"] = task
    return tasks


def total_steps(sweep: Path, items: Sequence[Path]) -> int:
    """Returns the learner steps of all members of these items at their end, earlier rungs included."""
    settings, total = read_settings(sweep), 0
    for item in items:
        task = read_task(item)
        total += len(task.entries) * task.end * settings[task.entries[0].setting].iteration_steps
    return total


def survivors(table: pd.DataFrame, sweep: Sweep, alive: Sequence[int]) -> list[int]:
    """Returns the settings that continue: the best share of those that are in, at least one.

    Settings are ranked by the interquartile mean over their seeds; those without a known value are the worst.

    Args:
      table: the sweep's table so far.
      sweep: the sweep.
      alive: the numbers of the settings that are still in the sweep.
    """
    own = table.loc[table["setting"].isin(alive), :]
    about = About("", (), sweep.measure, sweep.larger_is_better)
    # The same ranking as in the report, so that it shows why a setting was dropped.
    best_first = rank(own, about).settings["setting"].tolist()
    return sorted(best_first[: math.ceil(sweep.halving.keep * len(best_first))])
