"""Where, when and with what something was computed."""

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

PROVENANCE = "run.json"
LIBRARIES = ("jaxsocial", "jax", "jaxlib", "flax", "optax", "distrax", "orbax-checkpoint", "numpy")


def provenance() -> dict[str, Any]:
    """Date, command, versions, devices and commit, as what JSON can hold."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [_described(device) for device in jax.devices()],
        "processes": jax.process_count(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES if _installed(name)},
        "git": _git_commit(),
    }


def _described(device: Any) -> str:
    """Its place, and of what make it is where the platform alone does not say that."""
    return str(device) if device.device_kind == device.platform else f"{device} ({device.device_kind})"


def write_provenance(folder: Path) -> None:
    """Puts them into a run's folder."""
    (folder / PROVENANCE).write_text(json.dumps(provenance(), indent=2) + "\n")


def read_provenance(folder: Path) -> dict[str, Any]:
    """Those in which a run was begun."""
    return json.loads((folder / PROVENANCE).read_text())


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _git_commit() -> str | None:
    """The commit of the code that runs, "-dirty" behind it where the package differs from it. None where the code is a
    copy that git does not know: a copy may be older than the clone that it lies in."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    differs = _git("status", "--porcelain", "--", str(Path(__file__).parents[1]))
    return f"{_git('rev-parse', 'HEAD')}{'-dirty' if differs else ''}"


def _git(*arguments: str) -> str | None:
    """What git says of this folder; None if it refuses, or is not there."""
    with contextlib.suppress(OSError):
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None if done.returncode == 0 else None
    return None
