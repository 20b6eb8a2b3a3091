"""How many agent-steps a second worlds make, with every observation made and restarts included.

    python -m benchmarks.world --out world.json
    python -m benchmarks.world --part paper rivals --runs 9

Random actions are drawn in the loop, worlds restart when their clock runs out, and the observations are carried
through the loop and come out of it. On CPU every core is a device that steps its own worlds, as in training. Parts:

    paper      the paper's world, 1 and 3 agents
    worlds     the same from 256 to 65,536 worlds
    agents     the same with 1 to 16 agents, and the cost of an agent-step beside that with 1
    scenarios  every scenario in RGB and in symbols
    rivals     four rooms beside xminigrid's and navix's (`pip install -e '.[bench]'`)
"""

import argparse
import dataclasses
import json
from pathlib import Path

import jaxsocial
from benchmarks import rivals
from benchmarks.machine import copy_rate, machine
from benchmarks.play import compiled, measured, our_game
from benchmarks.table import Column, print_table
from jaxsocial.training.devices import use_all_cores

PAPER_AGENTS = (1, 3)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    use_all_cores()
    facts = machine("benchmarks.world") | {"copy_bytes_per_second": copy_rate(options.copy_bytes)}
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    parts: dict[str, object] = {}
    for name in PARTS if "all" in options.part else options.part:
        print(f"\n{name}", flush=True)
        parts[name] = PARTS[name](options, facts["copy_bytes_per_second"])
        if options.out:
            options.out.write_text(json.dumps(facts | {"parts": parts}, indent=2) + "\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=[*PARTS, "all"], default=["all"])
    parser.add_argument("--paper-worlds", type=int, nargs="+", default=[1, 8, 64, 256, 512, 1024, 2048, 8192])
    parser.add_argument("--worlds-worlds", type=int, nargs="+", default=[256, 1024, 4096, 16384, 65536])
    parser.add_argument("--rival-worlds", type=int, nargs="+", default=[16, 64, 256, 1024, 4096])
    parser.add_argument("--agents", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="in the part `agents`")
    parser.add_argument("--worlds", type=int, default=1024, help="in the parts `agents` and `scenarios`")
    parser.add_argument("--steps", type=int, default=250, help="steps a world; an episode is no longer")
    parser.add_argument("--rival-steps", type=int, default=100, help="the same for rivals")
    parser.add_argument("--runs", type=int, default=5, help="timed runs, after one that is not counted")
    parser.add_argument("--memory", type=float, default=8, help="GB that a program of the rivals may hold")
    parser.add_argument("--copy-bytes", type=int, default=2**28, help="size of the array that is copied")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    return parser.parse_args(arguments)


def _paper(options: argparse.Namespace, copied: float) -> list[dict]:
    return _paper_at(options.paper_worlds, options, copied)


def _worlds(options: argparse.Namespace, copied: float) -> list[dict]:
    return _paper_at(options.worlds_worlds, options, copied)


def _paper_at(worlds: list[int], options: argparse.Namespace, copied: float) -> list[dict]:
    games = [our_game(jaxsocial.make_scenario("goal_cycle", agents=agents), options.steps) for agents in PAPER_AGENTS]
    programs = [compiled(game, number, options.steps) for game in games for number in worlds]
    figures = measured(programs, options.runs)
    print_table(figures, [*COLUMNS, _share(copied)])
    return [figure._asdict() for figure in figures]


def _agents(options: argparse.Namespace, copied: float) -> list[dict]:
    scenarios = [jaxsocial.make_scenario("goal_cycle", agents=agents) for agents in options.agents]
    programs = [compiled(our_game(scenario, options.steps), options.worlds, options.steps) for scenario in scenarios]
    figures = measured(programs, options.runs)
    first = figures[0].agent_steps_per_second
    cost: Column = (f"cost to {options.agents[0]}", lambda figure: f"{first / figure.agent_steps_per_second:.2f}")
    print_table(figures, [*COLUMNS, _share(copied), cost])
    return [figure._asdict() | {"relative_cost": first / figure.agent_steps_per_second} for figure in figures]


def _scenarios(options: argparse.Namespace, copied: float) -> list[dict]:
    names = sorted(jaxsocial.registered_scenarios())
    games = [_styled(name, style, options.steps) for name in names for style in ("rgb", "symbolic")]
    figures = measured([compiled(game, options.worlds, options.steps) for game in games], options.runs)
    print_table(figures, [("scenario", lambda figure: figure.name), *COLUMNS, _share(copied)])
    return [figure._asdict() for figure in figures]


def _styled(name: str, style, steps: int):
    scenario = dataclasses.replace(jaxsocial.make_scenario(name), observation=style)
    return our_game(scenario, steps, f"{name} {style}")


def _rivals(options: argparse.Namespace, copied: float) -> dict[str, list]:
    for name in rivals.missing():
        print(f"{name} is not installed: pip install -e '.[bench]'")
    figures, results = rivals.contest(options.rival_worlds, options.runs, options.rival_steps, options.memory * 1e9)
    named: list[Column] = [("contestant", lambda figure: figure.name), ("sees", lambda figure: figure.remark)]
    print_table(figures, [*named, *COLUMNS, _share(copied)])
    print_table(results, RESULT_COLUMNS)
    return {
        "figures": [figure._asdict() for figure in figures],
        "results": [result._asdict() for result in results],
        "missing": rivals.missing(),
    }


PARTS = {"paper": _paper, "worlds": _worlds, "agents": _agents, "scenarios": _scenarios, "rivals": _rivals}

COLUMNS: list[Column] = [
    ("agents", lambda figure: str(figure.agents)),
    ("worlds", lambda figure: f"{figure.worlds:,}"),
    ("observation", lambda figure: figure.observation),
    ("its B", lambda figure: f"{figure.observation_bytes:,}"),
    ("state B", lambda figure: f"{figure.state_bytes:,}"),
    ("held MB", lambda figure: f"{figure.memory_bytes / 1e6:,.1f}"),
    ("compile s", lambda figure: f"{figure.compile_seconds:.1f}"),
    ("processor ns", lambda figure: f"{figure.processor_nanoseconds:,.0f}"),
    ("agent-steps/s", lambda figure: f"{figure.agent_steps_per_second:,.0f}"),
]
RESULT_COLUMNS: list[Column] = [
    ("ours", lambda result: result.ours),
    ("rival", lambda result: result.rival),
    ("times as fast", lambda result: f"{result.ratio:.1f}"),
    ("by processor time", lambda result: f"{result.processor_ratio:.1f}"),
]


def _share(copied: float) -> Column:
    """Returns the column of shares of a copy's rate, by the bytes that must be moved at least."""
    return "of copy", lambda figure: f"{figure.bytes_per_second / copied:.1%}"


if __name__ == "__main__":
    main()
