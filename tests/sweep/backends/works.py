"""Functions of items for these tests. Each records in its folder when, where and how often it ran."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax

from jaxsocial.training.devices import memory_limit, use_all_cores

MARKER = "done"


def succeed(folder: Path) -> None:
    _record(folder)
    print("hello from", folder.name)
    time.sleep(0.3)
    _finish(folder)


def record_cores(folder: Path) -> None:
    (folder / MARKER).write_text(json.dumps([sorted(os.sched_getaffinity(0)), os.environ["JAX_NUM_CPU_DEVICES"]]))


def record_share(folder: Path) -> None:
    use_all_cores()
    (folder / MARKER).write_text(json.dumps([jax.local_device_count(), memory_limit()]))


def die_at_first(folder: Path) -> None:
    """Kills itself in the first attempt at the item "b"."""
    _record(folder)
    if folder.name == "b" and len(attempts(folder)) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)
    _finish(folder)


def always_die(folder: Path) -> None:
    _record(folder)
    os.kill(os.getpid(), signal.SIGKILL)


def fail(folder: Path) -> None:
    """Raises for the item "b"."""
    _record(folder)
    if folder.name == "b":
        raise ValueError("no such colour: octarine")
    _finish(folder)


def save_when_told(folder: Path) -> None:
    """Runs until it is asked to stop, and saves; finishes at the next attempt."""
    _record(folder)
    if (folder / "saved").exists():
        _finish(folder)
        return

    def save(number, frame):
        (folder / "saved").touch()
        sys.exit(1)

    signal.signal(signal.SIGTERM, save)
    signal.signal(signal.SIGINT, save)
    (folder / "ready").touch()
    while True:  # Ray interrupts between two lines of Python only
        time.sleep(0.05)


def leave_a_process(folder: Path) -> None:
    """Starts a process that outlives the item."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (folder / "child").write_text(str(child.pid))
    _finish(folder)


def hold(folder: Path) -> None:
    """Runs on, and ignores requests to stop."""
    _record(folder)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (folder / "ready").touch()
    time.sleep(120)


def wait_to_go(folder: Path) -> None:
    """Waits until the test has written the file "go"."""
    _record(folder)
    (folder / "ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.05)
    _finish(folder)


def attempts(folder: Path) -> list[dict]:
    """Returns the record of each attempt, oldest first."""
    return [json.loads(line) for line in (folder / "attempts.jsonl").read_text().splitlines()]


def _record(folder: Path) -> None:
    names = ("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_MEM_FRACTION", "JAX_PLATFORMS", "JAXSOCIAL_SLOTS")
    now = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "began": time.time(),
        **{name: os.environ.get(name) for name in names},
    }
    with open(folder / "attempts.jsonl", "a") as file:
        print(json.dumps(now), file=file)


def _finish(folder: Path) -> None:
    (folder / "ended").write_text(str(time.time()))
    (folder / MARKER).touch()
