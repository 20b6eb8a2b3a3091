"""The networks of one member of a sweep, as a small folder that stands for a run."""

import shutil
from pathlib import Path
from typing import NamedTuple

import jax

from jaxsocial.config.network import network_of
from jaxsocial.sweep import command, table
from jaxsocial.sweep.members import Entry, member_config
from jaxsocial.sweep.report.ranking import best_first
from jaxsocial.sweep.rungs import ITEMS
from jaxsocial.sweep.work import batch_damage, batch_range, read_task
from jaxsocial.training import checkpoint, weights
from jaxsocial.training.provenance import PROVENANCE


class Saved(NamedTuple):
    """Where the last checkpoint of a member is."""

    iteration: int
    batch: Path
    place: int
    """Of the member in the batch."""


def export_member(folder: Path, out: Path, setting: int | None = None, seed: int | None = None) -> str:
    """Writes the networks of one member of a sweep into a folder that stands wherever the folder of a run may.

    Args:
      folder: of the sweep, finished or not.
      out: must not exist, or be empty.
      setting: the setting's number; the best so far if None, as the sweep's report ranks it.
      seed: one of the setting's seeds; its first if None.

    Returns:
      What was written: the setting, the seed and its learner steps.

    Raises:
      ValueError: there is no such sweep, setting or seed, it has no checkpoint yet, or one that is damaged.
    """
    sweep = command.read(folder)
    if setting is None:
        setting = best_first(table.read(folder), sweep)[0]
    if not 0 <= setting < len(sweep.settings):
        raise ValueError(f"setting {setting} is not in {folder}: choose 0 to {len(sweep.settings) - 1}")
    first, seeds = sweep.settings[setting].seed, sweep.settings[setting].seeds
    entry = Entry(setting, first if seed is None else seed)
    if not first <= entry.seed < first + seeds:
        raise ValueError(f"setting {setting} has no seed {seed}: choose {first} to {first + seeds - 1}")
    saved = last_checkpoint(folder, entry)
    if saved is None:
        raise ValueError(f"setting {setting}, seed {entry.seed} has no checkpoint in {folder} yet: let the sweep go on")
    item, batch = saved.batch.parent, saved.batch
    if reason := batch_damage(batch, saved.iteration, sweep.settings):
        raise ValueError(f"checkpoint {saved.iteration} of {batch} is damaged ({reason}): restore it")
    config = member_config(entry, sweep.settings)
    one = jax.eval_shape(network_of(config).init, jax.random.key(0))
    held = checkpoint.size_of(batch, saved.iteration)
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((held, config.sizes.learners, *x.shape), x.dtype), one)
    found = checkpoint.restore_item(batch, saved.iteration, "parameters", like)
    steps = saved.iteration * config.iteration_steps
    config = weights.config_at(config, entry.seed, steps)
    own = jax.tree.map(lambda x: x[saved.place][None], found)
    weights.write(out, config, checkpoint.flat(own))
    if (item / PROVENANCE).is_file():
        shutil.copy(item / PROVENANCE, out)
    return f"setting {setting}, seed {entry.seed}, after {steps:,} steps"


def last_checkpoint(folder: Path, entry: Entry) -> Saved | None:
    """Returns where a member of a sweep was last saved; None if it was not."""
    found = []
    for item in (folder / ITEMS).glob("*"):
        entries = read_task(item).entries
        number = entries.index(entry) if entry in entries else -1
        for batch in item.glob("batch-*"):
            first, last = batch_range(batch)
            iteration = checkpoint.latest(batch)
            if first <= number < last and iteration is not None:
                found.append(Saved(iteration, batch, number - first))
    return max(found, default=None)
