"""Run folders, and records: one file a run, with how it was trained and everything that was measured of it.

Both are found by a hash of what differs from the defaults, so that a new option with a neutral default changes no name.
"""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsocial.config.config import Config, to_plain
from jaxsocial.config.fields import config_hash, differences, digest
from jaxsocial.env.settings import changed
from jaxsocial.evaluate import media
from jaxsocial.evaluate.episodes import beside, episode_player, episode_program, without_teacher
from jaxsocial.evaluate.probes import MEASURES, measured
from jaxsocial.reproduce.figures import Condition, Player, Row, TrainedPlayer, players_of
from jaxsocial.training import checkpoint, metrics
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of, write_at_once
from jaxsocial.training.metrics import METRICS
from jaxsocial.training.pretrained import EACH, with_partners_of
from jaxsocial.training.provenance import PROVENANCE, provenance, read_provenance

SCHEMA = 1
"""The version of a record's form."""
NOT_LEARNED_FROM = ("preset", "evaluation_episodes")
"""Fields of a config that do not change what is trained."""
SECONDS = "seconds.json"
POINTS = 200
"""Steps of a curve in a record, at most."""
PARTNERS_MEASURES = ("return", "goals", "penalties", "cycles")
RATIOS = {"penalties_per_goal": ("penalties", "goals")}
"""Measures that are the ratio of two others' means over episodes."""


def slug(name: str) -> str:
    """Returns a name as part of a file name.

    >>> slug("SociAPL, penalty 0.5")
    'sociapl-penalty-0.5'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def run_name(condition: Condition) -> str:
    """Returns the name of a condition's run: NAME-HASH. The hash does not depend on where runs lie."""
    return f"{slug(condition.name)}-{config_hash(resolved(condition, Path()), NOT_LEARNED_FROM)}"


def folder_of(condition: Condition, runs: Path) -> Path:
    """Returns the folder of a condition's run."""
    return runs / run_name(condition)


def resolved(condition: Condition, runs: Path) -> Config:
    """Returns the config by which a condition is trained; other conditions that it names stand by their folders."""
    config, source = condition.config, condition.start_from
    if condition.partners:
        config = dataclasses.replace(config, partners=player_names(condition.partners, runs))
    if condition.teacher is not None:
        config = dataclasses.replace(config, teacher=player_names((condition.teacher,), runs)[0])
    if source is not None:
        config = dataclasses.replace(config, start_from=str(folder_of(source, runs)), keep_optimiser=True)
    return config


def player_names(players: Iterable[Player], runs: Path) -> tuple[str, ...]:
    """Returns partners as a config names them."""

    def name(player: TrainedPlayer) -> str:
        steps = "" if player.steps is None else f"@{player.steps}"
        seed = EACH if player.seed is None else player.condition.config.seed + player.seed
        return f"run:{folder_of(player.condition, runs)}{steps}#{seed}"

    return tuple(player if isinstance(player, str) else name(player) for player in players)


def is_trained(condition: Condition, runs: Path) -> bool:
    """Returns whether the last checkpoint of a condition is there."""
    return checkpoint.latest(folder_of(condition, runs)) == condition.config.iterations


def can_be_measured(row: Row, runs: Path, partial: bool = False) -> bool:
    """Returns whether a row's condition and the partners of its test are trained.

    Args:
      row: the row.
      runs: the folder of all runs.
      partial: whether any checkpoint of the condition is enough. Partners have to be trained: a measurement does not
        say how far they are.
    """
    begun = partial and checkpoint.latest(folder_of(row.condition, runs)) is not None
    return (begun or is_trained(row.condition, runs)) and all(is_trained(player, runs) for player in players_of(row))


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Means over whole episodes of each seed."""

    tested: dict[str, Any]
    """How it was tested, where that differs from training: alone, half, partners, world; and the number of episodes."""
    steps: int
    """Learner steps that each seed was trained for."""
    measures: dict[str, list[float | None]]
    """Of the learner: name to a number for each seed, null where it is not defined."""
    partners: dict[str, list[float | None]]
    """The same of its partners, a mean over them; empty if there are none."""
    provenance: dict[str, Any]
    """When, on which devices and with which commit it was measured."""

    def has(self, row: Row) -> bool:
        """Returns whether a row's measure was measured."""
        return (
            set(RATIOS.get(row.measure, (row.measure,))) <= (self.partners if row.of_partners else self.measures).keys()
        )

    def values(self, measure: str, of_partners: bool = False) -> list[float | None]:
        """Returns a number for each seed; None where there is none."""
        if measure in RATIOS:
            above, below = (self.values(name, of_partners) for name in RATIOS[measure])
            return [None if x is None or not y else x / y for x, y in zip(above, below, strict=True)]
        seeds = len(next(iter(self.measures.values())))
        return (self.partners if of_partners else self.measures).get(measure, [None] * seeds)


