"""Measures the rows of a figure over whole episodes, and remembers what it has measured."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.traced import taken_seats
from jaxsocial.evaluate import media
from jaxsocial.evaluate.episodes import beside, episode_player, without_teacher
from jaxsocial.evaluate.probes import MEASURES, measured
from jaxsocial.reproduce.figures import Row
from jaxsocial.reproduce.findings import Part
from jaxsocial.reproduce.store import folder_of, player_names, row_key
from jaxsocial.train import checkpoint
from jaxsocial.train.build import make_agent_setup
from jaxsocial.train.folder import config_of, write_at_once

PARTNERS_MEASURES = ("return", "goals", "penalties", "cycles")


def measure(row: Row, store: Path, episodes: int) -> Part:
    """What a row comes to, from the last checkpoint of its condition; read from its folder where that is known."""
    folder = folder_of(row.condition, store)
    own = config_of(folder)
    parameters, iteration = checkpoint.restore_parameters(folder, own)
    key = row_key(row, episodes)
    known = folder / f"measured-{key}@{iteration}.json"
    if not known.is_file():
        numbers = _numbers(_config_of(row, own, store), parameters, row.alone, episodes)
        write_at_once(known, json.dumps(numbers) + "\n")
    return Part(
        run=folder.name,
        key=key,
        steps=iteration * own.iteration_steps,
        planned_steps=own.iterations * own.iteration_steps,
        seeds=list(range(own.seed, own.seed + own.seeds)),
        **json.loads(known.read_text()),
    )


def _config_of(row: Row, own: Config, store: Path) -> Config:
    """The config by which a row's episodes are played."""
    if row.partners is None and row.world is None:
        return own
    partners = own.partners if row.partners is None else player_names(row.partners, store)
    return beside(own, partners, row.world)


def _numbers(config: Config, parameters: Parameters, alone: bool, episodes: int) -> dict[str, dict[str, list]]:
    found = episode_player(config, episodes, alone)(parameters)
    learner = {name: _of_seeds(values) for name, values in measured(found, config, 0).items() if name in MEASURES}
    seats = [] if alone else np.flatnonzero(taken_seats(config))[config.sizes.learners :].tolist()
    each = [measured(found, config, seat) for seat in seats]
    partners = {name: _of_seeds(np.mean([one[name] for one in each], axis=0)) for name in PARTNERS_MEASURES if each}
    return {"measures": learner, "partners": partners}


def _of_seeds(values: np.ndarray) -> list[float | None]:
    """Means over episodes, a seed each; those where a measure is not defined do not count."""
    return [float(np.nanmean(own)) if not np.isnan(own).all() else None for own in values]


def write_episode(row: Row, found: Part, store: Path, path: Path) -> None:
    """A typical episode as a GIF, of the seed in the middle by what the row is about."""
    folder = folder_of(row.condition, store)
    own = config_of(folder)
    config = without_teacher(beside(own, (), row.world) if row.alone else _config_of(row, own, store))
    values = np.nan_to_num(np.array(found.values(row.measure, of_partners=False), float))
    middle = int(np.argsort(values)[len(values) // 2])
    parameters: Any = jax.tree.map(lambda x: x[middle], checkpoint.restore_parameters(folder, own)[0])
    media.write_episode(path, config, parameters, make_agent_setup(config))
