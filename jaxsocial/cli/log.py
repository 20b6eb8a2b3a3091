"""The verbs log and export."""

from rich.console import Console

from jaxsocial.cli.options import ExportOptions, LogOptions
from jaxsocial.loggers.export import export as write
from jaxsocial.loggers.send import Sender
from jaxsocial.loggers.series import series_of


def log(chosen: LogOptions, console: Console) -> int:
    """Sends a run or a sweep to trackers; returns the exit status.

    Raises:
      ValueError: the folder holds neither, or a tracker is not installed.
    """
    series_of(chosen.run)  # refuses a folder that holds neither
    any_sent, trackers = Sender(chosen.run, chosen.to, chosen.project).close(), ", ".join(chosen.to)
    said = f"sent {chosen.run} to {trackers}" if any_sent else f"nothing new in {chosen.run} for {trackers}"
    console.print(said, soft_wrap=True, highlight=False, markup=False)
    return 0


def export(chosen: ExportOptions, console: Console) -> int:
    """Writes a run or a sweep as a file; returns the exit status.

    Raises:
      ValueError: the folder holds neither.
    """
    console.print(f"wrote {write(chosen.run, chosen.to, chosen.out)}", soft_wrap=True, highlight=False)
    return 0
