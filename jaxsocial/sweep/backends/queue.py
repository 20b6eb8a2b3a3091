"""What has become of submitted jobs.

submitit asks sacct, which clusters without accounting do not have: there a cancelled job would never be seen to end. So
squeue is asked which jobs are there, and the result that a job has written how it ended.
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
"""In an item's folder: the job that it was last submitted as."""
SQUEUE_SECONDS = 15.0
"""Between two questions to SLURM, of which many users ask some."""
RESULT_SECONDS = 15.0
"""How late a shared file system may show what a job has written."""


@dataclasses.dataclass
class Submitted:
    """An item whose job is in the queue, or runs."""

    folder: Path
    job: Any
    """submitit's."""
    gone_since: float | None = None

    def remember(self) -> None:
        """Writes into the folder which job it is, for commands to come."""
        record = {"job": self.job.job_id, "logs": str(self.job.paths.folder)}
        (self.folder / RECORD).write_text(json.dumps(record) + "\n")


@dataclasses.dataclass
class Queue:
    """The jobs of this user."""

    submitit: Any
    cluster: str
    there: frozenset[str] = frozenset()
    asked: float = -SQUEUE_SECONDS

    def still_there(self, folders: Sequence[Path]) -> list[Submitted]:
        """The items that an earlier command has submitted, and that wait or run."""
        if self.cluster == "local":
            return []
        self._ask()
        recorded = [(folder, json.loads(path.read_text())) for folder in folders if (path := folder / RECORD).exists()]
        return [
            Submitted(folder, self.submitit.SlurmJob(record["logs"], record["job"]))
            for folder, record in recorded
            if record["job"] in self.there
        ]

    def add(self, submitted: Sequence[Submitted]) -> None:
        """Jobs that have just been submitted: they are gone when SLURM says so, and not while it has not been asked."""
        for one in submitted:
            one.remember()
        self.there |= {one.job.job_id for one in submitted}

    def finished(self, submitted: Submitted) -> items.Finished | None:
        """How an item's job ended; None while it waits or runs."""
        path = submitted.job.paths.result_pickle
        if self.cluster == "local" and not submitted.job.done():
            return None  # it has written its result, but its process is to end first
        if path.exists():
            outcome, result = self.submitit.core.utils.pickle_load(path)
            if outcome == "success":
                return items.Finished(submitted.folder, result)
            return items.failure(submitted.folder, f"job {submitted.job.job_id}: {result.strip().splitlines()[-1]}")
        if self._is_there(submitted.job):
            submitted.gone_since = None
            return None
        now = time.monotonic()
        submitted.gone_since = submitted.gone_since or now
        if now - submitted.gone_since < RESULT_SECONDS:
            return None
        what = f"job {submitted.job.job_id} ended without a result (cancelled, or out of memory)"
        return items.failure(submitted.folder, what)

    def leave(self, running: Sequence[Submitted], grace_seconds: float) -> None:
        """SLURM's jobs stay; those on this machine are stopped."""
        if self.cluster == "slurm":
            return
        for submitted in running:
            submitted.job.cancel()
        deadline = time.monotonic() + grace_seconds
        while not all(submitted.job.done() for submitted in running) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _is_there(self, job: Any) -> bool:
        if self.cluster == "local":
            return not job.done()
        if time.monotonic() - self.asked >= SQUEUE_SECONDS:
            self._ask()
        return job.job_id in self.there

    def _ask(self) -> None:
        """Where SLURM does not answer for a while, what it last said holds."""
        command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        self.asked = time.monotonic()
        if answer.returncode == 0:
            self.there = frozenset(answer.stdout.split())
