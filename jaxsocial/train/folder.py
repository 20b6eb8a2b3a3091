"""Files that a kill must not leave half written, and folders that one process at a time may use."""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxsocial.config.config import Config, from_plain, to_plain

LOCK = "lock"
EVALUATION, CURVE, EPISODE = "evaluation.json", "learning_curve.png", "episode.gif"
"""What evaluation leaves in a run's folder; without the first the run is unfinished."""


class FolderInUse(ValueError):  # noqa: N818, what is so, not what went wrong
    """Another process has the folder."""


def write_at_once(path: Path, text: str) -> None:
    """The whole file, or what was there before."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


@contextlib.contextmanager
def locked(folder: Path, patience_seconds: float) -> Iterator[None]:
    """While inside, no other process is inside with the same folder.

    The system unlocks what a dead process had locked, so that no lock is left behind.

    Args:
      folder: has to be there; a file in it is what is locked.
      patience_seconds: how long to wait for another process to let go.

    Raises:
      FolderInUse: another process has the folder, and did not let go of it.
    """
    deadline = time.monotonic() + patience_seconds
    with open(folder / LOCK, "w") as file:
        while not _lock(file):
            if time.monotonic() > deadline:
                raise FolderInUse(f"{folder} is in use by another process: wait for it, or stop it")
            time.sleep(0.1)
        yield


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks: whoever calls has to see to it
        print(f"cannot lock {file.name}: {error}", flush=True)
    return True


def write_config(config: Config, path: Path) -> None:
    write_at_once(path, json.dumps(to_plain(config), indent=2) + "\n")


def read_config(path: Path) -> Config:
    return from_plain(json.loads(path.read_text()))


def config_of(folder: str | Path) -> Config:
    """The config of a run.

    Raises:
      ValueError: there is no run in the folder.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no run: name the folder that `jaxsocial train` printed")
    return read_config(path)
