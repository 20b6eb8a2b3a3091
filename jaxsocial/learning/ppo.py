"""The losses of proximal policy optimisation, one number per step; `update` takes the means."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def surrogate_loss(
    log_ratio: Float[Array, "*B"], advantage: Float[Array, "*B"], clip: Float[Array, ""] | float
) -> Float[Array, "*B"]:
    """-min(ratio A, clip(ratio, 1 - clip, 1 + clip) A) (Schulman et al. 2017, equation 7)."""
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return -jnp.minimum(ratio * advantage, clipped * advantage)


def value_loss(value: Float[Array, "*B"], target: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Squared error."""
    return jnp.square(value - target)


def divergence(log_ratio: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Each step's estimate of KL(old, new): (ratio - 1) - log ratio; unbiased, and never negative."""
    return jnp.expm1(log_ratio) - log_ratio
