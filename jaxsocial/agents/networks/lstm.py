"""The recurrent layer."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsocial.agents.networks.dense import dense, matmul
from jaxsocial.agents.networks.sizes import MatmulDtype


class LSTMState(NamedTuple):
    """Recurrent state of M units, for any batch."""

    hidden: Float[Array, "*N M"]
    cell: Float[Array, "*N M"]


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


def _orthogonal_gates(key, shape):
    units, gates = shape
    keys = jax.random.split(key, gates // units)
    return jnp.concatenate([nn.initializers.orthogonal()(k, (units, units)) for k in keys], axis=-1)


def _open_forget_gate(key, shape):
    del key
    return jnp.zeros(shape).reshape(4, -1).at[1].set(2.0).reshape(shape)
