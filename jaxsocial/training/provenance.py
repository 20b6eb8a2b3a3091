"""When, where and with which versions something was computed."""

import contextlib
import datetime
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax

from jaxsocial.training.folder import PROVENANCE, write_at_once

LIBRARIES = ("jaxsocial", "jax", "jaxlib", "flax", "optax", "distrax", "orbax-checkpoint", "numpy")


def provenance() -> dict[str, Any]:
    """Returns date, command, versions, devices and commit, as JSON holds them."""
    versions = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [described(device) for device in jax.devices()],
        "processes": jax.process_count(),
        "versions": versions,
        "git": _git_commit(),
    }


def described(device: Any) -> str:
    """Returns a device's name, with its model unless that is the platform's name only."""
    return str(device) if device.device_kind == device.platform else f"{device} ({device.device_kind})"


def write_provenance(folder: Path) -> None:
    """Writes the provenance into a run's folder."""
    write_at_once(folder / PROVENANCE, json.dumps(provenance(), indent=2) + "\n")


def read_provenance(folder: Path) -> dict[str, Any]:
    """Returns the provenance of a run. Absolute paths in its command are cut to their names: records are published."""
    found = json.loads((folder / PROVENANCE).read_text())
    command = [Path(part).name if Path(part).is_absolute() else part for part in found["command"]]
    return found | {"command": command}


def _git_commit() -> str | None:
    """Returns the commit of this code, with "-dirty" if the package differs from it.

    None where git does not track this file: a copy may be older than the clone that it lies in.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    differs = _git("status", "--porcelain", "--", str(Path(__file__).parents[1]))
    return f"{_git('rev-parse', 'HEAD')}{'-dirty' if differs else ''}"


def _git(*arguments: str) -> str | None:
    """Returns git's output for this folder; None if it fails, or is not installed."""
    with contextlib.suppress(OSError):
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None if done.returncode == 0 else None
    return None
