"""Items as an array of SLURM jobs, in folders that all machines share. Needs `jaxsocial[slurm]`."""

import collections
import dataclasses
import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxsocial.sweep.backends import items, processes
from jaxsocial.sweep.backends.job import Job
from jaxsocial.sweep.backends.queue import Queue, Submitted
from jaxsocial.training.devices import SLOTS

POLL_SECONDS = 1.0
LARGEST_ARRAY = 1000
"""Jobs of one array, SLURM's default limit."""
REQUEUES = 1000
"""How often a job may run out of time and continue."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the SLURM backend."""

    cluster: str = "slurm"
    """"slurm", or "local" for the same jobs on this machine without SLURM."""
    partition: str | None = None
    gpus: int = 0
    """GPUs of each item. With 0 jax runs on the CPU."""
    cpus: int = 1
    """Cores of each item."""
    minutes: int = 60
    """How long a job may run; then it saves, is requeued, and continues."""
    parallel: int | None = None
    """The number of items at once; by default as many as the cluster allows, or one on "local"."""
    retries: int = 2
    """How often an item is restarted, in its job, after its process was killed."""
    grace_seconds: float = 60.0
    """Seconds that items have to save when they are asked to stop."""
    logs: Path | None = None
    """The folder of SLURM's and submitit's own files; by default slurm/ beside the first item."""
    additional: Mapping[str, str | int | bool] = dataclasses.field(default_factory=dict)
    """Other options of sbatch, by their long names: {"account": "me", "constraint": "a100"}."""

    def __post_init__(self):
        if self.cluster not in ("slurm", "local"):
            raise ValueError(f"cluster {self.cluster!r}: choose slurm, or local")
        for name, least in {"cpus": 1, "minutes": 1, "parallel": 1, "gpus": 0, "retries": 0}.items():
            number = getattr(self, name)
            if number is not None and number < least:
                raise ValueError(f"{name} {number}: choose {least} or more")
        if self.cluster == "slurm" and 60 * self.minutes < 3 * self.grace_seconds:
            raise ValueError(f"minutes {self.minutes}: choose at least {3 * self.grace_seconds / 60:g}, time to save")


def run_items(folders: Sequence[Path], work: str, options: Options) -> Iterator[items.Finished]:
    """Executes items as `local.run_items` does, as jobs of SLURM.

    Jobs outlive this command: after Ctrl-C they stay in the queue (scancel removes them). The next call waits for those
    and submits the others. A job that is pre-empted or out of time saves and is requeued. A cancelled job counts as
    failed. On "local" Ctrl-C stops all jobs.

    Args:
      folders: the folders of the items, which exist under the same name on all machines.
      work: the name of a function of a folder, as module:function.
      options: what each item asks for.

    Raises:
      ValueError: submitit or SLURM is missing, SLURM refuses the jobs, a folder is missing or given twice, or there is
        no such function.
    """
    absolute = items.checked(folders, work)
    return _run(absolute, work, options) if absolute else iter(())


def _run(folders: Sequence[Path], work: str, options: Options) -> Iterator[items.Finished]:
    try:
        queue = Queue(importlib.import_module("submitit"), options.cluster)
    except ImportError as error:
        raise ValueError("submitit is not installed: pip install 'jaxsocial[slurm]'") from error
    executor = _executor(queue.submitit, options.logs or folders[0].parent / "slurm", options)
    running = queue.still_there(folders)
    begun = {submitted.folder for submitted in running}
    waiting = collections.deque(folder for folder in folders if folder not in begun)
    try:
        while waiting or running:
            # SLURM queues all jobs itself; "local" has no queue.
            free = LARGEST_ARRAY if options.cluster == "slurm" else (options.parallel or 1) - len(running)
            chosen = [waiting.popleft() for _ in range(min(free, len(waiting)))]
            submitted = _submit(executor, chosen, work, options) if chosen else []
            queue.add(submitted)
            running += submitted
            time.sleep(POLL_SECONDS)
            ended = [(one, finished) for one in running if (finished := queue.finished(one)) is not None]
            for one, _ in ended:
                running.remove(one)
            yield from (finished for _, finished in ended)
    finally:
        queue.leave(running, options.grace_seconds)


def _submit(executor: Any, folders: Sequence[Path], work: str, options: Options) -> list[Submitted]:
    variables = {} if options.gpus else {"JAX_PLATFORMS": "cpu"}
    if options.cluster == "local":  # SLURM gives each job cores and memory of its own
        variables[SLOTS] = str(options.parallel or 1)
    job = Job(variables, options.retries, options.grace_seconds)
    try:
        # Jobs on this machine inherit which signals are ignored, and are cancelled by SIGINT.
        with processes.interrupted_by_termination():
            jobs = executor.map_array(job, map(str, folders), [work] * len(folders))
    except RuntimeError as error:  # submitit's errors derive from it
        raise ValueError(f"SLURM refuses the jobs: {str(error).strip()}") from error
    return [Submitted(folder, job) for folder, job in zip(folders, jobs, strict=True)]


def _executor(submitit: Any, logs: Path, options: Options) -> Any:
    try:
        executor = submitit.AutoExecutor(
            logs, options.cluster, slurm_max_num_timeout=REQUEUES, local_max_num_timeout=REQUEUES
        )
    except RuntimeError as error:
        raise ValueError(f"no SLURM here ({error}): run this where sbatch is, or choose another backend") from error
    executor.update_parameters(
        name="jaxsocial",
        timeout_min=options.minutes,
        cpus_per_task=options.cpus,
        gpus_per_node=options.gpus or None,
        slurm_partition=options.partition,
        slurm_array_parallelism=options.parallel or LARGEST_ARRAY,
        slurm_signal_delay_s=int(1.5 * options.grace_seconds) + 1,  # the time to save, and a margin
        slurm_additional_parameters={"requeue": True, **options.additional},  # scontrol requeues no other jobs
    )
    return executor
