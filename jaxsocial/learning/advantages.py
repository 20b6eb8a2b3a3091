"""Advantages and value targets, backwards over time."""

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
    """Generalised advantage estimation (Schulman et al. 2016, equation 16), across episode ends.

    Args:
      reward_next: r_{t+1}, the reward that followed row t.
      discount_next: gamma, or 0 where the episode came to a natural end with row t.
      value: v(s_t).
      value_next: v(s_{t+1}); at an end, of the final state and not of the restarted one.
      ended: whether an episode ended with row t, naturally or by the clock: no error flows back across it.
      lambda_: 0 for one-step advantages, 1 for Monte-Carlo ones.
    """
    error = reward_next + discount_next * value_next - value
    decay = discount_next * lambda_ * (1.0 - ended)

    def one_step(advantage_next, row):
        error_t, decay_t = row
        advantage = error_t + decay_t * advantage_next
        return advantage, advantage

    nothing_after = jnp.zeros_like(value[0])
    return jax.lax.scan(one_step, nothing_after, (error, decay), reverse=True)[1]
