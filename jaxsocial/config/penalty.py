"""How the penalty changes over training: growing along a ramp, or in stages that a learner has to pass.

A learner that meets the full price at once learns to stay away from goals before it can learn the way to them, or
whom to follow.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class PenaltyRamp(NamedTuple):
    """The share of the penalty that is charged in training; evaluation charges all of it. Traced.

    The share stays at ``initial_fraction`` for ``ramp_start`` learner steps, then grows evenly and is 1 from
    ``ramp_end`` on. The defaults charge the whole penalty from the start, as the paper does for its learners.
    """

    initial_fraction: float = 1.0
    """Share of the penalty in the beginning, 0 to 1."""
    ramp_start: float = 0.0
    """Learner steps before the share begins to grow."""
    ramp_end: float = 0.0
    """Learner steps from which on the penalty is charged in full."""

    def traced(self) -> "PenaltyRamp":
        """The same numbers as arrays."""
        return jax.tree.map(jnp.float32, self)


def share_charged(steps: Float[Array, ""], ramp: PenaltyRamp) -> Float[Array, ""]:
    """The share of the penalty after so many learner steps."""
    grown = jnp.clip((steps - ramp.ramp_start) / jnp.maximum(ramp.ramp_end - ramp.ramp_start, 1.0), 0.0, 1.0)
    return jnp.where(steps >= ramp.ramp_end, 1.0, ramp.initial_fraction + (1.0 - ramp.initial_fraction) * grown)


class Stages(NamedTuple):
    """Penalties one after another, as the paper trains its experts: the next comes once the learner does well.

    Traced but for their number. Without any the penalty is that of the rules.
    """

    penalties: tuple[float, ...] = ()
    """The penalty of each stage; the last is to be the rules' own, which evaluation charges."""
    returns: tuple[float, ...] = ()
    """Mean return of an episode that ends a stage, one for each but the last; none if left empty."""
    steps: tuple[float, ...] = ()
    """Learner steps after which a stage ends at the latest, counted from where it began and not from where the run did;
    one for each but the last, none if left empty."""
    smoothing: float = 0.9
    """How much of the mean return stays from one iteration to the next, 0 up to below 1."""

    def traced(self) -> "Stages":
        """The same numbers as arrays, and what was left empty as marks that are never reached."""
        never = (float("inf"),) * max(len(self.penalties) - 1, 0)
        full = self._replace(returns=self.returns or never, steps=self.steps or never)
        return Stages(*[jnp.asarray(number, jnp.float32) for number in full])  # pyright: ignore

    def problem(self, penalty: float) -> str | None:
        """What is wrong with them, and the cure; None if nothing is."""
        ends = len(self.penalties) - 1
        if not self.penalties:
            return "stages.returns and stages.steps need stages.penalties" if self.returns or self.steps else None
        if not self.returns and not self.steps and ends:
            return "stages.penalties never change: give stages.returns or stages.steps, one for each but the last"
        for name in ("returns", "steps"):
            given = getattr(self, name)
            if given and len(given) != ends:
                return f"stages.{name}={given}: give {ends}, one for each of stages.penalties but the last"
        if not 0 <= self.smoothing < 1:
            return f"stages.smoothing={self.smoothing}: choose 0 up to below 1"
        if self.penalties[-1] != penalty:
            return f"stages.penalties end with {self.penalties[-1]}: end with rules.penalty={penalty}, or change that"
        return None


class Progress(NamedTuple):
    """Where a learner stands in its stages."""

    stage: Int[Array, ""]
    since: Float[Array, ""]
    """Learner steps taken in this stage."""
    return_: Float[Array, ""]
    """The smoothed return; NaN before the first episode of a stage has ended."""


def first_progress() -> Progress:
    """Before the first iteration."""
    return Progress(jnp.int32(0), jnp.float32(0.0), jnp.float32(jnp.nan))


def penalty_in_force(
    penalty: Float[Array, ""], steps: Float[Array, ""], ramp: PenaltyRamp, stages: Stages, progress: Progress
) -> Float[Array, ""]:
    """The penalty of an iteration that begins after so many learner steps."""
    staged = jnp.asarray(stages.penalties)[progress.stage] if len(stages.penalties) else penalty
    return staged * share_charged(steps, ramp)


def advanced(progress: Progress, stages: Stages, return_: Float[Array, ""], steps: int) -> Progress:
    """After an iteration of so many steps, in which episodes had this mean return (NaN if none ended)."""
    ends = len(stages.penalties) - 1
    if ends < 1:
        return progress
    kept = jnp.where(jnp.isnan(progress.return_), 0.0, stages.smoothing)
    mixed = kept * jnp.nan_to_num(progress.return_) + (1.0 - kept) * return_
    smoothed = jnp.where(jnp.isnan(return_), progress.return_, mixed)
    since = progress.since + steps
    passed = _passed(progress.stage, since, smoothed, stages) & (progress.stage < ends)
    fresh = first_progress()._replace(stage=progress.stage + 1)
    return jax.tree.map(lambda new, old: jnp.where(passed, new, old), fresh, Progress(progress.stage, since, smoothed))


def _passed(stage, since, smoothed, stages: Stages) -> Bool[Array, ""]:
    # A return that is no number reaches no mark.
    return (smoothed >= jnp.asarray(stages.returns)[stage]) | (since >= jnp.asarray(stages.steps)[stage])
