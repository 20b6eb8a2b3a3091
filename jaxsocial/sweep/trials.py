"""The trials of a search: what was suggested, which settings it became, and the next batch.

A batch extends the sweep by its settings. After a kill it is asked for again, and as the same is suggested, it is
found among the settings.
"""

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

from jaxsocial.evaluate.statistics import middle_mean
from jaxsocial.sweep import table
from jaxsocial.sweep.report.ranking import outcomes
from jaxsocial.sweep.search import Suggestion, suggested, values_of
from jaxsocial.sweep.spec import Sweep, built
from jaxsocial.sweep.work import read_plain, write_plain, write_settings

TRIALS = "trials.json"


class Trial(NamedTuple):
    """A suggestion, and its setting."""

    suggestion: Suggestion
    setting: int | None
    """The number of the setting; None if it cannot be built. Equal suggestions are one setting."""


def read_trials(folder: Path) -> list[Trial]:
    """Reads the trials that were written down."""
    path = folder / TRIALS
    return [Trial(*trial) for trial in read_plain(path)] if path.is_file() else []


def next_batch(folder: Path, sweep: Sweep) -> Sweep | None:
    """Asks for the next batch of a search, and adds its settings to the folder.

    The first batch is among the settings already; then only its trials are written down.

    Args:
      folder: the sweep's folder, in which all settings are trained.
      sweep: the sweep.

    Returns:
      The sweep with the new settings; None if there are no trials left, or there is no search.
    """
    trials, settings = read_trials(folder), list(sweep.settings)
    count = min(sweep.search.batch, sweep.search.trials - len(trials))
    if count <= 0:
        return None
    for suggestion in suggested(sweep.search, _told(folder, sweep, trials), count, sweep.larger_is_better):
        try:
            setting = built(settings[0], values_of(sweep.search, suggestion))
        except ValueError:
            trials.append(Trial(suggestion, None))
            continue
        if setting not in settings:
            settings.append(setting)
        trials.append(Trial(suggestion, settings.index(setting)))
    # Trials last: those that are not written down are asked for again.
    write_settings(folder, settings)
    write_plain(folder / TRIALS, trials)
    return dataclasses.replace(sweep, settings=tuple(settings))


def _told(folder: Path, sweep: Sweep, trials: list[Trial]) -> list[tuple[Suggestion, float | None]]:
    """Returns what the sampler is told: the value that ranks a setting, None if a seed of it became non-finite."""
    if not trials:
        return []
    results = {}
    for setting, seeds in outcomes(table.read(folder), sweep.measure).groupby("setting"):
        value = float(middle_mean(seeds["value"].to_numpy()))
        results[setting] = value if min(seeds["healthy"]) and not math.isnan(value) else None
    return [(trial.suggestion, results.get(trial.setting)) for trial in trials]
