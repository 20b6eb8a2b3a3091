"""The last part of a run: its evaluation, learning curve and recorded episodes."""

import json

import jax
from rich.console import Console

from jaxsocial.evaluate import media, returns
from jaxsocial.evaluate.episodes import episode_player, episode_program, without_teacher
from jaxsocial.training import distributed, metrics
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import CURVE, EPISODE, EVALUATION, REPLAY, write_at_once
from jaxsocial.training.metrics import METRICS
from jaxsocial.training.pretrained import with_partners_of
from jaxsocial.training.run import Trained
from jaxsocial.viewer import page
from jaxsocial.viewer.record import episode_recorder

REPLAYED = 3
"""Episodes of the page that every run's folder holds."""


def finish(trained: Trained, console: Console) -> list[returns.Result]:
    """Measures a trained run and prints the results, on the first host only; other hosts return no results."""
    if not distributed.is_first():
        return []
    results, config = measure(trained), trained.config
    steps, minutes = config.iterations * config.iteration_steps, trained.seconds / 60
    console.print(returns.table(results, f"{config.preset}: {steps:,} steps in {minutes:.1f} min"))
    for line in (
        f"everything of this run is in {trained.folder}",
        f"watch it play in a browser: {trained.folder / REPLAY}",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return results


def measure(trained: Trained) -> list[returns.Result]:
    """Evaluates a run, writes learning curve, episodes and evaluation into its folder, and returns the evaluation.

    The evaluation is written last: a run without it is unfinished, and `jaxsocial train --resume` measures it again.
    """
    folder, config = trained.folder, trained.config
    program = episode_program(config)
    play = episode_player(config, config.evaluation_episodes, program=program)
    rows = metrics.read(folder / METRICS)
    results = returns.with_health(returns.evaluate(config, play(trained.parameters)), config, metrics.health(rows))
    if config.partner_seats:
        # Absence is a number: nothing is compiled again.
        alone = episode_player(config, config.evaluation_episodes, alone=True, program=program)(trained.parameters)
        for seat, name in enumerate(returns.learner_names(config)):
            results += returns.results_of(alone, config, f"{name}, alone", [seat])
    results += returns.results_of(play(trained.untrained), config, "untrained learner", [0])
    media.write_learning_curve(folder / CURVE, rows, results, config)
    _write_episodes(trained)
    write_at_once(folder / EVALUATION, json.dumps(returns.plain(results), indent=2) + "\n")
    return results


def _write_episodes(trained: Trained) -> None:
    """Writes an episode of the first seed as a GIF, and a page of several; beside partners and alone if it has any."""
    folder, config = trained.folder, with_partners_of(without_teacher(trained.config), None)
    learners = jax.tree.map(lambda x: x[0], trained.parameters)
    setup = make_agent_setup(config)
    play = media.moments(config, learners, setup)
    media.write_episode(folder / EPISODE, config, play, config.seed)
    steps = config.iterations * config.iteration_steps
    record = page.side_of(episode_recorder(config, learners, setup, play), config, folder, config.seed, steps)
    numbers = range(config.seed, config.seed + REPLAYED)
    sides = [record(numbers)]
    if config.partner_seats:
        sides.append(record(numbers, alone=True))
    page.write_page(folder / REPLAY, sides)
