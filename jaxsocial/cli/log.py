"""The verbs log and export."""

from rich.console import Console

from jaxsocial.cli.options import ExportOptions, LogOptions
from jaxsocial.loggers.export import export as write
from jaxsocial.loggers.send import Sender
from jaxsocial.loggers.series import series_of
from jaxsocial.sweep.command import SWEEP
from jaxsocial.sweep.networks import export_member
from jaxsocial.training.packaged import PRETRAINED
from jaxsocial.training.pretrained import export_policy, source_of


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
    """Writes a run or a sweep as a file, or a run's networks as a folder; returns the exit status.

    Raises:
      ValueError: the folder holds neither, or there is something in the folder for the networks.
    """
    said = ""
    if chosen.to != "policy" and chosen.setting is not None:
        raise ValueError(f"--setting {chosen.setting} chooses networks: give --to policy too, or leave it out")
    if chosen.to != "policy":
        path = write(chosen.run, chosen.to, chosen.out)
    elif chosen.out is None and str(chosen.run).startswith(PRETRAINED):
        raise ValueError(f"{chosen.run} is a part of the package: say by --out where its copy goes")
    else:
        source = source_of(str(chosen.run))
        path = chosen.out or source.folder / "policy"
        if (source.folder / SWEEP).is_file():
            if source.steps is not None:
                raise ValueError(f"{chosen.run}: a sweep keeps the last checkpoint of each setting, leave @STEPS out")
            said = f": {export_member(source.folder, path, chosen.setting, source.seed)}"
        elif chosen.setting is not None:
            raise ValueError(f"{source.folder} is no sweep: leave --setting out")
        else:
            export_policy(str(chosen.run), path)
    console.print(f"wrote {path}{said}", soft_wrap=True, highlight=False)
    return 0
