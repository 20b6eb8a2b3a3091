"""The verbs sweep and sweep-report."""

from pathlib import Path

from rich.console import Console

from jaxsocial.cli.options import SweepOptions, SweepReportOptions
from jaxsocial.cli.parsing import FAILED
from jaxsocial.sweep import command
from jaxsocial.sweep.executor import make_executor


def sweep(chosen: SweepOptions, console: Console) -> int:
    """Runs a sweep, or continues one; returns the exit status, 1 if no seed's numbers stayed finite.

    Raises:
      ValueError: options that do not fit together, or a sweep that cannot be run.
    """
    # Before the folder exists: a refused option leaves no trace.
    executor = make_executor(getattr(chosen, chosen.backend), chosen.processes, chosen.memory_gib)
    if chosen.target is not None and not chosen.dry_run:
        raise ValueError(f"--target {chosen.target} plans only: give --dry-run too")
    if chosen.extend is not None and (chosen.file is None or chosen.out is not None or chosen.target is not None):
        raise ValueError(f"--extend {chosen.extend} needs a file and that folder only: leave out the other options")
    if (chosen.file is None) == (chosen.resume is None):
        raise ValueError("give a file that declares a sweep, or --resume with the folder of one that has begun")
    if chosen.resume is not None and chosen.out is not None:
        raise ValueError(f"--out {chosen.out}: a resumed sweep stays in {chosen.resume}, leave it out")
    if chosen.file is not None and chosen.extend is not None:
        folder = chosen.extend
        declared = command.extend(chosen.file, folder, executor, console, chosen.dry_run)
    elif chosen.file is not None:
        folder = chosen.out or command.new_folder(Path("runs"), chosen.file)
        declared = command.begin(chosen.file, folder, executor, console, chosen.target)
    else:
        folder = chosen.resume or Path()
        declared = command.read(folder)
        command.show_plan(declared, folder, executor, console, chosen.target)
    if chosen.dry_run:
        how = f"--resume {folder}" if chosen.extend is None else f"{chosen.file} --extend {folder}"
        console.print(f"run it: jaxsocial sweep {how}", soft_wrap=True, highlight=False)
        return 0
    command.run(declared, folder, executor, console)
    ranking = command.report(folder, console)
    return 0 if sum(ranking.settings["healthy_seeds"]) > 0 else FAILED


def report(chosen: SweepReportOptions, console: Console) -> int:
    """Ranks the settings of a sweep; returns the exit status."""
    command.report(chosen.sweep, console, chosen.measure)
    return 0
