"""An item of a sweep: members that one process trains, from one moment to another, in batches that fit.

An item is a folder: what is to be done in it, then a folder a batch with its checkpoints, at last a mark that all is
done. Done again it does what is missing.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from jaxsocial.config.config import Config, from_plain, to_plain
from jaxsocial.sweep import table
from jaxsocial.sweep.batch import Batch, Compiled, compiled_for, train
from jaxsocial.sweep.members import Entry, config_of, is_out_of_memory
from jaxsocial.train.devices import keep_compiled_programs, use_all_cores
from jaxsocial.train.folder import write_at_once
from jaxsocial.train.provenance import write_provenance
from jaxsocial.train.stopping import Stopped, stop_requests

TASK, DONE, SETTINGS = "item.json", "done.json", "settings.json"
DOES_NOT_FIT = "members do not fit at once"
"""What an item says in its log of a batch that a device refused."""


class Task(NamedTuple):
    """What an item is to do."""

    entries: list[Entry]
    end: int
    """The iteration to reach."""
    evaluated_at: list[int]
    """Iterations after which whole episodes are played."""
    save_seconds: float
    memory_gib: float | None = None
    """What may be used of each device; what is free if None."""
    sources: list[tuple[str, int]] | None = None
    """For each member the batch, and the place in it, that it goes on from; as runs begin if None."""


def write_task(folder: Path, task: Task) -> None:
    """Makes the folder of an item, unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / TASK).is_file():
        write_plain(folder / TASK, task._asdict())


def read_task(folder: Path) -> Task:
    """The inverse of `write_task`."""
    task = Task(**json.loads((folder / TASK).read_text()))
    return task._replace(entries=[Entry(*entry) for entry in task.entries])


def write_settings(sweep: Path, settings: Sequence[Config]) -> None:
    """The settings of a sweep, as its items read them."""
    write_plain(sweep / SETTINGS, [to_plain(config) for config in settings])


def read_settings(sweep: Path) -> list[Config]:
    """The inverse of `write_settings`."""
    return [from_plain(plain) for plain in json.loads((sweep / SETTINGS).read_text())]


def write_plain(path: Path, plain) -> None:
    """JSON, at once or not at all."""
    write_at_once(path, json.dumps(plain) + "\n")


def is_done(folder: Path) -> bool:
    """Whether an item is done to its end."""
    return (folder / DONE).is_file()


def places(folder: Path) -> dict[Entry, tuple[str, int]]:
    """Where the members of a done item lie: batch, and place in it."""
    return {
        Entry(setting, seed): (batch, place) for setting, seed, batch, place in json.loads((folder / DONE).read_text())
    }


def work(folder: Path) -> None:
    """Does what an item asks for, from where it was. In a process of its own, which owns the devices that it sees.

    Raises:
      SystemExit: told to stop by SIGTERM or SIGINT, and saved.
    """
    if is_done(folder):
        return
    keep_compiled_programs()
    use_all_cores()
    write_provenance(folder)
    with stop_requests() as stop:
        try:
            _work(folder, read_task(folder), read_settings(folder.parents[1]), stop)
        except Stopped as stopped:
            raise SystemExit(str(stopped)) from None


def _work(folder: Path, task: Task, settings: Sequence[Config], stop: Callable[[], bool]) -> None:
    configs = [config_of(entry, settings) for entry in task.entries]
    compiled, done, first = compiled_for(configs, task.memory_gib), [], 0
    while first < len(configs):
        batch = _next_batch(folder, task, configs, first, compiled)
        try:
            train(batch, compiled, settings, stop)
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            if not is_out_of_memory(error) or len(batch.entries) == 1:
                raise
            compiled = _smaller(batch, configs, task, compiled)
            continue
        done += [(*entry, f"{folder.name}/{batch.folder.name}", place) for place, entry in enumerate(batch.entries)]
        first += len(batch.entries)
    write_plain(folder / DONE, done)


def _next_batch(folder: Path, task: Task, configs: list[Config], first: int, compiled: Compiled) -> Batch:
    """The batch that was begun with this member, or as many members as fit."""
    begun = next(iter(sorted(folder.glob(f"batch-{first}-*"))), None)
    room = compiled.fit.members
    if begun and int(begun.name.split("-")[2]) - first > room:  # begun where there was more room
        table.cut(folder.parents[1], f"{folder.name}.{begun.name}", 0)
        shutil.rmtree(begun)
        begun = None
    last = int(begun.name.split("-")[2]) if begun else min(first + room, len(configs))
    return Batch(
        folder / f"batch-{first}-{last}",
        task.entries[first:last],
        configs[first:last],
        task.end,
        task.evaluated_at,
        task.save_seconds,
        None if task.sources is None else [(source, place) for source, place in task.sources[first:last]],
    )


def _smaller(batch: Batch, configs: list[Config], task: Task, compiled: Compiled) -> Compiled:
    """Drops a batch that did not fit, and makes room for half as many."""
    room = max(compiled.fit.members // 2, 1)
    print(f"{len(batch.entries)} {DOES_NOT_FIT}: trying {room}", flush=True)
    table.cut(batch.sweep, batch.writer, 0)
    shutil.rmtree(batch.folder, ignore_errors=True)
    return compiled_for(configs, task.memory_gib, room)
