"""What programs may need on accelerators, held by the compiler's own account.

    python -m benchmarks.budgets --target h100             compares with benchmarks/results/budgets.json
    python -m benchmarks.budgets --target h100 --write     writes what is needed now

A row fails if it needs over 3 % more than its budget. Lower the budgets with every gain. Counts do not depend on the
machine that compiles; they depend on the versions of jax and of the compilers, which the file names.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.compile_for import Needs, facts, needs
from benchmarks.table import Column, print_table
from jaxsocial.config.presets import preset
from jaxsocial.training.accelerators import TARGETS, TPUS, described_device

FILE = Path(__file__).parent / "results" / "budgets.json"
SLACK = 0.03
WORLDS = (1024, 8192, 65536)
SEEDS = 5
FEWER_SEEDS = {("v5e", "paper"): 2}
"""Where `SEEDS` would not fit: one chip of a v5e has 16 GiB, and a seed of `paper` needs 3."""
TRAINING = (("laptop", "float32"), ("paper", "float32"), ("paper", "bfloat16"))
"""Presets, and the types of their matrix products."""


class Budget(NamedTuple):
    """What one program needs."""

    bytes_per_step: float
    """Bytes moved for one step of a learner, or of an agent in worlds alone."""
    temporaries: int
    """Bytes."""
    kernels_per_step: float
    """Kernels launched in one environment step of all worlds together, with the update's share in training."""


def main(arguments: list[str] | None = None) -> int:
    """Compares or writes; returns the exit status, 1 if a program needs too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--programs", nargs="+", help="beginnings of their names; all by default")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    if options.write and options.programs:
        parser.error("--write measures all programs of a target, so that the file names what made it: no --programs")
    found = {}
    for name, budget in measured(options.target, tuple(options.programs or ("",))):
        print(f"  counted {name}", flush=True)  # one program takes minutes
        found[name] = budget
    if not found:
        parser.error(f"no program's name begins with {' or '.join(options.programs)}: see {FILE}")
    plain = json.loads(FILE.read_text()) if FILE.is_file() else {}
    known = plain.get(options.target, {}).get("programs", {})
    rows = [(name, budget, Budget(*known[name].values()) if name in known else None) for name, budget in found.items()]
    print_table(rows, COLUMNS)
    if options.write:
        programs = {name: budget._asdict() for name, budget in found.items()}
        plain[options.target] = {"about": facts("benchmarks.budgets"), "programs": programs}
        FILE.write_text(json.dumps(dict(sorted(plain.items())), indent=2) + "\n")
        return 0
    if unknown := [name for name, _, held in rows if held is None]:
        print(f"no budget of {options.target} for {', '.join(unknown)}: write them")
    return 1 if unknown or any(too_much(budget, held) for _, budget, held in rows) else 0


def measured(target: str, beginnings: tuple[str, ...]) -> Iterator[tuple[str, Budget]]:
    """Yields the name of each program and what it needs on a target."""
    device = described_device(target)
    for name, part, config, worlds in _programs(target):
        if name.startswith(beginnings):
            yield name, budget_of(needs(part, config, device, worlds))


def _programs(target: str) -> Iterator[tuple[str, str, Any, int | None]]:
    for worlds in WORLDS:
        for agents in (1, 3):
            config = preset("paper" if agents == 3 else "paper-solo")
            yield f"world, {agents} agents, {worlds:,} worlds", "world", config, worlds
    for name, dtype in TRAINING:
        if dtype == "bfloat16" and target in TPUS:
            continue  # TPUs round operands so anyway
        seeds, network = FEWER_SEEDS.get((target, name), SEEDS), preset(name).network
        config = dataclasses.replace(
            preset(name), seeds=seeds, network=dataclasses.replace(network, matmul_dtype=dtype)
        )
        yield f"{name}, {seeds} seeds{', bfloat16' if dtype == 'bfloat16' else ''}", "chunk", config, None


def budget_of(found: Needs) -> Budget:
    """Returns the numbers that are held, of a compiled program."""
    return Budget(round(found.bytes_per_step, 1), found.temporaries, round(found.cost.kernels / found.loop_turns, 2))


def too_much(found: Budget, held: Budget | None) -> bool:
    """Returns whether a program needs more than its budget allows; False if it has none.

    >>> too_much(Budget(104.0, 10, 1.0), Budget(100.0, 10, 1.0)), too_much(Budget(90.0, 10, 1.0), None)
    (True, False)
    """
    return held is not None and any(one > (1 + SLACK) * other for one, other in zip(found, held, strict=True))


def _beside(name: str, scale: float = 1.0) -> Column:
    def text(row: tuple[str, Budget, Budget | None]) -> str:
        own, held = (None if one is None else getattr(one, name) / scale for one in row[1:])
        return f"{own:,.1f}" if held is None else f"{own:,.1f} of {held:,.1f}"

    return name.replace("_", " ") + (" (MiB)" if scale > 1 else ""), text


COLUMNS: list[Column] = [
    ("program", lambda row: row[0]),
    _beside("bytes_per_step"),
    _beside("temporaries", 2**20),
    _beside("kernels_per_step"),
    ("", lambda row: "TOO MUCH" if too_much(*row[1:]) else ""),
]

if __name__ == "__main__":
    sys.exit(main())
