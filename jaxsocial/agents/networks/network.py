"""The network: convolutions on tiles, an LSTM, and heads for action, value and the next frame (PROTOCOL: Network).

Letters in shapes: T steps, N worlds, P pixels on a side of a frame, M units of the LSTM. Convolutions are patches
times a matrix (see `tiles`).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt8

from jaxsocial.agents.networks.blocks import in_blocks
from jaxsocial.agents.networks.decoders import Decoder
from jaxsocial.agents.networks.dense import ROOT_TWO, dense
from jaxsocial.agents.networks.lstm import LSTM, LSTMState
from jaxsocial.agents.networks.sizes import MatmulDtype, NetworkSizes
from jaxsocial.agents.networks.tiles import patches, tile_contrast, to_tiles

Parameters = PyTree
BLOCK, BLOCK_OF_TILES = 128, 1024
"""Frames in a block with 3 x 3 convolutions, and with a convolution on single tiles only."""
LSTM_NAME = "lstm"
"""Name of the parameters of the LSTM. Only their gradient is clipped."""


class Outputs(NamedTuple):
    """Outputs of the network at each of T steps of N worlds."""

    logits: Float[Array, "T N actions"]
    value: Float[Array, "T N"]
    hidden: Float[Array, "T N M"]
    before: LSTMState
    """Recurrent state before each step, before any reset at the start of an episode."""
    after: LSTMState
    """Recurrent state after each step."""


class Network(NamedTuple):
    """The functions of a network; arrays are time-major."""

    init: Callable[[Key[Array, ""]], Parameters]
    """(key) -> parameters."""
    initial_memory: Callable[[tuple[int, ...]], LSTMState]
    """(batch shape) -> zeros."""
    unroll: Callable[[Parameters, LSTMState, UInt8[Array, "T N P P 3"], Bool[Array, "T N"]], Outputs]
    """(parameters, memory, observation, first) -> outputs. Memory is reset before a step with ``first``."""
    predict: Callable[[Parameters, Float[Array, "*N M"], Int[Array, "*N"]], Float[Array, "*N P P 3"]]
    """(parameters, hidden, action) -> frame; 0 to 1 stands for 0 to 255."""


def make_network(
    sizes: NetworkSizes, observation_shape: tuple[int, int, int], tile: int, actions: int, prediction: bool
) -> Network:
    """Returns the functions of a network.

    Args:
      sizes: its layers.
      observation_shape: (P, P, 3).
      tile: pixels on a side of a tile; P is a multiple.
      actions: number of actions.
      prediction: whether it has a decoder for frames.

    Raises:
      ValueError: the view has too few tiles for the convolutions.
    """
    view = observation_shape[0] // tile
    if view - 2 * (len(sizes.channels) - 1) < 1:
        raise ValueError(
            f"network.channels={sizes.channels}: a view of {view} x {view} tiles has room for "
            f"{(view + 1) // 2} layers: use fewer, or a larger view_size"
        )
    module = _Module(sizes, view, tile, actions, prediction)
    block = BLOCK if len(sizes.channels) > 1 else BLOCK_OF_TILES

    # Sequential under vmap: the batched QR of orthogonal initialisers can hang on two cores (jaxlib 0.10.2).
    @jax.custom_batching.sequential_vmap
    def init(key):
        frame, action = jnp.zeros((1, *observation_shape), jnp.uint8), jnp.zeros(1, jnp.int32)
        start = jnp.zeros((1, 1), bool)
        return module.init(key, initial_memory((1,)), frame, start, action)["params"]

    def initial_memory(batch):
        zeros = jnp.zeros((*batch, sizes.memory), jnp.float32)
        return LSTMState(zeros, zeros)

    def call(method, parameters, *arguments) -> Any:
        return module.apply({"params": parameters}, *arguments, method=method)

    def unroll(parameters, memory, observation, first):
        frames = observation.reshape(-1, *observation_shape)
        encode = functools.partial(call, "encode", parameters)
        # Tile contrasts are hardly larger than frames, so blocks would gain nothing.
        convolves = sizes.encoder == "convolutions"
        features = in_blocks(encode, frames, size=block, remat=True) if convolves else encode(frames)
        return call("unroll", parameters, memory, features, first)

    def predict(parameters, hidden, action):
        decode = functools.partial(call, "decode", parameters)
        frames = in_blocks(decode, hidden.reshape(-1, sizes.memory), action.reshape(-1), size=block)
        return frames.reshape(*action.shape, *observation_shape)

    return Network(init, initial_memory, unroll, predict)


def parameter_count(parameters: Parameters) -> int:
    """Returns the number of scalar parameters.

    >>> network = make_network(NetworkSizes(), (21, 21, 3), tile=3, actions=7, prediction=True)
    >>> parameter_count(jax.eval_shape(network.init, jax.random.key(0)))
    667787
    """
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


class Head(nn.Module):
    """Hidden layers with tanh, and a linear last layer."""

    widths: tuple[int, ...]
    last_gain: float
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(self, x: Float[Array, "N D"]) -> Float[Array, "N last"]:
        *hidden, last = self.widths
        for number, width in enumerate(hidden):
            x = jnp.tanh(dense(width, f"hidden_{number}", self.matmul_dtype)(x))
        return dense(last, "last", self.matmul_dtype, self.last_gain)(x)


class _Module(nn.Module):
    """Parameters and layers of the network."""

    sizes: NetworkSizes
    view: int
    tile: int
    actions: int
    prediction: bool

    def setup(self):
        sizes, matmul_dtype = self.sizes, self.sizes.matmul_dtype
        convolves = sizes.encoder == "convolutions"
        channels = sizes.channels if convolves else ()
        self.convolutions = [dense(c, f"convolution_{i}", matmul_dtype, ROOT_TWO) for i, c in enumerate(channels)]
        self.dense = dense(sizes.dense, "dense", matmul_dtype, orthogonal=convolves)
        self.lstm = LSTM(sizes.memory, matmul_dtype, name=LSTM_NAME)
        self.policy_head = Head((*sizes.heads, self.actions), 0.01, matmul_dtype, name="policy")
        self.value_head = Head((*sizes.heads, 1), 1.0, matmul_dtype, name="value")
        if self.prediction:
            self.decoder = Decoder(sizes.channels, self.view, self.tile, matmul_dtype, name="decoder")

    def __call__(self, memory, observation, first, action):
        """Applies all layers, so that `init` makes all parameters."""
        outputs = self.unroll(memory, self.encode(observation), first)
        return outputs, self.decode(outputs.hidden[0], action) if self.prediction else None

    def encode(self, observation: UInt8[Array, "N P P 3"]) -> Float[Array, "N dense"]:
        x = to_tiles(observation, self.tile).astype(jnp.float32) / 255.0
        if self.sizes.encoder == "tile_contrast":
            return nn.relu(self.dense(tile_contrast(x).reshape(x.shape[0], -1)))
        for number, convolution in enumerate(self.convolutions):
            x = patches(x) if number else x
            # Two axes only: on CPU the gradient of a product over more leading axes is slow.
            flat = convolution(x.reshape(-1, x.shape[-1]))
            x = nn.leaky_relu(flat).reshape(*x.shape[:-1], -1)
        return jnp.tanh(self.dense(x.reshape(x.shape[0], -1)))

    def unroll(self, memory: LSTMState, features: Float[Array, "rows dense"], first: Bool[Array, "T N"]) -> Outputs:
        """Applies LSTM and heads.

        Args:
          memory: recurrent state before the first step.
          features: of T x N frames.
          first: whether each step is the first of an episode.
        """
        steps, worlds = first.shape
        hidden, before, after = self.lstm(memory, features.reshape(steps, worlds, -1), first)
        flat = hidden.reshape(steps * worlds, -1)
        logits = self.policy_head(flat).reshape(steps, worlds, -1)
        value = self.value_head(flat).reshape(steps, worlds)
        return Outputs(logits, value, hidden, before, after)

    def decode(self, hidden: Float[Array, "N M"], action: Int[Array, " N"]) -> Float[Array, "N P P 3"]:
        chosen = jax.nn.one_hot(action, self.actions)
        return self.decoder(jnp.concatenate([hidden, chosen], axis=-1))
