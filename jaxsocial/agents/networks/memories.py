"""Memories: an LSTM, a GRU, and none."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsocial.agents.networks.blocks import on_cpu
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
        unroll=lambda parameters, state, x, first: (x, ()),
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
    ) -> tuple[Float[Array, "T N M"], LSTMState]:
        """Unrolls T steps; the state is reset before each step with ``first``.

        Returns:
          The hidden state of each step, and the state after each step.
        """
        gates = 4 * self.units
        recurrent = self.param("recurrent", _orthogonal_gates, (self.units, gates))
        bias = self.param("bias", _open_forget_gate, (gates,))
        # One large product outside of the scan, rather than T small ones.
        flat = dense(gates, "input", self.matmul_dtype, bias=False, rounds_rows=True)(x.reshape(-1, x.shape[-1]))

        def step(kept: LSTMState, total, _):
            i, f, g, o = jnp.split(total, 4, axis=-1)
            cell = nn.sigmoid(f) * kept.cell + nn.sigmoid(i) * jnp.tanh(g)
            return LSTMState(nn.sigmoid(o) * jnp.tanh(cell), cell)

        added = (flat + bias).reshape(*x.shape[:2], gates).astype(self.matmul_dtype)
        after = _unrolled(step, self.matmul_dtype, recurrent, memory, added, (), first)
        return after.hidden, after


class GRU(nn.Module):
    """A GRU: h' = (1 - z) n + z h, with n = tanh(W_n x + b_n + r (U_n h + c))."""

    units: int
    matmul_dtype: MatmulDtype

    @nn.compact
    def __call__(
        self, memory: GRUState, x: Float[Array, "T N D"], first: Bool[Array, "T N"]
    ) -> tuple[Float[Array, "T N M"], GRUState]:
        """Unrolls T steps; see `LSTM`."""
        gates = 3 * self.units
        recurrent = self.param("recurrent", _orthogonal_gates, (self.units, gates))
        # Two biases: that of the candidate's recurrent part is multiplied by the reset gate.
        bias = self.param("bias", nn.initializers.zeros_init(), (self.units,), jnp.float32)
        flat = dense(gates, "input", self.matmul_dtype, rounds_rows=True)(x.reshape(-1, x.shape[-1]))

        def step(kept: GRUState, total, candidate):
            reset, update, from_memory = jnp.split(total, 3, axis=-1)
            new = jnp.tanh(candidate + nn.sigmoid(reset) * from_memory)
            return GRUState((1.0 - nn.sigmoid(update)) * new + nn.sigmoid(update) * kept.hidden)

        of_gates, candidate = jnp.split(flat.reshape(*x.shape[:2], gates), [2 * self.units], axis=-1)
        added = jnp.concatenate([of_gates, jnp.broadcast_to(bias, candidate.shape)], axis=-1).astype(self.matmul_dtype)
        after = _unrolled(step, self.matmul_dtype, recurrent, memory, added, candidate, first)
        return after.hidden, after


def _scanned(step: Callable, matmul_dtype: MatmulDtype, recurrent, memory, added, other, first) -> Any:
    """Scans ``step(kept, kept.hidden @ recurrent + added, other)``; returns the state after each step.

    Args:
      step: a pure function of one step; ``kept`` is the state before it, zeros where an episode begins.
      matmul_dtype: type of the operands of the product.
      recurrent: matrix, [M, gates].
      memory: state before the first step.
      added: [T, N, gates].
      other: further inputs of each step.
      first: [T, N].
    """

    recurrent = recurrent.astype(matmul_dtype)  # once, and not in each step

    def one_step(before, inputs):
        added, other, is_first = inputs
        kept = jax.tree.map(lambda m: jnp.where(is_first[:, None], 0.0, m), before)
        after = step(kept, matmul(kept.hidden, recurrent, matmul_dtype, rounds_rows=True) + added, other)
        return after, after

    unroll = 1
    if not on_cpu():
        # There kernels cost more than what they compute (docs/performance.md). Each array that is stored for the
        # backward pass is a kernel of its own in each step; and two steps need one counter, and fewer copies.
        one_step = jax.checkpoint(one_step, prevent_cse=False, policy=jax.checkpoint_policies.dots_saveable)
        unroll = 2
    return jax.lax.scan(one_step, memory, (added, other, first), unroll=unroll)[1]


def _unrolled_forward(step, matmul_dtype, recurrent, memory, added, other, first):
    def of_constant_matrix(memory, added, other):
        return _scanned(step, matmul_dtype, recurrent, memory, added, other, first)

    after, gradients_of = jax.vjp(of_constant_matrix, memory, added, other)
    return after, (gradients_of, memory, after, first)


def _unrolled_backward(step, matmul_dtype, residuals, gradient):
    gradients_of, memory, after, first = residuals
    of_memory, of_added, of_other = gradients_of(gradient)
    before = jnp.concatenate([memory.hidden[None], after.hidden[:-1]])
    kept = jnp.where(first[..., None], 0.0, before)
    # What is added to the product has the product's gradient.
    rows, gates = (x.reshape(-1, x.shape[-1]) for x in (kept, of_added))
    return matmul(rows.T, gates, matmul_dtype), of_memory, of_added, of_other, None


# The gradient of ``recurrent`` is one product over all steps. Derived by jax it is a small product in each step, added
# to a sum that is read and written as often. Only gradients in reverse mode are defined.
_unrolled = jax.custom_vjp(_scanned, nondiff_argnums=(0, 1))
_unrolled.defvjp(_unrolled_forward, _unrolled_backward)


def _orthogonal_gates(key, shape):
    units, gates = shape
    keys = jax.random.split(key, gates // units)
    return jnp.concatenate([nn.initializers.orthogonal()(k, (units, units), jnp.float32) for k in keys], axis=-1)


def _open_forget_gate(key, shape):
    del key
    return jnp.zeros(shape, jnp.float32).reshape(4, -1).at[1].set(2.0).reshape(shape)
