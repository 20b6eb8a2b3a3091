"""What a finished run is left with: its evaluation, its learning curve and an episode."""

import json

import jax
from rich.console import Console

from jaxsocial.evaluate import media, returns
from jaxsocial.evaluate.episodes import episode_player, without_teacher
from jaxsocial.train import distributed, metrics
from jaxsocial.train.build import make_agent_setup
from jaxsocial.train.folder import CURVE, EPISODE, EVALUATION, write_at_once
from jaxsocial.train.metrics import METRICS
from jaxsocial.train.run import Trained


def finish(trained: Trained, console: Console) -> list[returns.Result]:
    """Evaluates a trained run, draws it, and prints the results; the first host alone does it."""
    if not distributed.is_first():
        return []
    results, config = measure(trained), trained.config
    steps, minutes = config.iterations * config.iteration_steps, trained.seconds / 60
    console.print(returns.table(results, f"{config.preset}: {steps:,} steps in {minutes:.1f} min"))
    console.print(f"everything of this run is in {trained.folder}", soft_wrap=True, highlight=False)
    return results


def measure(trained: Trained) -> list[returns.Result]:
    """Writes evaluation, curve and episode into the run's folder, and returns the evaluation.

    The evaluation is written last: its presence says that the run is whole.
    """
    folder, config = trained.folder, trained.config
    play = episode_player(config, config.evaluation_episodes)
    results = returns.evaluate(config, play(trained.parameters))
    results += returns.results_of(play(trained.untrained), config, "untrained learner", [0])
    config = without_teacher(config)
    rows = metrics.read(folder / METRICS)
    media.write_learning_curve(folder / CURVE, rows, results, config)
    first_seed = jax.tree.map(lambda x: x[0], trained.parameters)
    media.write_episode(folder / EPISODE, config, first_seed, make_agent_setup(config), config.seed)
    write_at_once(folder / EVALUATION, json.dumps(returns.plain(results), indent=2) + "\n")
    return results
