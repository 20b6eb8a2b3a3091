"""The state of submitted jobs.

submitit asks sacct, which needs accounting: on a cluster without it, a cancelled job would seem to run for ever.
Therefore squeue tells which jobs exist, and the file that a job has written tells how it ended.
"""

import dataclasses
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxsocial.sweep.backends import items

RECORD = "slurm.json"
"""The file in an item's folder that names its latest job."""
SQUEUE_SECONDS = 15.0
"""Seconds between two calls of squeue, which loads the scheduler."""
RESULT_SECONDS = 15.0
"""The delay after which a shared file system shows what a job has written."""


@dataclasses.dataclass
class Submitted:
    """An item whose job waits or runs."""

    folder: Path
    job: Any
    """The job as submitit has it."""
    gone_since: float | None = None

    def remember(self) -> None:
        """Writes the job's name into the folder, for later commands."""
        record = {"job": self.job.job_id, "logs": str(self.job.paths.folder)}
        (self.folder / RECORD).write_text(json.dumps(record) + "\n")


@dataclasses.dataclass
class Queue:
    """The jobs of this user."""

    submitit: Any
    cluster: str
    known_jobs: frozenset[str] = frozenset()
    """Those that squeue has named last, and newer ones."""
    asked: float = -SQUEUE_SECONDS

    def still_there(self, folders: Sequence[Path]) -> list[Submitted]:
        """Returns the items of an earlier command that wait or run."""
        if self.cluster == "local":
            return []
        self._ask()
        recorded = [(folder, json.loads(path.read_text())) for folder in folders if (path := folder / RECORD).exists()]
        return [
            Submitted(folder, self.submitit.SlurmJob(record["logs"], record["job"]))
            for folder, record in recorded
            if record["job"] in self.known_jobs
        ]

    def add(self, submitted: Sequence[Submitted]) -> None:
        """Adds new jobs, which exist until squeue has been asked again."""
        for one in submitted:
            one.remember()
        self.known_jobs |= {one.job.job_id for one in submitted}

    def finished(self, submitted: Submitted) -> items.Finished | None:
        """Returns how an item's job ended; None while it waits or runs."""
        path = submitted.job.paths.result_pickle
        if self.cluster == "local" and not submitted.job.done():
            return None  # the result may be written, but its process has not ended
        if path.exists():
            outcome, result = self.submitit.core.utils.pickle_load(path)
            if outcome == "success":
                return items.Finished(submitted.folder, result)
            return items.failure(submitted.folder, f"job {submitted.job.job_id}: {result.strip().splitlines()[-1]}")
        if self.cluster == "slurm" and time.monotonic() - self.asked >= SQUEUE_SECONDS:
            self._ask()
        if self.cluster == "slurm" and submitted.job.job_id in self.known_jobs:
            submitted.gone_since = None
            return None
        now = time.monotonic()
        submitted.gone_since = submitted.gone_since or now
        if now - submitted.gone_since < RESULT_SECONDS:
            return None
        what = f"job {submitted.job.job_id} ended without a result (cancelled, or out of memory)"
        return items.failure(submitted.folder, what)

    def leave(self, running: Sequence[Submitted], grace_seconds: float) -> None:
        """Stops the jobs on this machine, and leaves those of SLURM in its queue."""
        if self.cluster == "slurm":
            return
        for submitted in running:
            submitted.job.cancel()
        deadline = time.monotonic() + grace_seconds
        while not all(submitted.job.done() for submitted in running) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _ask(self) -> None:
        """Asks squeue for this user's jobs. If it fails, the last answer stays valid."""
        # --array: one line per job of an array, as submitit numbers them.
        command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        self.asked = time.monotonic()
        if answer.returncode == 0:
            self.known_jobs = frozenset(answer.stdout.split())
