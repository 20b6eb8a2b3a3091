"""The last part of a run: its evaluation, learning curve and a recorded episode."""

import json
import shlex

import jax
from rich.console import Console

from jaxsocial.agents.policy import ABSENT
from jaxsocial.evaluate import media, returns
from jaxsocial.evaluate.episodes import episode_player, episode_program, without_teacher
from jaxsocial.training import distributed, metrics
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import CURVE, EPISODE, EVALUATION, write_at_once
from jaxsocial.training.metrics import METRICS
from jaxsocial.training.pretrained import with_partners_of
from jaxsocial.training.run import Trained


def finish(trained: Trained, console: Console) -> list[returns.Result]:
    """Measures a trained run and prints the results, on the first host only; other hosts return no results."""
    if not distributed.is_first():
        return []
    results, config = measure(trained), trained.config
    steps, minutes = config.iterations * config.iteration_steps, trained.seconds / 60
    console.print(returns.table(results, f"{config.preset}: {steps:,} steps in {minutes:.1f} min"))
    console.print(f"everything of this run is in {trained.folder}", soft_wrap=True, highlight=False, markup=False)
    command = f"jaxsocial render {shlex.quote(str(trained.folder))} --out episodes.html"
    console.print(f"watch it play: {command}", soft_wrap=True, highlight=False, markup=False)
    return results


def measure(trained: Trained) -> list[returns.Result]:
    """Evaluates a run, writes learning curve, episode and evaluation into its folder, and returns the evaluation.

    The evaluation is written last: a run without it is unfinished, and `jaxsocial train --resume` measures it again.
    """
    folder, config = trained.folder, trained.config
    program = episode_program(config)
    play = episode_player(config, config.evaluation_episodes, program=program)
    rows = metrics.read(folder / METRICS)
    results = returns.with_health(returns.evaluate(config, play(trained.parameters)), config, metrics.health(rows))
    if any(partner != ABSENT for partner in config.partners):
        # Absence is a number: nothing is compiled again.
        alone = episode_player(config, config.evaluation_episodes, alone=True, program=program)(trained.parameters)
        for seat, name in enumerate(returns.learner_names(config)):
            results += returns.results_of(alone, config, f"{name}, alone", [seat])
    results += returns.results_of(play(trained.untrained), config, "untrained learner", [0])
    config = with_partners_of(without_teacher(config), None)
    media.write_learning_curve(folder / CURVE, rows, results, config)
    first_seed = jax.tree.map(lambda x: x[0], trained.parameters)
    media.write_episode(folder / EPISODE, config, first_seed, make_agent_setup(config), config.seed)
    write_at_once(folder / EVALUATION, json.dumps(returns.plain(results), indent=2) + "\n")
    return results
