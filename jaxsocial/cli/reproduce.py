"""The verb reproduce."""

import functools
import math
import time

from rich.console import Console

from jaxsocial.cli.options import ReproduceOptions
from jaxsocial.cli.parsing import FAILED
from jaxsocial.reproduce import command
from jaxsocial.reproduce.figures import Findings
from jaxsocial.reproduce.scales import make_scale


def status_of(found: Findings) -> int:
    """Returns the exit status of a figure, 1 if a condition has no seed whose numbers stayed finite."""
    return FAILED if any(set(row.seeds) == set(row.last_good_steps) for row in found.rows.values()) else 0


def reproduce(chosen: ReproduceOptions, console: Console) -> int:
    """Makes the figures, one after another, and the table of all claims.

    Returns:
      The exit status, 1 if a condition has no seed whose numbers stayed finite.

    Raises:
      ValueError: an unknown figure or scale, or nothing of any figure is measured.
      Stopped: stopped before the end, and saved.
    """
    scale = make_scale(chosen.scale)
    figures = [functools.partial(command.load, name) for name in command.chosen(chosen.figures)]
    for make in figures:
        make(scale)  # refused before anything is trained
    places = command.Places(chosen.runs / scale.name, chosen.out / scale.name)
    limit = math.inf if chosen.time_limit is None else chosen.time_limit
    deadline, missing, status = time.monotonic() + 60 * limit, list[command.NothingMeasured](), 0
    try:
        for make in figures:
            try:
                if chosen.report:
                    found = command.rebuild(make, scale, places, console)
                else:
                    found = command.reproduce(make, scale, places, console, deadline, chosen.partial, chosen.seeds)
                status = max(status, status_of(found))
            except command.NothingMeasured as nothing:
                # One figure without results must not keep the others from being made.
                missing.append(nothing)
    finally:
        command.write_claims(scale, places)
    if len(missing) == len(figures):
        raise missing[0]
    for nothing in missing:
        console.print(str(nothing), highlight=False)
    return status
