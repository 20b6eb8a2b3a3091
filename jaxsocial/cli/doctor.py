"""The verb doctor: what a bug report should say of an installation, and whether it works."""

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.text import Text

from jaxsocial.cli.parsing import FAILED
from jaxsocial.env.registry import make
from jaxsocial.training.devices import GIB, memory_limit
from jaxsocial.training.provenance import provenance


def doctor(chosen: Any, console: Console) -> int:
    """Prints versions, devices, folders and a self-test; returns the exit status, 1 if something does not work."""
    status = 0
    for name, check in CHECKS.items():
        try:
            lines = list(check())
        except Exception as error:  # what does not work is the finding
            first_line = str(error).partition("\n")[0]
            lines, status = [f"DOES NOT WORK: {type(error).__name__}: {first_line}"], FAILED
        for line in lines:
            console.print(Text(f"{name}: {line}"), soft_wrap=True)
    return status


def _versions() -> Iterator[str]:
    known = provenance()
    yield f"Python {known['python']}, {platform.platform()}, {os.cpu_count()} cores"
    yield ", ".join(f"{name} {version}" for name, version in known["versions"].items())


def _devices() -> Iterator[str]:
    yield ", ".join(provenance()["devices"])
    yield f"{memory_limit() / GIB:.1f} GiB on each may be used"
    settings = {name: value for name, value in os.environ.items() if name.startswith(("JAX_", "XLA_", "CUDA_VISIBLE"))}
    yield " ".join(f"{name}={value}" for name, value in sorted(settings.items())) or "no JAX_, XLA_ or CUDA variables"


def _folders() -> Iterator[str]:
    for what, folder in {
        "here": Path.cwd(),
        "compiled programs": jax.config.values["jax_compilation_cache_dir"],
    }.items():
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                yield f"{what}: {folder} can be written"


def _self_test() -> Iterator[str]:
    """Plays a few steps of a world, and checks what is known of them."""
    env, began = make("goal_cycle", height=7, width=7, goals=3, clutter=0, agents=2, max_steps=4), time.perf_counter()

    def one_step(state, key):
        state, timestep = env.step(key, state, jnp.zeros(2, jnp.int32))
        return state, (timestep.truncated, timestep.observation.image.sum())

    @jax.jit
    def play(key):
        reset_key, key = jax.random.split(key)
        return jax.lax.scan(one_step, env.reset(reset_key)[0], jax.random.split(key, 8))[1]

    truncated, sums = play(jax.random.key(0))
    if truncated[:, 0].tolist() != [False, False, False, True] * 2 or not (sums > 0).all():
        raise RuntimeError(f"a world went wrong: truncated {truncated[:, 0].tolist()}, sums of pixels {sums.tolist()}")
    yield f"a world was compiled and played, {time.perf_counter() - began:.0f} s"


CHECKS = {"versions": _versions, "devices": _devices, "folders": _folders, "self-test": _self_test}
