"""One figure from nothing to its table: trains, measures and reports, and continues from wherever it was stopped."""

import dataclasses
import functools
import importlib
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from jaxsocial.reproduce import report, store, train
from jaxsocial.reproduce.conditions import Scale, seed_batches
from jaxsocial.reproduce.figures import Condition, Figure, Findings, Row, conditions_of
from jaxsocial.reproduce.store import Record
from jaxsocial.sweep.backends.items import LOG
from jaxsocial.training import metrics
from jaxsocial.training.folder import locked
from jaxsocial.training.metrics import METRICS
from jaxsocial.training.progress import ProgressDisplay, Status, working
from jaxsocial.training.stopping import Stopped

FIGURES = ("figure4", "figure5", "figure6", "figure7", "penalty", "behaviour", "experts", "alone")
CLAIMS, RECORDS = "claims.md", "runs"
PATIENCE_SECONDS = 10.0
"""For another process that trains in the same store: one that was told to stop may still be saving."""


class NothingMeasured(ValueError):  # noqa: N818, asked too early rather than wrong
    """No record says anything about a figure, and there is nothing to measure."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a scale's runs and results are."""

    runs: Path
    """Run folders, shared by all figures of the scale."""
    results: Path
    """A folder for each figure, and one of the records of all runs."""

    @property
    def records(self) -> Path:
        """Returns the folder of the records."""
        return self.results / RECORDS


def load(name: str, scale: Scale) -> Figure:
    """Returns a figure as experiments/NAME.py declares it, in the clone around the working directory or the package.

    Raises:
      ValueError: there is no such figure, or no experiments/ here.
    """
    if name not in FIGURES:
        raise ValueError(f"figure {name!r} is unknown: choose from {', '.join(FIGURES)}, all")
    # An installed package has no experiments/: they are looked for where the user stands, too.
    roots = [Path.cwd(), Path(__file__).parents[2]]
    root = next((root for root in roots if (root / "experiments" / f"{name}.py").is_file()), None)
    if root is None:
        raise ValueError(f"experiments/{name}.py is not here: run this in a clone of the repository, which declares it")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return importlib.import_module(f"experiments.{name}").figure(scale)


def chosen(names: Sequence[str]) -> Sequence[str]:
    """Returns the figures of these names; all if "all" is among them.

    Raises:
      ValueError: none is named.
    """
    if not names:
        raise ValueError(f"name a figure: {', '.join(FIGURES)}, or all")
    return FIGURES if "all" in names else names


def reproduce(
    make: Callable[[Scale], Figure],
    scale: Scale,
    places: Places,
    console: Console,
    deadline: float = math.inf,
    partial: bool = False,
    seeds: int | None = None,
) -> Findings:
    """Trains and measures what no record has, and writes the figure's table, pictures and episodes.

    Args:
      make: makes the figure at a scale.
      scale: the scale.
      places: where runs and results are.
      console: for progress and messages.
      deadline: when to stop, saved, in seconds of `time.monotonic`.
      partial: whether to measure half-trained conditions and to train nothing.
      seeds: how many of each condition; the scale's own if None. More seeds that are recorded stay in the table.

    Returns:
      What the figure shows.

    Raises:
      Stopped: stopped before the end; what is trained is measured and reported.
      NothingMeasured: there is nothing to measure.
      FolderInUse: another process trains in the same store.
      ValueError: ``seeds`` is not possible.
    """
    figure, records = make(scale), store.read_records(places.records)
    rows = rows_of(make, scale, seeds)
    left, stopped = _not_recorded(rows, records, scale), None
    if not partial:
        if len(left) < len(rows):
            known = f"{len(rows) - len(left)} of {len(rows)} rows are in {places.records}"
            console.print(
                f"{figure.name}: {known}; --out FOLDER makes all anew", highlight=False, markup=False, soft_wrap=True
            )
        stopped = _train(figure, conditions_of(left), places, console, deadline)
    runs = {store.run_name(row.condition) for row in left}
    # All rows of a run are measured here if one is: rows of one run use one training of it.
    needed = [row for row in _recorded_rows(make, scale, records, seeds) if store.run_name(row.condition) in runs]
    new = _measure(needed, records, scale, places, partial, console)
    found, best = view(make, scale, store.read_records(places.records))
    if not found.rows:
        raise stopped or NothingMeasured(f"nothing of {figure.name} is trained so far that it can be measured")
    _write_episodes(figure, scale, places, best, new)
    rebuild(make, scale, places, console)
    if stopped:
        raise stopped
    return found


