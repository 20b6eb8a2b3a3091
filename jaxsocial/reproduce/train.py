"""Trains what figures need: what has the same shapes together, what is there not again, what was stopped from there.

On accelerators one group after the other trains on all of them. On CPU as many train side by side as there are cores,
each on one: nothing is shared out among cores that would have to be put together again at every update. What has the
same shapes is shared out among cores that are free.
"""

import json
import math
import queue
import shutil
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxsocial.config.config import Config, to_plain
from jaxsocial.config.traced import static_config
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.store import digest, folder_of, is_trained, resolved, run_name
from jaxsocial.train import checkpoint, loop, metrics
from jaxsocial.train.devices import device_groups
from jaxsocial.train.folder import read_config, write_at_once, write_config
from jaxsocial.train.loop import members_of
from jaxsocial.train.member import Member
from jaxsocial.train.metrics import METRICS
from jaxsocial.train.program import make_program
from jaxsocial.train.provenance import write_provenance
from jaxsocial.train.stopping import Stopped

NAMES, SECONDS = "members.json", "seconds.json"
TOGETHER = "together-"
LANE = "jaxsocial lane"
"""The name of threads that train."""


class Chunk(NamedTuple):
    """What the watcher of a group is told after a chunk of iterations."""

    members: Member
    iteration: int
    rows: list[metrics.Row]
    speed: float
    """Learner steps a second, of all members together."""


class Group(NamedTuple):
    """Runs that train in one program."""

    names: tuple[str, ...]
    configs: tuple[Config, ...]
    folders: tuple[Path, ...]
    shared: Path
    """Where all of them are saved while they train; the run's own folder where there is one."""

    @property
    def steps(self) -> int:
        """Learner steps of all members, from beginning to end."""
        config = self.configs[0]
        return config.iterations * config.iteration_steps * sum(c.seeds for c in self.configs)


Watch = Callable[[Group, Chunk | None], bool]
"""(group, what has been done) -> whether to stop; without a chunk before anything is compiled."""


Ended = tuple["Group", Sequence[Any], BaseException | None]
"""What has trained, on which devices, and what came in between."""


def train(conditions: Sequence[Condition], store: Path, watch: Watch) -> None:
    """Trains whatever is not yet trained, each after what it needs, and as many at once as there are lanes of devices.

    Whatever ends one of them, all others are saved and stopped after the chunk that they are at.

    Args:
      conditions: what is wanted, and all that it needs.
      store: where runs lie.
      watch: is told of everything, one group at a time.

    Raises:
      Stopped: ``watch`` asked for it.
      ValueError: a condition that cannot be trained.
    """
    free, busy = device_groups(jax.devices()), dict[str, Group]()
    ended, error = queue.SimpleQueue[Ended](), None
    at_once, turn = len(free) > 1, threading.Lock()

    def in_turn(group: Group, chunk: Chunk | None) -> bool:
        with turn:
            return watch(group, chunk) or error is not None

    while True:
        while free and error is None and (group := _next_group(conditions, store, busy, len(free))):
            busy |= dict.fromkeys(group.names, group)
            arguments = group, free.pop(0), in_turn, ended
            # A second Ctrl-C does not wait for daemons; what they are saving is saved whole, or not there.
            if at_once:
                threading.Thread(target=_work, args=arguments, name=LANE, daemon=True).start()
            else:
                _work(*arguments)
        if not busy:
            break
        group, lane, cause = ended.get()
        busy = {name: other for name, other in busy.items() if name not in group.names}
        free.append(lane)
        # What went wrong says more than that others were stopped for it.
        if cause is not None and (error is None or isinstance(error, Stopped)):
            error = cause
    if error is not None:
        raise error


def _work(group: Group, lane: Sequence[Any], watch: Watch, ended: "queue.SimpleQueue[Ended]") -> None:
    cause = None
    try:
        with jax.default_device(lane[0]):
            _train(group, lane, watch)
    except BaseException as problem:  # raised again, in the thread that waits for it
        cause = problem
    ended.put((group, lane, cause))


def left_to_train(conditions: Sequence[Condition], store: Path) -> int:
    """Learner steps of all seeds that are not yet trained."""
    return sum(
        condition.config.seeds
        * condition.config.iteration_steps
        * (condition.config.iterations - iterations_done(condition, store))
        for condition in conditions
    )


def iterations_done(condition: Condition, store: Path) -> int:
    """How many iterations are on disk, also where others train along."""
    folders = [folder_of(condition, store), *_begun_with(run_name(condition), store)]
    return max(checkpoint.latest(folder) or 0 for folder in folders)


def seconds_of(folder: Path) -> float:
    """How long a run was trained for: of a program with other runs, its share."""
    path = folder / SECONDS
    return json.loads(path.read_text()) if path.is_file() else 0.0


