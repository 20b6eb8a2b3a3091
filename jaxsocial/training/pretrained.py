"""Trained networks of earlier runs: as partners, as initial networks, and in users' own code."""

import dataclasses
import functools
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from jaxsocial.agents.networks.inputs import input_count
from jaxsocial.agents.networks.network import Network, Parameters
from jaxsocial.agents.policy import distribution
from jaxsocial.agents.seating import frozen_policy
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.env.core import Env
from jaxsocial.env.types import Observation
from jaxsocial.training import checkpoint, weights
from jaxsocial.training.checkpoint import restore_parameters
from jaxsocial.training.folder import PROVENANCE, config_of
from jaxsocial.training.packaged import PRETRAINED, run_folder

FROZEN = "run:"
"""Prefix of a partner that is the folder of an earlier run."""
EACH = "each"
"""In place of a seed's number: each seed of the run at hand has the network of the same seed."""
TRAINED = (FROZEN, PRETRAINED)
"""Prefixes of partners that are networks."""


class Source(NamedTuple):
    """The networks that FOLDER, FOLDER@STEPS, FOLDER#SEED, FOLDER#each or FOLDER@STEPS#SEED.LEARNER names."""

    folder: Path
    steps: int | None = None
    """Learner steps of an earlier checkpoint; the last one if None."""
    seed: int | None = None
    """The run's first if None."""
    learner: int = 0
    each: bool = False
    """Whether each seed of the run at hand has the network of the same seed. Then there is no ``seed``."""


def source_of(text: str, may_be_each: bool = False) -> Source:
    """Parses the name of networks. After @ or #, anything but a number belongs to the folder's name.

    A folder of the whole name comes first: runs may be called ``we#1``. Learners of the package are
    ``pretrained:NAME``.

    >>> source_of("runs/a@64_000#4.1")
    Source(folder=PosixPath('runs/a'), steps=64000, seed=4, learner=1, each=False)

    Args:
      text: the name.
      may_be_each: whether ``#each`` is possible: it means one network for each seed.

    Raises:
      ValueError: no folder is named, or no learner of the package, or one network is wanted and all are named.
    """
    if text.startswith(PRETRAINED):
        return Source(run_folder(text))
    if text and (whole := Path(text).expanduser()).is_dir():
        return Source(whole)
    found = re.fullmatch(
        rf"(?P<folder>.*?)(@(?P<steps>\d+(_\d+)*))?(#({EACH}|(?P<seed>\d+))(\.(?P<learner>\d+))?)?", text, re.ASCII
    )
    if found is None or not found["folder"]:
        raise ValueError(f"{text!r} names no run: write FOLDER, FOLDER@STEPS or FOLDER#SEED")
    steps, seed = (int(found[name]) if found[name] else None for name in ("steps", "seed"))
    each = seed is None and re.search(rf"#{EACH}(\.\d+)?$", text) is not None
    if each and not may_be_each:
        raise ValueError(f"{text}: #{EACH} gives each seed of a run its own partner: name one by #SEED here")
    return Source(Path(found["folder"]).expanduser(), steps, seed, int(found["learner"] or 0), each)


def pinned(text: str) -> str:
    """Returns a name that always means the same networks: with the full folder, and the last checkpoint's steps.

    A run that trains further drops old checkpoints. Then a pinned name is an error, and never another network.
    Learners of the package have the same name on every machine.
    """
    if text.startswith(PRETRAINED):
        return text
    source = source_of(text, may_be_each=True)
    iteration = checkpoint.latest(source.folder)
    if source.steps is not None or iteration is None:
        steps = source.steps
    else:
        steps = iteration * config_of(source.folder).iteration_steps
    seed = EACH if source.each else source.seed
    seat = "" if seed is None else f"#{seed}.{source.learner}"
    return f"{source.folder.resolve()}{'' if steps is None else f'@{steps}'}{seat}"


