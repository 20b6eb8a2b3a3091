"""Items on a Ray cluster: one task per item, in folders that all machines share. Needs `jaxsocial[ray]`."""

import dataclasses
import importlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxsocial.sweep.backends import items
from jaxsocial.sweep.backends.local import memory_share
from jaxsocial.training.devices import SLOTS

PATIENCE_SECONDS = 120.0
"""How long an item waits for another machine's process: a shared file system notices late that a machine is gone."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the Ray backend."""

    address: str | None = None
    """The address of a running cluster, "auto" or HOST:6379; by default one is started on this machine."""
    gpus_per_item: float = 0.0
    """The GPUs of an item; with 0.25 four items share one. With 0 jax runs on the CPU."""
    cpus_per_item: float = 1.0
    """The cores of an item. On the CPU each is a device of jax, and memory is shared in the same proportion."""
    retries: int = 2
    """How often an item is restarted after its process or its machine died."""
    grace_seconds: float = 60.0
    """Seconds that items have to save when they are asked to stop."""

    def __post_init__(self):
        if self.gpus_per_item < 0 or (self.gpus_per_item > 1 and self.gpus_per_item % 1):
            raise ValueError(f"gpus_per_item {self.gpus_per_item}: choose a fraction up to 1, or a whole number")
        if self.retries < 0:
            raise ValueError(f"retries {self.retries}: choose 0 or more")


def run_items(folders: Sequence[Path], work: str, options: Options) -> Iterator[items.Finished]:
    """Executes items as `local.run_items` does, on a cluster.

    Args:
      folders: the folders of the items, which exist under the same name on all machines.
      work: the name of a function of a folder, as module:function.
      options: which cluster.

    Raises:
      ValueError: Ray is not installed, a folder is missing or given twice, or there is no such function.
    """
    return _run(_import_ray(options.retries), items.checked(folders, work), work, options)


def _import_ray(retries: int) -> Any:
    # Ray reads these when it is imported: no token between machines of one user, and no usage statistics.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray counts items that it kills for lack of memory separately, and restarts them without limit by default.
    os.environ.setdefault("RAY_task_oom_retries", str(retries))
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ValueError("Ray is not installed: pip install 'jaxsocial[ray]'") from error


def _run(ray: Any, folders: Sequence[Path], work: str, options: Options) -> Iterator[items.Finished]:
    started_here = not ray.is_initialized()
    if started_here:
        dashboard = {} if options.address else {"include_dashboard": False}
        # Every item has a log of its own.
        ray.init(address=options.address or "local", log_to_driver=False, configure_logging=False, **dashboard)
    pending = {}
    try:
        task = ray.remote(**_requirements(options))(_task)
        pending |= {
            task.options(name=folder.name).remote(str(folder), work, options.cpus_per_item): folder
            for folder in folders
        }
        while pending:
            [done], _ = ray.wait(list(pending), num_returns=1)
            yield _finished(ray, done, pending.pop(done))
    finally:
        try:
            _stop(ray, list(pending), options.grace_seconds)
        finally:
            if started_here:
                ray.shutdown()


def _requirements(options: Options) -> dict[str, Any]:
    # Ray counts cores, and does not bind a task to them.
    cores = os.environ.get("JAX_NUM_CPU_DEVICES", str(max(1, int(options.cpus_per_item))))
    on_cpu = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": cores}
    variables = memory_share(options.gpus_per_item) if options.gpus_per_item else on_cpu
    # Users' own scenarios (module:function) lie where the command is started.
    places = filter(None, (os.getcwd(), os.environ.get("PYTHONPATH")))
    variables = {**variables, "PYTHONPATH": os.pathsep.join(places)}
    return {
        "num_gpus": options.gpus_per_item,
        "num_cpus": options.cpus_per_item,
        "max_calls": 1,  # jax releases a GPU's memory only when its process ends
        "max_retries": options.retries,
        "runtime_env": {"env_vars": variables},
    }


def _task(folder: str, work: str, cpus: float) -> None:
    with items.output_to_log(Path(folder)):
        if cpus:
            os.environ[SLOTS] = str(max(1, int(_cpus_of_this_machine() / cpus)))
        items.run_item(Path(folder), work, PATIENCE_SECONDS)


def _cpus_of_this_machine() -> float:
    """Returns what Ray divides among the tasks of the machine that this one runs on."""
    ray = importlib.import_module("ray")
    here = ray.get_runtime_context().get_node_id()
    return next(node["Resources"]["CPU"] for node in ray.nodes() if node["NodeID"] == here)


def _finished(ray: Any, done: Any, folder: Path) -> items.Finished:
    try:
        ray.get(done)
    except ray.exceptions.RayTaskError:
        return items.failure(folder, "failed")
    except ray.exceptions.RayError as error:
        return items.failure(folder, f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return items.Finished(folder, None)


def _stop(ray: Any, pending: Sequence[Any], grace_seconds: float) -> None:
    """Interrupts tasks, and kills those that still run after ``grace_seconds``."""
    left = pending
    try:
        for task in pending:
            ray.cancel(task)
        if pending:
            _, left = ray.wait(pending, num_returns=len(pending), timeout=grace_seconds)
    finally:
        for task in left:
            ray.cancel(task, force=True)
