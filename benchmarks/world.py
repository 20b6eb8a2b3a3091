"""How many agent-steps a second the paper's world makes with pixel observations.

    python -m benchmarks.world --out world.json

Random actions are drawn in the loop, worlds restart when their clock runs out, and every pixel of every
step is made: the observations are carried through the loop and come out of it.
"""

import argparse
import datetime
import functools
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

import jaxsocial


class Figure(NamedTuple):
    agents: int
    worlds: int
    steps: int
    compile_seconds: float
    run_seconds: list[float]
    agent_steps_per_second: float
    """Of the median run."""


def main() -> None:
    options = _options()
    facts = machine("benchmarks.world")
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    print(f"{'agents':>6} {'worlds':>6} {'steps':>6} {'compile s':>10} {'median s':>9} {'agent-steps/s':>14}")
    figures = []
    for agents in options.agents:
        for worlds in options.worlds:
            figures.append(_measure(agents, worlds, options))
            _print(figures[-1])
    if options.out:
        record = facts | {"figures": [figure._asdict() for figure in figures]}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 8, 64, 512, 1024, 8192])
    parser.add_argument("--steps", type=int, default=250, help="steps a world; an episode is 250, so one restart")
    parser.add_argument("--runs", type=int, default=5, help="timed runs, after one that is not counted")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    return parser.parse_args()


def machine(module: str) -> dict[str, object]:
    """What a figure must be read with: date, command, processor, load, device, versions."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", "-m", module, *sys.argv[1:]]),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def _processor() -> str:
    """The model's name where the system tells it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _measure(agents: int, worlds: int, options: argparse.Namespace) -> Figure:
    env = jaxsocial.make("goal_cycle", agents=agents)
    began = time.perf_counter()
    play = jax.jit(functools.partial(_play, env, worlds, options.steps)).lower(jax.random.key(0)).compile()
    compile_seconds = time.perf_counter() - began
    seconds = [_timed(play, jax.random.key(run)) for run in range(options.runs + 1)][1:]
    rate = agents * worlds * options.steps / statistics.median(seconds)
    return Figure(agents, worlds, options.steps, compile_seconds, seconds, rate)


def _timed(play, key) -> float:
    began = time.perf_counter()
    jax.block_until_ready(play(key))
    return time.perf_counter() - began


def _play(env: jaxsocial.Env, worlds: int, steps: int, key):
    """Plays at random; returns the last states and observations and the sum of all pay."""
    agents, actions = env.scenario.agents, env.scenario.actions
    reset_key, play_key = jax.random.split(key)

    def one_step(carried, key):
        state, _, total = carried
        action_key, step_key = jax.random.split(key)
        drawn = jax.random.randint(action_key, (worlds, agents), 0, actions)
        state, timestep = jax.vmap(env.step)(jax.random.split(step_key, worlds), state, drawn)
        return (state, timestep.observation, total + timestep.reward.sum()), None

    state, timestep = jax.vmap(env.reset)(jax.random.split(reset_key, worlds))
    first = (state, timestep.observation, jnp.float32(0))
    return jax.lax.scan(one_step, first, jax.random.split(play_key, steps))[0]


def _print(figure: Figure) -> None:
    print(
        f"{figure.agents:6} {figure.worlds:6} {figure.steps:6} {figure.compile_seconds:10.1f}"
        f" {statistics.median(figure.run_seconds):9.3f} {figure.agent_steps_per_second:14,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