def with_pinned_runs(config: Config) -> Config:
    """Returns a config in which every earlier run is `pinned`: partners, teacher and ``start_from``.

    Raises:
      ValueError: the run of ``start_from`` does not exist. Partners are refused when they are loaded.
    """
    if config.start_from:
        config_of(source_of(config.start_from).folder)

    def fixed(player: str) -> str:
        return FROZEN + pinned(player.removeprefix(FROZEN)) if player.startswith(FROZEN) else player

    return dataclasses.replace(
        config,
        partners=tuple(map(fixed, config.partners)),
        teacher=fixed(config.teacher),
        start_from=config.start_from and pinned(config.start_from),
    )


class LoadedPolicy(NamedTuple):
    """A trained policy: its network and the parameters of one learner. It acts for one agent of one world."""

    network: Network
    parameters: Parameters
    config: Config

    @property
    def env(self) -> Env:
        """Returns the environment that it was trained in: the run's world and rules, with the full penalty."""
        return self.config.make_env()

    def init(self) -> Any:
        """Returns the memory of an agent before its first step."""
        return self.network.initial_memory(())

    def act(
        self, key: Key[Array, ""], memory: Any, observation: Observation, first: Bool[Array, ""] | bool
    ) -> tuple[Any, Int[Array, ""]]:
        """Draws the agent's action from the network's distribution. Compiled; `jax.vmap` makes a batch.

        Args:
          key: for the draw.
          memory: of the agent, from `init` or the step before.
          observation: of the agent: ``jax.tree.map(lambda x: x[agent], timestep.observation)``.
          first: whether this is the first step of an episode, at which memory is reset.

        Returns:
          The memory after the step, and the action.
        """
        return _act(self.network, self.parameters, key, memory, observation, first)


# The network is static, so policies of equal networks share one compiled program.
@functools.partial(jax.jit, static_argnums=0)
def _act(network: Network, parameters: Parameters, key, memory: Any, observation: Observation, first):
    one, starts = jax.tree.map(lambda x: x[None, None], observation), jnp.reshape(first, (1, 1))
    outputs = network.unroll(parameters, jax.tree.map(lambda m: m[None], memory), one, starts)
    action = distribution(outputs.logits[0, 0]).sample(seed=key).astype(jnp.int32)
    return jax.tree.map(lambda m: m[0, 0], outputs.after), action


def load_pretrained(name: str) -> LoadedPolicy:
    """Loads a learner that comes with the package (docs/pretrained.md); also `jaxsocial.load_pretrained`.

    Raises:
      ValueError: there is none of this name.
    """
    return load_policy(PRETRAINED + name)


def load_policy(
    folder: str | os.PathLike, seed: int | None = None, steps: int | None = None, learner: int = 0
) -> LoadedPolicy:
    """Loads the policy that a run has trained; also `jaxsocial.load_policy`.

    Args:
      folder: the run's folder, or a `jaxsocial.Run`, or ``pretrained:NAME``.
      seed: the seed; the run's first if None.
      steps: learner steps of an earlier checkpoint that was kept; the last one if None.
      learner: index of the learner in its world.

    Raises:
      ValueError: there is no such run, checkpoint, seed or learner.
    """
    folder = run_folder(folder)
    config = config_of(folder)
    if not 0 <= learner < config.sizes.learners:
        raise ValueError(f"learner={learner} was not trained in {folder}: choose 0 to {config.sizes.learners - 1}")
    parameters = load_learners(folder, seed, steps)
    return LoadedPolicy(network_of(config), jax.tree.map(lambda x: x[learner], parameters), config)


def load_learners(folder: str | Path, seed: int | None = None, steps: int | None = None) -> Parameters:
    """Loads the networks of all learners of one seed, learners as the first axis.

    Args:
      folder: the run's folder.
      seed: the seed; the run's first if None.
      steps: learner steps of an earlier checkpoint that was kept; the last one if None.

    Raises:
      ValueError: there is no such run, checkpoint or seed.
    """
    folder = run_folder(folder)
    config = config_of(folder)
    index = _seed_index(seed, folder, config)
    return jax.tree.map(lambda x: x[index], restore_parameters(folder, config, steps)[0])


