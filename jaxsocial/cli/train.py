"""The verb train."""

import sys
from pathlib import Path

from rich.console import Console

from jaxsocial.cli.options import TrainOptions
from jaxsocial.cli.parsing import value_after
from jaxsocial.evaluate.finish import finish
from jaxsocial.train import distributed, run


def train(chosen: TrainOptions, arguments: list[str], console: Console) -> int:
    """Trains and evaluates a run, on several hosts if they are given; returns the exit status.

    Args:
      chosen: the options.
      arguments: the command line's; they tell which options of a resumed run are given.
      console: where to print; hosts other than the first print nothing.

    Raises:
      ValueError: options that do not fit together.
    """
    if chosen.resume is not None:
        kept = ("--resume", "--total-steps", *distributed.OPTIONS)
        others = [option for option in arguments[1:] if option.startswith("--") and option.split("=")[0] not in kept]
        if others:
            raise ValueError(f"{others[0]} cannot change a run that has begun: leave it out, or start a new run")
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
    if chosen.resume is not None:
        longer = chosen.config.total_steps if value_after("--total-steps", arguments) else None
        trained = run.resume(chosen.resume, console, longer)
    else:
        trained = run.train(chosen.config, chosen.out or run.new_folder(Path("runs"), chosen.config), console)
    finish(trained, console)
    return 0
