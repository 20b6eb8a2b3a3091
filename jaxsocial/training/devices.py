"""The devices of a program: members are sharded along one axis of a mesh, the worlds of each along another."""

import contextlib
import math
import os
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
import platformdirs
import psutil
from jax.sharding import Mesh, NamedSharding

from jaxsocial.config.config import Config
from jaxsocial.training.distributed import any_host, placed

Tree = TypeVar("Tree")
SHARE = 0.9
"""The share of free memory that is used."""
GIB = 2**30
MEMBERS, WORLDS = "members", "worlds"
"""The axes of a mesh."""
LEAST_SECONDS = 0.5
"""Programs that compile faster are not cached."""
SLOTS = "JAXSOCIAL_SLOTS"
"""The variable with the number of processes that share this machine's cores and memory: 1 or more, and 1 by default."""
MOST_CORES = 8
"""More were not measured: each would have few worlds, and communication would take a larger share."""
LEAST_ROWS = 512
"""Rows of a minibatch that a core needs for itself. With 192 two cores were slower than one, with 512 they were faster
(docs/notebook/performance.md); nothing between was measured."""
made_of_cores = False
"""Whether `use_all_cores` has made this process's devices. Those that a user has made are always used."""


def keep_compiled_programs() -> None:
    """Caches compiled programs in the user's cache folder, unless the user has configured jax's cache.

    The user's ways are JAX_COMPILATION_CACHE_DIR, JAX_ENABLE_COMPILATION_CACHE and `jax.config`.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or jax.config.values["jax_compilation_cache_dir"]:
        return
    folder = platformdirs.user_cache_path("jaxsocial") / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)


def use_all_cores() -> None:
    """Makes every CPU core of this process a device, unless the user has configured that, or jax has started.

    Processes that share the machine (`SLOTS`) have equal numbers of cores, at least one each.

    A core that trains its own worlds is busier than one that shares every product (docs/performance.md). The user's
    ways are JAX_NUM_CPU_DEVICES, the flag in XLA_FLAGS, and `jax.config`. With a GPU or TPU these devices idle.

    Raises:
      ValueError: `SLOTS` is set to something else than a whole number, 1 or more.
    """
    chosen = jax.config.values["jax_num_cpu_devices"] != -1
    if chosen or "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):  # jax has started
        jax.config.update("jax_num_cpu_devices", min(max(1, cores // _slots()), MOST_CORES))
        global made_of_cores
        made_of_cores = True


def memory_limit(used: int | None = None) -> int:
    """Returns the bytes of each device that a program may use.

    Args:
      used: the number of this host's devices that it runs on; all of them if None.

    Raises:
      ValueError: see `use_all_cores`.
    """
    counted = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in counted:
        return int(SHARE * counted["bytes_limit"])
    # CPU devices report nothing, and share the machine's memory, also with those of other processes.
    return int(SHARE * psutil.virtual_memory().available / ((used or len(jax.local_devices())) * _slots()))


def _slots() -> int:
    given = os.environ.get(SLOTS, "1")
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"{SLOTS}={given!r}: choose a whole number, 1 or more, or leave it out")
    return int(given)


def check_memory(needed: int, used: int, config: Config) -> None:
    """Checks that a run fits into memory. All hosts call it.

    Args:
      needed: the bytes of its program on each device.
      used: see `memory_limit`.
      config: its config.

    Raises:
      ValueError: it does not, with the number of worlds that fits.
    """
    limit, worlds = memory_limit(used), config.sizes.worlds
    if any_host(needed > limit):
        raise ValueError(
            f"sizes.worlds={worlds}: training takes {needed / GIB:.1f} GiB on each device, and {limit / GIB:.1f} may "
            f"be used, enough for about {int(worlds * limit / needed):,}: choose fewer, fewer seeds, or smaller sizes"
        )


def devices_for(members: int, config: Config, devices: Sequence[Any]) -> Mesh:
    """Returns a mesh of as many devices as can have even shares. It prefers to shard members over worlds.

    Cores share a member's worlds only if each gets `LEAST_ROWS` of a minibatch.

    Args:
      members: the number of members.
      config: the config; worlds and segments must be divisible too, a device's segments by the prediction interval.
      devices: the devices to choose from.

    Raises:
      ValueError: a host would have no device of the mesh.
    """
    sizes, hosts = config.sizes, {device.process_index for device in devices}
    shareable = math.gcd(sizes.worlds, sizes.segments)
    rows = sizes.learners * sizes.segments * sizes.segment_length
    most = len(devices)
    if made_of_cores and devices[0].platform == "cpu" and len(hosts) == 1:
        most = max(1, rows // LEAST_ROWS)
    shapes = ((m, w) for m in range(1, len(devices) + 1) for w in range(1, len(devices) // m + 1))
    # The largest product first, then the most members.
    even = [(m, w) for m, w in shapes if members % m == 0 and shareable % w == 0 and w <= most]
    # Every few segments of all devices are those of one device only if the interval divides their shares.
    even = [(m, w) for m, w in even if w == 1 or sizes.segments // w % sizes.prediction_interval == 0]
    shape = max(even, key=lambda shape: (math.prod(shape), shape))
    used = np.array(devices[: math.prod(shape)], dtype=object)
    if {device.process_index for device in used} != hosts:
        raise ValueError(
            f"seeds={members}, sizes.worlds={config.sizes.worlds}, sizes.segments={config.sizes.segments} go evenly "
            f"onto {len(used)} of {len(devices)} devices, and leave hosts without any: choose fewer hosts, or numbers "
            "that more devices divide"
        )
    return Mesh(used.reshape(shape), (MEMBERS, WORLDS))


def put(members: Tree, specs: Tree, mesh: Mesh) -> Tree:
    """Puts members on the devices of a mesh. Shapes receive the shardings that members would have.

    If these devices are only described, and not here, arrays become shapes: programs can be compiled, and not called.

    Args:
      members: a tree of arrays or shapes.
      specs: a prefix of that tree, with the PartitionSpec of each part.
      mesh: the mesh.
    """
    shardings = jax.tree.map(lambda spec, part: jax.tree.map(lambda _: NamedSharding(mesh, spec), part), specs, members)
    if not _is_here(mesh.devices.flat[0]):
        members = jax.eval_shape(lambda: members)
    return jax.tree.map(placed, members, shardings)


def _is_here(device: Any) -> bool:
    try:
        return device in jax.devices(device.platform)
    except RuntimeError:  # this machine has no device of that platform
        return False
