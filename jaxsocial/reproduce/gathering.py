"""Puts what was taken over and what was measured together, as results.json keeps it."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jaxsocial.config.config import to_plain
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Figure, Row
from jaxsocial.reproduce.findings import Finding, Findings
from jaxsocial.reproduce.origins import Measured
from jaxsocial.reproduce.store import resolved
from jaxsocial.reproduce.train import seconds_of
from jaxsocial.train import metrics
from jaxsocial.train.metrics import METRICS
from jaxsocial.train.provenance import provenance, read_provenance

POINTS = 200
"""Of a curve in results.json, at most."""

Curve = list[dict[str, Any]]
"""Points of training: step, seed, penalty, return."""


def gather(
    figure: Figure, scale: Scale, taken: Measured, measured: Measured, source: dict[str, Findings], runs: Path
) -> Findings:
    """Findings of a figure.

    Args:
      figure: whose rows they are.
      scale: at which size.
      taken: rows that some results.json had.
      measured: rows that have just been measured; those of a run are all here, or all taken.
      source: results that have curves, config and circumstances of each run that is taken.
      runs: where the runs of ``measured`` lie.
    """
    rows = {row.name: found for row in figure.rows if (found := _finding(row, scale, [*taken, *measured]))}
    shown = list(dict.fromkeys(part.run for finding in rows.values() for part in finding.parts))
    # Runs that are half trained are left out beside whole ones, with all that belongs to them.
    taken, measured = ([(row, part) for row, part in some if part.run in shown] for some in (taken, measured))
    here = {part.run: runs / part.run for _, part in measured}
    # Runs that these name are named as they are in any store, and not as they lie here.
    configs = {part.run: to_plain(resolved(row.condition, Path())) for row, part in measured}
    seconds = {run: seconds_of(folder) for run, folder in here.items()}
    trained = {run: read_provenance(folder) for run, folder in here.items()}
    for run in dict.fromkeys(part.run for _, part in taken):
        found = source[run]
        configs[run], seconds[run], trained[run] = found.configs[run], found.seconds[run], found.trained[run]
    curves = _curves(taken, measured, source, runs)
    return Findings(
        figure=figure.name,
        scale=scale.name,
        rows=rows,
        curves=_in_order(curves, [finding.condition for finding in rows.values()]),
        configs=_in_order(configs, shown),
        seconds=_in_order(seconds, shown),
        trained=_in_order(trained, shown),
        provenance=provenance() if measured else _last(source[part.run] for _, part in taken),
    )


def _in_order(found: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """As the rows are, whatever came first: so that nothing changes where nothing is new."""
    return {name: found[name] for name in dict.fromkeys(names)}


def _last(there: Iterable[Findings]) -> dict[str, Any]:
    """The circumstances of the last measurement."""
    return max((found.provenance for found in there), key=lambda facts: facts["date"])


def _finding(row: Row, scale: Scale, all_rows: Measured) -> Finding | None:
    """A row over all its lots of seeds; none where none is there."""
    # What no lot changes, an expert by itself, is in all of them.
    parts = list({part.key: part for other, part in all_rows if other.name == row.name}.values())
    whole = [part for part in parts if part.is_whole]
    if not parts:
        return None
    in_order = sorted(whole or parts, key=lambda part: part.seeds)
    return Finding(row.condition.name, scale.episodes, in_order, row.measure, row.of_partners)


def _curves(taken: Measured, measured: Measured, source: dict[str, Findings], runs: Path) -> dict[str, Curve]:
    """Of each condition, of all seeds, in their order."""
    found: dict[str, Curve] = {}
    for name, run in dict.fromkeys((row.condition.name, part.run) for row, part in measured):
        found.setdefault(name, []).extend(_curve(runs / run))
    seeds = {(row.condition.name, part.run): part.seeds for row, part in taken}
    for (name, run), own in seeds.items():
        points = (point for point in source[run].curves[name] if point["seed"] in own)
        found.setdefault(name, []).extend(points)
    return {name: sorted(points, key=lambda point: (point["step"], point["seed"])) for name, points in found.items()}


def _curve(folder: Path) -> Curve:
    """Returns while training, of some points of each seed."""
    rows = metrics.read(folder / METRICS)
    steps = sorted({row["step"] for row in rows})
    shown = set(steps[:: max(1, -(-len(steps) // POINTS))])
    return [_point(row) for row in rows if row["step"] in shown and row["learner"] == 0]


def _point(row: metrics.Row) -> dict[str, Any]:
    value = metrics.learner_return(row)
    point = {name: row[name] for name in ("step", "seed", "penalty")}
    return point | {"return": None if math.isnan(value) else value}
