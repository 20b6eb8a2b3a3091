"""The network: an encoder, a memory, heads for action and value, and a decoder (PROTOCOL: Network).

The parts are records of `parts`, chosen by name. Letters in shapes: T steps, N worlds, M units of the memory.
"""

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.agents.networks.blocks import in_blocks
from jaxsocial.agents.networks.dense import dense, initialised
from jaxsocial.agents.networks.inputs import check_inputs, input_count, input_vector
from jaxsocial.agents.networks.parts import ENCODERS, MEMORIES, TARGETS, Encoder, Memory, Parameters, Target
from jaxsocial.agents.networks.sizes import MatmulDtype, NetworkSizes
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation

MEMORY_NAME = "memory"
"""Name of the parameters of the memory. Only their gradient is clipped."""


class Outputs(NamedTuple):
    """Outputs of the network at each of T steps of N worlds."""

    logits: Float[Array, "T N actions"]
    value: Float[Array, "T N"]
    hidden: Float[Array, "T N M"]
    """Outputs of the memory."""
    after: Any
    """Recurrent state after each step."""


class Operations(NamedTuple):
    """Floating-point operations of matrix products for one observation; a backward pass takes twice as many.

    A multiplication and an addition count as two.
    """

    forward: int
    """From observation and memory to action, value and next memory."""
    prediction: int
    """From memory and action to the prediction; products with padding of transposed convolutions do not count."""


class Network(NamedTuple):
    """The functions of a network; arrays are time-major."""

    init: Callable[[Key[Array, ""]], Parameters]
    """(key) -> parameters."""
    initial_memory: Callable[[tuple[int, ...]], Any]
    """(batch shape) -> zeros."""
    unroll: Callable[[Parameters, Any, Observation, Bool[Array, "T N"]], Outputs]
    """(parameters, memory, observation, first) -> outputs. Each field of the observation begins with the axes T and N.
    Memory is reset before a step with ``first``."""
    predict: Callable[[Parameters, Float[Array, "*N M"], Int[Array, "*N"]], PyTree]
    """(parameters, hidden, action) -> the prediction, which ``target.loss`` compares with observations."""
    target: Target | None
    """What is predicted; None for nothing."""
    operations: Operations


def make_network(sizes: NetworkSizes, world: Scenario, prediction: str = "none") -> Network:
    """Returns the functions of a network.

    Args:
      sizes: its layers, and the names of its parts.
      world: as the learner sees it: its observation, inputs and actions.
      prediction: name of its prediction target.

    Raises:
      ValueError: the parts do not fit the world, with the remedy.

    >>> from jaxsocial.env.registry import make_scenario
    >>> network = make_network(NetworkSizes(), make_scenario("goal_cycle"), "frame")
    >>> parameter_count(jax.eval_shape(network.init, jax.random.key(0)))
    667787
    """
    if len(world.agents_by_view) > 1 and world.observation != "symbolic_world":
        raise ValueError(f"world.views={world.views}: networks need equal views of all agents, leave views empty")
    check_inputs(world)
    encoder: Encoder = ENCODERS.maker(sizes.encoder)(sizes, world)
    memory: Memory = MEMORIES.maker(sizes.memory_type)(sizes, encoder.features + input_count(world))
    target: Target | None = TARGETS.maker(prediction)(sizes, world, memory.units)
    heads = [Head((*sizes.heads, world.actions), 0.01, sizes.matmul_dtype, name="policy")]
    heads += [Head((*sizes.heads, 1), 1.0, sizes.matmul_dtype, name="value")]

    # Sequential under vmap: the batched QR of orthogonal initialisers can hang on two cores (jaxlib 0.10.2).
    @jax.custom_batching.sequential_vmap
    def init(key):
        parameters = {"encoder": encoder.init(key), MEMORY_NAME: memory.init(key)}
        parameters |= {head.name: initialised(head, key, jnp.zeros((1, memory.units), jnp.float32)) for head in heads}
        return parameters if target is None else parameters | {"decoder": target.init(key)}

    def unroll(parameters, state, observation, first):
        steps, worlds = first.shape
        # Without what is for prediction targets only.
        seen = Observation(observation.image, **{name: getattr(observation, name) for name in world.inputs})
        rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen)
        encode = functools.partial(encoder.encode, parameters["encoder"])
        features = in_blocks(encode, rows, size=encoder.block, remat=True) if encoder.block else encode(rows)
        if world.inputs:
            features = jnp.concatenate([features, input_vector(rows, world)], axis=-1)
        hidden, after = memory.unroll(parameters[MEMORY_NAME], state, features.reshape(steps, worlds, -1), first)
        flat = hidden.reshape(steps * worlds, -1)
        logits, value = (jnp.asarray(head.apply({"params": parameters[head.name]}, flat)) for head in heads)
        return Outputs(logits.reshape(steps, worlds, -1), value.reshape(steps, worlds), hidden, after)

    def predict(parameters, hidden, action):
        assert target is not None, "this network predicts nothing"
        decode = functools.partial(target.decode, parameters["decoder"])
        rows = hidden.reshape(-1, hidden.shape[-1]), action.reshape(-1)
        found = in_blocks(decode, *rows, size=target.block) if target.block else decode(*rows)
        return jax.tree.map(lambda x: x.reshape(*action.shape, *x.shape[1:]), found)

    widths = [(memory.units, *head.widths) for head in heads]
    head_products = sum(one * other for layers in widths for one, other in pairwise(layers))
    forward = 2 * (encoder.products + memory.products + head_products)
    operations = Operations(forward, 0 if target is None else 2 * target.products)
    return Network(init, memory.initial, unroll, predict, target, operations)


def parameter_count(parameters: Parameters) -> int:
    """Returns the number of scalar parameters.

    >>> parameter_count({"dense": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}})
    9
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