def export_policy(text: str, folder: Path) -> None:
    """Writes the networks of one seed of a run, without the rest of a checkpoint, into a folder that can be shared.

    Args:
      text: the run, as `source_of` parses it; the last checkpoint of the first seed unless it says others.
      folder: must not exist, or be empty. It stands wherever the folder of a run may.

    Raises:
      ValueError: there is no such run, checkpoint or seed, or there is something in the folder.
    """
    source = source_of(text)
    if source.learner:
        raise ValueError(f"{text}: all learners of a world are exported together, leave .{source.learner} out")
    config = config_of(source.folder)
    seed = config.seed if source.seed is None else source.seed
    networks = load_learners(source.folder, seed, source.steps)
    steps = checkpoint.iteration_at(source.folder, config, source.steps) * config.iteration_steps
    arrays = checkpoint.flat(jax.tree.map(lambda x: x[None], networks))
    # One seed alone is no longer paired with the seeds of its partners' run.
    weights.write(folder, weights.config_at(with_partners_of(config, seed), seed, steps), arrays)
    if (source.folder / PROVENANCE).is_file():
        shutil.copy(source.folder / PROVENANCE, folder)


def _seed_index(seed: int | None, folder: str | Path, config: Config) -> int:
    index = 0 if seed is None else seed - config.seed
    if not 0 <= index < config.seeds:
        last = config.seed + config.seeds - 1
        raise ValueError(f"seed={seed} was not trained in {folder}: choose {config.seed} to {last}")
    return index


def frozen_player(text: str, may_be_each: bool = False) -> Callable:
    """Returns a trained learner as a partner: (seats, scenario) -> policy.

    It sees as it was trained to, whatever the world's own observations are.

    Args:
      text: the learner, as `source_of` parses it.
      may_be_each: whether it may be ``#each``. The policy's parameters are then those of all seeds of its run, seeds as
        the first axis; `own_partners` chooses among them.

    Raises:
      ValueError: there is no such learner, or it was trained for other actions or another number of goals or cells.
    """
    source = source_of(text, may_be_each)
    loaded = load_policy(source.folder, source.seed, source.steps, source.learner)
    if source.each:
        every, _ = restore_parameters(source.folder, loaded.config, source.steps)
        loaded = loaded._replace(parameters=jax.tree.map(lambda x: x[:, source.learner], every))

    def build(seats, scenario):
        trained = loaded.config.world
        # Views of all agents are equal, but there may be more or fewer agents here.
        views = trained.views[:1] * scenario.agents
        own = dataclasses.replace(scenario, views=views, **{name: getattr(trained, name) for name in SIGHT})
        mine, theirs = (
            f"images of {world.observation_shape}, {input_count(world)} inputs and {world.actions} actions"
            for world in (trained, own)
        )
        if mine != theirs:
            raise ValueError(
                f"partners: {text} was trained for {mine}, and would have {theirs} here: choose a run of a world "
                "with as many actions, goals and cells"
            )
        return frozen_policy(loaded.network, loaded.parameters, seats, None if own == scenario else own)

    return build


def own_partners(parameters: dict[str, PyTree], configs: Sequence[Config]) -> dict[str, PyTree]:
    """Returns the partners that differ between members: for each member, the network of the seed of its number.

    Args:
      parameters: of all partners, by name; those of ``#each`` have all seeds of their run as the first axis.
      configs: the configs of the members, in order; each has as many members as seeds.

    Returns:
      By the names that end in ``#each``: parameters, members as the first axis.

    Raises:
      ValueError: the partner's run does not have a seed.
    """
    found = {}
    for name, own in parameters.items():
        if name.startswith(FROZEN) and (source := source_of(name.removeprefix(FROZEN), may_be_each=True)).each:
            trained = config_of(source.folder)
            indices = np.concatenate([_seed_indices(one, source, trained, "partners") for one in configs])
            found[name] = jax.tree.map(lambda x, indices=indices: x[indices], own)
    return found


