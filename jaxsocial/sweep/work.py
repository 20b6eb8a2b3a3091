"""The items of a sweep: the members that one process trains, from one rung to the next, in batches that fit.

An item is a folder with its task, one folder of checkpoints per batch, and a mark when all is done. Running an item
again completes the missing work only.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial.config.config import Config, from_plain, to_plain
from jaxsocial.config.fields import config_hash, digest, flat
from jaxsocial.evaluate.episodes import Episodes, episode_player
from jaxsocial.evaluate.returns import episode_sums
from jaxsocial.sweep import table
from jaxsocial.sweep.members import Entry, Fit, fitted, identity, is_out_of_memory, member_config, padded
from jaxsocial.sweep.spec import MEASURED
from jaxsocial.training import checkpoint, loop, metrics
from jaxsocial.training.devices import keep_compiled_programs, use_all_cores
from jaxsocial.training.folder import write_at_once
from jaxsocial.training.loop import Chunk
from jaxsocial.training.member import Member
from jaxsocial.training.program import Program
from jaxsocial.training.provenance import write_provenance
from jaxsocial.training.stopping import Stopped, stop_requests

TASK, DONE, SETTINGS = "item.json", "done.json", "settings.json"
DOES_NOT_FIT = "members do not fit at once"
"""What an item writes to its log if a device runs out of memory."""


class Task(NamedTuple):
    """The work of an item."""

    entries: list[Entry]
    end: int
    """The iteration to reach."""
    evaluated_at: list[int]
    """Iterations after which whole episodes are played."""
    save_seconds: float
    """Seconds between two checkpoints."""
    memory_gib: float | None = None
    """The GiB that may be used on each device; those that are free if None."""
    sources: list[tuple[str, int]] | None = None
    """For each member the batch that it continues from and its index there; None for new members."""
    settings: str | None = None
    """`settings_digest` of its entries; None in items of earlier versions."""
    target: str | None = None
    """In a plan: the accelerator that it is for, which need not be here; None for the devices that are here."""


class Batch(NamedTuple):
    """Members that train at once."""

    folder: Path
    """The folder of the checkpoints, SWEEP/items/ITEM/batch-FIRST-LAST."""
    task: Task
    """The part of the item's task that concerns these members."""
    configs: list[Config]
    """One per entry."""


class Compiled(NamedTuple):
    """What all batches of an item share."""

    program: Program
    play: Callable[..., Episodes]
    fit: Fit


def settings_digest(
    entries: Sequence[Entry], settings: Sequence[Config], of: Callable[[Config], str] = identity
) -> str:
    """Returns digits that identify the settings of some members. A new field with a neutral default changes none.

    Args:
      entries: the members.
      settings: all settings of the sweep.
      of: what identifies a single setting.
    """
    return digest([of(settings[number]) for number in dict.fromkeys(entry.setting for entry in entries)])


def check_settings(folder: Path, settings: Sequence[Config]) -> None:
    """Checks that the settings of an item are those that it was made for.

    Raises:
      ValueError: they have changed.
    """
    task = read_task(folder)
    earlier = settings_digest(task.entries, settings, config_hash)  # seeds and steps counted too
    if task.settings not in (None, earlier, settings_digest(task.entries, settings)):
        raise ValueError(
            f"the settings of {folder.name} have changed in {folder.parents[1] / SETTINGS} since it was made: restore "
            "that file, or begin another sweep"
        )


def write_task(folder: Path, task: Task) -> None:
    """Makes the folder of an item, unless it exists."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / TASK).is_file():
        write_plain(folder / TASK, task._asdict())


def read_task(folder: Path) -> Task:
    """Reads what `write_task` has written."""
    task = Task(**read_plain(folder / TASK))
    return task._replace(entries=[Entry(*entry) for entry in task.entries])


def write_settings(sweep: Path, settings: Sequence[Config]) -> None:
    """Writes the settings of a sweep, for its items."""
    write_plain(sweep / SETTINGS, [to_plain(config) for config in settings])


def read_settings(sweep: Path) -> list[Config]:
    """Reads what `write_settings` has written."""
    return [from_plain(plain) for plain in read_plain(sweep / SETTINGS)]


def write_plain(path: Path, plain: Any) -> None:
    """Writes JSON atomically."""
    write_at_once(path, json.dumps(plain) + "\n")


def read_plain(path: Path) -> Any:
    """Reads JSON.

    Raises:
      ValueError: the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): restore it, or begin another sweep") from None


