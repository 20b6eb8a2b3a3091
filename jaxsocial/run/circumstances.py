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

CIRCUMSTANCES = "run.json"
LIBRARIES = ("jaxsocial", "jax", "jaxlib", "flax", "optax", "distrax", "orbax-checkpoint", "numpy")


def circumstances() -> dict[str, Any]:
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


def write_circumstances(folder: Path) -> None:
    """Puts them into a run's folder."""
    (folder / CIRCUMSTANCES).write_text(json.dumps(circumstances(), indent=2) + "\n")


def circumstances_of(folder: Path) -> dict[str, Any]:
    """Those in which a run was begun."""
    return json.loads((folder / CIRCUMSTANCES).read_text())


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    return None