def with_partners_of(config: Config, seed: int | None) -> Config:
    """Returns a config for one seed: in place of ``#each`` it names the network that this seed plays beside.

    Args:
      config: of a run.
      seed: one of its seeds; the first if None.

    Raises:
      ValueError: the partner's run does not have the seed.
    """
    number = 0 if seed is None else seed - config.seed

    def own(player: str) -> str:
        if not player.startswith(FROZEN):
            return player
        source = source_of(player.removeprefix(FROZEN), may_be_each=True)
        if not source.each:
            return player
        trained = config_of(source.folder)
        index = _seed_indices(config, source, trained, "partners")[number]
        return re.sub(rf"#{EACH}(\.\d+)?$", rf"#{trained.seed + index}\1", player)

    return dataclasses.replace(config, partners=tuple(map(own, config.partners)), teacher=own(config.teacher))


SIGHT = (
    *("observation", "inputs"),
    *("view_size", "view_offset", "tile_pixels", "see_through_walls", "hidden"),
)
"""Fields of a world that decide on what an agent sees, beside ``views``."""


def begin_with(text: str, members: Any, configs: Sequence[Config], keep_optimiser: bool) -> Any:
    """Replaces the networks of untrained members by those of an earlier run.

    Args:
      text: the run, as `source_of` parses it. One seed serves all members. A run with as many seeds as a config gives
        each member its own, in order; with another number, each member gets the network of the same seed.
      members: the untrained members.
      configs: the configs of the members, in order.
      keep_optimiser: whether to load the optimiser's state too.

    Raises:
      ValueError: there is no such run, or it does not fit.
    """
    source = source_of(text)
    if source.learner:
        raise ValueError(f"start_from={text}: all learners of a world continue, leave .{source.learner} out")
    config = config_of(source.folder)
    if keep_optimiser and weights.has_only_weights(source.folder):
        raise ValueError(f"start_from={text} has no state of the optimiser: leave keep_optimiser out")
    learner = members.learner

    def shapes(tree):
        return {name: leaf.shape[1:] for name, leaf in checkpoint.flat(tree).items()}

    parameters, iteration = restore_parameters(source.folder, config, source.steps)
    if shapes(parameters) != shapes(learner.parameters):
        raise ValueError(f"start_from={text}: its networks differ: choose the network and prediction that it has")
    indices = np.concatenate([_seed_indices(own, source, config, "start_from") for own in configs])

    def given(found, own):
        return jax.tree.map(lambda x, like: x[indices].astype(like.dtype), found, own)

    learner = learner._replace(parameters=given(parameters, learner.parameters))
    if keep_optimiser:
        own = learner.optimiser_state
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.seeds, *x.shape[1:]), x.dtype), own)
        found = checkpoint.restore_item(source.folder, iteration, "optimiser", like)
        learner = learner._replace(optimiser_state=given(found, own))
    return members._replace(learner=learner)


def _seed_indices(own: Config, source: Source, config: Config, field: str) -> np.ndarray:
    """Returns, for each seed of ``own``, the index of the seed of the source's run that it begins with, or beside.

    Args:
      own: the config of the run at hand.
      source: the networks that its ``field`` names.
      config: the config of the source's run.
      field: for the message.
    """
    if source.seed is not None or config.seeds == 1:
        return np.full(own.seeds, _seed_index(source.seed, source.folder, config))
    if own.seeds == config.seeds:
        return np.arange(own.seeds)
    indices = own.seed - config.seed + np.arange(own.seeds)
    if indices[0] < 0 or indices[-1] >= config.seeds:
        raise ValueError(
            f"{field}={source.folder} has seeds {config.seed} to {config.seed + config.seeds - 1}, and not all of "
            f"{own.seed} to {own.seed + own.seeds - 1}: name one by #SEED, or train as many"
        )
    return indices
