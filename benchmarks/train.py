"""How many learner steps a second training makes, where its time goes, and how near it is to what its products cost.

    python -m benchmarks.train --presets quickstart paper --partners scripted frozen --seeds 1 5 25 --out train.json

Each row is measured in a process of its own. Play, refreshes and the whole iteration are compiled and timed on their
own; what the iteration takes beyond play and its refreshes is the update. Shares can miss 100 % a little, since the
compiler joins what it compiles together. "frozen" partners are untrained networks of the learner's kind, which cost
what trained ones do.
"""

import argparse
import dataclasses
import functools
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from benchmarks.machine import machine, timed
from benchmarks.table import print_table
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.config.presets import preset
from jaxsocial.config.traced import evaluation_rules, traced_config
from jaxsocial.learning.replay import replay as replay_rollout
from jaxsocial.learning.rollout import rollout
from jaxsocial.training import checkpoint
from jaxsocial.training.devices import MEMBERS, WORLDS, use_all_cores
from jaxsocial.training.folder import write_config
from jaxsocial.training.member import Member
from jaxsocial.training.program import Program, make_program

KIBIBYTE = 1024


class Figure(NamedTuple):
    """One row."""

    preset: str
    partners: str
    seeds: int
    learner_steps: int
    """In one iteration, all seeds together."""
    first_update_seconds: float
    """From nothing to the end of the first iteration, compiling everything."""
    iteration_seconds: float
    """Of the median run."""
    steps_per_second: float
    play_share: float
    refresh_share: float
    update_share: float
    operations: float
    """Floating-point operations of matrix products in one iteration, counted, if no seed stops early."""
    plain_rate: float
    """Floating-point operations a second of a plain large matrix product in the same process."""
    share_of_plain: float
    """What the products would take at that rate, as a share of what the iteration takes."""
    peak_memory_gib: float


