"""How many learner steps a second training makes with symbols as observation, beside RGB.

    python -m benchmarks.observations --presets laptop paper --worlds 128 16 --out observations.json

A preset and its symbolic twin train in turns in one process, so that the machine's other work falls on both.
"""

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import jax

from benchmarks.machine import machine
from benchmarks.table import print_table
from jaxsocial.config.config import Config
from jaxsocial.config.presets import predicting, preset, symbolic
from jaxsocial.training.devices import use_all_cores
from jaxsocial.training.program import make_program


class Figure(NamedTuple):
    """One pair."""

    preset: str
    worlds: int
    predicted: str
    """By the preset, and by its symbolic twin."""
    rgb_steps_per_second: float
    symbolic_steps_per_second: float
    ratio: float
    """Of the medians."""


COLUMNS = (
    ("preset", lambda row: row.preset),
    ("worlds", lambda row: str(row.worlds)),
    ("predicted", lambda row: row.predicted),
    ("RGB, steps/s", lambda row: f"{row.rgb_steps_per_second:,.0f}"),
    ("symbols, steps/s", lambda row: f"{row.symbolic_steps_per_second:,.0f}"),
    ("ratio", lambda row: f"{row.ratio:.2f}"),
)


def compare(config: Config, runs: int) -> Figure:
    """Times iterations of a config and of its symbolic twin in turns."""
    # No seed stops early, so that both do the same work.
    numbers = config.coefficients._replace(kl_stop=1e9, kl_restore=1e9)
    config = dataclasses.replace(config, coefficients=numbers)
    configs = (config, symbolic(config))
    programs = [make_program(one) for one in configs]
    members = [program.chunk(program.begin(), 1)[0] for program in programs]
    seconds = [[], []]
    for _ in range(runs):
        for number, program in enumerate(programs):
            jax.block_until_ready(members[number])
            began = time.perf_counter()
            members[number], _ = program.chunk(members[number], 1)
            jax.block_until_ready(members[number])
            seconds[number].append(time.perf_counter() - began)
    rgb, symbols = (config.seeds * config.iteration_steps / statistics.median(times) for times in seconds)
    predicted = dict.fromkeys(one.sizes.prediction for one in configs)
    return Figure(config.preset, config.sizes.worlds, ", ".join(predicted), rgb, symbols, symbols / rgb)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["laptop"])
    parser.add_argument("--worlds", nargs="+", type=int, default=[64], help="one number for each preset")
    parser.add_argument("--predictions", nargs="+", default=["frame", "none"])
    parser.add_argument("--runs", type=int, default=7, help="timed iterations of each; the median counts")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    options = parser.parse_args()
    use_all_cores()
    figures = []
    for name, worlds in zip(options.presets, options.worlds, strict=True):
        config = preset(name)
        config = dataclasses.replace(config, sizes=dataclasses.replace(config.sizes, worlds=worlds))
        for target in options.predictions:
            figures.append(compare(predicting(config, target), options.runs))
            # Each takes minutes.
            print(", ".join(f"{heading} {text(figures[-1])}" for heading, text in COLUMNS), flush=True)
    print_table(figures, COLUMNS)
    if options.out:
        record = machine("benchmarks.observations") | {
            "runs": options.runs,
            "figures": [figure._asdict() for figure in figures],
        }
        options.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
