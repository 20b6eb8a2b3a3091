"""What a program needs on an accelerator that is not here: compiled for it, and counted in the compiled text.

    python -m benchmarks.compile_for --target h100 --preset paper --seeds 5 --out paper-h100.json

Parts:

    begin       the initial members of a run
    chunk       one iteration of all members
    evaluation  one episode in each of `evaluation_episodes` worlds, of all members
    world       250 random steps of the preset's world with the preset's number of worlds, or --worlds

Targets are h100, h200, a100 (`pip install 'jaxsocial[aot-cuda]'`) and v5e, v6e (`pip install 'jaxsocial[aot-tpu]'`),
each extra in an environment of its own. Nothing runs on the target. Bytes are those that kernels read and write,
without what caches save. All rounds of an update are counted, and the restarts of worlds apart. Nothing is tuned, as it
would be on the device itself, which may choose other kernels for products.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import SingleDeviceSharding

from benchmarks.hlo import Cost, Module
from benchmarks.machine import machine
from benchmarks.play import our_game, play
from benchmarks.table import Column, print_table
from jaxsocial.agents.networks.blocks import traced_for
from jaxsocial.config.config import Config
from jaxsocial.config.presets import preset
from jaxsocial.evaluate.episodes import EpisodeProgram, episode_inputs, episode_program
from jaxsocial.training.accelerators import TARGETS, described_device
from jaxsocial.training.program import make_program

PARTS = ("begin", "chunk", "evaluation", "world")
WORLD_STEPS = 250
LARGEST = 10
"""Lines of source that are listed."""


class Needs(NamedTuple):
    """What one compiled program needs."""

    part: str
    steps: int
    """Steps of learners in a chunk, of agents in the other parts, 1 for ``begin``."""
    loop_turns: int
    """Environment steps, or 1: kernels are stated for each."""
    compile_seconds: float
    """With lowering."""
    arguments: int
    """Bytes."""
    temporaries: int
    """Bytes."""
    cost: Cost
    """Without loops whose turns depend on data: the restarts of worlds."""
    waiting: Cost
    """Of these loops, one turn whenever one is reached."""
    by_source: dict[str, Cost]
    """The lines that move most bytes."""
    loops: list[dict[str, Any]]

    @property
    def bytes_per_step(self) -> float:
        """Returns the bytes that are moved for one step."""
        return self.cost.bytes / self.steps


def main(arguments: list[str] | None = None) -> None:
    """Compiles, prints and writes."""
    options = _options(arguments)
    device = described_device(options.target)
    config = dataclasses.replace(preset(options.preset), seeds=options.seeds)
    found = []
    for part in options.parts:
        found.append(needs(part, config, device, options.worlds, options.text))
        print_table(found[-1:], COLUMNS)
        for line, cost in found[-1].by_source.items():
            print(f"  {cost.bytes / found[-1].cost.bytes:6.1%} of bytes, {cost.kernels:9,.0f} kernels: {line}")
    print_table(found, COLUMNS)
    if options.out:
        about = {"target": options.target, "preset": options.preset, "seeds": options.seeds, "worlds": options.worlds}
        costs = [{name: getattr(part, name)._asdict() for name in ("cost", "waiting")} for part in found]
        lines = [{line: cost._asdict() for line, cost in part.by_source.items()} for part in found]
        parts = [p._asdict() | cost | {"by_source": of} for p, cost, of in zip(found, costs, lines, strict=True)]
        options.out.write_text(json.dumps(about | {"about": facts()} | {"parts": parts}, indent=2) + "\n")


def facts(module: str = "benchmarks.compile_for") -> dict[str, object]:
    """Returns date, versions and command; the machine matters for nothing but the seconds."""
    known = machine(module)
    return {name: known[name] for name in ("date", "command", "python", "versions")}


def needs(part: str, config: Config, device: Any, worlds: int | None = None, text: Path | None = None) -> Needs:
    """Compiles a part for a device that need not be here, and counts.

    Args:
      part: one of `PARTS`.
      config: of the run.
      device: see `described_device`.
      worlds: of the part ``world``; those of the config if None.
      text: a folder for the compiled texts.
    """
    began = time.perf_counter()
    made, steps, turns = _compiled(part, config, device, worlds or config.sizes.worlds)
    seconds, memory, compiled_text = time.perf_counter() - began, made.memory_analysis(), made.as_text() or ""
    if text:
        text.mkdir(parents=True, exist_ok=True)
        (text / f"{config.preset}-{part}.txt").write_text(compiled_text)
    # An update that stops early takes fewer rounds.
    module = Module(compiled_text, {"jaxsocial/learning/update.py": config.sizes.rounds})
    by_source = list(module.by_source().items())[:LARGEST]
    loops = [loop._asdict() | {"body": loop.body._asdict()} for loop in module.loops()]
    assert memory is not None
    return Needs(
        part=part,
        steps=steps,
        loop_turns=turns,
        compile_seconds=seconds,
        arguments=memory.argument_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        cost=module.cost(),
        waiting=module.waiting(),
        by_source=dict(by_source),
        loops=loops,
    )


Made = tuple[jax.stages.Compiled, int, int]


def _compiled(part: str, config: Config, device: Any, worlds: int) -> Made:
    """Returns the compiled program of a part, the steps in it, and the loop turns for which kernels are stated."""
    world, seeds = config.world, config.seeds
    if part == "begin":
        return make_program(config, [device]).compiled_begin(), 1, 1
    if part == "chunk":
        made = make_program(config, [device]).compiled_chunk(1)
        return made, config.iteration_steps * seeds, config.sizes.steps
    if part == "evaluation":
        made = compiled_episodes(episode_program(config), config, device)
        return made, seeds * config.evaluation_episodes * world.max_steps * world.agents, world.max_steps
    game = our_game(world, WORLD_STEPS)

    def run(key):
        return play(game, worlds, WORLD_STEPS, key)

    made = jax.jit(run).lower(on_device(device, jax.random.key(0))).compile()
    return made, worlds * WORLD_STEPS * world.agents, WORLD_STEPS


def compiled_episodes(program: EpisodeProgram, config: Config, device: Any) -> jax.stages.Compiled:
    """Compiles whole episodes of all seeds of a run, `evaluation_episodes` of each.

    Args:
      program: of this config.
      config: of the run.
      device: see `described_device`.
    """
    setup, play = program
    one = jax.eval_shape(setup.network.init, jax.random.key(0))
    shape = config.seeds, config.sizes.learners
    parameters = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*shape, *x.shape), x.dtype), one)
    given = parameters, episode_inputs(config, config.evaluation_episodes), {}, setup.partners.parameters
    with traced_for(device.platform):
        return play.lower(*on_device(device, given)).compile()


def on_device(device: Any, tree: Any) -> Any:
    """Returns the shapes of arrays on a device."""
    where = SingleDeviceSharding(device)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), tree)


COLUMNS: list[Column] = [
    ("part", lambda row: row.part),
    ("compile s", lambda row: f"{row.compile_seconds:.0f}"),
    ("arguments MiB", lambda row: f"{row.arguments / 2**20:,.1f}"),
    ("temporaries MiB", lambda row: f"{row.temporaries / 2**20:,.1f}"),
    ("GFLOP", lambda row: f"{row.cost.flops / 1e9:,.2f}"),
    ("GB moved", lambda row: f"{row.cost.bytes / 1e9:,.2f}"),
    ("B a step", lambda row: f"{row.bytes_per_step:,.0f}"),
    ("kernels", lambda row: f"{row.cost.kernels:,.0f}"),
    ("of an environment step", lambda row: f"{row.cost.kernels / row.loop_turns:,.1f}"),
    ("of a restart", lambda row: f"{row.waiting.kernels / row.loop_turns:,.1f}"),
]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--seeds", type=int, default=1, help="how many train at once")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--worlds", type=int, help="of the part world")
    parser.add_argument("--text", type=Path, help="a folder for the compiled programs' texts")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
