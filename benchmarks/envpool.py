"""How fast worlds step beside EnvPool's port of MarlGrid in C++, on the same cores of the same machine.

    pip install -e '.[envpool]'                      # Python 3.12 or later
    python -m benchmarks.envpool --cores 1 --out envpool-1-core.json

The paper's world in RGB (13 x 13, 3 goals, 18 things in the way, view 7, tile 3), random actions, restarts included, in
turns in one process. EnvPool is called from Python at each step with all actions, as its users do, with a thread for
each core; ours is one compiled loop, with a device for each core. Each is shown at the number of worlds, of those
given, at which it is fastest.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

WORLDS = (64, 256, 1024, 4096)


class Figure(NamedTuple):
    player: str
    agents: int
    worlds: int
    agent_steps_per_second: float
    """Of the median run."""
    run_seconds: list[float]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="how many both may use")
    parser.add_argument("--worlds", type=int, nargs="+", default=WORLDS)
    parser.add_argument("--steps", type=int, default=250, help="steps a world, and in an episode")
    parser.add_argument("--runs", type=int, default=7, help="timed runs, after one that is not counted")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    options = parser.parse_args(arguments)
    # Before jax makes its threads.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    importlib.import_module("jaxsocial.training.devices").use_all_cores()
    machine = importlib.import_module("benchmarks.machine").machine
    facts = machine("benchmarks.envpool") | {
        "cores_used": options.cores,
        "envpool": importlib.metadata.version("envpool"),
    }
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    found = []
    for agents in (1, 3):
        players = {
            (name, worlds): make(agents, worlds, options.steps, options.cores)
            for name, make in (("envpool", _theirs), ("jaxsocial", _ours))
            for worlds in options.worlds
        }
        found += _fastest(players, agents, options.steps, options.runs)
    importlib.import_module("benchmarks.table").print_table(found, COLUMNS)
    if options.out:
        options.out.write_text(json.dumps(facts | {"figures": [one._asdict() for one in found]}, indent=2) + "\n")


def _fastest(players: dict[tuple[str, int], Callable[[int], Any]], agents: int, steps: int, runs: int) -> list[Figure]:
    """Times all in turns, and returns the fastest number of worlds of each player."""
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in players}
    for run in range(runs + 1):
        for key, play in players.items():
            began = time.perf_counter()
            play(run)
            seconds[key].append(time.perf_counter() - began)
    figures = []
    for (name, worlds), each in seconds.items():
        rate = agents * worlds * steps / statistics.median(each[1:])
        figures.append(Figure(name, agents, worlds, rate, each[1:]))
    names = dict.fromkeys(name for name, _ in players)
    return [max((f for f in figures if f.player == name), key=lambda f: f.agent_steps_per_second) for name in names]


def _theirs(agents: int, worlds: int, steps: int, cores: int) -> Callable[[int], Any]:
    envpool = importlib.import_module("envpool")
    sizes = {"grid_size": 13, "n_clutter": 18, "view_size": 7, "view_offset": 1, "view_tile_size": 3}
    rules = {"bonus_penalty": 1.5, "prestige_coloring": True, "max_episode_steps": steps}
    env = envpool.make_gymnasium(
        "Goalcycle-demo-solo-v0",
        num_envs=worlds,
        num_threads=cores,
        n_agents=agents,
        max_num_players=agents,
        **sizes,
        **rules,
    )
    env.reset()

    def play(run: int) -> None:
        actions = np.random.default_rng(run).integers(0, 7, (steps, worlds * agents))
        for action in actions:
            env.step(action)

    return play


def _ours(agents: int, worlds: int, steps: int, cores: int) -> Callable[[int], Any]:
    jax, jaxsocial = importlib.import_module("jax"), importlib.import_module("jaxsocial")
    games = importlib.import_module("benchmarks.play")
    scenario = jaxsocial.make_scenario("goal_cycle", agents=agents, max_steps=steps)
    program = games.compiled(games.our_game(scenario, steps), worlds, steps)
    return lambda run: jax.block_until_ready(program.run(jax.random.key(run)))


COLUMNS = [
    ("", lambda figure: figure.player),
    ("agents", lambda figure: str(figure.agents)),
    ("worlds", lambda figure: f"{figure.worlds:,}"),
    ("agent-steps/s", lambda figure: f"{figure.agent_steps_per_second:,.0f}"),
]


if __name__ == "__main__":
    main()
