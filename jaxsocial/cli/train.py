"""The verb train."""

import contextlib
import sys
from pathlib import Path

from rich.console import Console

from jaxsocial import api
from jaxsocial.cli.options import TrainOptions
from jaxsocial.cli.parsing import FAILED
from jaxsocial.training import distributed
from jaxsocial.training.run import new_folder


def train(chosen: TrainOptions, console: Console) -> int:
    """Trains and evaluates a run, together with other hosts if they are given; returns the exit status.

    It is 1 if no seed's numbers stayed finite.

    Raises:
      ValueError: options that do not fit together.
    """
    hosts = chosen.hosts
    if hosts.hosts != 1 and chosen.resume is None and chosen.out is None:
        raise ValueError(f"--hosts {hosts.hosts} without --out: name a folder that all hosts share")
    if hosts.coordinator:
        # If the others do not come, jax ends the process, in many lines that name no cause.
        print(
            f"jaxsocial: host {hosts.host} of {hosts.hosts} meets the others at {hosts.coordinator}, and waits "
            f"{distributed.JOINING} s at most",
            file=sys.stderr,
        )
    distributed.join(hosts)
    console = console if distributed.is_first() else Console(quiet=True)
    folder = chosen.resume or chosen.out
    with contextlib.ExitStack() as stack:
        senders = []
        if chosen.log and distributed.is_first():
            from jaxsocial.loggers import send  # noqa: PLC0415, it loads pandas and matplotlib

            send.check(chosen.log)
            folder = folder or new_folder(Path("runs"), chosen.config)
            # Closed also if training is stopped, or trackers would lose the last points.
            senders = [stack.enter_context(contextlib.closing(send.Sender(folder, chosen.log)))]
        try:
            if chosen.resume is not None:
                run = api.Run(chosen.resume).resume(chosen.longer, senders, console, chosen.when_disk_full)
            else:
                run = api.train(chosen.config, folder, senders, console, chosen.when_disk_full)
        except ValueError:
            stack.pop_all()  # refused: what is in the folder is another command's
            if folder and folder not in (chosen.resume, chosen.out):
                with contextlib.suppress(OSError):  # not empty: it has begun
                    folder.rmdir()
            raise
    health = run.health.values()
    return FAILED if health and not any(seed.healthy for seed in health) else 0
