"""Losses of PPO and of imitation: one value for each step. `minibatch_loss` averages them.

Those of predictions belong to their targets (`jaxsocial.agents.networks.targets`).
"""

import chex
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def surrogate_loss(
    log_ratio: Float[Array, "*B"], advantage: Float[Array, "*B"], clip: Float[Array, ""] | float
) -> Float[Array, "*B"]:
    """Computes PPO's clipped loss ``-min(r A, clip(r, 1 - clip, 1 + clip) A)`` (Schulman et al. 2017, equation 7).

    Args:
      log_ratio: log r, where r = pi(a | s) / pi_old(a | s).
      advantage: A, normalised or not.
      clip: half-width of the interval of ratios, epsilon in the paper.

    >>> surrogate_loss(jnp.log(jnp.array([1.5, 0.5])), jnp.array([2.0, -2.0]), clip=0.2).round(3)
    Array([-2.4,  1.6], dtype=float32)
    """
    chex.assert_equal_shape((log_ratio, advantage))
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return -jnp.minimum(ratio * advantage, clipped * advantage)


def value_loss(value: Float[Array, "*B"], target: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Computes the squared error ``(v - target)^2``.

    >>> value_loss(jnp.array([1.0, -2.0]), jnp.array([4.0, 0.0]))
    Array([9., 4.], dtype=float32)
    """
    # Without the check, shapes N and N x 1 would broadcast to N x N.
    chex.assert_equal_shape((value, target))
    return jnp.square(value - target)


def approx_kl(log_ratio: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Estimates KL(pi_old, pi) at each step as ``(r - 1) - log r``, the estimator k3 of Schulman 2020.

    It is unbiased for actions drawn from pi_old, and never negative.

    >>> approx_kl(jnp.log(jnp.array([1.0, 0.5]))).round(3)
    Array([0.   , 0.193], dtype=float32)
    """
    # expm1 keeps the low-order bits of a ratio close to 1.
    return jnp.expm1(log_ratio) - log_ratio


def imitation_loss(log_prob: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Computes the cross-entropy ``-log pi(a | s)`` of the teacher's actions (behaviour cloning)."""
    return -log_prob


def agreement(logits: Float[Array, "*B actions"], action: Int[Array, "*B"]) -> Bool[Array, "*B"]:
    """Returns whether the learner's most probable action is the teacher's.

    >>> agreement(jnp.array([[0.0, 1.0], [2.0, 1.0]]), jnp.array([1, 1])).tolist()
    [True, False]
    """
    chex.assert_shape(action, logits.shape[:-1])
    return jnp.argmax(logits, axis=-1) == action
