"""Checkpoints by orbax: what a run needs to go on bit for bit."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of

CHECKPOINTS = "checkpoints"
STORED_NAMES = {"learner.rollout_state": "learner.play", "episode_stats": "tally"}
"""Names of records that differ in checkpoints, where they are those of the first version."""
KEPT = 2
"""How many checkpoints of a run stay on disk."""


def manager(folder: Path, keep_period: int | None = None) -> ocp.CheckpointManager:
    """The checkpoints of a run. Saves are finished, or not there at all, however the process ends."""
    options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, keep_period=keep_period, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder.resolve() / CHECKPOINTS, options=options)


def _reader(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints that are there already, for this process on its own: no other need read them."""
    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})
    options = ocp.CheckpointManagerOptions(
        create=False, enable_async_checkpointing=False, multiprocessing_options=alone
    )
    return ocp.CheckpointManager(folder.resolve() / CHECKPOINTS, options=options)


def save(folder: Path, members, iteration: int, config: Config) -> None:
    """Saves the members of a run, records with a ``learner``, as they stand after so many iterations.

    Where several processes hold them, all have to call it, with a folder that they share.
    """
    items = {name: ocp.args.StandardSave(flat(part)) for name, part in _items(members).items()}
    # Kept checkpoints are deleted by a manager that does not know of them: every one has to be told.
    with manager(folder, config.keep_every * config.checkpoint_iterations or None) as checkpoints:
        checkpoints.save(iteration, args=ocp.args.Composite(**items))


def latest(folder: Path) -> int | None:
    """The iteration of the last checkpoint; None if there is none."""
    return max(_iterations(folder), default=None)


def _iterations(folder: Path) -> list[int]:
    """Of all checkpoints of a run, sorted."""
    if not (folder / CHECKPOINTS).is_dir():
        return []
    with _reader(folder) as checkpoints:
        return sorted(checkpoints.all_steps())


def restore(folder: Path, like):
    """The members of the last checkpoint, and how many iterations they had done.

    Args:
      folder: the run's.
      like: members of the same structure, arrays or shapes.

    Raises:
      ValueError: there is no checkpoint.
    """
    iteration = latest(folder)
    if iteration is None:
        raise ValueError(f"{folder} has no checkpoint yet: let it train for longer, or start it again")
    found = {name: restore_item(folder, iteration, name, part) for name, part in _items(like).items()}
    learner = found["rest"].learner._replace(parameters=found["parameters"], optimiser_state=found["optimiser"])
    return found["rest"]._replace(learner=learner), iteration


def _items(members) -> dict[str, Any]:
    """What is stored apart, so that it can be read without the rest."""
    learner = members.learner
    rest = members._replace(learner=learner._replace(parameters={}, optimiser_state={}))
    return {"parameters": learner.parameters, "optimiser": learner.optimiser_state, "rest": rest}


def restore_parameters(folder: Path, config: Config, steps: int | None = None) -> tuple[Parameters, int]:
    """The parameters of all seeds and learners (the first two axes), and the iteration they are of.

    Args:
      folder: the run's.
      config: the run's.
      steps: learner steps of an earlier checkpoint that was kept; the last one if not given.

    Raises:
      ValueError: there is no such checkpoint.
    """
    one = jax.eval_shape(network_of(config).init, jax.random.key(0))
    axes = config.seeds, config.sizes.learners
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*axes, *x.shape), x.dtype), one)
    iteration = iteration_at(folder, config, steps)
    return restore_item(folder, iteration, "parameters", like), iteration


def iteration_at(folder: Path, config: Config, steps: int | None = None) -> int:
    """The iteration of the checkpoint after so many learner steps; of the last one if none are given.

    Raises:
      ValueError: there is no such checkpoint, with those there are.
    """
    there = {iteration * config.iteration_steps: iteration for iteration in _iterations(folder)}
    if not there:
        raise ValueError(f"{folder} has no checkpoint yet: let it train for longer, or start it again")
    if steps is not None and steps not in there:
        raise ValueError(f"{folder} has no checkpoint @{steps}: choose from {', '.join(f'@{s}' for s in there)}")
    return max(there.values()) if steps is None else there[steps]


def flat(tree) -> dict[str, Any]:
    """Leaves by path. Empty parts, and the classes of the optimiser's records, need not be stored."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_stored_name(jax.tree_util.keystr(path, simple=True, separator=".")): leaf for path, leaf in leaves}


def _stored_name(path: str) -> str:
    for name, stored in STORED_NAMES.items():
        path = path.replace(name, stored)
    return path


def restore_item(folder: Path, iteration: int, item: str, like):
    """One of the items of a checkpoint, in the structure and shapes of ``like``, whole on a device of this process."""
    with _reader(folder) as checkpoints:
        shapes = jax.tree.map(_shape, flat(like))
        restored = checkpoints.restore(iteration, args=ocp.args.Composite(**{item: ocp.args.StandardRestore(shapes)}))
    leaves = [restored[item][name] for name in flat(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _shape(leaf):
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
