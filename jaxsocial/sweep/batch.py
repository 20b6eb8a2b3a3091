"""Members that train at once: from where they were to where they are to be, with rows of the table on the way."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.config.fields import flat
from jaxsocial.evaluate.episodes import Episodes, episode_player
from jaxsocial.evaluate.returns import episode_sums
from jaxsocial.sweep import table
from jaxsocial.sweep.members import Entry, Fit, fitted, padded
from jaxsocial.train import checkpoint, loop, metrics
from jaxsocial.train.loop import Chunk
from jaxsocial.train.member import Member
from jaxsocial.train.program import Program

SIZE = "size.json"
MEASURED = ("return", "goals", "penalties")


class Batch(NamedTuple):
    """What trains at once, and how far."""

    folder: Path
    """Of its checkpoints; in that of its item, which lies in items/ of the sweep's."""
    entries: list[Entry]
    configs: list[Config]
    """One for each entry."""
    end: int
    """The iteration to reach."""
    evaluated_at: list[int]
    save_seconds: float
    sources: list[tuple[str, int]] | None
    """See `item.Task`."""

    @property
    def sweep(self) -> Path:
        """The sweep's folder."""
        return self.folder.parents[2]

    @property
    def writer(self) -> str:
        """Its name in the table."""
        return f"{self.folder.parent.name}.{self.folder.name}"


class Compiled(NamedTuple):
    """What all batches of an item share."""

    program: Program
    play: Callable[..., Episodes]
    fit: Fit


def compiled_for(configs: Sequence[Config], memory_gib: float | None, at_most: int | None = None) -> Compiled:
    """A program for as many of these members as fit, and a player of whole episodes for as many."""
    program, fit = fitted(configs, memory_gib, at_most)
    play = episode_player(padded(configs[: fit.members], fit.members), configs[0].evaluation_episodes)
    return Compiled(program, play, fit)


def train(batch: Batch, compiled: Compiled, settings: Sequence[Config], stop: Callable[[], bool]) -> None:
    """Trains a batch to its end, from its last checkpoint if there is one, and saves it.

    Args:
      batch: the members.
      compiled: their program.
      settings: all settings of the sweep.
      stop: whether training is asked to stop.

    Raises:
      Stopped: ``stop`` returned True; the batch is saved.
    """
    configs = padded(batch.configs, compiled.fit.members)
    program = compiled.program.others(configs)
    members, done = _begin(batch, program, len(configs))
    fields = {entry.setting: flat(settings[entry.setting]) for entry in batch.entries}
    config = configs[0]

    def record(chunk: Chunk) -> None:
        evaluated = {}
        if chunk.iteration in batch.evaluated_at:
            evaluated = _evaluated(compiled.play(chunk.members.learner.parameters, configs), config.sizes.learners)
        step = chunk.iteration * config.iteration_steps
        table.write_part(batch.sweep, batch.writer, step, _rows(batch, step, chunk.metrics, evaluated, fields))

    loop.train(
        program,
        members,
        done,
        batch.end,
        config.chunk_iterations,
        record,
        save=lambda members, iteration: checkpoint.save(batch.folder, members, iteration, config),
        stop=stop,
        # The plan times one iteration, and a rung may end at any: chunks of one iteration are one program for all.
        call_iterations=1,
        save_seconds=batch.save_seconds,
    )


def _begin(batch: Batch, program: Program, size: int) -> tuple[Member, int]:
    """Members as their checkpoint has them, as the last rung left them, or as runs begin."""
    begun = checkpoint.latest(batch.folder)
    table.cut(batch.sweep, batch.writer, (begun or 0) * batch.configs[0].iteration_steps)
    if begun is not None:
        own = [(batch.folder, place) for place in range(len(batch.entries))]
        return _restored(own, program, size)
    batch.folder.mkdir(exist_ok=True)
    (batch.folder / SIZE).write_text(json.dumps(size) + "\n")
    if batch.sources is None:
        return program.begin(), 0
    return _restored([(batch.sweep / "items" / source, place) for source, place in batch.sources], program, size)


def _restored(sources: list[tuple[Path, int]], program: Program, size: int) -> tuple[Member, int]:
    """Members from the batches, and the places in them, where they lie; the last one again to fill the program."""
    folders = list(dict.fromkeys(folder for folder, _ in sources))
    sizes = [json.loads((folder / SIZE).read_text()) for folder in folders]
    found = [checkpoint.restore(folder, _shapes(program, held)) for folder, held in zip(folders, sizes, strict=True)]
    starts = dict(zip(folders, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    places = [starts[folder] + place for folder, place in sources]
    wanted = np.array(places + places[-1:] * (size - len(places)))
    members: Any = jax.tree.map(lambda *x: jnp.concatenate(x)[wanted], *[members for members, _ in found])
    return program.place(members), found[0][1]


def _shapes(program: Program, size: int) -> Member:
    """The shapes of so many members."""
    like = jax.eval_shape(program.untrained)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype), like)


def _evaluated(episodes: Episodes, learners: int) -> dict[str, np.ndarray]:
    """Means over episodes, of (members, learners)."""
    each = [episode_sums(episodes, [seat]) for seat in range(learners)]
    return {name: np.stack([sums[name].mean(1) for sums in each], axis=1) for name in MEASURED}


def _rows(batch: Batch, step: int, measured, evaluated: dict, fields: dict[int, dict]) -> list[dict]:
    """A row a member and learner."""
    count = len(batch.entries)
    made = []
    for row in metrics.rows_of({name: values[:count] for name, values in measured.items()}, step, 0):
        place, learner = row.pop("seed"), row.pop("learner")
        setting, seed = batch.entries[place]
        keys = {"setting": setting, "seed": seed, "learner": learner, "step": row.pop("step")}
        found = {f"evaluation.{name}": evaluated[name][place, learner] if evaluated else np.nan for name in MEASURED}
        traced = {"return": metrics.learner_return(row), **found, **row}
        traced = {name: np.nan if value is None else float(value) for name, value in traced.items()}
        made.append(keys | fields[setting] | traced)
    return made
