"""The verbs evaluate, render and tour."""

import json
import tempfile
import webbrowser
from pathlib import Path

from rich.console import Console

from jaxsocial.api import Run
from jaxsocial.cli.cross_play import measured_against, run_of
from jaxsocial.cli.options import EvaluateOptions, RenderOptions, TourOptions
from jaxsocial.evaluate import decoding, probe_picture, probes, returns
from jaxsocial.evaluate.episodes import played_config
from jaxsocial.sweep.command import SWEEP
from jaxsocial.sweep.networks import export_member
from jaxsocial.training.tables import counted
from jaxsocial.viewer.tour import tour as tour_page


def evaluate(chosen: EvaluateOptions, console: Console) -> int:
    """Prints the returns of a run, its probes, or what it earns beside other partners; returns the exit status.

    Raises:
      ValueError: there is no such run, or options that do not fit it or each other.
    """
    if chosen.against:
        if chosen.probes or chosen.alone or chosen.partners or (chosen.first_level, chosen.levels) != (None, None):
            raise ValueError("--against plays in the run's own levels: leave other options but --episodes out")
        run, steps = run_of(chosen.run)
        measured_against(run, steps, chosen.against, chosen.episodes, console)
        return 0
    if chosen.probes:
        if chosen.alone:
            raise ValueError("--alone with --probes: leave it out, and name the probe alone")
        if probes.HIDDEN_STATE in chosen.probes and (chosen.first_level, chosen.levels) != (None, None):
            raise ValueError(f"probe {probes.HIDDEN_STATE} plays in the run's own levels: leave levels out")
        return _probe(chosen, console)
    (run, steps), levels = run_of(chosen.run), (chosen.first_level, chosen.levels)
    results = run.evaluate(chosen.episodes, chosen.alone, chosen.partners, *levels, steps)
    rules = played_config(run.config, None, *levels).rules
    about = [str(chosen.run), "alone" if chosen.alone else "with partners"]
    about += [f"levels {rules.first_level} to {rules.first_level + rules.levels - 1}"] if rules.levels else []
    iteration = run.iteration if steps is None else steps // run.config.iteration_steps
    about += [f"iteration {iteration} of {run.config.iterations}"]
    console.print(returns.table(results, ", ".join(about)))
    return 0


def _probe(chosen: EvaluateOptions, console: Console) -> int:
    run, steps = run_of(chosen.run)
    names = [name for name in chosen.probes if name != probes.HIDDEN_STATE]
    levels = {"first_level": chosen.first_level, "levels": chosen.levels}
    title = f"{chosen.run}, {chosen.episodes} episodes of {counted(run.config.seeds, 'seed')}"
    results, transmission, decoded = [], {}, []
    if names:
        results, transmission = run.probe(
            *names, episodes=chosen.episodes, partners=chosen.partners, **levels, steps=steps
        )
        for table in probes.tables(results, title):
            console.print(table)
    if probes.HIDDEN_STATE in chosen.probes:
        decoded = run.decode(chosen.episodes, chosen.partners, steps)
        console.print(decoding.table(decoded, title))
    for learner, score in transmission.items():
        console.print(f"cultural transmission, {learner}: {score}", highlight=False)
    if run.is_packaged:
        return 0
    path = run.folder / "probes.json"
    found = probes.plain(results, transmission) | {probes.HIDDEN_STATE: decoding.plain(decoded)}
    path.write_text(json.dumps(found, indent=2) + "\n")
    probe_picture.draw(path.with_suffix(".png"), results, decoded, title)
    console.print(f"wrote {path} and probes.png", soft_wrap=True, highlight=False)
    return 0


def render(chosen: RenderOptions, console: Console) -> int:
    """Draws an episode of a run or of a sweep's setting, or writes a page of several; returns the exit status.

    Raises:
      ValueError: there is no such run, setting or seed, or the file's name has another ending.
    """
    if (chosen.run / SWEEP).is_file():
        sweep, other = chosen.run, chosen.other
        with tempfile.TemporaryDirectory() as folder:
            name = "best" if chosen.setting is None else f"setting {chosen.setting}"
            policy = Path(folder) / f"{sweep.resolve().name}, {name}"
            said = f": {export_member(sweep, policy, chosen.setting, chosen.seed)}"
            path = Run(policy).render(chosen.out, None, chosen.episode, None, chosen.episodes, chosen.alone, other)
    elif chosen.setting is not None:
        raise ValueError(f"{chosen.run} is no sweep: leave --setting out")
    else:
        run, steps = run_of(chosen.run)
        said = ""
        path = run.render(
            chosen.out, chosen.seed, chosen.episode, steps, chosen.episodes, alone=chosen.alone, other=chosen.other
        )
    console.print(f"wrote {path}{said}", soft_wrap=True, highlight=False)
    return 0


def tour(chosen: TourOptions, console: Console) -> int:
    """Writes the tour's page and opens it; returns the exit status."""
    chosen.out.write_text(tour_page(), encoding="utf-8")
    console.print(f"wrote {chosen.out}", soft_wrap=True, highlight=False)
    if chosen.show and not webbrowser.open(chosen.out.resolve().as_uri()):
        console.print("no browser was found: open the page in one")
    return 0
