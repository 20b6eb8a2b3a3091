"""What all backends share: how an item ends, and what its fresh process does."""

import collections
import contextlib
import datetime
import importlib
import os
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsocial.training.folder import locked

LOG = "log.txt"
LAST_LINES = 5
"""Lines of the log that are shown if an item fails."""
MEMORY_FRACTION = 0.9
"""The share of a GPU's memory for the processes that share it; CUDA's context of each takes the rest."""
_BEGINS = "--- "


class Finished(NamedTuple):
    """An item that has ended, and is not retried."""

    folder: Path
    error: str | None
    """None if `work` returned; otherwise what happened, and the last lines of the log."""


def checked(folders: Sequence[Path], work: str) -> list[Path]:
    """Returns the folders of items as absolute paths.

    Raises:
      ValueError: a folder is missing or given twice, or there is no such function.
    """
    resolve(work)
    absolute = [Path(folder).resolve() for folder in folders]
    for folder in absolute:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder: make one for each item first")
    [(commonest, count)] = collections.Counter(absolute).most_common(1) or [(None, 0)]
    if count > 1:
        raise ValueError(f"{commonest} is given twice: give each item a folder of its own")
    return absolute


def resolve(work: str) -> Callable[[Path], None]:
    """Returns the function that a name stands for.

    Raises:
      ValueError: there is no such module or function.
    """
    module, _, function = work.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"no function {work!r} ({error}): name one that can be imported, as module:function"
        ) from error


def run_item(folder: Path, work: str, patience_seconds: float) -> None:
    """Executes an item in this process, unless another process executes it.

    Args:
      folder: the item's folder.
      work: the name of a function of the folder, as module:function.
      patience_seconds: how long to wait for another process to release the item.

    Raises:
      FolderInUse: another process did not release it.
    """
    now = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    print(f"{_BEGINS}{now} on {socket.gethostname()}, process {os.getpid()}", flush=True)
    with locked(folder, patience_seconds):
        resolve(work)(folder)


@contextlib.contextmanager
def output_to_log(folder: Path) -> Iterator[None]:
    """Redirects this process's output to the item's log, permanently; writes exceptions there too."""
    with open(folder / LOG, "ab") as log:
        for descriptor in (1, 2):  # not sys.stdout: libraries in C write too
            os.dup2(log.fileno(), descriptor)
    try:
        yield
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        raise


def failure(folder: Path, what: str) -> Finished:
    """Returns an item that failed, with the last lines of its last attempt."""
    path = folder / LOG
    log = path.read_text(errors="replace") if path.exists() else ""
    last_attempt = ("\n" + log).rpartition("\n" + _BEGINS)[2]
    lines = [line for line in last_attempt.splitlines()[1:] if line.strip()][-LAST_LINES:]
    return Finished(folder, "\n".join([f"{what}; see {path}", *(f"  {line}" for line in lines)]))
