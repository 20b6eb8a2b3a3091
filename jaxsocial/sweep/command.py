"""The commands sweep and sweep-report: plan, run, resume and report a sweep."""

import datetime
import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from jaxsocial.config.fields import flat
from jaxsocial.sweep import plan, population, rungs, table
from jaxsocial.sweep.backends.items import LOG
from jaxsocial.sweep.executor import Executor
from jaxsocial.sweep.extension import extended
from jaxsocial.sweep.members import entries, groups
from jaxsocial.sweep.report.page import best_table, write
from jaxsocial.sweep.report.ranking import About, Ranking
from jaxsocial.sweep.search import Search
from jaxsocial.sweep.spec import OPTIONS, Halving, Population, Sweep, read_sweep
from jaxsocial.sweep.trials import next_batch
from jaxsocial.sweep.work import (
    DOES_NOT_FIT,
    Task,
    check_settings,
    is_done,
    read_plain,
    read_settings,
    settings_digest,
    write_plain,
    write_settings,
    write_task,
)
from jaxsocial.training.folder import locked
from jaxsocial.training.progress import ProgressDisplay, Status, working
from jaxsocial.training.provenance import PROVENANCE
from jaxsocial.training.stopping import Stopped
from jaxsocial.training.tables import counted

SWEEP, FILE, PLAN, REPORT, DRAFT = "sweep.json", "sweep.toml", "plan", "report", "extension"
WORK, MEASURE = "jaxsocial.sweep.work:work", "jaxsocial.sweep.plan:measure"


def new_folder(parent: Path, file: Path) -> Path:
    """Returns a new folder's name for a sweep: its file's name and the time."""
    return parent / f"sweep-{file.stem}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def begin(file: Path, folder: Path, executor: Executor, console: Console, target: str | None = None) -> Sweep:
    """Reads a sweep's file, makes its folder and shows the plan. A sweep that cannot run leaves no folder.

    Args:
      file: the TOML file.
      folder: the sweep's folder, which must not exist.
      executor: what the sweep runs on.
      console: where to print.
      target: the accelerator that the plan is for, which need not be here; the devices that are here if None.

    Raises:
      ValueError: the file declares no sweep that can be run, or the folder exists.
      Stopped: a program could not be compiled or timed.
    """
    sweep = _declared(file, console)
    prepare(sweep, folder)
    shutil.copy(file, folder / FILE)
    try:
        show_plan(sweep, folder, executor, console, target)
    except ValueError:  # not Stopped: what is compiled serves a resumed sweep
        shutil.rmtree(folder)
        raise
    return sweep


def _declared(file: Path, console: Console) -> Sweep:
    sweep = read_sweep(file)
    if sweep.repeated:
        console.print(f"{sweep.repeated} of the declared settings equal others, and are trained once")
    return sweep


