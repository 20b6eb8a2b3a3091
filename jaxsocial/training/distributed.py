"""Several processes as one run, commonly one per host: how they join, agree and leave.

Every process runs the same program on the same config, and holds the shards of arrays on its own devices. All
processes call every collective function, in the same order. The first process alone writes and prints.
"""

import dataclasses
import zlib
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec, Sharding

Tree = TypeVar("Tree")
OPTIONS = ("--hosts", "--host", "--coordinator")
JOINING, PARTING = 300, 60
"""Seconds to wait for the others."""


@dataclasses.dataclass(frozen=True)
class Hosts:
    """The hosts of a run.

    Raises:
      ValueError: values that do not fit together, with the remedy.

    >>> Hosts(hosts=2, host=2, coordinator="10.0.0.1:1234")
    Traceback (most recent call last):
    ...
    ValueError: host=2: choose 0 to 1, another on each of 2 hosts
    """

    hosts: int | Literal["auto"] = 1
    """Number of hosts that train this run, each started with the same command but for --host; auto where SLURM, Open
    MPI or a TPU names them."""
    host: int = 0
    """Index of this host, from 0."""
    coordinator: str = ""
    """Address of host 0, where it waits for the others, as ADDRESS:PORT."""

    def __post_init__(self):
        if self.hosts == "auto" or self.hosts == 1:
            if self.host or self.coordinator:
                raise ValueError(
                    f"host={self.host}, coordinator={self.coordinator!r} with hosts={self.hosts}: leave them out, or "
                    "say how many hosts there are by --hosts"
                )
            return
        if self.hosts < 1:
            raise ValueError(f"hosts={self.hosts}: choose 1 or more, or auto")
        if not 0 <= self.host < self.hosts:
            raise ValueError(f"host={self.host}: choose 0 to {self.hosts - 1}, another on each of {self.hosts} hosts")
        address, _, port = self.coordinator.rpartition(":")
        if not address or not port.isdecimal():
            raise ValueError(f"coordinator={self.coordinator!r}: write ADDRESS:PORT of host 0, with a free port")


def join(chosen: Hosts) -> None:
    """Joins this process with the others, before anything is computed.

    If the others do not join, jax ends the process after `JOINING` seconds. If one fails, the others fail after
    `PARTING` seconds, or after about 100 seconds if it was killed.

    Raises:
      ValueError: the hosts are not named, or the port is taken.
    """
    if chosen.hosts == 1:
        return
    # The service would swallow a SIGTERM until training begins; processes agree on stops between chunks instead.
    jax.config.update("jax_enable_preemption_service", False)
    given: dict[str, Any] = {}
    if chosen.hosts != "auto":
        given = {
            "coordinator_address": chosen.coordinator,
            "num_processes": chosen.hosts,
            "process_id": chosen.host,
            "cluster_detection_method": "deactivate",
        }
    try:
        jax.distributed.initialize(**given, initialization_timeout=JOINING, shutdown_timeout_seconds=PARTING)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        remedy = "choose a free port of host 0" if given else "give --hosts N --host I --coordinator ADDRESS:PORT"
        raise ValueError(f"hosts={chosen.hosts} cannot begin ({reason}): {remedy}") from None


def is_first() -> bool:
    """Returns whether this process writes and prints."""
    return jax.process_index() == 0


def any_host(flag: bool) -> bool:
    """Returns whether the flag is true on any host. All hosts call it and wait for each other."""
    return flag if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.bool_(flag)).any())


def check_alike(what: str, value: str) -> None:
    """Checks that a value is equal on all hosts. All hosts call it.

    Raises:
      ValueError: it is not.
    """
    # Arrays of equal shapes can be gathered, texts cannot.
    mine = np.uint32(zlib.crc32(value.encode()))
    if jax.process_count() > 1 and (multihost_utils.process_allgather(mine) != mine).any():
        raise ValueError(f"host {jax.process_index()} has another {what} than others: start all by the same command")


def leave() -> None:
    """Disconnects this process from the others. From then on it computes on its own devices."""
    if jax.process_count() > 1:
        jax.distributed.shutdown()


def placed(leaf: Any, sharding: Sharding) -> Any:
    """Puts an array, equal on all hosts or there already, on devices of all hosts; a shape receives the sharding."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
    is_global = isinstance(leaf, jax.Array) and not leaf.is_fully_addressable
    if sharding.is_fully_addressable or is_global:
        return jax.device_put(leaf, sharding)
    # Key arrays have no NumPy form, and are sliced as they are.
    value = leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.asarray(leaf)
    return jax.make_array_from_callback(leaf.shape, sharding, lambda index: value[index])


def fetched(tree: Tree) -> Tree:
    """Returns arrays of devices of all hosts, whole on each host. All hosts call it. Of one host: unchanged."""
    if jax.process_count() == 1:
        return tree
    mesh = jax.tree.leaves(tree)[0].sharding.mesh
    everywhere = jax.jit(_same, out_shardings=NamedSharding(mesh, PartitionSpec()))(tree)
    return jax.tree.map(np.asarray, everywhere)


def _same(tree):
    # A function of the module: jit would compile a new lambda at every call.
    return tree
