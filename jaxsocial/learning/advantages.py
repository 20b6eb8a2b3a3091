"""Generalised advantage estimation."""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def generalised_advantages(
    reward_next: Float[Array, "T *N"],
    discount_next: Float[Array, "T *N"],
    value: Float[Array, "T *N"],
    value_next: Float[Array, "T *N"],
    ended: Bool[Array, "T *N"],
    lambda_: Float[Array, ""] | float,
) -> Float[Array, "T *N"]:
    """Computes generalised advantage estimates (Schulman et al. 2016, equation 16) across episode ends.

    ``A_t = delta_t + discount_{t+1} lambda (1 - ended_t) A_{t+1}`` with
    ``delta_t = r_{t+1} + discount_{t+1} v(s_{t+1}) - v(s_t)``, and 0 after the last row.

    Args:
      reward_next: r_{t+1}, the reward that follows row t.
      discount_next: gamma, or 0 where the episode terminates with row t.
      value: v(s_t).
      value_next: v(s_{t+1}); at an episode's end, that of the final state, not of the state after the reset.
      ended: whether an episode terminates or is truncated with row t; no error passes back across it.
      lambda_: 0 for one-step advantages, 1 for Monte-Carlo advantages.

    >>> one, never = jnp.ones(3), jnp.zeros(3, bool)
    >>> generalised_advantages(one, 0.5 * one, 0 * one, 0 * one, never, 1.0)
    Array([1.75, 1.5 , 1.  ], dtype=float32)
    """
    chex.assert_equal_shape((reward_next, discount_next, value, value_next, ended))
    chex.assert_rank(lambda_, 0)
    error = reward_next + discount_next * value_next - value
    # A truncation has discount gamma, since it bootstraps from the final state: ``ended`` cuts the sum there.
    decay = discount_next * lambda_ * (1.0 - ended)

    def one_step(advantage_next, row):
        error_t, decay_t = row
        advantage = error_t + decay_t * advantage_next
        return advantage, advantage

    return jax.lax.scan(one_step, jnp.zeros_like(value[0]), (error, decay), reverse=True)[1]
