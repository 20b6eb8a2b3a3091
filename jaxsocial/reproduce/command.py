"""One figure from nothing to its table: trains, measures, reports, and at any time goes on from where it was."""

import dataclasses
import importlib
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxsocial.reproduce import findings, measuring, progress, report, training
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Condition, Figure, Row, conditions_of
from jaxsocial.reproduce.findings import Finding, Findings
from jaxsocial.reproduce.store import folder_of, is_trained, resolved, row_key, run_name
from jaxsocial.run import checkpoint, metrics
from jaxsocial.run.chunks import METRICS, stop_requests
from jaxsocial.run.circumstances import circumstances
from jaxsocial.run.config import to_plain

FIGURES = ("figure4", "figure5", "figure6", "figure7", "penalty", "behaviour")
CLAIMS = "claims.md"
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
    known = _known(figure, scale, places)
    left = [row for row in figure.rows if row.name not in known]
    stopped = None if partial else _train(figure, conditions_of(left), places, console, deadline)
    rows = [row for row in left if is_trained(row.condition, places.runs) or (partial and _begun(row, places))]
    if not rows and not known:
        raise stopped or ValueError(f"nothing of {figure.name} has come so far that it could be measured")
    found = _with(known, rows, figure, scale, places, console)
    places.results.mkdir(parents=True, exist_ok=True)
    findings.write(found, places.results)
    for row in rows:
        if row.episode:
            path = places.results / report.episode_name(row)
            measuring.write_episode(row, found.rows[row.name], places.runs, path)
    rebuild(figure, places, console)
    if stopped:
        raise stopped
    return found


def _known(figure: Figure, scale: Scale, places: Places) -> dict[str, Finding]:
    """Rows that results.json has to their end already, wherever they were trained."""
    if not (places.results / findings.RESULTS).is_file():
        return {}
    there = findings.read(places.results).rows
    asked = {row.name: row_key(row, scale.episodes) for row in figure.rows}
    return {
        name: finding
        for name, finding in there.items()
        if finding.key == asked.get(name) and finding.steps == finding.planned_steps
    }


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


def gather_claims(scale: Scale, results: Path) -> None:
    """One table of what every figure of a scale says of the paper's claims, beside the figures' folders."""
    there = [name for name in FIGURES if (results / name / findings.RESULTS).is_file()]
    if there:
        (results / CLAIMS).write_text(
            report.claims((load(name, scale), findings.read(results / name)) for name in there)
        )


def _begun(row: Row, places: Places) -> bool:
    return checkpoint.latest(folder_of(row.condition, places.runs)) is not None


def _train(
    figure: Figure, conditions: list[Condition], places: Places, console: Console, deadline: float
) -> Unfinished | None:
    """Trains them; returns what to say where that was stopped."""
    if all(is_trained(condition, places.runs) for condition in conditions):
        return None
    places.runs.mkdir(parents=True, exist_ok=True)
    with progress.display(console) as bar, stop_requests() as asked:
        watch = progress.Watch(
            figure.name, conditions, places.runs, bar, lambda: asked() or time.monotonic() > deadline
        )
        try:
            training.train(conditions, places.runs, watch)
        except training.Stopped:
            return Unfinished(watch.what_is_left())
    return None


def _with(
    known: dict[str, Finding], rows: list[Row], figure: Figure, scale: Scale, places: Places, console: Console
) -> Findings:
    """What is known, and what these rows come to now."""
    measured: dict[str, Finding] = {}
    for row in rows:
        with console.status(f"measuring {row.name}"):
            measured[row.name] = measuring.measure(row, places.runs, scale.episodes)
    new = Findings(
        figure=figure.name,
        scale=scale.name,
        rows={row.name: (known | measured)[row.name] for row in figure.rows if row.name in known | measured},
        curves={row.condition.name: _curve(folder_of(row.condition, places.runs)) for row in rows},
        # Runs that these name are named as they are in any store, and not as they lie here.
        configs={run_name(row.condition): to_plain(resolved(row.condition, Path())) for row in rows},
        seconds={name: training.seconds_of(places.runs / name) for name in _runs(measured)},
        circumstances=circumstances(),
    )
    if not known:
        return new
    old, runs = findings.read(places.results), _runs(known)
    curves = {name: old.curves[name] for name in dict.fromkeys(finding.condition for finding in known.values())}
    return dataclasses.replace(
        new,
        curves=curves | new.curves,
        configs={name: old.configs[name] for name in runs} | new.configs,
        seconds={name: old.seconds[name] for name in runs} | new.seconds,
        circumstances=new.circumstances if rows else old.circumstances,
    )


def _runs(rows: dict[str, Finding]) -> list[str]:
    return list(dict.fromkeys(finding.run for finding in rows.values()))


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
    """The figures of these names, "all" for every one.

    Raises:
      ValueError: none is named.
    """
    if not names:
        raise ValueError(f"name a figure: {', '.join(FIGURES)}, or all")
    return FIGURES if "all" in names else names
