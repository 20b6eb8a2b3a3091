"""Population-based training: the worse settings go on as changed copies of the better ones (Jaderberg et al. 2017).

A copy is a further setting, which begins with the networks, optimiser, worlds and keys of the setting that it copies,
seed by seed. Only traced numbers change, so copies train in the programs that are compiled. What an exchange decides
is written down before the next rung begins.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.config.fields import flat, with_fields
from jaxsocial.config.traced import same_program
from jaxsocial.sweep import table
from jaxsocial.sweep.members import groups
from jaxsocial.sweep.report.ranking import best_first
from jaxsocial.sweep.spec import Sweep, share_of
from jaxsocial.sweep.work import read_plain, write_plain, write_settings

POPULATION = "population.json"


class Copy(NamedTuple):
    """A setting that copies another one."""

    setting: int
    parent: int
    """The number of the setting that it copies."""
    values: dict[str, float]
    """What it has otherwise, by dotted names of fields."""


class Exchange(NamedTuple):
    """What is decided between two rungs."""

    alive: list[int]
    """The settings that go on, copies included."""
    copies: list[Copy]


def read_exchanges(folder: Path) -> list[Exchange]:
    """Reads the exchanges of a sweep that were written down."""
    path = folder / POPULATION
    plain = read_plain(path) if path.is_file() else []
    return [Exchange(alive, [Copy(*copy) for copy in copies]) for alive, copies in plain]


def parents(folder: Path) -> dict[int, int]:
    """Returns the setting that each copy began from."""
    return {copy.setting: copy.parent for exchange in read_exchanges(folder) for copy in exchange.copies}


def resumed(folder: Path, sweep: Sweep) -> tuple[Sweep, list[int]]:
    """Returns the sweep with all copies that were written down, and the settings of its first rung.

    Args:
      folder: the sweep's folder.
      sweep: as its folder has it: a kill may have come before copies were added to its settings.
    """
    exchanges = read_exchanges(folder)
    copies = [copy for exchange in exchanges for copy in exchange.copies]
    first = min((copy.setting for copy in copies), default=len(sweep.settings))
    sweep = with_copies(dataclasses.replace(sweep, settings=sweep.settings[:first]), copies)
    write_settings(folder, sweep.settings)
    return sweep, list(range(first))


def with_copies(sweep: Sweep, copies: Sequence[Copy]) -> Sweep:
    """Returns the sweep with further settings."""
    settings = list(sweep.settings)
    for copy in copies:
        settings.append(with_fields(settings[copy.parent], copy.values))
    return dataclasses.replace(sweep, settings=tuple(settings))


def exchanged(folder: Path, sweep: Sweep, rung: int, alive: Sequence[int]) -> tuple[Sweep, Exchange]:
    """Replaces the worst settings of each program by changed copies of the best.

    Settings are ranked as in the report; those without a known value are the worst.

    Args:
      folder: the sweep's folder.
      sweep: the sweep.
      rung: the rung that has ended, from 0 on.
      alive: the numbers of the settings that it trained.

    Returns:
      The sweep with the copies among its settings, and what was decided, now or before a kill.
    """
    exchanges = read_exchanges(folder)
    if rung < len(exchanges):
        return sweep, exchanges[rung]
    found, rng = table.read(folder), np.random.default_rng([sweep.population.seed, rung])
    varied = varied_numbers(sweep.settings)
    staying, copies = list[int](), list[Copy]()
    for group in groups(sweep.settings, alive):
        ranked = best_first(found.loc[found["setting"].isin(group), :], sweep)
        count = min(len(group) // 2, share_of(sweep.population.replaced, len(group)))
        staying += ranked[: len(ranked) - count]
        for _ in range(count):
            parent = ranked[rng.integers(count)]
            values = changed_numbers(sweep.settings[parent], varied, sweep.population.factor, rng)
            copies.append(Copy(len(sweep.settings) + len(copies), parent, values))
    exchange = Exchange(sorted(staying) + [copy.setting for copy in copies], copies)
    # Before the settings: they can be made from it, and it not from them.
    write_plain(folder / POPULATION, [*exchanges, exchange])
    sweep = with_copies(sweep, copies)
    write_settings(folder, sweep.settings)
    return sweep, exchange


def varied_numbers(settings: Sequence[Config]) -> list[str]:
    """Returns the numbers that differ among settings and are traced, by dotted names of fields.

    >>> from jaxsocial.sweep.spec import make_sweep
    >>> grid = {"rules.penalty": [0.5, 1.0], "network.memory": [8, 16]}
    >>> varied_numbers(make_sweep({"grid": grid}).settings)
    ['rules.penalty']
    """
    first, *others = map(flat, settings)
    names = (name for name, value in first.items() if any(other.get(name) != value for other in others))
    return [name for name in names if isinstance(first[name], float) and _changed(settings[0], name, first[name] / 2)]


def changed_numbers(config: Config, names: Sequence[str], factor: float, rng: np.random.Generator) -> dict[str, Any]:
    """Returns new numbers: each multiplied or divided by the factor, by a coin; unchanged where that is out of range.

    Args:
      config: of the setting that is copied.
      names: of its fields.
      factor: above 1.
      rng: for the coins.
    """
    held = flat(config)
    tried = {name: held[name] * (factor if rng.integers(2) else 1 / factor) for name in names}
    return {name: value for name, value in tried.items() if _changed(config, name, value)}


def _changed(config: Config, name: str, value: float) -> bool:
    """Returns whether a field may have this value in the same program."""
    try:
        return same_program(config, with_fields(config, {name: value}))
    except ValueError:
        return False


def lineage(folder: Path, setting: int) -> list[int]:
    """Returns the settings that one of a sweep's descends from, the first one first, and itself."""
    of, line = parents(folder), [setting]
    while line[0] in of:
        line.insert(0, of[line[0]])
    return line
