"""How many learner steps a second a whole training iteration makes, and where its time goes.

    python -m benchmarks.train --presets quickstart paper --out train.json

Play, refresh and the whole iteration are compiled and timed on their own; what the iteration takes beyond play
and its refreshes is the update. Shares can miss 100 % a little, since the compiler joins what it compiles together.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import jax

from benchmarks.world import machine
from jaxsocial.learning.rollout import rollout
from jaxsocial.learning.update import Learner, new_learner, one_iteration, refresh
from jaxsocial.run.config import preset, world_rules
from jaxsocial.run.program import make_parts


class Figure(NamedTuple):
    preset: str
    learner_steps: int
    compile_seconds: float
    iteration_seconds: float
    steps_per_second: float
    play_share: float
    refresh_share: float
    update_share: float


def main() -> None:
    options = _options()
    facts = machine("benchmarks.train")
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    print(
        f"{'preset':>18} {'compile s':>10} {'iteration s':>12} {'steps/s':>10} {'play':>6} {'refresh':>8} {'update':>7}"
    )
    figures = [_measure(name, options.runs) for name in options.presets]
    if options.out:
        record = facts | {"figures": [figure._asdict() for figure in figures]}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["quickstart", "paper"])
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each, after one that is not counted")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    return parser.parse_args()


def _measure(name: str, runs: int) -> Figure:
    config = preset(name)
    parts, rules, coefficients = make_parts(config), world_rules(config), config.coefficients.traced()
    learner: Learner = jax.jit(lambda key: new_learner(key, rules, coefficients, parts))(jax.random.key(0))

    def play(learner):
        return rollout(
            learner.key, learner.play, learner.parameters, rules, parts.env, parts.network, parts.partners,
            parts.sizes.steps,
        )  # fmt: skip

    def replay(learner, trajectory):
        return refresh(learner.parameters, learner.play.memory, trajectory, coefficients, parts)

    began = time.perf_counter()
    iterate = jax.jit(lambda learner: one_iteration(learner, rules, coefficients, parts)).lower(learner).compile()
    compile_seconds = time.perf_counter() - began
    trajectory = jax.jit(play)(learner)[1]
    whole = _median(iterate, runs, learner)
    # Without the trajectory's pictures kept, the compiler would leave out painting them.
    played = _median(jax.jit(play), runs, learner)
    rounds = config.sizes.minibatches // config.sizes.refresh_interval
    refreshed = rounds * _median(jax.jit(replay), runs, learner, trajectory)
    figure = Figure(
        preset=name,
        learner_steps=config.iteration_steps,
        compile_seconds=compile_seconds,
        iteration_seconds=whole,
        steps_per_second=config.iteration_steps / whole,
        play_share=played / whole,
        refresh_share=refreshed / whole,
        update_share=1 - (played + refreshed) / whole,
    )
    _print(figure)
    return figure


def _median(function, runs: int, *arguments) -> float:
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def _print(figure: Figure) -> None:
    print(
        f"{figure.preset:>18} {figure.compile_seconds:10.1f} {figure.iteration_seconds:12.3f}"
        f" {figure.steps_per_second:8,.0f} {figure.play_share:6.0%} {figure.refresh_share:8.0%}"
        f" {figure.update_share:7.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