def extend(file: Path, folder: Path, executor: Executor, console: Console, dry_run: bool = False) -> Sweep:
    """Reads a sweep's file, shows the plan, and adds to a folder what the file declares in addition.

    Args:
      file: the TOML file.
      folder: the sweep's folder.
      executor: what the sweep runs on.
      console: where to print.
      dry_run: whether to show the plan only, and to change nothing.

    Raises:
      ValueError: the folder holds no sweep, it is in use, or the file declares none that extends it.
      Stopped: a program could not be compiled or timed.
    """
    held, draft = read(folder), folder / DRAFT
    sweep = extended(held, _declared(file, console))
    for item in (folder / rungs.ITEMS).glob("*"):
        with locked(item, 0.0):
            pass  # no process works on it
    before, now = (len(entries(one.settings, range(len(one.settings)))) for one in (held, sweep))
    console.print(
        f"{counted(len(held.settings), 'setting')} with {counted(before, 'seed')} become {len(sweep.settings)} with "
        f"{now}; the plan counts what is trained already",
        highlight=False,
    )
    # Planned beside it: a sweep that cannot run leaves the folder as it was.
    shutil.rmtree(draft, ignore_errors=True)
    prepare(sweep, draft)
    try:
        show_plan(sweep, draft, executor, console, again=f"jaxsocial sweep {file} --extend {folder}")
        if not dry_run:
            (folder / table.WHOLE).unlink(missing_ok=True)
            shutil.rmtree(folder / PLAN, ignore_errors=True)
            (draft / PLAN).replace(folder / PLAN)
            shutil.copy(file, folder / FILE)
            _write(sweep, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sweep


def prepare(sweep: Sweep, folder: Path) -> None:
    """Makes the folder of a sweep.

    Raises:
      ValueError: it exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: choose another --out, or continue it with --resume {folder}")
    folder.mkdir(parents=True)
    _write(sweep, folder)


def _write(sweep: Sweep, folder: Path) -> None:
    # Settings first: options of before fit more settings, and not the other way round.
    write_settings(folder, sweep.settings)
    options = {name: getattr(sweep, name) for name in OPTIONS}
    tables = {name: getattr(sweep, name)._asdict() for name in ("halving", "search", "population")}
    write_plain(folder / SWEEP, options | tables)


def read(folder: Path) -> Sweep:
    """Reads the sweep of a folder.

    Raises:
      ValueError: there is none.
    """
    if not (folder / SWEEP).is_file():
        raise ValueError(f"{folder} holds no sweep: name the folder that `jaxsocial sweep` printed")
    options = read_plain(folder / SWEEP)
    steps, keep = options.pop("halving").values()
    search, exchanges = Search(**options.pop("search", {})), Population(**options.pop("population", {}))
    return Sweep(tuple(read_settings(folder)), Halving(tuple(steps), keep), search, exchanges, **options)


def show_plan(
    sweep: Sweep, folder: Path, executor: Executor, console: Console, target: str | None = None, again: str = ""
) -> None:
    """Compiles and times every group, and prints the plan. For an accelerator that is not here, it only compiles.

    Args:
      sweep: the sweep.
      folder: its folder.
      executor: what the sweep runs on.
      console: where to print.
      target: as of `begin`.
      again: the command that continues if it is stopped; if empty, the one that resumes the folder.

    Raises:
      ValueError: settings cannot be built, or have changed since they were planned.
      Stopped: a program could not be compiled or timed.
    """
    found = groups(sweep.settings, range(len(sweep.settings)))
    prefix = "" if target is None else f"{target}-"
    jobs = [folder / PLAN / f"{prefix}group{number}" for number in range(len(found))]
    for job, group in zip(jobs, found, strict=True):
        members = entries(sweep.settings, group)
        digest = settings_digest(members, sweep.settings)
        write_task(job, Task(members, 0, [], 0.0, executor.memory_gib, settings=digest, target=target))
        check_settings(job, sweep.settings)
    doing = "compiling and timing" if target is None else f"compiling for {target}:"
    with working(console, f"{doing} {counted(len(found), 'program')}"):
        _execute(jobs, MEASURE, executor, console, again or _resumed(folder))
    console.print(plan.plan_table(sweep, found, [plan.read_measured(job) for job in jobs], executor.processes))
    if sweep.search.trials:
        # Which settings follow is not known before their results are.
        console.print(f"these are known so far; the search ends after {sweep.search.trials} trials", highlight=False)


def run(sweep: Sweep, folder: Path, executor: Executor, console: Console) -> None:
    """Runs what is missing of a sweep, and writes the whole table.

    Args:
      sweep: the sweep.
      folder: its folder.
      executor: what the sweep runs on.
      console: where to print.

    Raises:
      Stopped: Ctrl-C, or some items failed; finished work is kept.
    """
    table.conform(folder, sweep.settings)
    alive: Sequence[int] = range(len(sweep.settings))
    if sweep.population.every:
        sweep, alive = population.resumed(folder, sweep)
    rung = 0
    while True:
        items = rungs.begin_rung(folder, sweep, rung, alive, executor.processes, executor.memory_gib)
        if not items and rung >= plan.rungs(sweep):
            more = next_batch(folder, sweep)
            if more is None:
                break
            table.conform(folder, more.settings)
            sweep, alive = more, range(len(more.settings))
            continue
        _run_items(items, executor, folder, console)
        first = sweep.settings[0]
        # A comparison rounded up to the end would make copies that never train.
        between = rung + 1 < plan.rungs(sweep) and plan.rung_end(first, sweep, rung) < first.iterations
        if between and sweep.population.every:
            sweep, exchange = population.exchanged(folder, sweep, rung, alive)
            alive = exchange.alive
            text = ", ".join(f"{copy.setting} from {copy.parent}" for copy in exchange.copies)
            console.print(f"exchange {rung + 1}: {text}", soft_wrap=True, highlight=False, markup=False)
        elif rung + 1 < plan.rungs(sweep) and sweep.halving.steps:
            alive = rungs.survivors(table.read(folder), sweep, alive, rung)
            console.print(f"{len(alive)} of {len(sweep.settings)} settings continue", highlight=False, markup=False)
        rung += 1
    table.write_whole(folder)
    console.print(f"the table is {folder / table.WHOLE}", soft_wrap=True, highlight=False, markup=False)


def _run_items(items: Sequence[Path], executor: Executor, folder: Path, console: Console) -> None:
    """Executes the items of a rung, and shows their progress."""
    if all(map(is_done, items)):
        return
    names = [item.name for item in items]

    with ProgressDisplay(console, rungs.total_steps(folder, items), lambda: progress(folder, names)):
        _execute(items, WORK, executor, console, _resumed(folder))


def progress(folder: Path, items: Sequence[str]) -> Status:
    """Returns the progress of these items of a sweep: steps, and the median and the best of the latest returns."""
    newest = table.newest_parts(folder, items)
    found = [value for part in newest for value in table.latest_returns(part.path)]
    returns = f"{statistics.median(found):.2f} (best {max(found):.2f})" if found else "-"
    return Status(sum(part.step * part.members for part in newest), counted(len(items), "item"), returns)


def _resumed(folder: Path) -> str:
    return f"jaxsocial sweep --resume {folder}"


def _execute(items: Sequence[Path], work: str, executor: Executor, console: Console, again: str) -> None:
    """Executes the items that are not done, and prints which batches did not fit into memory."""
    left, failed = [item for item in items if not is_done(item)], []
    try:
        for ended in executor.run_items(left, work) if left else ():
            log = ended.folder / LOG
            # A killed process may leave half a character.
            for line in log.read_text(errors="replace").splitlines() if log.is_file() else []:
                if DOES_NOT_FIT in line:
                    console.print(f"{ended.folder.name}: {line}", highlight=False, markup=False)
            failed += [ended] if ended.error is not None else []
    except KeyboardInterrupt:
        raise Stopped(f"stopped; continue with: {again}") from None
    if failed:
        reasons = "\n".join(f"{ended.folder.name}: {ended.error}" for ended in failed)
        raise Stopped(
            f"{len(failed)} of {len(items)} items failed, the others are kept; continue with: {again}\n{reasons}"
        )


def report(folder: Path, console: Console, measure: str | None = None) -> Ranking:
    """Ranks the settings of a sweep, finished or not, and draws their results.

    Args:
      folder: the sweep's folder.
      console: where to print.
      measure: the column to rank by; that of the sweep if None.

    Returns:
      The settings, best first.

    Raises:
      ValueError: there is no sweep, no table yet, or no such column.
    """
    sweep, found, facts = read(folder), table.read(folder), {}
    for first in sorted((folder / rungs.ITEMS).glob(f"*/{PROVENANCE}"))[:1]:
        known = read_plain(first)
        versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
        facts = {"date": known["date"], "devices": ", ".join(known["devices"]), "versions": versions}
    ends = plan.step_ends(sweep)
    about = About(folder.name, varied(sweep), measure or sweep.measure, sweep.larger_is_better, facts, ends)
    ranking = write(found, about, folder / REPORT)
    console.print(best_table(ranking, about))
    line = population.lineage(folder, int(ranking.settings["setting"].iloc[0]))
    if len(line) > 1:
        text = " from ".join(map(str, reversed(line)))
        console.print(f"the best setting is {text}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"wrote {folder / REPORT}", soft_wrap=True, highlight=False, markup=False)
    return ranking


def varied(sweep: Sweep) -> tuple[str, ...]:
    """Returns the fields that differ among settings.

    >>> from jaxsocial.sweep.spec import make_sweep
    >>> varied(make_sweep({"grid": {"rules.penalty": [0.5, 1.0]}}))
    ('rules.penalty',)
    """
    each = [flat(config) for config in sweep.settings]
    return tuple(name for name, value in each[0].items() if any(other[name] != value for other in each[1:]))
