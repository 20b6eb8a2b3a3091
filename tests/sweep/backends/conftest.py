"""Folders of items, and watching processes."""

import time
from pathlib import Path

import pytest


@pytest.fixture
def make_folders(tmp_path):
    """Makes folders of items by their names."""

    def make(names: str) -> list[Path]:
        folders = [tmp_path / name for name in names]
        for folder in folders:
            folder.mkdir()
        return folders

    return make


def wait_for(condition, seconds=30.0):
    """Until it holds; fails where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
