"""The network: convolutions on tiles, an LSTM, and heads for action, value and the next frame (PROTOCOL: Network).

Convolutions are patches times a matrix: on accelerators they stay fast when many learners train under
`jax.vmap`, where a convolution would become a grouped one.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt8

from jaxsocial.agents.tiles import COLOURS, contrasts, from_tiles, patches, to_tiles

Parameters = PyTree
LSTM = "lstm"
"""The name of the recurrent layer's parameters, whose gradient alone is clipped."""


@dataclasses.dataclass(frozen=True)
class NetworkSizes:
    """The layers of the network. Raises ValueError, with the cure, where they cannot be built."""

    channels: tuple[int, ...] = (32, 64, 64)
    """Features of each convolution, the first on single tiles, the others 3 by 3; and, in reverse, of the decoder's."""
    dense: int = 192
    """Units between convolutions and LSTM."""
    memory: int = 192
    """Units of the LSTM."""
    heads: tuple[int, ...] = (64, 64)
    """Hidden units of the policy's and of the value's head."""

    encoder: Literal["convolutions", "contrasts"] = "convolutions"
    """What lies before the dense layer: "convolutions", as in the paper, or "contrasts", where it gets each tile as the
    colours of corner and middle and each pixel's distance from the corner, so that agents stand out beside goals."""

    def __post_init__(self):
        widths = (*self.channels, self.dense, self.memory, *self.heads)
        if not self.channels or min(widths) < 1:
            raise ValueError(f"network: {self} has a layer of no width: give every layer 1 unit or more")
        if self.encoder not in ("convolutions", "contrasts"):
            raise ValueError(f'network.encoder={self.encoder!r}: choose "convolutions" or "contrasts"')


class LSTMState(NamedTuple):
    """The recurrent state of one learner in each world."""

    hidden: Float[Array, "*N M"]
    cell: Float[Array, "*N M"]


class Outputs(NamedTuple):
    """What the network says at each of T steps of N worlds."""

    logits: Float[Array, "T N actions"]
    value: Float[Array, "T N"]
    hidden: Float[Array, "T N M"]
    before: LSTMState
    """The recurrent state before each step, any reset at an episode's start not yet made."""
    after: LSTMState
    """The recurrent state after each step."""


class Network(NamedTuple):
    """The functions of a network. Time-major throughout."""

    init: Callable[[Key[Array, ""]], Parameters]
    initial_memory: Callable[[tuple[int, ...]], LSTMState]
    unroll: Callable[[Parameters, LSTMState, UInt8[Array, "T N P P 3"], Bool[Array, "T N"]], Outputs]
    """(parameters, memory, observation, first) -> outputs. Memory is emptied before a step with ``first``."""
    predict: Callable[[Parameters, Float[Array, "*N M"], Int[Array, "*N"]], Float[Array, "*N P P 3"]]
    """(parameters, hidden, action) -> frame, 0 to 1 for an observation of 0 to 255."""


def make_network(
    sizes: NetworkSizes, observation_shape: tuple[int, int, int], tile: int, actions: int, prediction: bool
) -> Network:
    """The network for observations of this shape, in tiles of ``tile`` pixels.

    Raises:
      ValueError: the window has too few tiles for the convolutions.
    """
    view = observation_shape[0] // tile
    if view - 2 * (len(sizes.channels) - 1) < 1:
        raise ValueError(
            f"network.channels={sizes.channels}: a view of {view} x {view} tiles has room for "
            f"{(view + 1) // 2} layers: use fewer, or a larger view_size"
        )
    module = _Module(sizes, view, tile, actions, prediction)

    # One network after another: the batched QR of orthogonal initialisers can hang on two cores (jaxlib 0.10.2).
    @jax.custom_batching.sequential_vmap
    def init(key):
        frame = jnp.zeros((1, 1, *observation_shape), jnp.uint8)
        memory = initial_memory((1,))
        start = jnp.zeros((1, 1), bool)
        return module.init(key, memory, frame, start, jnp.zeros((1, 1), jnp.int32), method="everything")["params"]

    def initial_memory(batch):
        zeros = jnp.zeros((*batch, sizes.memory), jnp.float32)
        return LSTMState(zeros, zeros)

    def call(method, parameters, *arguments) -> Any:
        return module.apply({"params": parameters}, *arguments, method=method)

    def unroll(parameters, memory, observation, first):
        return call("unroll", parameters, memory, observation, first)

    def predict(parameters, hidden, action):
        return call("predict", parameters, hidden, action)

    return Network(init, initial_memory, unroll, predict)


