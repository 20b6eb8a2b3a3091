"""Where trained conditions lie: run folders that are found by a hash of the resolved config, never by name alone."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from jaxsocial.config.config import Config, to_plain
from jaxsocial.reproduce.figures import Condition, Player, Row, players_of
from jaxsocial.train import checkpoint

DIGITS = 12
"""Of a hash, in hexadecimal: two of a million differ."""
NOT_LEARNED_FROM = ("preset", "evaluation_episodes")
"""Fields of a config that change nothing of what is trained."""


def slug(name: str) -> str:
    """A name as part of a file's: lower case, words joined by dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def run_name(condition: Condition) -> str:
    """The name of a condition's folder, the same wherever the store lies."""
    return f"{slug(condition.name)}-{digest(_learned_from(condition))}"


def folder_of(condition: Condition, store: Path) -> Path:
    """The folder of a condition's run."""
    return store / run_name(condition)


def resolved(condition: Condition, store: Path) -> Config:
    """The config by which a condition is trained, those that it names given by their folders."""
    config, source = condition.config, condition.start_from
    if condition.partners:
        config = dataclasses.replace(config, partners=player_names(condition.partners, store))
    if condition.teacher is not None:
        config = dataclasses.replace(config, teacher=player_names((condition.teacher,), store)[0])
    if source is not None:
        config = dataclasses.replace(config, start_from=str(folder_of(source, store)), keep_optimiser=True)
    return config


def player_names(players: tuple[Player, ...], store: Path) -> tuple[str, ...]:
    """Partners as a config names them."""
    return tuple(player if isinstance(player, str) else _named(player, store) for player in players)


def _named(player, store: Path) -> str:
    steps = "" if player.steps is None else f"@{player.steps}"
    return f"run:{folder_of(player.condition, store)}{steps}#{player.condition.config.seed + player.seed}"


def row_key(row: Row, episodes: int) -> str:
    """A hash of all that decides on a row's numbers: what was trained, and in which company it is measured."""
    players = None if row.partners is None else player_names(row.partners, Path())
    world = None if row.world is None else to_plain(row.world)
    return digest([run_name(row.condition), row.alone, players, world, episodes])


def digest(plain: Any) -> str:
    """A short hash of what JSON can hold."""
    text = json.dumps(plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _learned_from(condition: Condition) -> dict[str, Any]:
    plain = to_plain(resolved(condition, Path()))
    return {name: value for name, value in plain.items() if name not in NOT_LEARNED_FROM}


def is_trained(condition: Condition, store: Path) -> bool:
    """Whether its last checkpoint is there."""
    return checkpoint.latest(folder_of(condition, store)) == condition.config.iterations


def can_be_measured(row: Row, store: Path) -> bool:
    """Whether all who are in it are trained."""
    return is_trained(row.condition, store) and partners_are_trained(row, store)


def partners_are_trained(row: Row, store: Path) -> bool:
    """Whether those are that a row names besides its own condition's."""
    return all(is_trained(condition, store) for condition in players_of(row))