@dataclasses.dataclass(frozen=True)
class Record:
    """Everything that is known of one training of a run."""

    run: str
    """Its name: NAME-HASH."""
    condition: str
    config: dict[str, Any]
    """The config, as JSON holds it; other runs that it names stand by their names."""
    provenance: dict[str, Any]
    """When, where and with what its training began: it tells trainings of one run apart."""
    seconds: float | None
    """How long it was trained; of a program that trains several runs, its share. None or 0 if that was not noted."""
    steps: int
    """Learner steps that each seed was trained for."""
    planned_steps: int
    seeds: list[int]
    curve: list[dict[str, Any]]
    """Points of training: step, seed, penalty, return."""
    measurements: dict[str, Measurement]
    """By key (`measurement_key`)."""
    last_good_steps: list[int] | None = None
    """Learner steps after which all numbers of each seed were finite; None in records of earlier versions."""

    @property
    def is_whole(self) -> bool:
        """Returns whether it was trained to the end."""
        return self.steps == self.planned_steps

    def measurement(self, key: str, rows: Iterable[Row]) -> Measurement | None:
        """Returns the measurement with this key; None if it is older than the training or lacks what a row is about."""
        found = self.measurements.get(key)
        return found if found and found.steps == self.steps and all(found.has(row) for row in rows) else None


Needs = Mapping[str, Mapping[str, list[Row]]]
"""Run to the keys of the measurements that rows need of it, each with its rows."""


def how_tested(row: Row, episodes: int) -> dict[str, Any]:
    """Returns how a row is tested: what differs from the defaults, and the number of episodes of each seed."""
    tested: dict[str, Any] = {name: True for name in ("alone", "half") if getattr(row, name)}
    if row.partners is not None:
        tested["partners"] = list(player_names(row.partners, Path()))
    if row.world is not None:
        fields = differences(Config(world=changed(row.world, agents=1), partners=()))
        # Compared to a world of its own kind, so that only deliberate changes count.
        # The number of agents follows from the partners.
        tested["world"] = {n: v for n, v in fields.items() if n.startswith("world.") and n != "world.agents"}
    return tested | {"episodes": episodes}


def measurement_key(row: Row, episodes: int) -> str:
    """Returns the key of a row's measurement in the record of its run."""
    return digest(how_tested(row, episodes))


def needs_of(rows: Iterable[Row], episodes: int) -> Needs:
    """Returns which measurements rows need, by run and key."""
    needs: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        needs.setdefault(run_name(row.condition), {}).setdefault(measurement_key(row, episodes), []).append(row)
    return needs


def read_records(folder: Path) -> list[Record]:
    """Returns all records in a folder, trainings of one run in the order in which they were recorded.

    Raises:
      ValueError: a file that is no record of this version.
    """
    records = []
    # Shorter names first: NAME-HASH.json is the earlier training, NAME-HASH-2.json the later.
    for path in sorted(folder.glob("*.json"), key=lambda path: (len(path.name), path.name)):
        try:
            plain = json.loads(path.read_text())
            if plain.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            measurements = {key: Measurement(**one) for key, one in plain["measurements"].items()}
            records.append(Record(**plain | {"measurements": measurements}))
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            raise ValueError(f"{path} is no record of this version ({cause}): restore it, or delete it") from cause
    return records


