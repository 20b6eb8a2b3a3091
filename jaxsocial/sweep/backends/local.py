"""Items on this machine, each in a process of its own."""

import collections
import dataclasses
import itertools
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

from jaxsocial.sweep.backends import items, processes
from jaxsocial.training.devices import SLOTS

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the backend on this machine."""

    slots: int | None = None
    """The number of items at once; by default one per GPU, or one without a GPU. More slots than GPUs share them; with
    fewer, each slot has several."""
    retries: int = 2
    """How often an item is restarted after its process was killed."""
    grace_seconds: float = 60.0
    """Seconds that items have to save when they are asked to stop."""

    def __post_init__(self):
        if self.slots is not None and self.slots < 1:
            raise ValueError(f"slots {self.slots}: choose 1 or more, or leave it out for one per GPU")
        if self.retries < 0:
            raise ValueError(f"retries {self.retries}: choose 0 or more")


def run_items(
    folders: Sequence[Path],
    work: str,
    options: Options,
    environments: Sequence[Mapping[str, str]] | None = None,
    deadline: float = math.inf,
    more: Callable[[], Sequence[Path]] | None = None,
) -> Generator[items.Finished]:
    """Executes items, and yields each as it ends.

    Ctrl-C, a termination, or not asking for the next item stops the others: they are told to, and have
    `Options.grace_seconds` to save.

    Args:
      folders: the items'; they must exist.
      work: the name of a function of a folder, as module:function.
      options: how many at once.
      environments: the variables of each slot; those of `slot_environments` if None.
      deadline: when to stop the items that have not ended, in seconds of `time.monotonic`.
      more: called when items have ended; returns further ones, which may have waited for them. None if None.

    Raises:
      ValueError: a folder is missing or given twice, or there is no such function.
    """
    if environments is None:
        environments = slot_environments(options.slots, visible_gpus())
    return _run(items.checked(folders, work), work, options, environments, deadline, more)


def _run(
    folders: Sequence[Path],
    work: str,
    options: Options,
    environments: Sequence[Mapping[str, str]],
    deadline: float,
    more: Callable[[], Sequence[Path]] | None,
) -> Generator[items.Finished]:
    waiting, free = collections.deque(folders), list(environments)
    running: list[processes.Execution] = []
    finished: list[items.Finished] = []
    with processes.interrupted_by_termination():
        try:
            while (waiting or running) and time.monotonic() < deadline:
                while waiting and free:
                    execution = processes.Execution(
                        waiting.popleft(), work, free.pop(0), options.retries, options.grace_seconds
                    )
                    running.append(execution)
                yield from finished
                time.sleep(processes.POLL_SECONDS)
                finished = _take_finished(running, free)
                if finished and more is not None:
                    waiting.extend(items.checked(more(), work))
            yield from finished  # they ended in the last poll
        finally:
            processes.stop(running, options.grace_seconds)


def _take_finished(running: list[processes.Execution], free: list[Mapping[str, str]]) -> list[items.Finished]:
    """Removes finished items from `running`, and returns their slots to `free`."""
    ended = [(execution, finished) for execution in running if (finished := execution.finished()) is not None]
    for execution, _ in ended:
        running.remove(execution)
        free.append(execution.environment)
    return [finished for _, finished in ended]


def visible_gpus() -> list[str]:
    """Returns this machine's GPUs, as CUDA_VISIBLE_DEVICES names them, without starting jax."""
    if os.environ.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        return []
    if VISIBLE in os.environ:
        names = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in names if name not in ("", "-1", "NoDevFiles")]
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    listing = subprocess.run([command, "-L"], capture_output=True, text=True, check=False)
    return [str(index) for index in range(sum(line.startswith("GPU ") for line in listing.stdout.splitlines()))]


def slot_environments(slots: int | None, gpus: Sequence[str]) -> list[Mapping[str, str]]:
    """Returns the variables of each slot: its GPUs, and its share of what other slots use too.

    Slots share the memory of GPUs, or without GPUs the cores and memory of this machine.

    >>> slot_environments(2, ["0", "1", "2", "3"])
    [{'CUDA_VISIBLE_DEVICES': '0,1'}, {'CUDA_VISIBLE_DEVICES': '2,3'}]
    >>> slot_environments(2, [])
    [{'JAXSOCIAL_SLOTS': '2'}, {'JAXSOCIAL_SLOTS': '2'}]
    """
    count = slots or max(1, len(gpus))
    if not gpus:
        return [{SLOTS: str(count)} if count > 1 else {} for _ in range(count)]
    each, sharing = max(1, len(gpus) // count), -(-count // len(gpus))
    given = [[gpus[(slot * each + index) % len(gpus)] for index in range(each)] for slot in range(count)]
    return [{VISIBLE: ",".join(names), **memory_share(1 / sharing)} for names in given]


def core_environments(slots: int | None = None) -> list[Mapping[str, str]]:
    """Returns the variables of slots that are pinned to one CPU core each: one slot a core if ``slots`` is None.

    Slots share the memory of this machine.

    >>> core_environments(1)[0]["JAX_NUM_CPU_DEVICES"]
    '1'
    """
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none, and there nothing is pinned
    cores = sorted(affinity(0)) if affinity else range(os.cpu_count() or 1)
    count = slots or len(cores)
    shared = {"JAX_NUM_CPU_DEVICES": "1", SLOTS: str(count)}
    return [{processes.CORE: str(core), **shared} for core in itertools.islice(itertools.cycle(cores), count)]


def memory_share(share: float) -> Mapping[str, str]:
    """Returns the variable that limits jax to a share of a GPU's memory, above 0 to 1; none for the whole of it.

    >>> memory_share(0.25)
    {'XLA_PYTHON_CLIENT_MEM_FRACTION': '0.225'}
    """
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{items.MEMORY_FRACTION * share:.3g}"} if share < 1 else {}
