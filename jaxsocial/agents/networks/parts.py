"""The parts of a network as records of functions, registered by name: encoders, memories and prediction targets.

Without flax, so that a config can be checked quickly. Letters in shapes: N rows, T steps, M units of the memory.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.env.scenario import Input, Style
from jaxsocial.env.types import Observation
from jaxsocial.env.values import imported

Parameters = PyTree
ALL_STYLES: tuple[Style, ...] = ("rgb", "symbolic", "symbolic_world")


class Encoder(NamedTuple):
    """Functions from what one agent observes to features; made by ``make(sizes, world)``."""

    init: Callable[[Key[Array, ""]], Parameters]
    """(key) -> parameters. All parts of a network get the same key: draw through flax, which derives keys from names,
    or fold a number of your own into it."""
    encode: Callable[[Parameters, Observation], Float[Array, "N features"]]
    """(parameters, observation) -> features; each row depends on the same row only. `Network` appends
    `Scenario.inputs` to the features."""
    features: int
    """Number of features."""
    block: int | None = None
    """Rows that a CPU encodes at a time, so that intermediate results stay in its cache; all at once if None."""
    products: int = 0
    """Multiplications of matrix products for one row, to compare with the rate of a plain product."""


class Memory(NamedTuple):
    """Functions of a recurrent layer; made by ``make(sizes, inputs)``, with the number of inputs."""

    init: Callable[[Key[Array, ""]], Parameters]
    """(key) -> parameters, see `Encoder.init`."""
    initial: Callable[[tuple[int, ...]], Any]
    """(batch shape) -> the state before an episode: zeros, with the batch's axes first."""
    unroll: Callable[
        [Parameters, Any, Float[Array, "T N inputs"], Bool[Array, "T N"]], tuple[Float[Array, "T N M"], Any]
    ]
    """(parameters, state, inputs, first) -> (outputs, states after each step). The state is set to zeros before a step
    with ``first``."""
    units: int
    """Number of outputs, M."""
    products: int = 0
    """See `Encoder.products`."""


class Target(NamedTuple):
    """Functions of an auxiliary prediction; made by ``make(sizes, world, units)``, with the units of the memory.

    The loss compares with what the learner observes in the same step, or in the next one. It may read the fields of
    `needs`, which the environment adds and the network does not see.
    """

    init: Callable[[Key[Array, ""]], Parameters]
    """(key) -> parameters of the decoder, see `Encoder.init`."""
    decode: Callable[[Parameters, Float[Array, "N M"], Int[Array, " N"]], PyTree]
    """(parameters, outputs of the memory, action) -> the prediction, arrays with N rows."""
    loss: Callable[[PyTree, Observation, Observation], Float[Array, "*B"]]
    """(prediction, observation, next observation) -> the loss of each step, for any batch. At an episode's end the next
    observation is the final one."""
    needs: tuple[Input, ...] = ()
    """Fields of `Observation` that the loss reads beside those of the world."""
    of_next: bool = True
    """Whether the next observation is predicted; if not, the current one."""
    block: int | None = None
    """See `Encoder.block`."""
    products: int = 0
    """See `Encoder.products`."""


class Registry:
    """Named makers of one kind of part. A user's own may be named as "module:function", without registration.

    Makers of the package are given so too, by their module in `jaxsocial.agents.networks`, and imported at their first
    use.
    """

    def __init__(self, kind: str, field: str, record: type, makers: dict[str, Any]):
        self.kind, self.field, self._record, self._makers = kind, field, record, makers

    def names(self) -> tuple[str, ...]:
        """Returns all names, in the order of registration."""
        return tuple(self._makers)

    def register(self, name: str, make: Callable[..., Any]) -> None:
        """Registers a maker.

        Raises:
          ValueError: the name is taken.
        """
        if name in self._makers:
            raise ValueError(f"{self.kind} {name!r} is registered already: choose another name")
        self._makers[name] = make

    def check(self, name: str) -> None:
        """Checks that a name is known.

        Raises:
          ValueError: it is not, with the known names; or ``module:function`` cannot be imported.
        """
        if ":" in name:
            self.maker(name)
        elif name not in self._makers:
            known = ", ".join(self._makers)
            raise ValueError(f"{self.field}={name!r}: choose from {known}, or name your own as module:function")

    def maker(self, name: str) -> Callable[..., Any]:
        """Returns the maker of a name.

        Raises:
          ValueError: see `check`.
        """
        if ":" in name:
            return imported(name, self._record, f"network {self.kind}")
        self.check(name)
        make = self._makers[name]
        if isinstance(make, str):
            module, _, function = make.partition(":")
            make = getattr(importlib.import_module(f"jaxsocial.agents.networks.{module}"), function)
        return make


ENCODERS = Registry(
    "encoder",
    "network.encoder",
    Encoder,
    {
        "convolutions": "encoders:convolutions",
        "tile_contrast": "encoders:tile_contrast",
        "symbolic": "encoders:symbolic",
    },
)
MEMORIES = Registry(
    "memory",
    "network.memory_type",
    Memory,
    {"lstm": "memories:lstm", "gru": "memories:gru", "none": "memories:none"},
)
TARGETS = Registry(
    "prediction target",
    "sizes.prediction",
    Target,
    {
        "none": "targets:none",
        "frame": "targets:frame",
        "current_frame": "targets:current_frame",
        "symbols": "targets:symbols",
        "current_symbols": "targets:current_symbols",
        "changes": "targets:changes",
        "others": "targets:others",
    },
)


def register_encoder(name: str, make: Callable[..., Encoder]) -> None:
    """Registers an encoder: ``network.encoder = name`` then calls ``make(sizes, world)``.

    ``sizes`` is a `NetworkSizes`, ``world`` a `Scenario` as the learner sees it. For a world that it cannot encode
    ``make`` raises a ValueError with the remedy.

    Raises:
      ValueError: the name is taken.
    """
    ENCODERS.register(name, make)


def register_memory(name: str, make: Callable[..., Memory]) -> None:
    """Registers a memory: ``network.memory_type = name`` then calls ``make(sizes, inputs)``. See `register_encoder`."""
    MEMORIES.register(name, make)


def register_target(name: str, make: Callable[..., Target]) -> None:
    """Registers a prediction target: ``sizes.prediction = name`` calls ``make(sizes, world, units)``.

    ``units`` is the number of outputs of the memory. See `register_encoder`.
    """
    TARGETS.register(name, make)
