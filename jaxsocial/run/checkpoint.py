"""Checkpoints by orbax: what a run needs to go on bit for bit, and its policy for use elsewhere."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from jaxsocial.agents.network import Network, Parameters, make_network
from jaxsocial.agents.seats import frozen_policy
from jaxsocial.learning.update import Learner
from jaxsocial.run.config import Config, read_config

KEPT = 2
"""How many checkpoints of a run stay on disk."""


def network_of(config: Config) -> Network:
    """The network that a config describes.

    Raises:
      ValueError: the world is not shown in pictures, or not in the same way to all agents.
    """
    world = config.world
    if world.observation != "rgb" or len(world.agents_by_view) > 1:
        raise ValueError(
            f"world.observation={world.observation!r}, views={world.views}: networks learn from pictures that are made "
            "alike for all agents, choose rgb and leave views empty"
        )
    return make_network(
        config.network,
        world.observation_shape,
        world.agent_views[0].tile_pixels,
        world.actions,
        config.sizes.prediction != "none",
    )


def manager(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints of a run. Saves are finished, or not there at all, however the process ends."""
    options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder.resolve() / "checkpoints", options=options)


def save(folder: Path, learner: Learner, iteration: int) -> None:
    """Saves a learner as it stands after so many iterations."""
    rest = learner._replace(parameters={})
    items = ocp.args.Composite(
        parameters=ocp.args.StandardSave(_flat(learner.parameters)), rest=ocp.args.StandardSave(_flat(rest))
    )
    with manager(folder) as checkpoints:
        checkpoints.save(iteration, args=items)


def latest(folder: Path) -> int | None:
    """The iteration of the last checkpoint; None if there is none."""
    with manager(folder) as checkpoints:
        return checkpoints.latest_step()


def restore(folder: Path, like: Learner) -> tuple[Learner, int]:
    """The learner of the last checkpoint, and how many iterations it had done.

    Args:
      like: a learner of the same structure, arrays or shapes.

    Raises:
      ValueError: there is no checkpoint.
    """
    parameters, iteration = _restore_item(folder, "parameters", like.parameters)
    rest, _ = _restore_item(folder, "rest", like._replace(parameters={}))
    return rest._replace(parameters=parameters), iteration


class LoadedPolicy(NamedTuple):
    """A trained policy: its network and the parameters of one seed."""

    network: Network
    parameters: Parameters
    config: Config


def load_policy(folder: str | Path, seed: int | None = None) -> LoadedPolicy:
    """The policy that a run has trained, from its last checkpoint.

    Args:
      folder: the run's folder.
      seed: which seed of a run of several; the first if not given.

    Raises:
      ValueError: no run there, no checkpoint yet, or no such seed.
    """
    config = config_of(folder)
    index = 0 if seed is None else seed - config.seed
    if not 0 <= index < config.seeds:
        last = config.seed + config.seeds - 1
        raise ValueError(f"seed={seed} was not trained in {folder}: choose {config.seed} to {last}")
    parameters, _ = restore_parameters(Path(folder), config)
    return LoadedPolicy(network_of(config), jax.tree.map(lambda x: x[index], parameters), config)


def config_of(folder: str | Path) -> Config:
    """The config of a run.

    Raises:
      ValueError: there is no run in the folder.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no run: name the folder that `jaxsocial train` printed")
    return read_config(path)


def restore_parameters(folder: Path, config: Config) -> tuple[Parameters, int]:
    """The parameters of all seeds (first axis) from the last checkpoint, and its iteration."""
    one = jax.eval_shape(network_of(config).init, jax.random.key(0))
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.seeds, *x.shape), x.dtype), one)
    return _restore_item(folder, "parameters", like)


def frozen_player(folder: str):
    """A trained run as a partner: (seats, scenario) -> policy.

    Raises:
      ValueError: the run was trained for other observations or actions.
    """
    loaded = load_policy(folder)

    def build(seats, scenario):
        mine = (loaded.config.world.observation_shape, loaded.config.world.actions)
        if mine != (scenario.observation_shape, scenario.actions):
            raise ValueError(
                f"partners: run:{folder} was trained for observations {mine[0]} and {mine[1]} actions, the world has "
                f"{scenario.observation_shape} and {scenario.actions}: choose a run of an equal view"
            )
        return frozen_policy(loaded.network, loaded.parameters, seats)

    return build


def _flat(tree) -> dict[str, Any]:
    """Leaves by path. Empty parts, and the classes of the optimiser's records, need not be stored."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _restore_item(folder: Path, item: str, like):
    with manager(folder) as checkpoints:
        iteration = checkpoints.latest_step()
        if iteration is None:
            raise ValueError(f"{folder} has no checkpoint yet: let it train for longer, or start it again")
        shapes = jax.tree.map(_shape, _flat(like))
        restored = checkpoints.restore(iteration, args=ocp.args.Composite(**{item: ocp.args.StandardRestore(shapes)}))
    flat = restored[item]
    leaves = [flat[name] for name in _flat(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves), iteration


def _shape(leaf):
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