def parameter_count(parameters: Parameters) -> int:
    """How many numbers are learned."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def _matrix(features: int, name: str, gain: float = 1.0, bias: bool = True) -> nn.Dense:
    return nn.Dense(features, use_bias=bias, kernel_init=nn.initializers.orthogonal(gain), name=name)


class _Module(nn.Module):
    """Holds the parameters. Layers see two axes only: a product's gradient over many axes is slow on CPU."""

    sizes: NetworkSizes
    view: int
    tile: int
    actions: int
    prediction: bool

    def setup(self):
        channels, root_two = self.sizes.channels, 2.0**0.5
        if self.sizes.encoder == "contrasts":
            self.dense = nn.Dense(self.sizes.dense, name="dense")
        else:
            self.convolutions = [_matrix(c, f"convolution_{i}", root_two) for i, c in enumerate(channels)]
            self.dense = _matrix(self.sizes.dense, "dense")
        self.lstm = _LSTM(self.sizes.memory, name=LSTM)
        self.policy_head = _Head((*self.sizes.heads, self.actions), 0.01, name="policy")
        self.value_head = _Head((*self.sizes.heads, 1), 1.0, name="value")
        if self.prediction:
            self.decoder = _Decoder(channels, self.view, self.tile, name="decoder")

    def everything(self, memory, observation, first, action):
        outputs = self.unroll(memory, observation, first)
        return outputs, self.predict(outputs.hidden, action) if self.prediction else None

    def unroll(self, memory, observation, first) -> Outputs:
        steps, worlds = first.shape
        features = self.encode(observation.reshape(steps * worlds, *observation.shape[2:]))
        hidden, before, after = self.lstm(memory, features.reshape(steps, worlds, -1), first)
        flat = hidden.reshape(steps * worlds, -1)
        logits = self.policy_head(flat).reshape(steps, worlds, -1)
        value = self.value_head(flat).reshape(steps, worlds)
        return Outputs(logits, value, hidden, before, after)

    def encode(self, observation: UInt8[Array, "N P P 3"]) -> Float[Array, "N dense"]:
        x = to_tiles(observation, self.tile).astype(jnp.float32) / 255.0
        if self.sizes.encoder == "contrasts":
            return nn.relu(self.dense(contrasts(x).reshape(x.shape[0], -1)))
        for number, convolution in enumerate(self.convolutions):
            x = patches(x) if number else x
            flat = convolution(x.reshape(-1, x.shape[-1]))
            x = nn.leaky_relu(flat).reshape(*x.shape[:-1], -1)
        return jnp.tanh(self.dense(x.reshape(x.shape[0], -1)))

    def predict(self, hidden, action) -> Float[Array, "*N P P 3"]:
        batch = action.shape
        chosen = jax.nn.one_hot(action.reshape(-1), self.actions)
        flat = jnp.concatenate([hidden.reshape(len(chosen), -1), chosen], axis=-1)
        return self.decoder(flat).reshape(*batch, self.view * self.tile, self.view * self.tile, 3)


class _LSTM(nn.Module):
    """An LSTM with one bias; the forget gate starts open (bias 2). The products of its inputs leave the scan."""

    units: int

    @nn.compact
    def __call__(self, memory: LSTMState, x: Float[Array, "T N D"], first: Bool[Array, "T N"]):
        gates = 4 * self.units
        recurrent = self.param("recurrent", _orthogonal_gates, (self.units, gates))
        bias = self.param("bias", _open_forget_gate, (gates,))
        flat = _matrix(gates, "input", bias=False)(x.reshape(-1, x.shape[-1]))

        def one_step(before: LSTMState, inputs):
            product, starts = inputs
            kept = jax.tree.map(lambda m: jnp.where(starts[:, None], 0.0, m), before)
            i, f, g, o = jnp.split(product + kept.hidden @ recurrent + bias, 4, axis=-1)
            cell = nn.sigmoid(f) * kept.cell + nn.sigmoid(i) * jnp.tanh(g)
            after = LSTMState(nn.sigmoid(o) * jnp.tanh(cell), cell)
            return after, (before, after)

        _, (before, after) = jax.lax.scan(one_step, memory, (flat.reshape(*x.shape[:2], gates), first))
        return after.hidden, before, after


def _orthogonal_gates(key, shape):
    units, gates = shape
    keys = jax.random.split(key, gates // units)
    return jnp.concatenate([nn.initializers.orthogonal()(k, (units, units)) for k in keys], axis=-1)


def _open_forget_gate(key, shape):
    del key
    return jnp.zeros(shape).reshape(4, -1).at[1].set(2.0).reshape(shape)


class _Head(nn.Module):
    """Hidden layers with tanh and a linear last one."""

    widths: tuple[int, ...]
    last_gain: float

    @nn.compact
    def __call__(self, x):
        *hidden, last = self.widths
        for number, width in enumerate(hidden):
            x = jnp.tanh(_matrix(width, f"hidden_{number}")(x))
        return _matrix(last, "last", self.last_gain)(x)


class _Decoder(nn.Module):
    """From memory and action back to a frame: the encoder's layers in reverse, as transposed convolutions."""

    channels: tuple[int, ...]
    view: int
    tile: int

    @nn.compact
    def __call__(self, x: Float[Array, "N D"]) -> Float[Array, "N P P 3"]:
        *narrower, widest = self.channels
        side = self.view - 2 * len(narrower)
        x = nn.relu(_matrix(side * side * widest, "dense", 2.0**0.5)(x)).reshape(-1, side, side, widest)
        for number, width in enumerate(reversed(narrower)):
            x = patches(jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))))
            flat = _matrix(width, f"transposed_{number}", 2.0**0.5)(x.reshape(-1, x.shape[-1]))
            x = nn.leaky_relu(flat).reshape(*x.shape[:-1], width)
        tiles = _matrix(self.tile**2 * COLOURS, "frame", bias=False)(x.reshape(-1, x.shape[-1]))
        frames = from_tiles(tiles.reshape(*x.shape[:-1], -1), self.tile)
        return frames + self.param("bias", nn.initializers.zeros_init(), (COLOURS,))
