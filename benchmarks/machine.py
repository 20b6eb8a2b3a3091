"""What a figure must be read with: machine, load, versions; and how fast the machine's memory is."""

import datetime
import importlib.metadata
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

PACKAGES = (
    "jaxsocial",
    "jax",
    "jaxlib",
    "jax-cuda13-plugin",
    "jax-cuda12-plugin",
    "libtpu",
    "numpy",
    "flax",
    "xminigrid",
    "navix",
)


def machine(module: str) -> dict[str, object]:
    """Returns date, command, processor, load, memory, device, and the versions of those of `PACKAGES` that are here."""
    installed = {found.name.lower(): found.version for found in importlib.metadata.distributions()}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", "-m", module, *sys.argv[1:]]),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "device": jax.devices()[0].device_kind,
        "devices": len(jax.devices()),
        "python": platform.python_version(),
        "versions": {name: installed[name] for name in PACKAGES if name in installed},
    }


def _processor() -> str:
    """Returns the processor's model, or its kind where the system does not tell the model."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def copy_rate(bytes_held: int = 2**28, repeats: int = 10, runs: int = 5) -> float:
    """Measures bytes read and written a second, where 1 is added to a large array again and again; the median run.

    In one loop on one array, so that neither dispatch nor fresh pages are timed.
    """

    @jax.jit
    def add(x):
        return jax.lax.fori_loop(0, repeats, lambda _, x: x + 1, x)

    x = jnp.zeros(bytes_held // 4, jnp.float32)
    seconds = [timed(add, x).wall for _ in range(runs + 1)][1:]
    return 2 * bytes_held * repeats / statistics.median(seconds)


class Seconds(NamedTuple):
    wall: float
    processor: float
    """Of all threads of this process together; other work on the machine sways it less."""


class Clock:
    """Runs from when it is made."""

    def __init__(self):
        self._began = Seconds(time.perf_counter(), time.process_time())

    def seconds(self) -> Seconds:
        return Seconds(time.perf_counter() - self._began.wall, time.process_time() - self._began.processor)


def timed(function, *arguments) -> Seconds:
    """Times a call until all results are there."""
    clock = Clock()
    jax.block_until_ready(function(*arguments))
    return clock.seconds()
