"""Networks of earlier runs, for use elsewhere: as partners, as a beginning, in a user's own code."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxsocial.agents.networks.network import Network, Parameters
from jaxsocial.agents.seating import frozen_policy
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.train import checkpoint
from jaxsocial.train.checkpoint import restore_parameters
from jaxsocial.train.folder import config_of


class Source(NamedTuple):
    """Which trained networks are meant: FOLDER, FOLDER@STEPS, FOLDER#SEED, FOLDER@STEPS#SEED.LEARNER."""

    folder: Path
    steps: int | None = None
    """Learner steps of an earlier checkpoint; the last one if None."""
    seed: int | None = None
    """The run's first if None."""
    learner: int = 0


def source_of(text: str) -> Source:
    """The inverse of writing one down. What follows @ or # and is no number belongs to the folder's name.

    Raises:
      ValueError: no folder is named.
    """
    setup = re.fullmatch(
        r"(?P<folder>.*?)(@(?P<steps>\d+(_\d+)*))?(#(?P<seed>\d+)(\.(?P<learner>\d+))?)?", text, re.ASCII
    )
    if setup is None or not setup["folder"]:
        raise ValueError(f"{text!r} names no run: write FOLDER, FOLDER@STEPS or FOLDER#SEED")
    steps, seed = (int(setup[name]) if setup[name] else None for name in ("steps", "seed"))
    return Source(Path(setup["folder"]), steps, seed, int(setup["learner"] or 0))


def pinned(text: str) -> str:
    """The same networks, named so that they stay the same: the folder in full, and its last checkpoint by its steps.

    A run that is trained further drops old checkpoints; then what was meant is missing, and not another network.
    """
    source = source_of(text)
    iteration = checkpoint.latest(source.folder)
    if source.steps is not None or iteration is None:
        steps = source.steps
    else:
        steps = iteration * config_of(source.folder).iteration_steps
    seat = "" if source.seed is None else f"#{source.seed}.{source.learner}"
    return f"{source.folder.resolve()}{'' if steps is None else f'@{steps}'}{seat}"


class LoadedPolicy(NamedTuple):
    """A trained policy: its network and the parameters of one learner."""

    network: Network
    parameters: Parameters
    config: Config


def load_policy(
    folder: str | Path, seed: int | None = None, steps: int | None = None, learner: int = 0
) -> LoadedPolicy:
    """The policy that a run has trained.

    Args:
      folder: the run's folder.
      seed: which seed of a run of several; the first if not given.
      steps: learner steps of an earlier checkpoint that was kept; the last one if not given.
      learner: which learner of a world of several.

    Raises:
      ValueError: no run there, no checkpoint yet or none at these steps, or no such seed or learner.
    """
    config = config_of(folder)
    if not 0 <= learner < config.sizes.learners:
        raise ValueError(f"learner={learner} was not trained in {folder}: choose 0 to {config.sizes.learners - 1}")
    parameters = load_learners(folder, seed, steps)
    return LoadedPolicy(network_of(config), jax.tree.map(lambda x: x[learner], parameters), config)


def load_learners(folder: str | Path, seed: int | None = None, steps: int | None = None) -> Parameters:
    """The networks of all learners of one seed, learners as the first axis; see `load_policy`."""
    config = config_of(folder)
    index = _place_of(seed, folder, config)
    return jax.tree.map(lambda x: x[index], restore_parameters(Path(folder), config, steps)[0])


def _place_of(seed: int | None, folder: str | Path, config: Config) -> int:
    """The place of a seed among those of a run."""
    index = 0 if seed is None else seed - config.seed
    if not 0 <= index < config.seeds:
        last = config.seed + config.seeds - 1
        raise ValueError(f"seed={seed} was not trained in {folder}: choose {config.seed} to {last}")
    return index


def frozen_player(text: str):
    """A trained learner as a partner: (seats, scenario) -> policy.

    Raises:
      ValueError: there is no such learner, or it was trained for other observations or actions.
    """
    source = source_of(text)
    loaded = load_policy(source.folder, source.seed, source.steps, source.learner)

    def build(seats, scenario):
        mine, theirs = (
            f"observations {world.observation_shape} in tiles of {world.agent_views[0].tile_pixels} pixels and "
            f"{world.actions} actions"
            for world in (loaded.config.world, scenario)
        )
        if mine != theirs:
            raise ValueError(
                f"partners: run:{text} was trained for {mine}, the world has {theirs}: choose a run of an equal view"
            )
        return frozen_policy(loaded.network, loaded.parameters, seats)

    return build


def begin_with(text: str, members, configs: Sequence[Config], keep_optimiser: bool):
    """Members that begin with the networks of an earlier run.

    Args:
      text: the run, as `source_of` reads it. A run of one seed, or one of its seeds, serves all members. A run of as
        many seeds as a config has gives each its own, in their order; of another number, to each seed the same seed.
      members: as they would begin.
      configs: those of the members, in their order.
      keep_optimiser: whether its optimiser's state comes along.

    Raises:
      ValueError: there is no such run, or it does not fit.
    """
    source = source_of(text)
    if source.learner:
        raise ValueError(f"start_from={text}: all learners of a world go on, leave .{source.learner} out")
    config = config_of(source.folder)
    learner = members.learner

    parameters, iteration = restore_parameters(source.folder, config, source.steps)
    if _shapes(parameters) != _shapes(learner.parameters):
        raise ValueError(f"start_from={text}: its networks are others: choose the network and prediction that it has")
    places = np.concatenate([_places_for(own, source, config) for own in configs])

    def given(found, own):
        return jax.tree.map(lambda x, like: x[places].astype(like.dtype), found, own)

    learner = learner._replace(parameters=given(parameters, learner.parameters))
    if keep_optimiser:
        own = learner.optimiser_state
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.seeds, *x.shape[1:]), x.dtype), own)
        found = checkpoint.restore_item(source.folder, iteration, "optimiser", like)
        learner = learner._replace(optimiser_state=given(found, own))
    return members._replace(learner=learner)


def _shapes(tree) -> dict[str, tuple[int, ...]]:
    """Of every leaf but for the seeds."""
    return {name: leaf.shape[1:] for name, leaf in checkpoint.flat(tree).items()}


def _places_for(own: Config, source: Source, config: Config) -> np.ndarray:
    """For each seed of ``own`` the place, among those of the source's run, of the seed that it begins with."""
    if source.seed is not None or config.seeds == 1:
        return np.full(own.seeds, _place_of(source.seed, source.folder, config))
    if own.seeds == config.seeds:
        return np.arange(own.seeds)
    places = own.seed - config.seed + np.arange(own.seeds)
    if places[0] < 0 or places[-1] >= config.seeds:
        raise ValueError(
            f"start_from={source.folder} has seeds {config.seed} to {config.seed + config.seeds - 1}, and not all of "
            f"{own.seed} to {own.seed + own.seeds - 1}: name one by #SEED, or train as many"
        )
    return places