def is_done(folder: Path) -> bool:
    """Returns whether an item is finished."""
    return (folder / DONE).is_file()


def locations(folder: Path) -> dict[Entry, tuple[str, int]]:
    """Returns the batch and the index in it of each member of a finished item."""
    found = read_plain(folder / DONE)
    return {Entry(setting, seed): (batch, index) for setting, seed, batch, index in found}


def work(folder: Path) -> None:
    """Does the missing work of an item, in a process of its own, on all devices that it sees.

    Raises:
      SystemExit: the process received SIGTERM or SIGINT, and the item is saved.
    """
    if is_done(folder):
        return
    # Both have to come before the first computation, which starts the devices.
    keep_compiled_programs()
    use_all_cores()
    write_provenance(folder)
    task, settings = read_task(folder), read_settings(folder.parents[1])
    check_settings(folder, settings)
    configs, done = [member_config(entry, settings) for entry in task.entries], []
    with stop_requests() as stop:
        compiled = compiled_for(configs, task.memory_gib)
        while len(done) < len(configs):
            batch = _next_batch(folder, task, configs, len(done), compiled.fit.members)
            count = len(batch.configs)
            try:
                train(batch, compiled, settings, stop)
            except Stopped as stopped:
                raise SystemExit(str(stopped)) from None
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                # The compiler's account may be too low: other processes, fragmentation.
                if not is_out_of_memory(error) or count == 1:
                    raise
                room = max(compiled.fit.members // 2, 1)
                print(f"{count} {DOES_NOT_FIT}: trying {room}", flush=True)
                _drop(batch.folder)
                compiled = compiled_for(configs, task.memory_gib, room)
            else:
                name = f"{folder.name}/{batch.folder.name}"
                done += [(*entry, name, index) for index, entry in enumerate(batch.task.entries)]
    write_plain(folder / DONE, done)


def compiled_for(configs: Sequence[Config], memory_gib: float | None, at_most: int | None = None) -> Compiled:
    """Compiles a program for as many members as fit, and a function that plays whole episodes for as many.

    Args:
      configs: the configs of the members, one seed each.
      memory_gib: the GiB that may be used on each device; those that are free if None.
      at_most: the largest number of members at once; all if None.
    """
    program, fit = fitted(configs, memory_gib, at_most)
    play = episode_player(padded(configs[: fit.members], fit.members), configs[0].evaluation_episodes)
    return Compiled(program, play, fit)


def _next_batch(folder: Path, task: Task, configs: list[Config], first: int, room: int) -> Batch:
    """Returns the batch that was begun with member ``first``, or one of as many members as fit."""
    # A batch keeps its members when it is resumed: its checkpoint holds exactly these.
    last = min(first + room, len(configs))
    for begun in sorted(folder.glob(f"batch-{first}-*"))[:1]:
        _, end = batch_range(begun)
        if end - first > room:
            _drop(begun)  # it was begun when more memory was free
        else:
            last = end
    sources = None if task.sources is None else [(source, index) for source, index in task.sources[first:last]]
    own = task._replace(entries=task.entries[first:last], sources=sources)
    return Batch(folder / f"batch-{first}-{last}", own, configs[first:last])


def batch_range(batch: Path) -> tuple[int, int]:
    """Returns where the members of a batch begin and end among those of its item.

    >>> batch_range(Path("sweep/items/rung0-group0-part0/batch-8-12"))
    (8, 12)
    """
    _, first, last = batch.name.split("-")
    return int(first), int(last)


def batch_damage(batch: Path, iteration: int, settings: Sequence[Config]) -> str | None:
    """Returns how a checkpoint of a batch is damaged; None if it is whole.

    Args:
      batch: the folder of the batch.
      iteration: that of the checkpoint.
      settings: all settings of the sweep.
    """
    first, last = batch_range(batch)
    entries = read_task(batch.parent).entries[first:last]
    return checkpoint.damage(batch, iteration, [member_config(entry, settings) for entry in entries])


def _drop(batch: Path) -> None:
    """Removes a batch and its rows."""
    table.cut(batch.parents[2], _writer(batch), 0)
    shutil.rmtree(batch, ignore_errors=True)


def _writer(batch: Path) -> str:
    """Returns the name of a batch in the table."""
    return f"{batch.parent.name}.{batch.name}"


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
    members, done = _begin(batch, program, len(configs), settings)
    fields = {entry.setting: flat(settings[entry.setting]) for entry in batch.task.entries}
    config, schema = configs[0], table.schema_of(settings)

    def record(chunk: Chunk) -> None:
        # Empty means NaN in the table: all rows need the same columns.
        evaluated: dict[str, np.ndarray] = {}
        if chunk.iteration in batch.task.evaluated_at:
            episodes = compiled.play(chunk.members.learner.parameters, configs)
            sums = [episode_sums(episodes, [seat]) for seat in range(config.sizes.learners)]
            evaluated = {name: np.stack([own[name].mean(1) for own in sums], axis=1) for name in MEASURED}
        step = chunk.iteration * config.iteration_steps
        rows = _rows(batch.task.entries, step, chunk.metrics, evaluated, fields)
        table.write_part(batch.folder.parents[2], _writer(batch.folder), step, rows, schema)

    loop.train(
        program,
        members,
        done,
        batch.task.end,
        config.chunk_iterations,
        record,
        save=lambda members, iteration: checkpoint.save(batch.folder, members, iteration, batch.configs),
        stop=stop,
        # A rung may end at any iteration, and the plan times one: single iterations need one compilation only.
        call_iterations=1,
        save_seconds=batch.task.save_seconds,
    )


def _begin(batch: Batch, program: Program, size: int, settings: Sequence[Config]) -> tuple[Member, int]:
    """Returns members and their iterations: from their checkpoint, from the last rung, or untrained."""
    folder, sweep = batch.folder, batch.folder.parents[2]
    begun = checkpoint.last_whole(folder, batch.configs, print)
    # Rows after the checkpoint will be written again, and must not be there twice.
    table.cut(sweep, _writer(folder), (begun or 0) * batch.configs[0].iteration_steps)
    if begun is not None:
        return _restored([(folder, index) for index in range(len(batch.configs))], begun, program, size)
    folder.mkdir(exist_ok=True)
    if batch.task.sources is None:
        return program.begin(), 0
    sources = [(sweep / "items" / source, index) for source, index in batch.task.sources]
    end = checkpoint.latest(sources[0][0]) or 0
    for source in dict.fromkeys(source for source, _ in sources):
        if reason := batch_damage(source, end, settings):
            raise ValueError(
                f"checkpoint {end} of {source} is damaged ({reason}): restore it, or delete {source.parent / DONE} and "
                "resume the sweep, which then trains from the checkpoint before"
            )
    return _restored(sources, end, program, size)


def _restored(sources: list[tuple[Path, int]], iteration: int, program: Program, size: int) -> tuple[Member, int]:
    """Restores members from batches and their indices there; the last member fills the program."""
    shapes, starts, found, start = jax.eval_shape(program.untrained), {}, [], 0
    for folder in dict.fromkeys(folder for folder, _ in sources):
        # Not that of this program: memory, or the number of devices, may have been another.
        held = checkpoint.size_of(folder, iteration)
        like = jax.tree.map(lambda x, held=held: jax.ShapeDtypeStruct((held, *x.shape[1:]), x.dtype), shapes)
        found.append(checkpoint.restore(folder, iteration, like))
        starts[folder], start = start, start + held
    indices = [starts[folder] + index for folder, index in sources]
    # A program takes a fixed number of members; copies of the last one are dropped from the rows.
    wanted = np.array(indices + indices[-1:] * (size - len(indices)))
    members: Any = jax.tree.map(lambda *x: jnp.concatenate(x)[wanted], *found)
    return program.place(members), iteration


def _rows(
    entries: Sequence[Entry], step: int, measured: Mapping, evaluated: Mapping, fields: Mapping[int, dict]
) -> list[dict]:
    """Returns one row per member and learner, without the members that only fill the program."""
    made = []
    for row in metrics.rows_of({name: values[: len(entries)] for name, values in measured.items()}, step, 0):
        index, learner = row.pop("seed"), row.pop("learner")  # `rows_of` counts members as seeds from 0
        setting, seed = entries[index]
        keys = {"setting": setting, "seed": seed, "learner": learner, "step": row.pop("step")}
        found = {f"evaluation.{name}": evaluated[name][index, learner] if evaluated else np.nan for name in MEASURED}
        numbers = {"return": metrics.learner_return(row), **found, **row}
        numbers = {name: np.nan if value is None else float(value) for name, value in numbers.items()}
        made.append(keys | fields[setting] | numbers)
    return made
