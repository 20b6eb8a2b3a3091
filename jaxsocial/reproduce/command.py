"""One figure from nothing to its table: trains, measures, reports, and at any time goes on from where it was."""

import dataclasses
import importlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from jaxsocial.reproduce import findings, gathering, measuring, progress, report, train
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Condition, Figure, Row, conditions_of
from jaxsocial.reproduce.findings import Findings, NothingMeasured
from jaxsocial.reproduce.origins import Measured, Origins, origins
from jaxsocial.reproduce.store import can_be_measured, is_trained, row_key
from jaxsocial.train.folder import locked
from jaxsocial.train.stopping import Stopped, stop_requests

FIGURES = ("figure4", "figure5", "figure6", "figure7", "penalty", "behaviour")
CLAIMS = "claims.md"
PATIENCE_SECONDS = 10.0
"""For another process that trains in the same store: one that was told to stop may still be saving."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a figure's runs and results go."""

    runs: Path
    """Trained conditions, shared by all figures of a scale."""
    results: Path
    """The figure's table and pictures, beside those of the other figures of its scale."""


class Unfinished(Stopped):
    """A figure was stopped, and has saved; the message says what is left."""


def load(name: str, scale: Scale) -> Figure:
    """A figure as experiments/NAME.py declares it, from the clone around the working directory or the package.

    Raises:
      ValueError: there is no such figure, or no experiments/ here.
    """
    if name not in FIGURES:
        raise ValueError(f"figure {name!r} is unknown: choose from {', '.join(FIGURES)}, all")
    roots = [Path.cwd(), Path(__file__).parents[2]]
    root = next((root for root in roots if (root / "experiments" / f"{name}.py").is_file()), None)
    if root is None:
        raise ValueError(f"experiments/{name}.py is not here: run this in a clone of the repository, which declares it")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return importlib.import_module(f"experiments.{name}").figure(scale)


def reproduce(
    make: Callable[[Scale], Figure],
    scale: Scale,
    places: Places,
    console: Console,
    deadline: float = math.inf,
    partial: bool = False,
    seeds: int | None = None,
) -> Findings:
    """Trains what is missing, measures every row, and writes table, pictures and episodes.

    Args:
      make: what to make of a scale.
      scale: at which size.
      places: where it goes.
      console: for progress and words.
      deadline: when to stop, saved, in seconds of `time.monotonic`; never if not given.
      partial: measure what is there of conditions that are still being trained, and train nothing.
      seeds: how many of each condition, the scale's own if not given. More that are there already stay in the table.

    Raises:
      Unfinished: stopped before the end.
      NothingMeasured: there is nothing to measure, with ``partial``.
      FolderInUse: another process is training in the same store.
      ValueError: ``seeds`` cannot be had.
    """
    figure, there = make(scale), _there(places)
    where = origins(make, scale, seeds, there, places.runs)
    if where.taken and not partial:
        console.print(_in_words(figure, where), highlight=False)
    stopped = None
    if not partial:
        stopped = _train(figure, conditions_of(where.left), places, console, deadline)
        where = origins(make, scale, seeds, there, places.runs)
    to_measure = [*where.trained, *where.begun] if partial else where.trained
    if not to_measure and not where.taken:
        raise stopped or NothingMeasured(f"nothing of {figure.name} has come so far that it could be measured")
    measured = _measure(to_measure, scale, places, console)
    found = gathering.gather(figure, scale, where.taken, measured, where.source, places.runs)
    places.results.mkdir(parents=True, exist_ok=True)
    findings.write(found, places.results)
    _write_episodes(figure, scale.episodes, where.taken, measured, places)
    rebuild(figure, places, console)
    if stopped:
        raise stopped
    return found


def _there(places: Places) -> list[Findings]:
    """What there is of this figure, and then of the other figures of its scale."""
    others = [places.results.parent / name for name in FIGURES]
    folders = dict.fromkeys([places.results, *others])
    return [findings.read(folder) for folder in folders if (folder / findings.RESULTS).is_file()]


def _in_words(figure: Figure, where: Origins) -> str:
    """For a person who may think that all of it is made here and now."""
    taken, left = _counted([row for row, _ in where.taken]), _counted(where.left)
    rest = f"{left} are to be made" if where.left else "nothing is trained"
    return f"{figure.name}: {taken} are taken from results.json, {rest}; --out FOLDER makes them all anew"


def _counted(rows: Sequence[Row]) -> str:
    configs = [row.condition.config for row in rows]
    seeds = {seed for config in configs for seed in range(config.seed, config.seed + config.seeds)}
    return f"{len({row.name for row in rows})} rows ({len(seeds)} seeds)"


def rebuild(figure: Figure, places: Places, console: Console) -> None:
    """Table and picture from results.json.

    Raises:
      NothingMeasured: there is none.
    """
    found = findings.read(places.results)
    report.write(figure, found, places.results)
    for row in figure.rows:
        if row.name in found.rows:
            verdict = report.verdict(row, found).replace("*", "")
            console.print(f"{row.name}: {found.score(row.name)} {verdict}", highlight=False)
    console.print(f"wrote {places.results}", soft_wrap=True, highlight=False)


def gather_claims(scale: Scale, results: Path) -> None:
    """One table of what every figure of a scale says of the paper's claims, beside the figures' folders."""
    there = {name: findings.read(results / name) for name in FIGURES if (results / name / findings.RESULTS).is_file()}
    if there:
        (results / CLAIMS).write_text(report.claims((load(name, scale), there.get(name)) for name in FIGURES))


def _train(
    figure: Figure, conditions: list[Condition], places: Places, console: Console, deadline: float
) -> Unfinished | None:
    """Trains them; returns what to say where that was stopped."""
    if all(is_trained(condition, places.runs) for condition in conditions):
        return None
    places.runs.mkdir(parents=True, exist_ok=True)
    with locked(places.runs, PATIENCE_SECONDS), progress.display(console) as bar, stop_requests() as asked:
        watch = progress.Watch(
            figure.name, conditions, places.runs, bar, lambda: asked() or time.monotonic() > deadline
        )
        try:
            train.train(conditions, places.runs, watch)
        except Stopped:
            return Unfinished(watch.what_is_left())
    return None


def _measure(rows: list[Row], scale: Scale, places: Places, console: Console) -> Measured:
    measured = []
    for row in rows:
        with console.status(f"measuring {row.name}"):
            measured.append((row, measuring.measure(row, places.runs, scale.episodes)))
    return measured


def _write_episodes(figure: Figure, episodes: int, taken: Measured, measured: Measured, places: Places) -> None:
    """Those of what has just been measured, and any that were to be written when all was stopped."""
    parts, new = {part.key: part for _, part in [*taken, *measured]}, {part.key for _, part in measured}
    for row in figure.rows:
        key, path = row_key(row, episodes), places.results / report.episode_name(row)
        missing = key in parts and not path.is_file() and can_be_measured(row, places.runs)
        if row.episode and (key in new or missing):
            measuring.write_episode(row, parts[key], places.runs, path)


def chosen(names: Sequence[str]) -> Sequence[str]:
    """The figures of these names, "all" for every one.

    Raises:
      ValueError: none is named.
    """
    if not names:
        raise ValueError(f"name a figure: {', '.join(FIGURES)}, or all")
    return FIGURES if "all" in names else names