def write_record(record: Record, folder: Path) -> None:
    """Writes a record, in place of an earlier one of the same training: NAME-HASH.json, or NAME-HASH-2.json.

    Measurements that only the earlier one has, of as many steps, are kept: another process may have added them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The same seeds trained again, on another machine, are another result: nothing is overwritten.
    number, path = 1, folder / f"{record.run}.json"
    plain: dict[str, Any] = {"schema": SCHEMA} | dataclasses.asdict(record)
    while path.is_file():
        earlier = json.loads(path.read_text())
        if earlier["provenance"] == record.provenance:
            kept = {key: one for key, one in earlier["measurements"].items() if one["steps"] == record.steps}
            plain["measurements"] = kept | plain["measurements"]
            break
        number += 1
        path = folder / f"{record.run}-{number}.json"
    text = json.dumps(plain, indent=1)
    # The innermost lists and objects, such as a point of a curve, on one line each.
    write_at_once(path, re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda inner: re.sub(r"\n *", " ", inner[0]), text) + "\n")


def best_records(records: Iterable[Record], needs: Needs) -> dict[str, Record]:
    """Returns the record of each run that rows are taken from.

    All rows of a figure that concern one run use one training of it, since a second training differs. A whole one comes
    before a half-trained one, then the one with most of the measurements that are needed, then the first.
    """

    def rank(record: Record) -> tuple[bool, int]:
        known = [record.measurement(key, rows) for key, rows in needs[record.run].items()]
        return record.is_whole, sum(one is not None for one in known)

    best: dict[str, Record] = {}
    for record in records:
        if record.run in needs and (record.run not in best or rank(record) > rank(best[record.run])):
            best[record.run] = record
    return best


def measure(rows: Mapping[str, list[Row]], runs: Path, episodes: int, records: Sequence[Record]) -> Record:
    """Measures what is missing of a run and returns its record.

    Args:
      rows: the rows of one run, by key.
      runs: the folder of all runs.
      episodes: episodes of each seed.
      records: all records; a measurement in the record of this training is kept.
    """
    condition = next(iter(rows.values()))[0].condition
    folder = folder_of(condition, runs)
    config = config_of(folder)
    parameters, iteration = checkpoint.restore_parameters(folder, config)
    trained, known = read_provenance(folder), {}
    record = Record(
        run=folder.name,
        condition=condition.name,
        config=to_plain(resolved(condition, Path())),
        provenance=trained,
        seconds=seconds_of(folder),
        steps=iteration * config.iteration_steps,
        planned_steps=config.iterations * config.iteration_steps,
        seeds=list(range(config.seed, config.seed + config.seeds)),
        curve=_curve(folder),
        measurements=known,
        last_good_steps=[one.last_good_step for one in metrics.health(metrics.read(folder / METRICS)).values()] or None,
    )
    for other in records:
        if (other.run, other.provenance) == (record.run, trained):
            known.update({key: one for key, one in other.measurements.items() if one.steps == record.steps})
    programs = {}
    for key, own in rows.items():
        if record.measurement(key, own) is None:
            tested = _tested(own[0], config, runs)
            if tested not in programs:
                programs[tested] = episode_program(tested)
            halfway = tested.world.max_steps // 2 if own[0].half else None
            play = episode_player(tested, episodes, own[0].alone, halfway, program=programs[tested])
            played = play(parameters)
            measures, partners = _numbers(played, tested, own[0].alone)
            facts = provenance()
            facts = {name: facts[name] for name in ("date", "git", "devices")} | {"jax": facts["versions"]["jax"]}
            known[key] = Measurement(how_tested(own[0], episodes), record.steps, measures, partners, facts)
    return record


def _tested(row: Row, config: Config, runs: Path) -> Config:
    """Returns the config by which a row's episodes are played."""
    if row.partners is None and row.world is None:
        return config
    partners = config.partners if row.partners is None else player_names(row.partners, runs)
    return beside(config, partners, row.world)


def _numbers(episodes, config: Config, alone: bool) -> tuple[dict[str, list], dict[str, list]]:
    """Returns the means over episodes of the learner and of its partners; undefined episodes do not count."""

    def means(values: np.ndarray) -> list[float | None]:
        return [None if np.isnan(own).all() else float(np.nanmean(own)) for own in values]

    learner = {name: means(values) for name, values in measured(episodes, config, 0).items() if name in MEASURES}
    seats = [] if alone else config.partner_seats
    each = [measured(episodes, config, seat) for seat in seats]
    partners = {name: means(np.mean([one[name] for one in each], axis=0)) for name in PARTNERS_MEASURES if each}
    return learner, partners


def _curve(folder: Path) -> list[dict[str, Any]]:
    rows = metrics.read(folder / METRICS)
    steps = sorted({row["step"] for row in rows})
    shown, curve = set(steps[:: max(1, -(-len(steps) // POINTS))]), []
    for row in rows:
        if row["step"] in shown and row["learner"] == 0:
            value = metrics.learner_return(row)
            point = {name: row[name] for name in ("step", "seed", "penalty")}
            curve.append(point | {"return": None if math.isnan(value) else value})
    return curve


def provenance_of(folder: Path) -> dict[str, Any] | None:
    """Returns the provenance of a run's training; None if there is no run."""
    return read_provenance(folder) if (folder / PROVENANCE).is_file() else None


def seconds_of(folder: Path) -> float:
    """Returns how long a run was trained; of a program that trains several runs, its share."""
    path = folder / SECONDS
    return json.loads(path.read_text()) if path.is_file() else 0.0


def write_episode(row: Row, record: Record, episodes: int, runs: Path, path: Path) -> None:
    """Writes a typical episode as a GIF, of the median seed by what the row is about.

    Args:
      row: the row.
      record: the record of its run, which is in ``runs``.
      episodes: episodes of each seed in the row's measurement.
      runs: the folder of all runs.
      path: the file.
    """
    folder = folder_of(row.condition, runs)
    own = config_of(folder)
    config = without_teacher(beside(own, (), row.world) if row.alone else _tested(row, own, runs))
    measurement = record.measurements[measurement_key(row, episodes)]
    values = np.array(measurement.values(row.measure, row.of_partners), float)
    # Sorted with undefined values last. If all are, the first seed is shown.
    median = int(np.argsort(values)[np.isfinite(values).sum() // 2])
    config = with_partners_of(config, own.seed + median)
    parameters: Any = jax.tree.map(lambda x: x[median], checkpoint.restore_parameters(folder, own)[0])
    media.write_episode(path, config, media.moments(config, parameters, make_agent_setup(config)))
