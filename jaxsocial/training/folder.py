"""The files of a run folder, written so that a killed process leaves none half written, and the folder's lock."""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxsocial.config.config import Config, from_plain, to_plain

LOCK, CONFIG, PROVENANCE = "lock", "config.json", "run.json"
EVALUATION, CURVE, EPISODE = "evaluation.json", "learning_curve.png", "episode.gif"
REPLAY = "episodes.html"
"""Files that evaluation writes. Without the first the run is unfinished."""
DISK_IS_FULL = errno.ENOSPC, errno.EDQUOT
"""The system's numbers of the errors by which a full disk, or the end of a user's quota, shows itself."""


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
    sync(new)
    new.replace(path)


def sync(path: Path) -> None:
    """Waits until a file or a folder's entries are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


@contextlib.contextmanager
def new_run(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Makes a run's folder and holds its lock. If the context fails before there is a config, what it made is removed.

    Args:
      folder: a folder that does not exist, is empty, or is that of a run that was killed before its config was written.
      say: receives a line in the last case.

    Raises:
      ValueError: there is something else in the folder, or it cannot be written.
      FolderInUse: another process trains there.
    """

    def left() -> set[str]:
        found = {path.name for path in folder.iterdir()}
        if found - {LOCK, PROVENANCE, f"{CONFIG}.new"}:
            raise ValueError(f"{folder} exists: choose another folder, or resume it (--resume {folder})")
        return found - {LOCK}

    with _refused_if_not_writable(folder):
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        left()  # nothing is written into a folder that is not a run's
        stack = contextlib.ExitStack()
        stack.enter_context(locked(folder, 0.0))
    with stack:
        if left():
            say(f"{folder} holds a run that was killed before it began: beginning anew")
        try:
            yield
        except BaseException:
            if not (folder / CONFIG).is_file():
                for name in (LOCK, PROVENANCE, f"{CONFIG}.new"):
                    (folder / name).unlink(missing_ok=True)
                for place in made:
                    with contextlib.suppress(OSError):  # others write there too
                        place.rmdir()
            raise


@contextlib.contextmanager
def existing_run(folder: Path) -> Iterator[None]:
    """Holds the lock of a run's folder.

    Raises:
      ValueError: the folder cannot be written.
      FolderInUse: another process trains there.
    """
    with contextlib.ExitStack() as stack:
        with _refused_if_not_writable(folder):
            stack.enter_context(locked(folder, 0.0))
            for place in (folder, *folder.glob("checkpoints")):
                with tempfile.TemporaryFile(dir=place):
                    pass
        yield


@contextlib.contextmanager
def _refused_if_not_writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written ({error.strerror}): choose another folder, or make it writable"
        ) from None


def write_config(config: Config, path: Path) -> None:
    """Writes a config as JSON."""
    write_at_once(path, json.dumps(to_plain(config), indent=2) + "\n")


def read_config(path: Path) -> Config:
    """Returns the config that `write_config` wrote.

    Raises:
      ValueError: the file is damaged, or a later version wrote it.
    """
    try:
        plain = json.loads(path.read_text())
        if not isinstance(plain, dict):
            raise ValueError("it holds no fields")
        return from_plain(plain)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: {error}. Restore the file; checkpoints/*/saved.json hold its content as configs"
        ) from None


def config_of(folder: str | os.PathLike) -> Config:
    """Returns the config of a run. A partner's run that is not where it was is looked for beside this one.

    Raises:
      ValueError: there is no run in the folder, or its config is damaged.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        begun = (Path(folder) / LOCK).is_file()
        cure = f"begin it again by --out {folder}" if begun else "name a folder that `jaxsocial train` has written"
        raise ValueError(f"{folder} holds no run{' that has begun' if begun else ''}: {cure}")
    config, beside = read_config(path), Path(folder).resolve().parent
    partners, teacher = tuple(_found(one, beside) for one in config.partners), _found(config.teacher, beside)
    return dataclasses.replace(config, partners=partners, teacher=teacher)


def _found(player: str, beside: Path) -> str:
    """Returns the name of a trained partner with the folder where it is now; that of any other as it is."""
    place = re.fullmatch(r"run:(.*?)((@[\d_]+)?(#(each|\d+)(\.\d+)?)?)", player)
    if place is None or Path(place[1]).exists() or not (beside / Path(place[1]).name).is_dir():
        return player
    return f"run:{beside / Path(place[1]).name}{place[2]}"