def main() -> None:
    options = _options()
    rows = [(name, who, n) for name in options.presets for who in options.partners for n in options.seeds]
    context = multiprocessing.get_context("spawn")
    facts, figures = None, []
    for row in rows:
        with context.Pool(1) as pool:
            measured, figure = pool.apply(measure, (*row, options.runs))
        facts = facts or measured
        figures.append(figure)
        print(f"{figure.preset}, {figure.partners}, {figure.seeds}: {figure.steps_per_second:,.0f} steps/s", flush=True)
    print("\n".join(f"{name}: {fact}" for name, fact in (facts or {}).items()))
    print_table(figures, COLUMNS)
    if options.out:
        record = (facts or {}) | {"runs": options.runs, "figures": [figure._asdict() for figure in figures]}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["quickstart", "paper"])
    parser.add_argument("--partners", nargs="+", default=["scripted", "frozen"], choices=["scripted", "frozen"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="how many train at once, in each row")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each, after one that is not counted")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    return parser.parse_args()


def measure(name: str, partners: str, seeds: int, runs: int) -> tuple[dict[str, object], Figure]:
    """Measures one row, in a process of its own; returns the facts of that process and the row.

    Args:
      name: the preset.
      partners: "scripted" or "frozen".
      seeds: seeds that train at once.
      runs: timed runs; the median counts.
    """
    use_all_cores()
    with tempfile.TemporaryDirectory() as folder:
        config = _config(name, partners, seeds, Path(folder))
        began = time.perf_counter()
        program = make_program(config)
        members, _ = jax.block_until_ready(program.chunk(program.begin(), 1))
        first = time.perf_counter() - began
    whole = statistics.median(_iterations(program, members, runs))
    # The members were donated: rollout and replay are measured on new ones.
    played, refreshed = _parts_of_an_iteration(config, program, runs)
    count, rate = _operations(config), _plain_rate()
    figure = Figure(
        preset=name,
        partners=partners,
        seeds=seeds,
        learner_steps=config.iteration_steps * seeds,
        first_update_seconds=first,
        iteration_seconds=whole,
        steps_per_second=config.iteration_steps * seeds / whole,
        play_share=played / whole,
        refresh_share=refreshed / whole,
        update_share=1 - (played + refreshed) / whole,
        operations=count,
        plain_rate=rate,
        share_of_plain=count / rate / whole,
        peak_memory_gib=_peak_memory() / 2**30,
    )
    return machine("benchmarks.train"), figure


def _config(name: str, partners: str, seeds: int, folder: Path) -> Config:
    """Returns the preset for so many seeds. Frozen partners are untrained networks, saved as a run in ``folder``."""
    # No seed stops early, so that all rows do the same work.
    config = preset(name)
    numbers = config.coefficients._replace(kl_stop=1e9, kl_restore=1e9)
    config = dataclasses.replace(config, seeds=seeds, coefficients=numbers)
    if partners == "scripted":
        return config
    world = dataclasses.replace(config.world, agents=config.sizes.learners)
    expert = dataclasses.replace(config, world=world, partners=(), seeds=1)
    write_config(expert, folder / "config.json")
    checkpoint.save(folder, make_program(expert).begin(), 0, expert)
    return dataclasses.replace(config, partners=(f"run:{folder}",) * len(config.partners))


def _iterations(program: Program, members: Member, runs: int) -> list[float]:
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        members, _ = jax.block_until_ready(program.chunk(members, 1))
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def _parts_of_an_iteration(config: Config, program: Program, runs: int) -> tuple[float, float]:
    """Returns the seconds of rollout and of all replays in one iteration of all seeds."""
    members = program.place(program.begin())
    where = jax.tree.map(lambda leaf: leaf.sharding.spec, members)
    mesh: Any = members.learner.rollout_state.first.sharding.mesh  # pyright: ignore[reportAttributeAccessIssue]
    rules = evaluation_rules(config, config.sizes.worlds // mesh.shape[WORLDS])
    coefficients = traced_config(config).coefficients

    def play(member: Member):
        learner = member.learner
        steps, partners = program.setup.sizes.steps, program.setup.partners.parameters
        # The trajectory is returned, or the compiler would not draw its images.
        played = rollout(learner.key, learner.rollout_state, learner.parameters, partners, rules, program.setup, steps)
        return played[:2]

    def replay(member: Member, trajectory):
        one = functools.partial(replay_rollout, coefficients=coefficients, setup=program.setup)
        return jax.vmap(one, (0, 1, 1))(member.learner.parameters, member.learner.rollout_state.memory, trajectory)

    of_worlds, of_rows = PartitionSpec(MEMBERS, WORLDS), PartitionSpec(MEMBERS, None, None, WORLDS)
    spread = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
    playing = jax.jit(spread(jax.vmap(play), in_specs=(where,), out_specs=(of_worlds, of_rows)))
    replaying = jax.jit(spread(jax.vmap(replay), in_specs=(where, of_rows), out_specs=of_rows))
    _, trajectory = playing(members)
    replayed = _median(replaying, runs, members, trajectory)
    return _median(playing, runs, members), config.sizes.rounds * replayed


def _median(function, runs: int, *arguments) -> float:
    return statistics.median([timed(function, *arguments).wall for _ in range(runs + 1)][1:])


def _operations(config: Config) -> float:
    """Counts the floating-point operations of matrix products in one iteration of all seeds."""
    sizes = config.sizes
    once = network_of(config).operations
    frozen = sum(name.startswith("run:") for name in config.partners)
    replayed = config.iteration_steps * once.forward
    backward = once.forward + once.prediction
    # A backward pass takes two products for each of the forward pass.
    fitted = 3 * sizes.minibatches * sizes.segments * sizes.segment_length * backward
    each = sizes.learners * (replayed * (1 + sizes.rounds) + fitted) + frozen * replayed
    return config.seeds * float(each)


def _plain_rate(size: int = 2048, repeats: int = 10) -> float:
    """Measures a square 32-bit matrix product: floating-point operations per second, from the median of 5 runs."""

    @jax.jit
    def multiply(x, y):
        return jax.lax.fori_loop(0, repeats, lambda _, x: x @ y, x)

    x, y = jnp.ones((size, size)), jnp.eye(size)
    return 2 * size**3 * repeats / _median(multiply, 5, x, y)


def _peak_memory() -> float:
    """Returns the peak memory in bytes: of the device if it counts them, else of this process."""
    counted = jax.devices()[0].memory_stats() or {}
    return counted.get("peak_bytes_in_use", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE)


COLUMNS = (
    ("preset", lambda row: row.preset),
    ("partners", lambda row: row.partners),
    ("seeds", lambda row: str(row.seeds)),
    ("first update s", lambda row: f"{row.first_update_seconds:.1f}"),
    ("iteration s", lambda row: f"{row.iteration_seconds:.3f}"),
    ("steps/s", lambda row: f"{row.steps_per_second:,.0f}"),
    ("play", lambda row: f"{row.play_share:.0%}"),
    ("refresh", lambda row: f"{row.refresh_share:.0%}"),
    ("update", lambda row: f"{row.update_share:.0%}"),
    ("GFLOP", lambda row: f"{row.operations / 1e9:,.1f}"),
    ("of plain product", lambda row: f"{row.share_of_plain:.0%}"),
    ("memory GiB", lambda row: f"{row.peak_memory_gib:.2f}"),
)

if __name__ == "__main__":
    main()
