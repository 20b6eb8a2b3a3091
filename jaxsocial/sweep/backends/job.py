"""A job of SLURM: one item in a process of its own, which is asked to save in time."""

import dataclasses
import importlib
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxsocial.sweep.backends import items, processes

AFTER_TERMINATION_SECONDS = 120.0
"""How long a job that was asked to end waits for its end."""


@dataclasses.dataclass
class Job:
    """A function of an item, as submitit submits it: `checkpoint` says how to continue."""

    environment: Mapping[str, str]
    retries: int
    grace_seconds: float
    execution: processes.Execution | None = None
    """Set inside the job."""

    def __call__(self, folder: str, work: str) -> str | None:
        """Executes the item; returns its error, or None."""
        told: list[int] = []
        # The job is cancelled or pre-empted. submitit ignores SIGTERM, since pre-emption sends another signal later.
        signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
        execution = processes.Execution(Path(folder), work, self.environment, self.retries, self.grace_seconds)
        self.execution = execution
        try:
            while not told:
                finished = execution.finished()
                if finished is not None:
                    return finished.error
                time.sleep(processes.POLL_SECONDS)
        finally:
            processes.stop([execution], self.grace_seconds)
        time.sleep(AFTER_TERMINATION_SECONDS)
        return items.failure(Path(folder), "told to stop").error

    def checkpoint(self, folder: str, work: str) -> Any:
        """Lets the item save, and returns what the job does when it runs again.

        submitit calls it before it requeues a job that is out of time or pre-empted.
        """
        if self.execution is not None:
            processes.stop([self.execution], self.grace_seconds)
        again = Job(self.environment, self.retries, self.grace_seconds)
        return importlib.import_module("submitit.helpers").DelayedSubmission(again, folder, work)
