"""The verb reproduce."""

import functools
import math
import os
import sys
import threading
import time

from rich.console import Console

from jaxsocial.cli.options import ReproduceOptions
from jaxsocial.cli.parsing import INTERRUPTED
from jaxsocial.reproduce import command, train
from jaxsocial.reproduce.findings import NothingMeasured
from jaxsocial.reproduce.scales import make_scale


def reproduce(chosen: ReproduceOptions, console: Console) -> int:
    """Reproduces figures; returns the exit status.

    Raises:
      ValueError: an unknown figure or scale, or nothing was measured.
    """
    try:
        return _reproduce(chosen, console)
    except KeyboardInterrupt:
        if any(thread.name == train.LANE for thread in threading.enumerate()):
            # At the usual end of a process, threads that still train would crash jax.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise


def _reproduce(chosen: ReproduceOptions, console: Console) -> int:
    scale = make_scale(chosen.scale)
    figures = [command.load(name, scale) for name in command.chosen(chosen.figures)]
    limit = math.inf if chosen.time_limit is None else chosen.time_limit
    deadline, missing = time.monotonic() + 60 * limit, list[NothingMeasured]()
    for figure in figures:
        folder = chosen.out / scale.name / figure.name
        places = command.Places(chosen.runs / scale.name, folder)
        try:
            if chosen.report:
                command.rebuild(figure, places, console)
            else:
                make = functools.partial(command.load, figure.name)
                command.reproduce(make, scale, places, console, deadline, chosen.partial, chosen.seeds)
        except NothingMeasured as nothing:
            missing.append(nothing)
        finally:
            command.gather_claims(scale, folder.parent)
    if len(missing) == len(figures):
        raise missing[0]
    for nothing in missing:
        console.print(str(nothing), highlight=False)
    return 0
