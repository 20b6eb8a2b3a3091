"""The files of a run folder, written so that a killed process leaves none half written, and the folder's lock."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from jaxsocial.config.config import Config, from_plain, to_plain

LOCK, CONFIG = "lock", "config.json"
EVALUATION, CURVE, EPISODE = "evaluation.json", "learning_curve.png", "episode.gif"
"""Files that evaluation writes. Without the first the run is unfinished."""


class FolderInUse(ValueError):  # noqa: N818, a state, not an error
    """Another process uses the folder."""


def write_at_once(path: Path, text: str) -> None:
    """Writes a file as a whole: at any time it holds the new text or the old one.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rows.json"
    >>> write_at_once(path, "[]")
    >>> path.read_text()
    '[]'
    """
    # Renaming within a folder is atomic.
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


@contextlib.contextmanager
def locked(folder: Path, patience_seconds: float) -> Iterator[None]:
    """Holds a folder's lock inside the context. The system releases it when the process ends.

    Args:
      folder: an existing folder; a file in it is locked.
      patience_seconds: how long to wait for another process.

    Raises:
      FolderInUse: another process still holds the lock.
    """
    deadline = time.monotonic() + patience_seconds
    with open(folder / LOCK, "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise FolderInUse(f"{folder} is in use by another process: wait for it, or stop it") from None
                time.sleep(0.1)
            except OSError as error:  # a file system without locks: users must not start two processes there
                print(f"cannot lock {file.name}: {error}", flush=True)
                break
        yield


def write_config(config: Config, path: Path) -> None:
    """Writes a config as JSON."""
    write_at_once(path, json.dumps(to_plain(config), indent=2) + "\n")


def read_config(path: Path) -> Config:
    """Returns the config that `write_config` wrote."""
    return from_plain(json.loads(path.read_text()))


def config_of(folder: str | os.PathLike) -> Config:
    """Returns the config of a run.

    Raises:
      ValueError: there is no run in the folder.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise ValueError(f"{folder} holds no run: name a folder that `jaxsocial train` has written")
    return read_config(path)
