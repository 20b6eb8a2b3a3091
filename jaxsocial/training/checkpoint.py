"""Checkpoints by orbax: all that a run needs to resume exactly."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of

CHECKPOINTS = "checkpoints"
STORED_NAMES = {
    "learner.rollout_state": "learner.play",
    "episode_stats": "tally",
    "encoder.convolution_": "convolution_",
    "encoder.dense.": "dense.",
    "memory.lstm.": "lstm.",
}
"""Parts of names to those in checkpoints, which are those of the first version."""
ADDED = "learner.play.observation.others"
"""A leaf that older checkpoints lack. It is part of metrics only, and of no later step."""
KEPT = 2
"""How many checkpoints of a run stay on disk."""


def manager(folder: Path, keep_period: int | None = None) -> ocp.CheckpointManager:
    """Opens the checkpoints of a run for writing. A save is complete or absent, however the process ends."""
    options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, keep_period=keep_period, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder.resolve() / CHECKPOINTS, options=options)


def _reader(folder: Path) -> ocp.CheckpointManager:
    """Opens existing checkpoints for this process alone: orbax would else wait for the other processes."""
    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})
    options = ocp.CheckpointManagerOptions(
        create=False, enable_async_checkpointing=False, multiprocessing_options=alone
    )
    return ocp.CheckpointManager(folder.resolve() / CHECKPOINTS, options=options)


def save(folder: Path, members: Any, iteration: int, config: Config) -> None:
    """Saves the members of a run. All processes that hold them call it, with one folder that they share.

    Args:
      folder: the run's folder.
      members: a record with a field ``learner``.
      iteration: iterations that they have done.
      config: the run's config.
    """
    items = {name: ocp.args.StandardSave(flat(part)) for name, part in _items(members).items()}
    # A manager without the period would delete the checkpoints that are kept for good.
    with manager(folder, config.keep_every * config.checkpoint_iterations or None) as checkpoints:
        checkpoints.save(iteration, args=ocp.args.Composite(**items))


def latest(folder: Path) -> int | None:
    """Returns the iteration of the last checkpoint; None if there is none."""
    return max(_iterations(folder), default=None)


def _iterations(folder: Path) -> list[int]:
    """Returns the iterations of all checkpoints of a run, sorted."""
    if not (folder / CHECKPOINTS).is_dir():
        return []
    with _reader(folder) as checkpoints:
        return sorted(checkpoints.all_steps())


def restore(folder: Path, like: Any) -> tuple[Any, int]:
    """Loads the members of the last checkpoint.

    Args:
      folder: the run's folder.
      like: members of the same structure, arrays or shapes.

    Returns:
      The members, and the iterations that they have done.

    Raises:
      ValueError: there is no checkpoint.
    """
    iteration = latest(folder)
    if iteration is None:
        raise ValueError(f"{folder} has no checkpoint yet: let it train for longer, or start it again")
    found = {name: restore_item(folder, iteration, name, part) for name, part in _items(like).items()}
    learner = found["rest"].learner._replace(parameters=found["parameters"], optimiser_state=found["optimiser"])
    return found["rest"]._replace(learner=learner), iteration


def _items(members: Any) -> dict[str, Any]:
    """Returns the parts that are stored separately, so that parameters can be read alone."""
    learner = members.learner
    rest = members._replace(learner=learner._replace(parameters={}, optimiser_state={}))
    return {"parameters": learner.parameters, "optimiser": learner.optimiser_state, "rest": rest}


def restore_parameters(folder: Path, config: Config, steps: int | None = None) -> tuple[Parameters, int]:
    """Loads the parameters of a run.

    Args:
      folder: the run's folder.
      config: the run's config.
      steps: learner steps of an earlier checkpoint that was kept; the last one if None.

    Returns:
      The parameters of all seeds and learners (the first two axes), and the checkpoint's iteration.

    Raises:
      ValueError: there is no such checkpoint.
    """
    one = jax.eval_shape(network_of(config).init, jax.random.key(0))
    axes = config.seeds, config.sizes.learners
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*axes, *x.shape), x.dtype), one)
    iteration = iteration_at(folder, config, steps)
    return restore_item(folder, iteration, "parameters", like), iteration


def iteration_at(folder: Path, config: Config, steps: int | None = None) -> int:
    """Returns the iteration of a checkpoint.

    Args:
      folder: the run's folder.
      config: the run's config.
      steps: learner steps of the checkpoint; the last one if None.

    Raises:
      ValueError: there is no such checkpoint, with those that exist.
    """
    existing = {iteration * config.iteration_steps: iteration for iteration in _iterations(folder)}
    if not existing:
        raise ValueError(f"{folder} has no checkpoint yet: let it train for longer, or start it again")
    if steps is not None and steps not in existing:
        raise ValueError(f"{folder} has no checkpoint @{steps}: choose from {', '.join(f'@{s}' for s in existing)}")
    return max(existing.values()) if steps is None else existing[steps]


def flat(tree: Any) -> dict[str, Any]:
    """Returns the leaves of a tree by their stored paths. Empty parts and record classes are not stored.

    >>> flat({"dense": {"bias": 1.0, "kernel": 2.0}, "empty": ()})
    {'dense.bias': 1.0, 'dense.kernel': 2.0}
    """
    leaves = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        for current, stored in STORED_NAMES.items():
            name = name.replace(current, stored)
        leaves[name] = leaf
    return leaves


def restore_item(folder: Path, iteration: int, item: str, like: Any) -> Any:
    """Loads one item of a checkpoint, whole, onto a device of this process.

    Args:
      folder: the run's folder.
      iteration: the checkpoint's.
      item: parameters, optimiser or rest.
      like: a tree of the same structure, arrays or shapes.
    """
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding) for name, x in flat(like).items()}
    added = {}
    if ADDED in shapes and ADDED not in _stored_names(folder, iteration, item):
        added = {ADDED: jnp.zeros(shapes[ADDED].shape, shapes[ADDED].dtype)}
    stored = {name: shape for name, shape in shapes.items() if name not in added}
    with _reader(folder) as checkpoints:
        restored = checkpoints.restore(iteration, args=ocp.args.Composite(**{item: ocp.args.StandardRestore(stored)}))
    found = restored[item] | added
    return jax.tree.unflatten(jax.tree.structure(like), [found[name] for name in shapes])


def _stored_names(folder: Path, iteration: int, item: str) -> set[str]:
    with ocp.StandardCheckpointer() as reader:
        return set(reader.metadata(folder.resolve() / CHECKPOINTS / str(iteration) / item).item_metadata.tree)  # pyright: ignore
