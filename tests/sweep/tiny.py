"""Sweeps small enough for tests to run."""

from typing import Any

from jaxsocial.sweep.backends.items import Finished, resolve
from jaxsocial.sweep.executor import Executor
from jaxsocial.sweep.spec import Sweep, make_sweep

TINY = {
    "log_steps": 128,
    "total_steps": 512,
    "world.height": 6,
    "world.width": 7,
    "world.goals": 2,
    "world.max_steps": 8,
    "world.view_size": 3,
    "world.view_offset": 1,
    "sizes.worlds": 8,
    "sizes.steps": 8,
    "sizes.minibatches": 2,
    "sizes.segments": 4,
    "sizes.segment_length": 4,
    "sizes.refresh_interval": 1,
    "sizes.prediction": "none",
    "penalty_ramp.initial_fraction": 1.0,
    "network.channels": [4],
    "network.dense": 8,
    "network.memory": 8,
    "network.heads": [8],
}
GRID = {"coefficients.learning_rate": [0.001, 0.1], "rules.penalty": [0.5, 1.5]}
FILE: dict[str, Any] = {"seeds": 2, "episodes": 8, "save_seconds": 0, "fixed": TINY, "grid": GRID}
"""Four settings of two seeds, eight iterations of 64 learner steps, and a log point every second iteration."""


def tiny(**changes) -> Sweep:
    """Returns the sweep above with other tables. What they vary is not fixed."""
    file = FILE | changes
    fixed = {name: value for name, value in file["fixed"].items() if name not in file["grid"]}
    return make_sweep(file | {"fixed": fixed})


def here() -> Executor:
    """Returns an executor that works in this process."""

    def run_items(folders, work):
        for folder in folders:
            resolve(work)(folder)
            yield Finished(folder, None)

    return Executor(run_items)