def rows_of(make: Callable[[Scale], Figure], scale: Scale, seeds: int | None) -> list[Row]:
    """Returns a figure's rows, once for each batch of seeds.

    Args:
      make: makes the figure at a scale.
      scale: the scale.
      seeds: how many there are in all; those of one batch if None.
    """
    return [row for batch in seed_batches(scale, seeds) for row in make(batch).rows]


def _recorded_rows(
    make: Callable[[Scale], Figure], scale: Scale, records: Sequence[Record], seeds: int | None = None
) -> list[Row]:
    """Returns a figure's rows, of as many seeds as have records, and at least ``seeds``."""
    # Seeds come in batches of the scale, because each batch is a run of its own.
    each, recorded = scale.base.seeds, {record.run for record in records}
    rows = rows_of(make, scale, seeds)
    known = {store.run_name(row.condition) for row in rows}
    for more in itertools.count((seeds or each) + each, each):
        batch = make(seed_batches(scale, more)[-1]).rows
        # Trained experts are the same for all batches: only runs that a batch adds tell whether it was made.
        new = {store.run_name(row.condition) for row in batch} - known
        if recorded.isdisjoint(new):
            return rows
        rows, known = rows + list(batch), known | new
    return rows


def view(
    make: Callable[[Scale], Figure], scale: Scale, records: Sequence[Record]
) -> tuple[Findings, dict[str, Record]]:
    """Returns what records say of a figure, and the record of each run that is used for it.

    Args:
      make: makes the figure at a scale.
      scale: the scale.
      records: all records of the scale.
    """
    rows = _recorded_rows(make, scale, records)
    best = store.best_records(records, store.needs_of(rows, scale.episodes))
    return report.findings(make(scale), scale, rows, best), best


def _not_recorded(rows: Sequence[Row], records: Sequence[Record], scale: Scale) -> list[Row]:
    """Returns the rows that no whole record has."""
    needs = store.needs_of(rows, scale.episodes)
    best = store.best_records(records, needs)
    whole = {run: record for run, record in best.items() if record.is_whole}
    each = ((run, key, own) for run, keys in needs.items() for key, own in keys.items())
    return [row for run, key, own in each if run not in whole or not whole[run].measurement(key, own) for row in own]


def _train(
    figure: Figure, conditions: list[Condition], places: Places, console: Console, deadline: float
) -> Stopped | None:
    """Trains conditions; returns the message if that was stopped."""
    if all(store.is_trained(condition, places.runs) for condition in conditions):
        return None
    places.runs.mkdir(parents=True, exist_ok=True)
    watch = Watch(conditions, places.runs)
    # Two commands in one store would train one run twice, into the same folder.
    with locked(places.runs, PATIENCE_SECONDS), ProgressDisplay(console, watch.total, poll=watch.status):
        try:
            train.train(conditions, places.runs, train.make_executor(deadline))
        except (Stopped, KeyboardInterrupt) as stop:
            if isinstance(stop.__context__, KeyboardInterrupt):  # a second Ctrl-C: end now
                raise
            return Stopped(f"{figure.name}: stopped and saved with {watch.left()}. The same command continues")
        finally:
            for line in watch.warnings():
                console.print(line, highlight=False, markup=False)
    return None


