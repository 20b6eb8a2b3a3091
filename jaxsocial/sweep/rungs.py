"""The rungs of a sweep: who is still in, and the items that take them to the next moment.

A rung is written down before it begins, so that whoever goes on makes the same items of the same members.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsocial.sweep.members import Entry, entries, groups
from jaxsocial.sweep.plan import evaluated_at, rung_end
from jaxsocial.sweep.spec import Sweep
from jaxsocial.sweep.work import Task, is_done, places, write_plain, write_task

ITEMS = "items"


class Share(NamedTuple):
    """Members of one group that one item takes."""

    name: str
    """Of the item's folder."""
    task: Task


def begin_rung(
    folder: Path, sweep: Sweep, rung: int, alive: Sequence[int], processes: int, memory_gib: float | None
) -> list[Path]:
    """The folders of a rung's items, as they were written down, or of these settings.

    Args:
      folder: the sweep's.
      sweep: what it is.
      rung: from 0 on; the last one goes to the end.
      alive: the settings that are still in.
      processes: how many items are to run at once.
      memory_gib: what each device may use; what is free if None.
    """
    path = folder / f"rung-{rung}.json"
    if not path.is_file():
        shares = _shares(folder, sweep, rung, alive, processes, memory_gib)
        write_plain(path, [(share.name, share.task._asdict()) for share in shares])
    folders = []
    for name, task in json.loads(path.read_text()):
        folders.append(folder / ITEMS / name)
        write_task(folders[-1], Task(**task))
    return folders


def members_of_rung(folder: Path, rung: int) -> int:
    """How many members a rung has, of those that train in it."""
    return sum(len(task["entries"]) for _, task in json.loads((folder / f"rung-{rung}.json").read_text()))


def _shares(folder, sweep: Sweep, rung: int, alive, processes: int, memory_gib) -> list[Share]:
    whole, shares = sum(sweep.settings[number].seeds for number in alive), []
    known = _known_places(folder) if rung else {}
    for number, group in enumerate(groups(sweep.settings, alive)):
        config = sweep.settings[group[0]]
        end = rung_end(config, sweep, rung)
        if rung and end == rung_end(config, sweep, rung - 1):
            continue  # it has come to its end
        members = entries(sweep.settings, group)
        count = min(len(members), max(1, round(processes * len(members) / whole)))
        size = math.ceil(len(members) / count)
        for first in range(0, len(members), size):
            own = members[first : first + size]
            sources = [known[entry] for entry in own] if rung else None
            task = Task(own, end, evaluated_at(config, sweep), sweep.save_seconds, memory_gib, sources)
            shares.append(Share(f"rung{rung}-group{number}-part{first // size}", task))
    return shares


def _known_places(folder: Path) -> dict[Entry, tuple[str, int]]:
    """Where each member lies that has trained."""
    found = {}
    # Later rungs overwrite earlier ones.
    for item in sorted((folder / ITEMS).iterdir(), key=lambda path: int(path.name.split("-")[0].removeprefix("rung"))):
        if is_done(item):
            found |= places(item)
    return found
