"""One figure from nothing to its table: trains, measures, reports, and at any time goes on from where it was."""

import dataclasses
import importlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxsocial.reproduce import findings, measuring, progress, report, training
from jaxsocial.reproduce.conditions import Scale, lots
from jaxsocial.reproduce.figures import Condition, Figure, Row, conditions_of
from jaxsocial.reproduce.findings import Finding, Findings, NothingMeasured, Part
from jaxsocial.reproduce.store import folder_of, is_trained, resolved, row_key, run_name
from jaxsocial.run import checkpoint, metrics
from jaxsocial.run.chunks import METRICS, stop_requests
from jaxsocial.run.circumstances import circumstances, circumstances_of
from jaxsocial.run.config import to_plain
from jaxsocial.run.files import locked

FIGURES = ("figure4", "figure5", "figure6", "figure7", "penalty", "behaviour")
CLAIMS = "claims.md"
POINTS = 200
"""Of a curve in results.json, at most."""
PATIENCE_SECONDS = 10.0
"""For another process that trains in the same store: one that was told to stop may still be saving."""

Measured = list[tuple[Row, Part]]
"""Rows, each for every run of it that was measured."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a figure's runs and results go."""

    runs: Path
    """Trained conditions, shared by all figures of a scale."""
    results: Path
    """The figure's table and pictures, beside those of the other figures of its scale."""


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
    figure, *others = [make(lot) for lot in lots(scale, seeds)]
    there = _there(places)
    known = _known(make, scale, there)
    keys = {part.key for _, part in known}
    left = [row for each in (figure, *others) for row in each.rows if row_key(row, scale.episodes) not in keys]
    if known and not partial:
        console.print(_taken_over(figure, known, left), highlight=False)
    stopped = None if partial else _train(figure, conditions_of(left), places, console, deadline)
    known, ready = _known_and_ready(known, left, places, partial)
    if not ready and not known:
        raise stopped or NothingMeasured(f"nothing of {figure.name} has come so far that it could be measured")
    measured = _measure(ready, scale, places, console)
    found = _together(figure, scale, places, known, measured, there)
    places.results.mkdir(parents=True, exist_ok=True)
    findings.write(found, places.results)
    _write_episodes(figure, scale.episodes, known, measured, places)
    rebuild(figure, places, console)
    if stopped:
        raise stopped
    return found


def _taken_over(figure: Figure, known: Measured, left: list[Row]) -> str:
    """For a person who may think that all of it is made here and now."""
    rows = len({row.name for row, _ in known})
    rest = f"{len({row.name for row in left})} are to be made" if left else "nothing is trained"
    return f"{figure.name}: {rows} rows are taken from results.json, {rest}; --out FOLDER makes them all anew"


def _there(places: Places) -> list[Findings]:
    """What there is of this figure, and then of the other figures of its scale."""
    others = [places.results.parent / name for name in FIGURES]
    folders = dict.fromkeys([places.results, *others])
    return [findings.read(folder) for folder in folders if (folder / findings.RESULTS).is_file()]


def _known(make: Callable[[Scale], Figure], scale: Scale, there: Sequence[Findings]) -> Measured:
    """Rows that some results.json has to their end already, wherever they were trained, of however many seeds."""
    old = [finding for found in reversed(there) for finding in found.rows.values()]
    whole = {part.key: part for finding in old for part in finding.parts if part.is_whole}
    each, last = scale.base.seeds, max((seed for part in whole.values() for seed in part.seeds), default=0)
    seeds = each * max(1, math.ceil((last + 1 - scale.base.seed) / each))
    rows = [row for lot in lots(scale, seeds) for row in make(lot).rows]
    found = [(row, whole[key]) for row in rows if (key := row_key(row, scale.episodes)) in whole]
    # An older version may not have measured what a row is about: then nothing of that company counts as known.
    lacking = {part.key for row, part in found if not part.has(row.measure, row.of_partners)}
    return [(row, part) for row, part in found if part.key not in lacking]


def _known_and_ready(known: Measured, left: list[Row], places: Places, partial: bool) -> tuple[Measured, list[Row]]:
    """What stays known, and what can be measured here.

    All rows of a run that is measured here are, also those that are known from elsewhere: the same seed may have come
    to something else there. A run that is known whole is not measured in part.
    """
    ready = [row for row in left if is_trained(row.condition, places.runs)]
    here = {run_name(row.condition) for row in ready}
    ready += [row for row, part in known if part.run in here]
    known = [(row, part) for row, part in known if part.run not in here]
    if partial:
        whole = here | {part.run for _, part in known}
        ready += [row for row in left if _begun(row, places) and run_name(row.condition) not in whole]
    return known, ready


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