def _prepare(condition: Condition, store: Path) -> None:
    folder = folder_of(condition, store)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config.json").is_file():
        write_provenance(folder)
        write_config(resolved(condition, store), folder / "config.json")


def _next_group(conditions: Sequence[Condition], store: Path, busy: Collection[str], free: int = 1) -> Group | None:
    """The first that can train and does not: as it was begun, or with its share of all that have the same shapes and
    have not begun with others, shared out among so many free lanes. None if there is none, or none whose needs are
    trained."""
    left = [c for c in conditions if run_name(c) not in busy and not is_trained(c, store)]
    ready = [c for c in left if all(run_name(n) not in busy and is_trained(n, store) for n in c.needs())]
    if not ready:
        return None
    for condition in ready:
        _prepare(condition, store)
    first, *others = [run_name(condition) for condition in ready]
    begun = _begun_with(first, store)
    if begun:
        return _group(json.loads((begun[0] / NAMES).read_text()), store)
    if _has_begun(first, store):
        return _group([first], store)
    alike = [name for name in others if _are_alike(first, name, store) and not _has_begun(name, store)]
    return _group([first, *alike][: math.ceil((1 + len(alike)) / free)], store)


def _begun_with(name: str, store: Path) -> list[Path]:
    """The shared folder of the group that a run has begun with, if there is one."""
    return [path.parent for path in store.glob(f"{TOGETHER}*/{NAMES}") if name in json.loads(path.read_text())]


def _has_begun(name: str, store: Path) -> bool:
    return bool(_begun_with(name, store)) or checkpoint.latest(store / name) is not None


def _are_alike(one: str, other: str, store: Path) -> bool:
    """Whether two runs can train in one program. Kept checkpoints need a folder of their own."""
    configs = [read_config(store / name / "config.json") for name in (one, other)]
    shapes = [to_plain(static_config(config)) | {"seeds": 0, "preset": ""} for config in configs]
    return shapes[0] == shapes[1] and not configs[0].keep_every


def _group(names: Sequence[str], store: Path) -> Group:
    folders = tuple(store / name for name in names)
    configs = tuple(read_config(folder / "config.json") for folder in folders)
    shared = folders[0] if len(names) == 1 else store / f"{TOGETHER}{digest(sorted(names))}"
    if shared not in folders and not (shared / NAMES).is_file():
        shared.mkdir(exist_ok=True)
        write_at_once(shared / NAMES, json.dumps(list(names)) + "\n")
    return Group(tuple(names), configs, folders, shared)


def _train(group: Group, lane: Sequence[Any], watch: Watch) -> None:
    if watch(group, None):
        raise Stopped
    config, program = group.configs[0], make_program(group.configs, lane)
    begun = checkpoint.latest(group.shared) is not None
    members, iteration = checkpoint.restore(group.shared, program.untrained()) if begun else (program.begin(), 0)
    for folder in group.folders:
        metrics.cut(folder / METRICS, iteration * config.iteration_steps)
    members, before, began, stopping = program.place(members), seconds_of(group.shared), time.monotonic(), False

    def record(chunk: loop.Chunk) -> None:
        nonlocal stopping
        rows = metrics.write_rows(chunk.metrics, group.configs, group.folders, chunk.iteration * config.iteration_steps)
        trained = chunk.metrics["loss"].shape[:2]
        speed = trained[0] * trained[1] * config.iteration_steps / chunk.seconds
        stopping = watch(group, Chunk(chunk.members, chunk.iteration, rows, speed))

    def save(members: Member, iteration: int) -> None:
        _note_seconds(group, before + time.monotonic() - began)
        checkpoint.save(group.shared, members, iteration, config)
        if stopping or iteration == config.iterations:
            _save_apart(group, members, iteration)

    loop.train(
        program,
        members,
        iteration,
        config.iterations,
        config.chunk_iterations,
        record,
        save,
        stop=lambda: stopping,
        save_iterations=config.checkpoint_iterations,
    )
    if group.shared not in group.folders:
        shutil.rmtree(group.shared)


def _note_seconds(group: Group, seconds: float) -> None:
    """Each run's share of the program's time, and where all are saved together the whole of it."""
    shares = dict.fromkeys(group.folders, seconds / len(group.folders))
    for folder, own in (shares | {group.shared: seconds}).items():
        (folder / SECONDS).write_text(json.dumps(round(own, 1)) + "\n")


def _save_apart(group: Group, members: Member, iteration: int) -> None:
    """Saves each run's members in its own folder too, where several train together."""
    if group.shared in group.folders:
        return
    for config, folder, own in zip(group.configs, group.folders, members_of(members, group.configs), strict=True):
        if checkpoint.latest(folder) != iteration:
            checkpoint.save(folder, own, iteration, config)