class Watch:
    """How far the training of some conditions is, as their folders show."""

    def __init__(self, conditions: Sequence[Condition], runs: Path):
        self._conditions, self._runs, self._began = conditions, runs, time.time()
        self._folders = [store.folder_of(condition, runs) for condition in conditions]
        self._logged = {path: path.stat().st_size for path in runs.glob(f"*/{LOG}")}
        self._whole = [c.config.seeds * c.config.iterations * c.config.iteration_steps for c in conditions]
        self._at_first = [steps for steps, _ in self._progress()]
        self.total = sum(self._whole)

    def _progress(self) -> Iterator[tuple[int, str]]:
        """Yields, for each condition, the learner steps of all its seeds, saved or not, and the latest returns."""
        for condition, folder in zip(self._conditions, self._folders, strict=True):
            path, seeds = folder / METRICS, condition.config.seeds
            # The last line may be half written: a process is writing it.
            lines = path.read_text().rpartition("\n")[0].splitlines()[-seeds:] if path.is_file() else []
            rows = [json.loads(line) for line in lines]
            returns = " ".join(f"{metrics.learner_return(row):.1f}" for row in rows[:5])
            yield (seeds * rows[-1]["step"] if rows else 0), returns

    def status(self) -> Status:
        """Returns how far training is."""
        progress = list(self._progress())
        # Runs that continue go back to their last checkpoint: nothing counts that was logged after it.
        self._at_first = [min(first, steps) for first, (steps, _) in zip(self._at_first, progress, strict=True)]
        running = [
            (condition.name, returns)
            for condition, (steps, returns), first, whole in zip(
                self._conditions, progress, self._at_first, self._whole, strict=True
            )
            if first < steps < whole
        ]
        steps = sum(steps for steps, _ in progress)
        return Status(
            steps,
            " | ".join(dict.fromkeys(name for name, _ in running)) or "compiling",
            " | ".join(returns for _, returns in running) or "-",
            (steps - sum(self._at_first)) / (time.time() - self._began),
        )

    def left(self) -> str:
        """Returns how much is not saved yet, and how long that takes."""
        left, speed = train.left_to_train(self._conditions, self._runs), self.status().speed
        trained = sum(store.is_trained(condition, self._runs) for condition in self._conditions)
        hours = f", about {left / speed / 3600:.1f} h" if speed > 0 else ""
        said = f"{trained} of {len(self._conditions)} conditions trained"
        return f"{said}; {left / 1e6:,.1f} M learner steps are left{hours}"

    def warnings(self) -> Iterator[str]:
        """Yields what processes have logged, since this object was made, about seeds whose numbers are not finite."""
        for path in sorted(self._runs.glob(f"*/{LOG}")):
            lines = path.read_bytes()[self._logged.get(path, 0) :].decode(errors="replace").splitlines()
            yield from (f"{path.parent.name}: {line}" for line in lines if train.BAD in line)


def _measure(
    rows: Sequence[Row], records: Sequence[Record], scale: Scale, places: Places, partial: bool, console: Console
) -> set[tuple[str, str]]:
    """Measures and records rows that are trained here; returns run and key of the new measurements."""
    new, whole = set(), {record.run for record in records if record.is_whole}
    for run, keys in store.needs_of(rows, scale.episodes).items():
        # A run that is known whole is not measured half trained.
        half = partial and run not in whole
        here = {key: own for key, own in keys.items() if store.can_be_measured(own[0], places.runs, half)}
        if here:
            with working(console, f"measuring {run}"):
                # Read again: another process may have measured this run since.
                record = store.measure(here, places.runs, scale.episodes, store.read_records(places.records))
            store.write_record(record, places.records)
            # An episode is drawn again only if its numbers are new.
            known = [measurement for other in records for measurement in other.measurements.values()]
            new |= {(run, key) for key in here if record.measurements[key] not in known}
    return new


def _write_episodes(
    figure: Figure, scale: Scale, places: Places, best: Mapping[str, Record], new: Collection[tuple[str, str]]
) -> None:
    """Writes the episodes of new measurements, and those that are missing, of runs that were trained here."""
    for row in figure.rows:
        run, key = store.run_name(row.condition), store.measurement_key(row, scale.episodes)
        path = places.results / figure.name / report.episode_name(row)
        trained_here = run in best and store.provenance_of(places.runs / run) == best[run].provenance
        if row.episode and trained_here and key in best[run].measurements:
            missing = not path.is_file() and store.can_be_measured(row, places.runs)
            if missing or (run, key) in new:
                path.parent.mkdir(parents=True, exist_ok=True)
                store.write_episode(row, best[run], scale.episodes, places.runs, path)


def rebuild(make: Callable[[Scale], Figure], scale: Scale, places: Places, console: Console) -> Findings:
    """Writes a figure's table and picture from the records, and returns what it shows.

    Args:
      make: makes the figure at a scale.
      scale: the scale.
      places: where runs and results are.
      console: for messages.

    Raises:
      NothingMeasured: no record says anything about the figure.
    """
    figure, (found, _) = make(scale), view(make, scale, store.read_records(places.records))
    if not found.rows:
        raise NothingMeasured(f"{places.records} has no record for {figure.name}: leave --report out to make them")
    folder = places.results / figure.name
    report.write(figure, found, folder)
    for row in figure.rows:
        if row.name in found.rows:
            verdict = report.verdict(row, found).replace("*", "")
            console.print(f"{row.name}: {found.rows[row.name].score} {verdict}", highlight=False, markup=False)
    console.print(f"wrote {folder}", soft_wrap=True, highlight=False, markup=False)
    return found


def write_claims(scale: Scale, places: Places) -> None:
    """Writes one table of all figures' claims of a scale, beside the figures' folders."""
    records = store.read_records(places.records)
    made = [(load(name, scale), view(functools.partial(load, name), scale, records)[0]) for name in FIGURES]
    if any(found.rows for _, found in made):
        (places.results / CLAIMS).write_text(report.claims(made))
