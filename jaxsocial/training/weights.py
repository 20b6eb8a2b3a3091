"""A run's networks alone: a small folder that can be shared and played, and not trained further.

It holds a config and ``weights.npz``, and stands wherever the folder of a run may: as a partner, for ``start_from``,
and for evaluation and pictures.
"""

import dataclasses
import io
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsocial.config.config import Config
from jaxsocial.training.folder import CONFIG, sync, write_config

WEIGHTS = "weights.npz"


def has_only_weights(folder: Path) -> bool:
    """Returns whether a folder holds a run's networks, and no checkpoints."""
    return (folder / WEIGHTS).is_file()


def write(folder: Path, config: Config, arrays: dict[str, Any]) -> None:
    """Writes a config and the networks of its seeds into a new folder.

    Args:
      folder: must not exist, or be empty.
      config: its ``iterations`` are those that the networks have been trained for.
      arrays: of all seeds and learners (the first two axes), by their stored paths.

    Raises:
      ValueError: there is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} exists: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / WEIGHTS, **jax.device_get(arrays))
    sync(folder / WEIGHTS)
    # Last, since a folder without a config holds no run.
    write_config(config, folder / CONFIG)


def read(folder: Path, shapes: dict[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
    """Reads networks; the file's checksums are checked.

    Args:
      folder: of `write`.
      shapes: of all arrays, by their stored paths.

    Raises:
      ValueError: the file is damaged, or holds other networks.
    """
    path = folder / WEIGHTS
    try:
        # Of a damaged file that numpy opens itself, it leaves the handle open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except Exception as error:  # of a damaged archive, there are a dozen kinds
        raise ValueError(f"{path} is damaged ({error}): restore it") from error
    theirs = {name: (values.shape, values.dtype) for name, values in found.items()}
    mine = {name: (shape.shape, shape.dtype) for name, shape in shapes.items()}
    if theirs != mine:
        differing = min(name for name in theirs.keys() | mine.keys() if theirs.get(name) != mine.get(name))
        raise ValueError(f"{path} does not fit {folder / CONFIG}: {differing} differs. Restore both files")
    return {name: jax.numpy.asarray(found[name]) for name in shapes}


def config_at(config: Config, seed: int, steps: int) -> Config:
    """Returns the config of one seed of a run, as it was after some learner steps.

    Args:
      config: of the run.
      seed: one of its seeds.
      steps: learner steps, those of a checkpoint.

    >>> from jaxsocial.config.presets import preset
    >>> config = preset("quickstart")
    >>> config_at(config, 3, config.chunk_iterations * config.iteration_steps).iterations == config.chunk_iterations
    True
    """
    # What a run continues from is no part of a policy.
    config = dataclasses.replace(config, seed=seed, seeds=1, total_steps=steps, start_from="", keep_optimiser=False)
    if config.iterations * config.iteration_steps == steps:
        return config
    return dataclasses.replace(config, log_steps=config.iteration_steps)  # between two log points
