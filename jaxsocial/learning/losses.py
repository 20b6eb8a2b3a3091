"""The losses of learning, one number per step: `update` masks and averages them."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

Target = Literal["none", "next", "current"]
"""What is predicted: nothing, the next frame (the paper's method), or the current one (an autoencoder)."""


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


def approx_kl(log_ratio: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Each step's estimate of KL(old, new): (ratio - 1) - log ratio; unbiased, and never negative."""
    return jnp.expm1(log_ratio) - log_ratio


def prediction_loss(frame: Float[Array, "*B P P 3"], target: UInt8[Array, "*B P P 3"]) -> Float[Array, "*B"]:
    """Mean absolute error over pixels and colours, as a share of the full range: 0 to about 1."""
    return jnp.abs(frame - target.astype(jnp.float32) / 255.0).mean((-3, -2, -1))


def imitation_loss(log_prob: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Cross-entropy of the teacher's actions, from the log-probability that the learner gives them."""
    return -log_prob


def agreement(logits: Float[Array, "*B actions"], action: Int[Array, "*B"]) -> Bool[Array, "*B"]:
    """Whether the learner's likeliest action is the teacher's."""
    return jnp.argmax(logits, axis=-1) == action
