"""Behaviour cloning: the learner sees what a teacher sees, and learns to do what it does (PROTOCOL: Conditions)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def imitation_loss(log_prob: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Cross-entropy of the teacher's actions, from the log-probability that the learner gives them."""
    return -log_prob


def agreement(logits: Float[Array, "*B actions"], action: Int[Array, "*B"]) -> Bool[Array, "*B"]:
    """Whether the learner's likeliest action is the teacher's."""
    return jnp.argmax(logits, axis=-1) == action
