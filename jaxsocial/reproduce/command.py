"""One figure from nothing to its table: trains, measures, reports, and at any time goes on from where it was."""

import dataclasses
import importlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxsocial.reproduce import findings, measuring, report, training
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Condition, Figure, Row
from jaxsocial.reproduce.findings import Finding, Findings
from jaxsocial.reproduce.store import folder_of, is_trained
from jaxsocial.run import checkpoint, metrics
from jaxsocial.run.chunks import METRICS, Chunk, stop_requests
from jaxsocial.run.circumstances import circumstances
from jaxsocial.run.config import to_plain
from jaxsocial.run.train import report_bad

FIGURES = ("figure4", "figure5", "figure6", "figure7", "penalty", "behaviour")
POINTS = 200
"""Of a curve in results.json, at most."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a figure's runs and results go."""

    runs: Path
    """Trained conditions, shared by all figures of a scale."""
    results: Path
    """The figure's table and pictures."""


class Unfinished(Exception):  # noqa: N818, asked for: no error
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
    figure: Figure, scale: Scale, places: Places, console: Console, deadline: float = math.inf, partial: bool = False
) -> Findings:
    """Trains what is missing, measures every row, and writes table, pictures and episodes.

    Args:
      figure: what to make.
      scale: at which size.
      places: where it goes.
      console: for progress and words.
      deadline: when to stop, saved, in seconds of `time.monotonic`; never if not given.
      partial: measure what is there of conditions that are still being trained, and train nothing.

    Raises:
      Unfinished: stopped before the end.
      ValueError: there is nothing to measure, with ``partial``.
    """
    if not partial:
        _train(figure, places, console, deadline)
    rows = [row for row in figure.rows if is_trained(row.condition, places.runs) or (partial and _begun(row, places))]
    if not rows:
        raise ValueError(f"nothing of {figure.name} has come so far that it could be measured: leave --partial out")
    measured: dict[str, Finding] = {}
    for row in rows:
        with console.status(f"measuring {row.name}"):
            measured[row.name] = measuring.measure(row, places.runs, scale.episodes)
    found = _findings(figure, scale, measured, places)
    places.results.mkdir(parents=True, exist_ok=True)
    findings.write(found, places.results)
    for row in rows:
        path = places.results / report.episode_name(row)
        if row.episode:
            measuring.write_episode(row, measured[row.name], places.runs, path)
    rebuild(figure, places, console)
    return found


def rebuild(figure: Figure, places: Places, console: Console) -> None:
    """Table and picture from results.json.

    Raises:
      ValueError: there is none.
    """
    found = findings.read(places.results)
    report.write(figure, found, places.results)
    for row in figure.rows:
        if row.name in found.rows:
            verdict = report.verdict(row, found).replace("*", "")
            console.print(f"{row.name}: {found.score(row.name)} {verdict}", highlight=False)
    console.print(f"wrote {places.results}", soft_wrap=True, highlight=False)


def _begun(row: Row, places: Places) -> bool:
    return (folder_of(row.condition, places.runs) / "checkpoints").is_dir()


def _train(figure: Figure, places: Places, console: Console, deadline: float) -> None:
    conditions = figure.conditions()
    if all(is_trained(condition, places.runs) for condition in conditions):
        return
    places.runs.mkdir(parents=True, exist_ok=True)
    with _display(console) as bar, stop_requests() as asked:
        watch = _Watch(figure, conditions, places, bar, lambda: asked() or time.monotonic() > deadline)
        try:
            training.train(conditions, places.runs, watch)
        except training.Stopped:
            raise Unfinished(watch.what_is_left()) from None


class _Watch:
    """Shows how far a figure is, and knows how long the rest will take."""

    def __init__(
        self, figure: Figure, conditions: list[Condition], places: Places, bar: Progress, stop: Callable[[], bool]
    ):
        self._figure, self._conditions, self._places, self._stop, self._bar = figure, conditions, places, stop, bar
        self._speed, self._healthy = 0.0, np.ones(0, bool)
        whole = sum(c.config.seeds * c.config.iterations * c.config.iteration_steps for c in conditions)
        left = training.left_to_train(conditions, places.runs)
        self._task = bar.add_task(figure.name, total=whole, completed=whole - left, what="compiling", reward="-")

    def __call__(self, group: training.Group, iteration: int, chunk: Chunk | None) -> bool:
        if chunk is None:
            self._healthy = np.ones(sum(config.seeds for config in group.configs), bool)
            what = ", ".join(name.rpartition("-")[0] for name in group.names)
            self._bar.update(self._task, what=what, reward="-")
            return self._stop()
        self._speed, healthy = chunk.speed, np.asarray(chunk.members.healthy)
        self._report_bad(group, healthy, iteration)
        returns = [metrics.learner_return(row) for row in chunk.rows]
        steps = group.steps * group.configs[0].chunk_iterations // group.configs[0].iterations
        self._bar.update(self._task, advance=steps, reward=" ".join(f"{value:.1f}" for value in returns[:5]))
        return self._stop()

    def _report_bad(self, group: training.Group, healthy: np.ndarray, iteration: int) -> None:
        first = 0
        for config in group.configs:
            own = slice(first, first + config.seeds)
            report_bad(self._bar.console, config, self._healthy[own], healthy[own], iteration)
            first += config.seeds
        self._healthy = healthy

    def what_is_left(self) -> str:
        """For a person who stopped it, or whose time was up."""
        left = training.left_to_train(self._conditions, self._places.runs)
        trained = sum(is_trained(condition, self._places.runs) for condition in self._conditions)
        time_left = f", about {left / self._speed / 3600:.1f} h at the last speed" if self._speed else ""
        return (
            f"{self._figure.name}: stopped and saved with {trained} of {len(self._conditions)} conditions trained; "
            f"{left / 1e6:,.1f} M learner steps are left{time_left}. The same command goes on"
        )


def _display(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:.0f} %"),
        TextColumn("{task.fields[what]}"),
        TextColumn("return {task.fields[reward]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
    )


def _findings(figure: Figure, scale: Scale, measured: dict[str, Finding], places: Places) -> Findings:
    there = [c for c in figure.conditions() if (folder_of(c, places.runs) / METRICS).is_file()]
    folders = {condition.name: folder_of(condition, places.runs) for condition in there}
    return Findings(
        figure=figure.name,
        scale=scale.name,
        rows=measured,
        curves={name: _curve(folder) for name, folder in folders.items()},
        configs={folder.name: to_plain(checkpoint.config_of(folder)) for folder in folders.values()},
        seconds={folder.name: training.seconds_of(folder) for folder in folders.values()},
        circumstances=circumstances(),
    )


def _curve(folder: Path) -> list[dict[str, Any]]:
    """Returns while training, of some points of each seed."""
    rows = metrics.read(folder / METRICS)
    steps = sorted({row["step"] for row in rows})
    shown = set(steps[:: max(1, -(-len(steps) // POINTS))])
    return [_point(row) for row in rows if row["step"] in shown and row["learner"] == 0]


def _point(row: metrics.Row) -> dict[str, Any]:
    value = metrics.learner_return(row)
    point = {name: row[name] for name in ("step", "seed", "penalty")}
    return point | {"return": None if math.isnan(value) else value}


def chosen(names: Sequence[str]) -> Sequence[str]:
    """The figures of these names, "all" for every one."""
    return FIGURES if "all" in names else names
