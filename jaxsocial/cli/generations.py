"""The verb generations."""

import functools
import math
import shlex
import time

from rich.console import Console

from jaxsocial.cli.options import GenerationsOptions
from jaxsocial.cli.reproduce import status_of
from jaxsocial.reproduce import command
from jaxsocial.reproduce import generations as declared_generations


def generations(chosen: GenerationsOptions, console: Console) -> int:
    """Trains and measures generations; returns the exit status, 1 if one has no seed whose numbers stayed finite.

    Raises:
      ValueError: the file declares no generations.
      Stopped: stopped before the end, and saved.
    """
    declared = declared_generations.read_generations(chosen.file)
    again = f"jaxsocial generations {shlex.quote(str(chosen.file))} --out FOLDER"
    make = functools.partial(declared_generations.figure, declared, command=again)
    scale = declared_generations.scale_of(declared)
    places = command.Places(chosen.runs, chosen.out)
    limit = math.inf if chosen.time_limit is None else chosen.time_limit
    deadline = time.monotonic() + 60 * limit
    if chosen.report:
        return status_of(command.rebuild(make, scale, places, console))
    return status_of(command.reproduce(make, scale, places, console, deadline, chosen.partial))
