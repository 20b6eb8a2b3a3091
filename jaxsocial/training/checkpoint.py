"""Checkpoints by orbax: all that a run needs to resume exactly."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config, from_plain, to_plain
from jaxsocial.config.network import network_of
from jaxsocial.training import distributed, weights
from jaxsocial.training.folder import DISK_IS_FULL, config_of, sync, write_at_once

CHECKPOINTS, RECORD = "checkpoints", "saved.json"
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
THREADS = 16
"""For flushing files to the disk."""


def save(folder: Path, members: Any, iteration: int, config: Config | Sequence[Config]) -> None:
    """Saves the members of a run. All processes that hold them call it, with one folder that they share.

    A checkpoint is complete or absent, however the process ends, and holds the digests that `damage` checks. The last
    `KEPT` stay on disk, and those that ``keep_every`` keeps for good.

    Args:
      folder: the run's folder.
      members: a record with a field ``learner``.
      iteration: iterations that they have done. Later checkpoints are deleted: training began anew before them.
      config: the run's config; those of all members, if several configs train together.

    Raises:
      OSError: the disk is full.
    """
    configs = (config,) if isinstance(config, Config) else tuple(config)
    parent = folder.resolve() / CHECKPOINTS
    new = parent / f"{iteration}.new"
    if distributed.is_first():
        parent.mkdir(exist_ok=True)
        for path in parent.iterdir():
            is_left = path.suffix == ".new" or ocp.utils.TMP_DIR_SUFFIX in path.name  # by a process that was killed
            if is_left or (path.name.isdigit() and int(path.name) >= iteration):
                shutil.rmtree(path)
        # orbax would fail in many lines, of several threads. It compresses, so the arrays' size is enough.
        last = parent / str(latest(folder))
        stored = 512 * sum(path.stat().st_blocks for path in last.rglob("*"))
        if shutil.disk_usage(parent).free < max(stored, sum(leaf.nbytes for leaf in jax.tree.leaves(members))):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(new))
    distributed.any_host(False)  # waits for the first host
    items = {name: ocp.args.StandardSave(flat(part)) for name, part in _items(members).items()}
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as saver, _plain(parent) as place:
            saver.save(place / new.name, args=ocp.args.Composite(**items))
    except Exception as error:
        # tensorstore raises it as a ValueError, with the system's words.
        for code in DISK_IS_FULL:
            if os.strerror(code) in str(error):
                raise OSError(code, os.strerror(code), str(new)) from None
        raise
    if distributed.is_first():
        _write_record(new, iteration, configs)
        new.replace(parent / str(iteration))
        sync(parent)
        _drop_old(folder, configs[0].keep_every * configs[0].checkpoint_iterations)
    distributed.any_host(False)


@contextlib.contextmanager
def _plain(place: Path) -> Iterator[Path]:
    r"""Yields a path of a folder without ``*?[``, which orbax expands, and ``\``, which tensorstore reads as ``/``.

    With them a checkpoint would be written in part, and without an error.
    """
    if not set(str(place)) & set("*?[\\"):
        yield place
        return
    with tempfile.TemporaryDirectory() as beside:
        link = Path(beside) / "link"
        link.symlink_to(place)
        yield link


def _write_record(place: Path, iteration: int, configs: Sequence[Config]) -> None:
    """Writes what a checkpoint holds: of which iteration and configs it is, and the sha256 of each file."""
    files = sorted(path for path in place.rglob("*") if path.is_file())
    digests = {str(path.relative_to(place)): _sha256(path) for path in files}
    record = {"iteration": iteration, "configs": [to_plain(config) for config in configs], "files": digests}
    write_at_once(place / RECORD, json.dumps(record) + "\n")
    with ThreadPoolExecutor(THREADS) as pool:  # one after the other they take ten times as long
        list(pool.map(sync, (*place.rglob("*"), place)))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop_old(folder: Path, period: int) -> None:
    """Deletes checkpoints but the last, and the first at or after each multiple of ``period`` iterations."""
    done, kept = _iterations(folder), 0
    for iteration in done:
        if period and iteration // period > kept // period:
            kept = iteration
        elif iteration not in done[-KEPT:]:
            shutil.rmtree(folder / CHECKPOINTS / str(iteration))


def latest(folder: Path) -> int | None:
    """Returns the iteration of the last checkpoint; None if there is none."""
    return max(_iterations(folder), default=None)


def _iterations(folder: Path) -> list[int]:
    """Returns the iterations of all checkpoints of a run, sorted; of weights alone, those they were trained for."""
    if weights.has_only_weights(folder):
        return [config_of(folder).iterations]
    return sorted(int(path.name) for path in (folder / CHECKPOINTS).glob("*") if path.name.isdigit())


def damage(folder: Path, iteration: int, config: Config | Sequence[Config]) -> str | None:
    """Returns what is wrong with a checkpoint: a file, or what of the config is not as it was when it was saved.

    Args:
      folder: the run's folder.
      iteration: the checkpoint's.
      config: as `save` receives it. A run may have become longer, and the runs of its partners may have moved.

    Returns:
      None if all is as it was saved. Of checkpoints without digests, which earlier versions wrote, nothing is known.
    """
    place = folder / CHECKPOINTS / str(iteration)
    if not (place / RECORD).is_file():
        return None
    try:
        record = json.loads((place / RECORD).read_text())
        saved, files = record["iteration"], dict(record["files"])
        theirs = [_tied(from_plain(plain)) for plain in record["configs"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return RECORD
    for name, digest in files.items():
        if not (place / name).is_file() or _sha256(place / name) != digest:
            return name
    if saved != iteration:
        return f"it is that of iteration {saved}"
    mine = [_tied(own) for own in ((config,) if isinstance(config, Config) else config)]
    if mine == theirs:
        return None
    if len(mine) != len(theirs):
        return f"it is of {len(theirs)} configs, and {len(mine)} were expected"
    differing = (name for own, saved in zip(mine, theirs, strict=True) for name in own if own[name] != saved.get(name))
    return f"it was saved with another {next(differing, 'config')} than the config has"


def _tied(config: Config) -> dict[str, Any]:
    """Returns the fields that stay as they are while a run trains."""
    plain = to_plain(config)
    del plain["total_steps"]
    return plain | {"partners": [Path(name).name for name in config.partners], "teacher": Path(config.teacher).name}


def last_whole(folder: Path, config: Config | Sequence[Config], say: Callable[[str], None]) -> int | None:
    """Returns the iteration of the last checkpoint that is as it was saved; None if there are no checkpoints.

    Args:
      folder: the run's folder.
      config: as `save` received it.
      say: receives a line if a later one is damaged.

    Raises:
      ValueError: all are damaged.
    """
    first = ""
    for iteration in reversed(_iterations(folder)):
        reason = damage(folder, iteration, config)
        if reason is None:
            if first:
                say(f"{first}: resuming from {iteration}")
            return iteration
        first = first or f"checkpoint {iteration} is damaged ({reason})"
    if first:
        raise ValueError(f"{folder}: {first}, and there is no other: restore what has changed, or train a new run")
    return None


def restore(folder: Path, iteration: int, like: Any) -> Any:
    """Loads the members of a checkpoint.

    Args:
      folder: the run's folder.
      iteration: the checkpoint's.
      like: members of the same structure, arrays or shapes.

    Raises:
      ValueError: it cannot be read.
    """
    found = {name: restore_item(folder, iteration, name, part) for name, part in _items(like).items()}
    learner = found["rest"].learner._replace(parameters=found["parameters"], optimiser_state=found["optimiser"])
    return found["rest"]._replace(learner=learner)


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
      ValueError: there is no such checkpoint, or it is damaged.
    """
    one = jax.eval_shape(network_of(config).init, jax.random.key(0))
    axes = config.seeds, config.sizes.learners
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*axes, *x.shape), x.dtype), one)
    iteration = iteration_at(folder, config, steps)
    if reason := damage(folder, iteration, config_of(folder)):
        others = [f"@{other * config.iteration_steps}" for other in _iterations(folder) if other != iteration]
        raise ValueError(
            f"checkpoint @{iteration * config.iteration_steps} of {folder} is damaged ({reason}): restore it"
            + (f", name {folder}{others[-1]}, or continue from there by --resume {folder}" if others else "")
        )
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

    Raises:
      ValueError: it cannot be read.
    """
    if item == "parameters" and weights.has_only_weights(folder):
        stored = weights.read(folder, {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in flat(like).items()})
        return jax.tree.unflatten(jax.tree.structure(like), stored.values())
    try:
        with _plain(folder.resolve() / CHECKPOINTS / str(iteration)) as place:
            return _read(place / item, like)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise ValueError(
            f"{folder}/{CHECKPOINTS}/{iteration}/{item} cannot be read ({reason}): restore it, or delete checkpoint "
            f"{iteration} to use the one before"
        ) from error


def size_of(folder: Path, iteration: int) -> int:
    """Returns the number of members that a checkpoint holds, with copies that fill a program."""
    with _plain(folder.resolve() / CHECKPOINTS / str(iteration)) as place:
        stored = _stored(place / "rest")
    # Members are the first axis of every array.
    return next(iter(stored.values())).shape[0]


def _stored(place: Path) -> dict[str, Any]:
    """Returns what is known of the arrays of an item, by name."""
    # A checkpointer would warn that the item, which is a part of a checkpoint, has no metadata of its own.
    handler: Any = ocp.StandardCheckpointHandler(multiprocessing_options=_alone())
    return handler.metadata(place).tree


def _read(place: Path, like: Any) -> Any:
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding) for name, x in flat(like).items()}
    added = {}
    with ocp.StandardCheckpointer(multiprocessing_options=_alone()) as reader:
        if ADDED in shapes and ADDED not in _stored(place):
            added = {ADDED: jnp.zeros(shapes[ADDED].shape, shapes[ADDED].dtype)}
        stored = {name: shape for name, shape in shapes.items() if name not in added}
        found = reader.restore(place, stored) | added
    return jax.tree.unflatten(jax.tree.structure(like), [found[name] for name in shapes])


def _alone() -> Any:
    """Returns options by which this process reads alone: orbax would else wait for the other processes."""
    me = jax.process_index()
    return ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})
