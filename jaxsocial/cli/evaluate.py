"""The verbs evaluate and render."""

import json
from pathlib import Path

from rich.console import Console

from jaxsocial.api import Run
from jaxsocial.cli.options import EvaluateOptions, RenderOptions
from jaxsocial.evaluate import probes, returns
from jaxsocial.evaluate.episodes import played_config
from jaxsocial.training.pretrained import Source, source_of


def evaluate(chosen: EvaluateOptions, console: Console) -> int:
    """Prints the returns of a run, or its probes; returns the exit status.

    Raises:
      ValueError: there is no such run, or options that do not fit it.
    """
    if chosen.probes:
        return _probe(chosen, console)
    (run, steps), levels = _run(chosen.run), (chosen.first_level, chosen.levels)
    results = run.evaluate(chosen.episodes, chosen.alone, chosen.partners, *levels, steps)
    rules = played_config(run.config, None, *levels).rules
    about = [str(chosen.run), "alone" if chosen.alone else "with partners"]
    about += [f"levels {rules.first_level} to {rules.first_level + rules.levels - 1}"] if rules.levels else []
    iteration = run.iteration if steps is None else steps // run.config.iteration_steps
    about += [f"iteration {iteration} of {run.config.iterations}"]
    console.print(returns.table(results, ", ".join(about)))
    return 0


def _run(path: Path) -> tuple[Run, int | None]:
    """Returns a run and the learner steps of its checkpoint, from FOLDER or FOLDER@STEPS."""
    source = Source(path) if path.is_dir() else source_of(str(path))
    if source.seed is not None:
        raise ValueError(f"{path}: all seeds of a run are read together, leave #{source.seed} out")
    return Run(source.folder), source.steps


def _probe(chosen: EvaluateOptions, console: Console) -> int:
    run, steps = _run(chosen.run)
    results, transmission = run.probe(
        *chosen.probes,
        episodes=chosen.episodes,
        partners=chosen.partners,
        first_level=chosen.first_level,
        levels=chosen.levels,
        steps=steps,
    )
    console.print(
        probes.table(results, f"{chosen.run}, {chosen.episodes} episodes of each of {run.config.seeds} seeds")
    )
    for learner, score in transmission.items():
        console.print(f"cultural transmission, {learner}: {score}", highlight=False)
    path = run.folder / "probes.json"
    path.write_text(json.dumps(probes.plain(results, transmission), indent=2) + "\n")
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)
    return 0


def render(chosen: RenderOptions, console: Console) -> int:
    """Draws an episode of a run, or writes a page of several; returns the exit status.

    Raises:
      ValueError: there is no such run or seed, or the file's name has another ending.
    """
    run, steps = _run(chosen.run)
    path = run.render(
        chosen.out, chosen.seed, chosen.episode, steps, chosen.episodes, alone=chosen.alone, other=chosen.other
    )
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)
    return 0
