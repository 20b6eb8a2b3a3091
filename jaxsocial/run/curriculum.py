"""How the penalty grows over training: a learner that meets the full price at once learns to stay away from goals
before it can learn whom to follow to them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsocial.world import Rules


class PenaltyRamp(NamedTuple):
    """The share of the penalty that is charged in training; evaluation charges all of it. Traced.

    The share stays at ``first_share`` for ``hold_steps`` learner steps, then grows evenly and is 1 from
    ``full_steps`` on. The defaults charge the whole penalty from the start, as the paper does for its learners.
    """

    first_share: float = 1.0
    """Share of the penalty in the beginning, 0 to 1."""
    hold_steps: float = 0.0
    """Learner steps before the share begins to grow."""
    full_steps: float = 0.0
    """Learner steps from which on the penalty is charged in full."""

    def traced(self) -> "PenaltyRamp":
        """The same numbers as arrays."""
        return jax.tree.map(jnp.float32, self)


def share_charged(steps: Float[Array, ""], ramp: PenaltyRamp) -> Float[Array, ""]:
    """The share of the penalty after so many learner steps."""
    grown = jnp.clip((steps - ramp.hold_steps) / jnp.maximum(ramp.full_steps - ramp.hold_steps, 1.0), 0.0, 1.0)
    return jnp.where(steps >= ramp.full_steps, 1.0, ramp.first_share + (1.0 - ramp.first_share) * grown)


def rules_in_force(steps: Float[Array, ""], rules: Rules, ramp: PenaltyRamp) -> Rules:
    """The rules of an iteration that begins after so many learner steps."""
    return rules._replace(penalty=rules.penalty * share_charged(steps, ramp))
