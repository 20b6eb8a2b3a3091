"""Folders of items, and checks of processes."""

import time
from pathlib import Path

import pytest


@pytest.fixture
def make_folders(tmp_path):
    """Returns a function that makes one folder per letter."""

    def make(names: str) -> list[Path]:
        folders = [tmp_path / name for name in names]
        for folder in folders:
            folder.mkdir()
        return folders

    return make


def wait_for(condition, seconds=30.0):
    """Waits until a condition holds; fails after a while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Returns whether a process runs; a zombie does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