def _begun(row: Row, places: Places) -> bool:
    return checkpoint.latest(folder_of(row.condition, places.runs)) is not None


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
            training.train(conditions, places.runs, watch)
        except training.Stopped:
            return Unfinished(watch.what_is_left())
    return None


def _measure(rows: list[Row], scale: Scale, places: Places, console: Console) -> Measured:
    measured = []
    for row in rows:
        with console.status(f"measuring {row.name}"):
            measured.append((row, measuring.measure(row, places.runs, scale.episodes)))
    return measured


def _write_episodes(figure: Figure, episodes: int, known: Measured, measured: Measured, places: Places) -> None:
    """Those of what has just been measured, and any that were to be written when all was stopped."""
    parts, new = {part.key: part for _, part in [*known, *measured]}, {part.key for _, part in measured}
    for row in figure.rows:
        key, path = row_key(row, episodes), places.results / report.episode_name(row)
        missing = key in parts and not path.is_file() and is_trained(row.condition, places.runs)
        if row.episode and (key in new or missing):
            measuring.write_episode(row, parts[key], places.runs, path)


def _together(
    figure: Figure, scale: Scale, places: Places, known: Measured, measured: Measured, there: Sequence[Findings]
) -> Findings:
    """What is known, with what ``there`` is of its runs, and what has just been measured."""
    runs = {part.run: row.condition for row, part in measured}
    kept = {part.run: (row.condition.name, part.seeds) for row, part in known if part.run not in runs}
    source = {run: next(found for found in there if found.has_whole(run)) for run in kept}
    # Runs that these name are named as they are in any store, and not as they lie here.
    configs = {name: to_plain(resolved(condition, Path())) for name, condition in runs.items()}
    curves = [(condition.name, _curve(places.runs / name)) for name, condition in runs.items()]
    for run, (name, seeds) in kept.items():
        curves.append((name, [point for point in source[run].curves[name] if point["seed"] in seeds]))
    configs |= {run: found.configs[run] for run, found in source.items()}
    seconds = {name: training.seconds_of(places.runs / name) for name in runs}
    seconds |= {run: found.seconds[run] for run, found in source.items()}
    trained = {name: circumstances_of(places.runs / name) for name in runs}
    trained |= {run: found.trained[run] for run, found in source.items()}
    rows = {row.name: found for row in figure.rows if (found := _finding(row, scale, [*known, *measured]))}
    shown = [part.run for finding in rows.values() for part in finding.parts]
    return Findings(
        figure=figure.name,
        scale=scale.name,
        rows=rows,
        curves=_in_order(_by_condition(curves), (finding.condition for finding in rows.values())),
        configs=_in_order(configs, shown),
        seconds=_in_order(seconds, shown),
        trained=_in_order(trained, shown),
        circumstances=circumstances() if measured else _last(source.values()),
    )


def _in_order(found: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """As the rows are, whatever came first: so that nothing changes where nothing is new. What no row shows is last."""
    return {name: found[name] for name in dict.fromkeys([*names, *sorted(found)])}


def _last(there: Iterable[Findings]) -> dict[str, Any]:
    """The circumstances of the last measurement."""
    return max((found.circumstances for found in there), key=lambda facts: facts["date"])


def _finding(row: Row, scale: Scale, all_rows: Measured) -> Finding | None:
    """A row over all its lots of seeds; none where none is there."""
    # What no lot changes, an expert by itself, is in all of them.
    parts = list({part.key: part for other, part in all_rows if other.name == row.name}.values())
    whole = [part for part in parts if part.is_whole]
    if not parts:
        return None
    in_order = sorted(whole or parts, key=lambda part: part.seeds)
    return Finding(row.condition.name, scale.episodes, in_order, row.measure, row.of_partners)


def _by_condition(curves: Iterable[tuple[str, list[dict[str, Any]]]]) -> dict[str, list[dict[str, Any]]]:
    """Of all seeds, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, points in curves:
        found.setdefault(name, []).extend(points)
    return {name: sorted(points, key=lambda point: (point["step"], point["seed"])) for name, points in found.items()}


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
