"""A sweep from its file to its table: measures what it takes, says so, and runs it, at any time from where it was."""

import datetime
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxsocial.config.config import from_plain
from jaxsocial.config.fields import flat
from jaxsocial.evaluate.statistics import Score
from jaxsocial.sweep import plan, progress, rungs, table
from jaxsocial.sweep.backends.items import LOG
from jaxsocial.sweep.executor import Executor
from jaxsocial.sweep.halving import survivors
from jaxsocial.sweep.members import entries, groups
from jaxsocial.sweep.report import About, Ranking, write
from jaxsocial.sweep.report.fields import labels
from jaxsocial.sweep.spec import OPTIONS, Halving, Sweep, read_sweep
from jaxsocial.sweep.work import DOES_NOT_FIT, Task, is_done, write_plain, write_settings, write_task
from jaxsocial.train.stopping import Stopped

SWEEP, FILE, PLAN, REPORT = "sweep.json", "sweep.toml", "plan", "report"
WORK, MEASURE = "jaxsocial.sweep.work:work", "jaxsocial.sweep.plan:measure"


class Unfinished(Stopped):
    """Some items did not come to their end; the message says which, and how to go on."""


def new_folder(parent: Path, file: Path) -> Path:
    """A folder name for a sweep that is not taken."""
    return parent / f"sweep-{file.stem}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def begin(file: Path, folder: Path, executor: Executor, console: Console) -> Sweep:
    """Reads a sweep's file, makes its folder and shows what it takes; without a trace where it cannot be run.

    Raises:
      ValueError: the file declares no sweep that can be run, or the folder exists.
      Unfinished: a program could not be compiled or timed.
    """
    sweep = read_sweep(file)
    prepare(sweep, folder)
    shutil.copy(file, folder / FILE)
    try:
        show_plan(sweep, folder, executor, console)
    except ValueError:
        shutil.rmtree(folder)
        raise
    return sweep


def prepare(sweep: Sweep, folder: Path) -> None:
    """Makes the folder of a sweep.

    Raises:
      ValueError: it exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: choose another --out, or go on with it by --resume {folder}")
    folder.mkdir(parents=True)
    write_settings(folder, sweep.settings)
    options = {name: getattr(sweep, name) for name in OPTIONS}
    write_plain(folder / SWEEP, options | {"halving": sweep.halving._asdict()})


def read(folder: Path) -> Sweep:
    """The sweep that a folder was made for.

    Raises:
      ValueError: there is none.
    """
    if not (folder / SWEEP).is_file():
        raise ValueError(f"{folder} holds no sweep: name the folder that `jaxsocial sweep` printed")
    options = json.loads((folder / SWEEP).read_text())
    settings = tuple(from_plain(plain) for plain in json.loads((folder / "settings.json").read_text()))
    steps, keep = options.pop("halving").values()
    return Sweep(settings, Halving(tuple(steps), keep), **options)


def show_plan(sweep: Sweep, folder: Path, executor: Executor, console: Console) -> None:
    """Compiles and times every group, and prints what the sweep takes.

    Raises:
      Unfinished: a group cannot be compiled.
    """
    found = groups(sweep.settings, range(len(sweep.settings)))
    jobs = [folder / PLAN / f"group{number}" for number in range(len(found))]
    for job, group in zip(jobs, found, strict=True):
        write_task(job, Task(entries(sweep.settings, group), 0, [], 0.0, executor.memory_gib))
    with console.status(f"compiling and timing {len(found)} programs"):
        _execute(jobs, MEASURE, executor, folder, console)
    console.print(plan.drawn(sweep, found, [plan.read_measured(job) for job in jobs], executor.processes))


def run(sweep: Sweep, folder: Path, executor: Executor, console: Console) -> None:
    """Runs what is missing of a sweep, and writes the whole table.

    Raises:
      Unfinished: some items failed; what was done is kept.
    """
    alive: Sequence[int] = range(len(sweep.settings))
    for rung in range(plan.rungs(sweep)):
        items = rungs.begin_rung(folder, sweep, rung, alive, executor.processes, executor.memory_gib)
        with progress.display(console, folder, items):
            _execute(items, WORK, executor, folder, console)
        if rung + 1 < plan.rungs(sweep):
            alive = survivors(table.read(folder), sweep, alive)
            console.print(f"{len(alive)} of {len(sweep.settings)} settings go on", highlight=False)
    table.write_whole(folder)
    console.print(f"the table is {folder / table.WHOLE}", soft_wrap=True, highlight=False)


def _say_what_was_cut(item: Path, console: Console) -> None:
    """Batches that did not fit; their item has said so in its log."""
    log = item / LOG
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    for line in lines:
        if DOES_NOT_FIT in line:
            console.print(f"{item.name}: {line}", highlight=False)


def report(folder: Path, console: Console, measure: str | None = None) -> None:
    """Ranks settings by a measure, that of the sweep if none is given, and draws what they came to; at any time.

    Raises:
      ValueError: there is no sweep, no table yet, or no such measure.
    """
    sweep, found = read(folder), table.read(folder)
    about = About(
        name=folder.name,
        varied=varied(sweep),
        measure=measure or sweep.measure,
        larger_is_better=sweep.larger_is_better,
        facts=_facts(folder),
    )
    ranking = write(found, about, folder / REPORT)
    console.print(best(ranking, about))
    console.print(f"wrote {folder / REPORT}", soft_wrap=True, highlight=False)


def varied(sweep: Sweep) -> tuple[str, ...]:
    """The fields that differ among settings."""
    each = [flat(config) for config in sweep.settings]
    return tuple(name for name, value in each[0].items() if any(other[name] != value for other in each[1:]))


def best(ranking: Ranking, about: About, most: int = 10) -> Table:
    """The best settings, for a terminal."""
    drawn = Table(title=f"{about.name}: best by {about.measure}, interquartile mean over seeds", title_justify="left")
    for heading in ("setting", *labels(about.varied), "[95 %]", "healthy", "steps"):
        drawn.add_column(heading, justify="right", no_wrap=heading not in labels(about.varied))
    for row in ranking.settings.head(most).to_dict("records"):
        values = [f"{row[name]:.4g}" if isinstance(row[name], float) else str(row[name]) for name in about.varied]
        measured = str(Score(row["interquartile_mean"], row["low"], row["high"]))
        healthy = f"{row['healthy_seeds']:.0f} of {row['seeds']}"
        drawn.add_row(str(row["setting"]), *values, measured, healthy, f"{row['steps']:,}")
    return drawn


def _facts(folder: Path) -> dict[str, str]:
    """When and with what the sweep ran, as its first item says."""
    found = sorted((folder / rungs.ITEMS).glob("*/run.json"))
    if not found:
        return {}
    told = json.loads(found[0].read_text())
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    return {"date": told["date"], "devices": ", ".join(told["devices"]), "versions": versions}


def _execute(items: Sequence[Path], work: str, executor: Executor, folder: Path, console: Console) -> None:
    left, failed = [item for item in items if not is_done(item)], []
    try:
        for ended in executor.run_items(left, work) if left else ():
            _say_what_was_cut(ended.folder, console)
            failed += [ended] if ended.error is not None else []
    except KeyboardInterrupt:
        raise Unfinished(f"stopped; go on with: jaxsocial sweep --resume {folder}") from None
    if failed:
        reasons = "\n".join(f"{ended.folder.name}: {ended.error}" for ended in failed)
        raise Unfinished(
            f"{len(failed)} of {len(items)} items failed; the others are kept, go on with: jaxsocial sweep --resume "
            f"{folder}\n{reasons}"
        )
