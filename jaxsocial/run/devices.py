"""Which devices a program runs on, and what lies on which: members along one axis, the worlds of each along another."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from jaxsocial.run.config import Config

Tree = TypeVar("Tree")
MEMBERS, WORLDS = "members", "worlds"
"""The axes of devices."""


def devices_for(members: int, config: Config, devices: Sequence[Any]) -> Mesh:
    """Members, and the worlds of each, in even shares on as many devices as can be; rather members than worlds."""
    shareable = math.gcd(config.sizes.worlds, config.sizes.segments)
    shapes = ((m, w) for m in range(1, len(devices) + 1) for w in range(1, len(devices) // m + 1))
    even = [(m, w) for m, w in shapes if members % m == 0 and shareable % w == 0]
    shape = max(even, key=lambda shape: (math.prod(shape), shape))
    used = np.array(devices[: math.prod(shape)], dtype=object)
    return Mesh(used.reshape(shape), (MEMBERS, WORLDS))


def put(members: Tree, layout: Tree, mesh: Mesh) -> Tree:
    """Members on the devices of a mesh; ``layout`` has, for each of their parts, the axes that it lies along."""
    spread = jax.tree.map(lambda spec, part: jax.tree.map(lambda _: NamedSharding(mesh, spec), part), layout, members)
    return jax.device_put(members, spread)
