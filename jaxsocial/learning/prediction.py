"""The auxiliary loss: predicting a frame from memory and action (PROTOCOL: Network, Conditions)."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

Target = Literal["none", "next", "current"]
"""What is predicted: nothing, the next frame (the paper's method), or the current one (an autoencoder)."""


def prediction_loss(frame: Float[Array, "*B P P 3"], target: UInt8[Array, "*B P P 3"]) -> Float[Array, "*B"]:
    """Mean absolute error over pixels and colours, as a share of the full range: 0 to about 1."""
    return jnp.abs(frame - target.astype(jnp.float32) / 255.0).mean((-3, -2, -1))
