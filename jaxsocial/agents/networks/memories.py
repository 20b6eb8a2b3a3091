"""Memories: an LSTM, a GRU, and none."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsocial.agents.networks.dense import dense, initialised, matmul
from jaxsocial.agents.networks.parts import Memory
from jaxsocial.agents.networks.sizes import MatmulDtype, NetworkSizes


class LSTMState(NamedTuple):
    """Recurrent state of M units, for any batch."""

    hidden: Float[Array, "*N M"]
    cell: Float[Array, "*N M"]


class GRUState(NamedTuple):
    """Recurrent state of M units, for any batch."""

    hidden: Float[Array, "*N M"]


def lstm(sizes: NetworkSizes, inputs: int) -> Memory:
    """Returns an LSTM with one bias per gate; the bias of the forget gate starts at 2."""
    module = LSTM(sizes.memory, sizes.matmul_dtype, name="lstm")
    return _recurrent(module, LSTMState, inputs, gates=4)


def gru(sizes: NetworkSizes, inputs: int) -> Memory:
    """Returns a GRU whose reset gate acts on the product with the state (Cho et al. 2014, variant of cuDNN)."""
    module = GRU(sizes.memory, sizes.matmul_dtype, name="gru")
    return _recurrent(module, GRUState, inputs, gates=3)


def none(sizes: NetworkSizes, inputs: int) -> Memory:
    """Returns no memory: its outputs are its inputs, so the learner reacts to the last observation only."""
    del sizes
    return Memory(
        init=lambda key: {},
        initial=lambda batch: (),
        unroll=lambda parameters, state, x, first: (x, (), ()),
        units=inputs,
    )


def _recurrent(module: nn.Module, state: type, inputs: int, gates: int) -> Memory:
    units, name = module.units, module.name  # pyright: ignore

    def initial(batch):
        return state(*[jnp.zeros((*batch, units), jnp.float32) for _ in state._fields])

    def init(key):
        row, first = jnp.zeros((1, 1, inputs), jnp.float32), jnp.zeros((1, 1), bool)
        return {name: initialised(module, key, initial((1,)), row, first)}

    def unroll(parameters, memory, x, first):
        return module.apply({"params": parameters[name]}, memory, x, first)

    return Memory(init, initial, unroll, units, products=gates * units * (inputs + units))  # pyright: ignore


class LSTM(nn.Module):
    """An LSTM with one bias per gate; the bias of the forget gate starts at 2."""

    units: int
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(
        self, memory: LSTMState, x: Float[Array, "T N D"], first: Bool[Array, "T N"]
    ) -> tuple[Float[Array, "T N M"], LSTMState, LSTMState]:
        """Unrolls T steps; the state is reset before each step with ``first``.

        Returns:
          The hidden state of each step, and the states before (without the reset) and after each step.
        """
        gates = 4 * self.units
        recurrent = self.param("recurrent", _orthogonal_gates, (self.units, gates))
        bias = self.param("bias", _open_forget_gate, (gates,))
        # One large product outside of the scan, rather than T small ones.
        flat = dense(gates, "input", self.matmul_dtype, bias=False)(x.reshape(-1, x.shape[-1]))

        def one_step(before: LSTMState, inputs):
            from_input, is_first = inputs
            kept = jax.tree.map(lambda m: jnp.where(is_first[:, None], 0.0, m), before)
            from_memory = matmul(kept.hidden, recurrent, self.matmul_dtype)
            i, f, g, o = jnp.split(from_input + from_memory + bias, 4, axis=-1)
            cell = nn.sigmoid(f) * kept.cell + nn.sigmoid(i) * jnp.tanh(g)
            after = LSTMState(nn.sigmoid(o) * jnp.tanh(cell), cell)
            return after, (before, after)

        _, (before, after) = jax.lax.scan(one_step, memory, (flat.reshape(*x.shape[:2], gates), first))
        return after.hidden, before, after


class GRU(nn.Module):
    """A GRU: h' = (1 - z) n + z h, with n = tanh(W_n x + b_n + r (U_n h + c))."""

    units: int
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(
        self, memory: GRUState, x: Float[Array, "T N D"], first: Bool[Array, "T N"]
    ) -> tuple[Float[Array, "T N M"], GRUState, GRUState]:
        """Unrolls T steps; see `LSTM`."""
        gates = 3 * self.units
        recurrent = self.param("recurrent", _orthogonal_gates, (self.units, gates))
        # Two biases: that of the candidate's recurrent part is multiplied by the reset gate.
        bias = self.param("bias", nn.initializers.zeros_init(), (self.units,), jnp.float32)
        flat = dense(gates, "input", self.matmul_dtype)(x.reshape(-1, x.shape[-1]))

        def one_step(before: GRUState, inputs):
            from_input, is_first = inputs
            hidden = jnp.where(is_first[:, None], 0.0, before.hidden)
            from_memory = jnp.split(matmul(hidden, recurrent, self.matmul_dtype), 3, axis=-1)
            reset, update, candidate = jnp.split(from_input, 3, axis=-1)
            reset, update = nn.sigmoid(reset + from_memory[0]), nn.sigmoid(update + from_memory[1])
            new = jnp.tanh(candidate + reset * (from_memory[2] + bias))
            after = GRUState((1.0 - update) * new + update * hidden)
            return after, (before, after)

        _, (before, after) = jax.lax.scan(one_step, memory, (flat.reshape(*x.shape[:2], gates), first))
        return after.hidden, before, after


def _orthogonal_gates(key, shape):
    units, gates = shape
    keys = jax.random.split(key, gates // units)
    return jnp.concatenate([nn.initializers.orthogonal()(k, (units, units), jnp.float32) for k in keys], axis=-1)


def _open_forget_gate(key, shape):
    del key
    return jnp.zeros(shape, jnp.float32).reshape(4, -1).at[1].set(2.0).reshape(shape)
