"""Items as an array of SLURM jobs, in folders that all its machines share. Needs `jaxsocial[slurm]`."""

import collections
import dataclasses
import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxsocial.sweep.backends import items
from jaxsocial.sweep.backends.job import Job
from jaxsocial.sweep.backends.queue import Queue, Submitted

POLL_SECONDS = 1.0
LARGEST_ARRAY = 1000
"""Jobs of one array, by SLURM's own settings."""
REQUEUES = 1000
"""How often a job may run out of time and go on; an item that needs more does not get on."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What each item asks of the cluster."""

    cluster: str = "slurm"
    """"local" starts the same jobs on this machine, without SLURM."""
    partition: str | None = None
    gpus: int = 0
    """Of each item. Without GPUs jax runs on the CPU."""
    cpus: int = 1
    """Cores of each item."""
    minutes: int = 60
    """How long a job may run; then it saves, is queued again, and goes on."""
    parallel: int | None = None
    """How many items at once; as many as the cluster gives, or one on "local", unless given."""
    retries: int = 2
    """How often an item is started again, in its job, after its process was killed."""
    grace_seconds: float = 60.0
    """How long items may take to save when they are told to stop."""
    logs: Path | None = None
    """Where SLURM's and submitit's own files go; beside the first item, in slurm/, unless given."""
    additional: Mapping[str, str | int | bool] = dataclasses.field(default_factory=dict)
    """Any other options of sbatch, by their long names: {"account": "me", "constraint": "a100"}."""

    def __post_init__(self):
        if self.cluster not in ("slurm", "local"):
            raise ValueError(f"cluster {self.cluster!r}: choose slurm, or local")
        traced = {
            "cpus": self.cpus,
            "minutes": self.minutes,
            "parallel": 1 if self.parallel is None else self.parallel,
        }
        for name, number in traced.items():
            if number < 1:
                raise ValueError(f"{name} {number}: choose 1 or more")
        for name, number in {"gpus": self.gpus, "retries": self.retries}.items():
            if number < 0:
                raise ValueError(f"{name} {number}: choose 0 or more")
        if self.cluster == "slurm" and 60 * self.minutes < 3 * self.grace_seconds:
            raise ValueError(f"minutes {self.minutes}: choose at least {3 * self.grace_seconds / 60:g}, so as to save")


def run_items(folders: Sequence[Path], work: str, options: Options) -> Iterator[items.Finished]:
    """Executes items as `local.run_items` does, as jobs of SLURM.

    Jobs outlive this command: after Ctrl-C they stay in the queue (scancel takes them out), and the next call waits for
    those that are still there and submits the others. A job that is pre-empted, or out of time, saves and is queued
    again; one that was cancelled is reported as failed. On "local" Ctrl-C stops them.

    Args:
      folders: the items'; they must exist, under the same name on all machines.
      work: the name of a function of a folder, as module:function.
      options: what each item asks for.

    Raises:
      ValueError: submitit or SLURM is missing, SLURM refuses the jobs, a folder is missing or given twice, or there is
        no such function.
    """
    absolute = items.checked(folders, work)
    return _run(absolute, work, options) if absolute else iter(())


def _run(folders: Sequence[Path], work: str, options: Options) -> Iterator[items.Finished]:
    queue = Queue(_import_submitit(), options.cluster)
    executor = _executor(queue.submitit, options.logs or folders[0].parent / "slurm", options)
    running = queue.still_there(folders)
    begun = {submitted.folder for submitted in running}
    waiting = collections.deque(folder for folder in folders if folder not in begun)
    try:
        while waiting or running:
            count = min(_free(options, len(running)), len(waiting))
            submitted = _submit(executor, [waiting.popleft() for _ in range(count)], work, options)
            queue.add(submitted)
            running += submitted
            time.sleep(POLL_SECONDS)
            yield from _take_finished(queue, running)
    finally:
        queue.leave(running, options.grace_seconds)


def _take_finished(queue: Queue, running: list[Submitted]) -> list[items.Finished]:
    """Moves what has ended out of `running`."""
    ended = [(submitted, finished) for submitted in running if (finished := queue.finished(submitted)) is not None]
    for submitted, _ in ended:
        running.remove(submitted)
    return [finished for _, finished in ended]


def _free(options: Options, running: int) -> int:
    """How many may be submitted: SLURM has a queue and is given all, "local" has none."""
    return LARGEST_ARRAY if options.cluster == "slurm" else (options.parallel or 1) - running


def _submit(executor: Any, folders: Sequence[Path], work: str, options: Options) -> list[Submitted]:
    if not folders:
        return []
    job = Job({} if options.gpus else {"JAX_PLATFORMS": "cpu"}, options.retries, options.grace_seconds)
    try:
        jobs = executor.map_array(job, map(str, folders), [work] * len(folders))
    except RuntimeError as error:  # what submitit's errors are
        raise ValueError(f"SLURM refuses the jobs: {str(error).strip()}") from error
    return [Submitted(folder, job) for folder, job in zip(folders, jobs, strict=True)]


def _executor(submitit: Any, logs: Path, options: Options) -> Any:
    try:
        executor = submitit.AutoExecutor(
            logs, options.cluster, slurm_max_num_timeout=REQUEUES, local_max_num_timeout=REQUEUES
        )
    except RuntimeError as error:
        raise ValueError(f"no SLURM here ({error}): run this where sbatch is, or choose another way") from error
    executor.update_parameters(
        name="jaxsocial",
        timeout_min=options.minutes,
        cpus_per_task=options.cpus,
        gpus_per_node=options.gpus or None,
        slurm_partition=options.partition,
        slurm_array_parallelism=options.parallel or LARGEST_ARRAY,
        slurm_signal_delay_s=int(1.5 * options.grace_seconds) + 1,
        slurm_additional_parameters={"requeue": True, **options.additional},
    )
    return executor


def _import_submitit() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError as error:
        raise ValueError("submitit is not installed: pip install 'jaxsocial[slurm]'") from error
