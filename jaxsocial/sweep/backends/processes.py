"""A fresh process an item: started, watched, started again where it died, and stopped.

Not multiprocessing's: there the function is unpickled, and so jax imported, before any variable can be set.
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jaxsocial.sweep.backends import items

POLL_SECONDS = 0.1
CORE = "JAXSOCIAL_CORE"
"""The variable that names the CPU core to which a process is pinned."""
PATIENCE_SECONDS = 5.0
"""For a process of a killed command to let go of an item, beyond the time that it has to save."""


@dataclasses.dataclass
class Execution:
    """An item that is being executed on this machine."""

    folder: Path
    work: str
    environment: Mapping[str, str]
    """What is set for the process, beside what this process has."""
    retries: int
    """How often it is started again after it was killed."""
    grace_seconds: float
    """How long it may take to save when it is told to stop."""
    deaths: int = 0
    process: subprocess.Popen[bytes] = dataclasses.field(init=False)

    def __post_init__(self):
        self.start()

    def start(self) -> None:
        """Starts a process, which follows this one into death: it reads standard input, which ends then."""
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
        command = [sys.executable, "-u", "-c", program, str(self.folder), self.work, str(self.grace_seconds)]
        with open(self.folder / items.LOG, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is for the one that watches
            )

    def finished(self) -> items.Finished | None:
        """How the item ended; None while it is being executed. Starts another process where the last was killed."""
        status = _status(self.process)
        if status is None:
            return None
        if status == 0:
            return items.Finished(self.folder, None)
        if status > 0:
            return items.failure(self.folder, "failed")
        self.deaths += 1
        if self.deaths > self.retries:
            return items.failure(self.folder, f"killed by {signal.Signals(-status).name}, attempt {self.deaths}")
        self.start()
        return None


def stop(executions: Sequence[Execution], grace_seconds: float) -> None:
    """Tells processes to stop, and kills those that have not after a while; none is left afterwards."""
    deadline = time.monotonic() + grace_seconds
    try:
        for execution in executions:
            _signal(execution.process, os.kill, signal.SIGTERM)
        while any(_status(execution.process) is None for execution in executions) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    finally:
        for execution in executions:
            _bury(execution.process)


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status, negative for a signal; whatever a process that has ended left running is killed."""
    if process.returncode is not None:
        return process.returncode
    # Not yet waited for, the process keeps its number, so that no other's group can be hit.
    if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    return _bury(process)


def _bury(process: subprocess.Popen[bytes]) -> int:
    _signal(process, os.killpg, signal.SIGKILL)
    status = process.wait()
    if process.stdin is not None:
        process.stdin.close()
    return status


def _signal(process: subprocess.Popen[bytes], send: Callable[[int, int], None], number: signal.Signals) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended; macOS says the latter
            send(process.pid, number)


def main() -> None:
    """Of the fresh process: executes the item that the command line names."""
    folder, work, grace_seconds = sys.argv[1:]
    if CORE in os.environ and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(os.environ[CORE])})  # before jax starts its threads
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        # SLURM sends all processes of a job what tells the watching one that time is up, and they would die of it.
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(float(grace_seconds),), daemon=True).start()
    items.run_item(Path(folder), work, float(grace_seconds) + PATIENCE_SECONDS)


def _follow(grace_seconds: float) -> None:
    """Stops this process, and whatever it started, when the one that watches it is gone."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os.killpg(0, signal.SIGKILL)
