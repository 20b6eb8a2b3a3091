"""A sweep of settings in one program against as many single runs: time, and the difference of their results.

    python -m benchmarks.sweep --rates 16 --penalties 16 --out sweep.json

The sweep is what `jaxsocial sweep` does, from its start to its table: a process that measures, one that trains, all
compilations. The single runs share one process and one compilation, so they do not pay for the start of a command. A
loop over commands is estimated too: a few commands, timed with their programs cached on disk, times the number of
settings.
"""

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from benchmarks.machine import machine
from benchmarks.table import print_table
from jaxsocial.config.config import Config
from jaxsocial.sweep import command, table
from jaxsocial.sweep.backends import local
from jaxsocial.sweep.executor import Executor
from jaxsocial.sweep.spec import Sweep, make_sweep
from jaxsocial.training import metrics
from jaxsocial.training.program import make_program

TINY: dict[str, Any] = {
    "total_steps": 4096,
    "log_steps": 1024,
    "world.height": 6,
    "world.width": 6,
    "world.goals": 3,
    "world.max_steps": 16,
    "sizes.worlds": 4,
    "sizes.steps": 16,
    "sizes.minibatches": 2,
    "sizes.segments": 4,
    "sizes.segment_length": 16,
    "sizes.refresh_interval": 2,
    "network.channels": [4],
    "network.dense": 8,
    "network.memory": 8,
    "network.heads": [8],
    "penalty_ramp.initial_fraction": 1.0,
}
COMPARED = ("return", "loss", "entropy", "value_loss")
COMMANDS = 3
"""The number of commands that are timed."""


class Figure(NamedTuple):
    """The time of one way to train all settings."""

    way: str
    settings: int
    seconds: float
    times_as_long: float
    """Multiple of the sweep's time."""
    compilations: int | None
    largest_difference: float | None
    """Between a row of the sweep and of a single run, relative to 1 + its magnitude."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        declared = _declared(options.rates, options.penalties)
        seconds, rows, groups = swept(declared, Path(folder) / "sweep")
        alone, difference = one_after_the_other(declared.settings, rows)
        commands = by_commands(declared.settings[:COMMANDS], Path(folder)) * len(declared.settings)
    count = len(declared.settings)
    figures = [
        Figure("sweep", count, seconds, 1.0, groups, None),
        Figure("one after the other, one process", count, alone, alone / seconds, 1, difference),
        Figure(f"by commands, from {COMMANDS} of them", count, commands, commands / seconds, None, None),
    ]
    facts = machine("benchmarks.sweep")
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    print_table(figures, COLUMNS)
    if options.out:
        record = facts | {"figures": [figure._asdict() for figure in figures]}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, default=16, help="learning rates")
    parser.add_argument("--penalties", type=int, default=16, help="penalties")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    return parser.parse_args()


def _declared(rates: int, penalties: int) -> Sweep:
    grid = {
        "coefficients.learning_rate": {"log": [1e-4, 1e-2, rates]},
        "rules.penalty": {"linear": [0.0, 2.0, penalties]},
    }
    return make_sweep({"seeds": 1, "episodes": 16, "fixed": TINY, "grid": grid})


def swept(declared: Sweep, folder: Path) -> tuple[float, pd.DataFrame, int]:
    """Returns the seconds of the whole sweep, its table, and how many programs were compiled for training."""
    began = time.perf_counter()
    command.prepare(declared, folder)
    executor = Executor(functools.partial(local.run_items, options=local.Options()))
    command.show_plan(declared, folder, executor, Console(stderr=True))
    command.run(declared, folder, executor, Console(stderr=True))
    seconds = time.perf_counter() - began
    return seconds, table.read(folder), len(list((folder / "items").iterdir()))


def one_after_the_other(settings: Sequence[Config], rows: pd.DataFrame) -> tuple[float, float]:
    """Returns the seconds of all single runs, compiling once, and the largest difference to the sweep's rows."""
    began, largest, program = time.perf_counter(), 0.0, None
    for number, config in enumerate(settings):
        program = make_program(config) if program is None else program.others([config])
        members, found = program.begin(), []
        for point in range(config.chunk_iterations, config.iterations + 1, config.chunk_iterations):
            members, measured = program.chunk(members, config.chunk_iterations)
            host = {name: np.asarray(values) for name, values in measured.items()}
            found += metrics.rows_of(host, point * config.iteration_steps, config.seed)
        largest = max(largest, _difference(found, rows.loc[rows["setting"] == number, :]))
    return time.perf_counter() - began, largest


def _difference(found: list[metrics.Row], rows: pd.DataFrame) -> float:
    alone = pd.DataFrame([row | {"return": metrics.learner_return(row)} for row in found])
    one, other = alone[list(COMPARED)].to_numpy(), rows[list(COMPARED)].to_numpy()
    return float(np.max(np.abs(one - other) / (1 + np.abs(one))))


def by_commands(settings: Sequence[Config], folder: Path) -> float:
    """Returns the median seconds of one `jaxsocial train`, after one that compiles."""
    seconds = []
    for number, config in enumerate([settings[0], *settings]):
        own = {
            "coefficients.learning_rate": config.coefficients.learning_rate,
            "rules.penalty": config.rules.penalty,
            "evaluation_episodes": config.evaluation_episodes,
            "out": folder / f"run{number}",
        }
        arguments = [part for name, value in (TINY | own).items() for part in _option(name, value)]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "jaxsocial", "train", *arguments], check=True)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))


def _option(name: str, value) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [f"--{name.replace('_', '-')}", *map(str, values)]


COLUMNS = (
    ("way", lambda row: row.way),
    ("settings", lambda row: str(row.settings)),
    ("seconds", lambda row: f"{row.seconds:.1f}"),
    ("times as long", lambda row: f"{row.times_as_long:.2f}"),
    ("compilations", lambda row: "" if row.compilations is None else str(row.compilations)),
    ("largest difference", lambda row: "" if row.largest_difference is None else f"{row.largest_difference:.1e}"),
)

if __name__ == "__main__":
    main()
