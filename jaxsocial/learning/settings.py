"""The settings of learning: static sizes, and traced coefficients."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsocial.learning.losses import Target


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The static side of learning. Raises ValueError, with the cure, where sizes do not fit together."""

    learners: int = 1
    """Learners in every world, in its first seats, each with a network of its own."""
    worlds: int = 128
    """Worlds played side by side."""
    steps: int = 250
    """Steps of every world in one iteration."""
    minibatches: int = 20
    """Gradient steps in one iteration."""
    segments: int = 512
    """Segments in one minibatch, drawn uniformly with replacement."""
    segment_length: int = 16
    """Consecutive steps in a segment."""
    refresh_interval: int = 2
    """Minibatches between recomputations of recurrent states, values and advantages."""
    normalise_advantages: bool = True
    """Whether advantages of a batch get mean 0 and deviation 1. Where they are left as they are, the entropy's weight
    counts for more the less there is to gain."""
    prediction: Target = "next"
    """Frame predicted beside acting: "next" (the paper's method), "current" (an autoencoder) or "none"."""

    @property
    def iteration_steps(self) -> int:
        """Steps of each learner in one iteration, all worlds together."""
        return self.worlds * self.steps

    @property
    def rounds(self) -> int:
        """Refreshes in one iteration."""
        return self.minibatches // self.refresh_interval

    def __post_init__(self):
        for name in ("learners", "worlds", "steps", "minibatches", "segments", "segment_length", "refresh_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: choose 1 or more")
        if self.segment_length > self.steps:
            raise ValueError(
                f"segment_length={self.segment_length} is longer than steps={self.steps}: "
                "shorten the segments, or play more steps"
            )
        if self.minibatches % self.refresh_interval:
            raise ValueError(
                f"minibatches={self.minibatches} is not a multiple of refresh_interval={self.refresh_interval}: "
                "choose a divisor"
            )
        if self.prediction not in ("none", "next", "current"):
            raise ValueError(f'prediction={self.prediction!r}: choose "none", "next" or "current"')


class Coefficients(NamedTuple):
    """The traced side of learning: a sweep may vary each under `jax.vmap`. The defaults are the paper's.

    Written as floats; `traced` makes them arrays, so that no value is compiled in.
    """

    learning_rate: float = 1e-4
    """Adam's step size."""
    gamma: float = 0.993
    """Discount per step, 0 to 1."""
    gae_lambda: float = 0.97
    """Decay of advantage estimation, 0 to 1."""
    clip: float = 0.2
    """Half-width of the interval that the policy's ratio is clipped to (PPO's epsilon)."""
    value_weight: float = 0.1
    """Weight of the squared error of values in the loss."""
    prediction_weight: float = 3.0
    """Weight of the frame's mean absolute error in the loss."""
    entropy_weight: float = 1e-5
    """Weight of the policy's entropy (nats) in the loss."""
    kl_stop: float = 0.015
    """A minibatch whose divergence (nats) exceeds this, and those after it, leave the weights alone."""
    kl_restore: float = 0.03
    """Where the divergence (nats) after the last step exceeds this, the weights from before return."""
    lstm_gradient_norm: float = 10.0
    """Limit on the norm of the LSTM's gradient."""

    def traced(self) -> "Coefficients":
        """The same numbers as arrays."""
        return jax.tree.map(jnp.float32, self)
