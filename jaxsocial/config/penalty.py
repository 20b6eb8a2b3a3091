"""How the penalty changes over training: a ramp, or stages that each end at a return.

A learner that meets the full penalty from the start may learn to avoid all goals (docs/notebook/first-laptop.md). It
then never learns the way to them, or whom to follow.
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsocial.env.values import NotNegative, Probability, Range


class PenaltyRamp(NamedTuple):
    """The fraction of the penalty in training; evaluation always uses the full penalty. Traced.

    The fraction is ``initial_fraction`` for ``ramp_start`` learner steps, then grows linearly to 1 at ``ramp_end``.
    The defaults use the full penalty from the start, as the paper does for its learners.
    """

    initial_fraction: Probability = 1.0
    """Fraction of the penalty at the start, 0 to 1."""
    ramp_start: NotNegative = 0.0
    """Learner steps before the fraction grows, 0 or more."""
    ramp_end: NotNegative = 0.0
    """Learner steps after which the fraction is 1, 0 or more and no less than ``ramp_start``."""

    def traced(self) -> "PenaltyRamp":
        """Returns the same numbers as float32 arrays."""
        return jax.tree.map(jnp.float32, self)

    def check(self) -> None:
        """Checks the order of start and end.

        Raises:
          ValueError: the ramp ends before it starts.
        """
        if self.ramp_start > self.ramp_end:
            raise ValueError(
                f"penalty_ramp.ramp_start={self.ramp_start}, ramp_end={self.ramp_end}: choose a ramp_end no smaller "
                "than ramp_start"
            )


def penalty_fraction(steps: Float[Array, ""], ramp: PenaltyRamp) -> Float[Array, ""]:
    """Computes the fraction of the penalty after so many learner steps.

    >>> ramp = PenaltyRamp(initial_fraction=0.5, ramp_start=100.0, ramp_end=300.0)
    >>> [float(penalty_fraction(jnp.float32(steps), ramp)) for steps in (0, 100, 200, 300)]
    [0.5, 0.5, 0.75, 1.0]
    """
    # A ramp without length would divide 0 by 0.
    grown = jnp.clip((steps - ramp.ramp_start) / jnp.maximum(ramp.ramp_end - ramp.ramp_start, 1.0), 0.0, 1.0)
    return jnp.where(steps >= ramp.ramp_end, 1.0, ramp.initial_fraction + (1.0 - ramp.initial_fraction) * grown)


class Stages(NamedTuple):
    """Penalties in stages, as the paper trains its experts. Traced, except for their number.

    A stage ends when the learner reaches a return, or after a number of steps. Without stages the penalty is that of
    the rules.
    """

    penalties: tuple[NotNegative, ...] = ()
    """The penalty of each stage, 0 or more; the last must equal rules.penalty, which evaluation uses."""
    returns: tuple[float, ...] = ()
    """Mean return of an episode that ends a stage, a finite number, one for each but the last; may be empty."""
    steps: tuple[NotNegative, ...] = ()
    """Learner steps, from the start of a stage, after which it ends at the latest, 0 or more; one for each but the
    last; may be empty."""
    smoothing: Annotated[float, Range(0, 1, excluded=1)] = 0.9
    """Weight of the earlier mean return in each iteration's moving average, 0 up to below 1."""

    def traced(self) -> "Stages":
        """Returns the same numbers as float32 arrays; empty lists become infinite thresholds."""
        never = (float("inf"),) * max(len(self.penalties) - 1, 0)
        full = self._replace(returns=self.returns or never, steps=self.steps or never)
        return Stages(*[jnp.asarray(number, jnp.float32) for number in full])  # pyright: ignore

    def check(self, penalty: float) -> None:
        """Checks the lengths of the lists and the last penalty.

        Raises:
          ValueError: the lists do not fit together, or the last penalty is not that of the rules.
        """
        ends = len(self.penalties) - 1
        if not self.penalties:
            if self.returns or self.steps:
                raise ValueError("stages.returns and stages.steps need stages.penalties: give them too")
            return
        if not self.returns and not self.steps and ends:
            raise ValueError(
                "stages.penalties never change: give stages.returns or stages.steps, one for each but the last"
            )
        for name in ("returns", "steps"):
            given = getattr(self, name)
            if given and len(given) != ends:
                raise ValueError(f"stages.{name}={given}: give {ends}, one for each of stages.penalties but the last")
        if self.penalties[-1] != penalty:
            raise ValueError(
                f"stages.penalties end with {self.penalties[-1]}: end with rules.penalty={penalty}, or change that"
            )


class Progress(NamedTuple):
    """The current stage of a learner."""

    stage: Int[Array, ""]
    since: Float[Array, ""]
    """Learner steps taken in this stage."""
    return_: Float[Array, ""]
    """Moving average of the mean return; NaN before the first episode of a stage has ended."""


def first_progress() -> Progress:
    """Returns the progress before the first iteration."""
    return Progress(jnp.int32(0), jnp.float32(0.0), jnp.float32(jnp.nan))


def current_penalty(
    penalty: Float[Array, ""], steps: Float[Array, ""], ramp: PenaltyRamp, stages: Stages, progress: Progress
) -> Float[Array, ""]:
    """Computes the penalty of an iteration.

    Args:
      penalty: the penalty of the rules, used if there are no stages.
      steps: learner steps before the iteration.
      ramp: the traced ramp.
      stages: the traced stages.
      progress: the current stage.
    """
    staged = jnp.asarray(stages.penalties)[progress.stage] if len(stages.penalties) else penalty
    return staged * penalty_fraction(steps, ramp)


def advanced(progress: Progress, stages: Stages, return_: Float[Array, ""], steps: int) -> Progress:
    """Updates the progress after an iteration.

    Args:
      progress: before the iteration.
      stages: the traced stages.
      return_: mean return of the episodes that ended; NaN if none ended.
      steps: learner steps of the iteration.
    """
    ends = len(stages.penalties) - 1
    if ends < 1:
        return progress
    kept = jnp.where(jnp.isnan(progress.return_), 0.0, stages.smoothing)
    mixed = kept * jnp.nan_to_num(progress.return_) + (1.0 - kept) * return_
    smoothed = jnp.where(jnp.isnan(return_), progress.return_, mixed)
    since = progress.since + steps
    # A comparison with NaN is false: without an ended episode no return ends a stage.
    reached = smoothed >= jnp.asarray(stages.returns)[progress.stage]
    expired = since >= jnp.asarray(stages.steps)[progress.stage]
    passed = (reached | expired) & (progress.stage < ends)
    following = first_progress()._replace(stage=progress.stage + 1)
    same = Progress(progress.stage, since, smoothed)
    return jax.tree.map(lambda new, old: jnp.where(passed, new, old), following, same)
