"""A fresh process per item: started, watched, restarted if it is killed, and stopped.

`multiprocessing` does not serve: it unpickles the function, and so imports jax, before any variable can be set.
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from jaxsocial.sweep.backends import items

POLL_SECONDS = 0.1
CORE = "JAXSOCIAL_CORE"
"""The variable that names the CPU core to which a process is pinned."""
PATIENCE_SECONDS = 5.0
"""How long an item waits for the process of a killed command, beyond the time that this has to save."""


@dataclasses.dataclass
class Execution:
    """An item that runs on this machine."""

    folder: Path
    work: str
    environment: Mapping[str, str]
    """Variables of the process, beside those of this process."""
    retries: int
    """How often it is restarted after it was killed."""
    grace_seconds: float
    """Seconds that it has to save when it is asked to stop."""
    kills: int = 0
    """How often its process was killed."""
    process: subprocess.Popen[bytes] = dataclasses.field(init=False)

    def __post_init__(self):
        self.start()

    def start(self) -> None:
        """Starts a process. It ends with this one: it reads standard input, which closes then."""
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
        # -u: a killed process leaves all of its output in the log.
        command = [sys.executable, "-u", "-c", program, str(self.folder), self.work, str(self.grace_seconds)]
        with open(self.folder / items.LOG, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C goes to the watching process only
            )

    def finished(self) -> items.Finished | None:
        """Returns how the item ended; None while it runs. Starts another process if the last was killed."""
        status = _status(self.process)
        if status is None:
            return None
        if status == 0:
            return items.Finished(self.folder, None)
        if status > 0:
            return items.failure(self.folder, "failed")
        self.kills += 1
        if self.kills > self.retries:
            return items.failure(self.folder, f"killed by {signal.Signals(-status).name}, attempt {self.kills}")
        self.start()
        return None


def stop(executions: Sequence[Execution], grace_seconds: float) -> None:
    """Asks processes to stop, and kills those that still run after ``grace_seconds``."""
    deadline = time.monotonic() + grace_seconds
    try:
        for execution in executions:
            _signal(execution.process, os.kill, signal.SIGTERM)
        while any(_status(execution.process) is None for execution in executions) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    finally:
        for execution in executions:
            _kill_group(execution.process)


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """Returns the exit status, negative for a signal, and kills what an ended process left running; None if it runs."""
    if process.returncode is not None:
        return process.returncode
    # WNOWAIT: until it is waited for, the process keeps its number, and no other process group can be killed instead.
    if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    return _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> int:
    """Kills what still runs of a process and those that it started, and returns its exit status."""
    _signal(process, os.killpg, signal.SIGKILL)
    status = process.wait()
    if process.stdin is not None:
        process.stdin.close()
    return status


def _signal(process: subprocess.Popen[bytes], send: Callable[[int, int], None], number: signal.Signals) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended; macOS raises the latter
            send(process.pid, number)


@contextlib.contextmanager
def interrupted_by_termination() -> Iterator[None]:
    """Raises KeyboardInterrupt on SIGINT and SIGTERM inside the context."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    # Also SIGINT: a shell starts commands in the background with SIGINT ignored.
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> None:
    """Executes the item that the command line names, in the fresh process."""
    folder, work, grace_seconds = sys.argv[1:]
    if CORE in os.environ and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(os.environ[CORE])})  # before jax starts its threads
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        # SLURM signals all processes of a job when its time is up, and the default action would kill this one.
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(float(grace_seconds),), daemon=True).start()
    items.run_item(Path(folder), work, float(grace_seconds) + PATIENCE_SECONDS)


def _follow(grace_seconds: float) -> None:
    """Stops this process, and all that it started, when the watching process is gone."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os.killpg(0, signal.SIGKILL)
