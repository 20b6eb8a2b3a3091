"""Several processes as one run, commonly one a host: how they join, what they have to agree on, and how they part.

Every process runs the same program on the same config and holds the shares of arrays that lie on its own devices.
Whatever all devices compute, all processes have to call, in the same order. The first one alone writes and shows.
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
    """Who trains a run together. Raises ValueError, with the cure, where it does not fit together."""

    hosts: int | Literal["auto"] = 1
    """How many hosts train this run, each started with the same command but for --host; auto where SLURM, Open MPI or
    a TPU says so."""
    host: int = 0
    """Which of the hosts this is, from 0."""
    coordinator: str = ""
    """Where host 0 waits for the others, as ADDRESS:PORT."""

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
            raise ValueError(
                f"coordinator={self.coordinator!r}: write ADDRESS:PORT of host 0, with a port that is free"
            )


def join(chosen: Hosts) -> None:
    """Makes this process one of several; before anything is computed.

    Where the others do not come, jax ends the process after `JOINING` seconds. When one fails, so do the others, after
    `PARTING` seconds or, where it was killed, after some 100.

    Raises:
      ValueError: nobody says who takes part, or the port is taken.
    """
    if chosen.hosts == 1:
        return
    # It would swallow a termination until training begins; between chunks we agree on stops ourselves.
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
        cure = "choose a port of host 0 that is free" if given else "give --hosts N --host I --coordinator ADDRESS:PORT"
        raise ValueError(f"hosts={chosen.hosts} cannot begin ({reason}): {cure}") from None


def is_first() -> bool:
    """Whether this process is the one that writes and shows."""
    return jax.process_index() == 0


def any_host(flag: bool) -> bool:
    """Whether it is so on any host. All have to ask, and wait for each other."""
    return flag if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.bool_(flag)).any())


def check_alike(what: str, value: str) -> None:
    """All have to ask.

    Raises:
      ValueError: ``value`` is not the same on all hosts.
    """
    mine = np.uint32(zlib.crc32(value.encode()))
    if jax.process_count() > 1 and (multihost_utils.process_allgather(mine) != mine).any():
        raise ValueError(f"host {jax.process_index()} has another {what} than others: start all by the same command")


def leave() -> None:
    """Lets go of the others, so that each may end when it likes. From then on a process computes on its own devices."""
    if jax.process_count() > 1:
        jax.distributed.shutdown()


def placed(leaf, sharding: Sharding):
    """An array on the devices of all hosts; its value is the same on all, or it lies on such devices already."""
    lies_there = isinstance(leaf, jax.Array) and not leaf.is_fully_addressable
    if sharding.is_fully_addressable or lies_there:
        return jax.device_put(leaf, sharding)
    # Keys are no numbers, and are cut where they lie.
    value = leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.asarray(leaf)
    return jax.make_array_from_callback(leaf.shape, sharding, lambda index: value[index])


def fetched(tree: Tree) -> Tree:
    """Arrays that lie on devices of all hosts, whole on each host; as they are where there is one. All have to ask."""
    if jax.process_count() == 1:
        return tree
    mesh = jax.tree.leaves(tree)[0].sharding.mesh
    everywhere = jax.jit(_same, out_shardings=NamedSharding(mesh, PartitionSpec()))(tree)
    return jax.tree.map(np.asarray, everywhere)


def _same(tree):
    return tree
