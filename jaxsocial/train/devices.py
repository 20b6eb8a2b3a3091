"""Which devices a program runs on, and what lies on which: members along one axis, the worlds of each along another."""

import contextlib
import math
import os
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
import platformdirs
from jax.sharding import Mesh, NamedSharding

from jaxsocial.config.config import Config
from jaxsocial.train.distributed import placed

Tree = TypeVar("Tree")
MEMBERS, WORLDS = "members", "worlds"
"""The axes of devices."""
LEAST_SECONDS = 0.5
"""What compiles faster than this is not kept."""
MOST_CORES = 8
"""More have not been measured: worlds would lie a few on each, and what devices tell each other would cost more."""


def keep_compiled_programs() -> None:
    """Keeps them in the user's cache folder, unless the user has chosen a folder, or none, in jax's own way.

    That way is the environment's JAX_COMPILATION_CACHE_DIR, JAX_ENABLE_COMPILATION_CACHE, or `jax.config`.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or jax.config.values["jax_compilation_cache_dir"]:
        return
    folder = platformdirs.user_cache_path("jaxsocial") / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)


def use_all_cores() -> None:
    """Makes a device of every CPU core that this process may use, unless the user has chosen, or jax has begun.

    A core that trains worlds of its own is busier than one that helps with every product (docs/performance.md). The
    user's choice is the environment's JAX_NUM_CPU_DEVICES, jax's flag in XLA_FLAGS, or `jax.config`. Where there is a
    GPU or TPU, nothing runs on these devices.
    """
    chosen = jax.config.values["jax_num_cpu_devices"] != -1
    if chosen or "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with contextlib.suppress(RuntimeError):  # jax has begun
        jax.config.update("jax_num_cpu_devices", min(_cores(), MOST_CORES))


def _cores() -> int:
    """Those that this process may use, where the system tells; all of the machine's else."""
    own = getattr(os, "sched_getaffinity", None)
    return len(own(0)) if own else os.cpu_count() or 1


def devices_for(members: int, config: Config, devices: Sequence[Any]) -> Mesh:
    """Members, and the worlds of each, in even shares on as many devices as can be; rather members than worlds."""
    shareable = math.gcd(config.sizes.worlds, config.sizes.segments)
    shapes = ((m, w) for m in range(1, len(devices) + 1) for w in range(1, len(devices) // m + 1))
    even = [(m, w) for m, w in shapes if members % m == 0 and shareable % w == 0]
    shape = max(even, key=lambda shape: (math.prod(shape), shape))
    used = np.array(devices[: math.prod(shape)], dtype=object)
    _check_every_host(used, members, config, devices)
    return Mesh(used.reshape(shape), (MEMBERS, WORLDS))


def _check_every_host(used, members: int, config: Config, devices: Sequence[Any]) -> None:
    taking_part, all_hosts = ({device.process_index for device in some} for some in (used, devices))
    if taking_part != all_hosts:
        raise ValueError(
            f"seeds={members}, sizes.worlds={config.sizes.worlds}, sizes.segments={config.sizes.segments} go evenly "
            f"onto {len(used)} of {len(devices)} devices, and leave hosts without any: choose fewer hosts, or numbers "
            "that more devices divide"
        )


def put(members: Tree, layout: Tree, mesh: Mesh) -> Tree:
    """Members on the devices of a mesh; ``layout`` has, for each of their parts, the axes that it lies along."""
    return jax.tree.map(placed, members, _spread(members, layout, mesh))


def shapes_on(members: Tree, layout: Tree, mesh: Mesh) -> Tree:
    """Shapes of members, as they will lie on the devices of a mesh."""

    def one(leaf, sharding):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    return jax.tree.map(one, members, _spread(members, layout, mesh))


def _spread(members: Tree, layout: Tree, mesh: Mesh) -> Tree:
    return jax.tree.map(lambda spec, part: jax.tree.map(lambda _: NamedSharding(mesh, spec), part), layout, members)
