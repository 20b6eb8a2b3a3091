"""Settings of learning: static sizes and traced coefficients."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsocial.agents.networks.parts import TARGETS
from jaxsocial.env.values import LARGEST, Count, NotNegative, Positive, Probability, fit_fields


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Static sizes of learning.

    Raises:
      ValueError: they do not fit together, with the remedy.
    """

    learners: Count = 1
    """Learners in every world, its first agents, 1 or more; each has its own network."""
    worlds: Count = 128
    """Worlds played in parallel, 1 or more."""
    steps: Count = 250
    """Steps of every world in one iteration, 1 or more."""
    minibatches: Count = 20
    """Gradient steps in one iteration, 1 or more."""
    segments: Count = 512
    """Segments in one minibatch, 1 or more, drawn uniformly with replacement."""
    segment_length: Count = 16
    """Consecutive steps in a segment, 1 or more and at most ``steps``."""
    refresh_interval: Count = 2
    """Minibatches between recomputations of recurrent states, values and advantages, 1 or more; a divisor of their
    number."""
    normalise_advantages: bool = True
    """Whether the advantages of a batch are scaled to mean 0 and standard deviation 1. Without it, the entropy bonus
    has more influence the smaller the advantages are."""
    prediction: str = "frame"
    """What is predicted as an auxiliary task. "frame": the pixels of the next frame (the paper's method). "symbols":
    kind, colour and state of each cell of the next view; "changes": of those that change; "others": where other agents
    will be seen. "current_frame", "current_symbols": the same of the current view (an autoencoder). Or "none"."""
    prediction_interval: Count = 1
    """One segment of this many enters the prediction loss, 1 or more. With 4, a quarter does, at a quarter of its
    time."""

    @property
    def iteration_steps(self) -> int:
        """Returns the steps of each learner in one iteration, summed over worlds.

        >>> Sizes(worlds=8, steps=64).iteration_steps
        512
        """
        return self.worlds * self.steps

    @property
    def rounds(self) -> int:
        """Returns the number of replays in one iteration."""
        return self.minibatches // self.refresh_interval

    def __post_init__(self):
        fit_fields(self, "sizes.")
        for one, other in (("worlds", "steps"), ("segments", "segment_length")):
            # Programs index the rows of an iteration, and of a minibatch, by 32 bits.
            if getattr(self, one) * getattr(self, other) > LARGEST[int]:
                raise ValueError(
                    f"sizes.{one}={getattr(self, one)}, {other}={getattr(self, other)}: choose {LARGEST[int]} or less "
                    "for their product"
                )
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
        if self.prediction_interval > self.segments:
            raise ValueError(
                f"prediction_interval={self.prediction_interval} is more than segments={self.segments}: "
                "choose at most as many"
            )
        TARGETS.check(self.prediction)


class Coefficients(NamedTuple):
    """Traced coefficients of learning: a sweep may vary each under `jax.vmap`. The defaults are the paper's.

    Fields are floats in a config; `traced` makes them arrays, so that no value is compiled in.
    """

    learning_rate: NotNegative = 1e-4
    """Adam's step size, 0 or more."""
    gamma: Probability = 0.993
    """Discount per step, 0 to 1."""
    gae_lambda: Probability = 0.97
    """Decay of advantage estimation, 0 to 1."""
    clip: Positive = 0.2
    """Half-width of the interval that the probability ratio is clipped to (PPO's epsilon), a number above 0."""
    value_weight: NotNegative = 0.1
    """Weight of the value loss (squared error), 0 or more."""
    prediction_weight: NotNegative = 3.0
    """Weight of the prediction loss, 0 or more: a mean absolute error of frames, or nats for each cell of symbols."""
    entropy_weight: NotNegative = 1e-5
    """Weight of the entropy bonus (nats), 0 or more."""
    kl_stop: Positive = 0.015
    """KL divergence (nats) of a minibatch, a number above 0, above which it and all later ones of the iteration take no
    step."""
    kl_restore: Positive = 0.03
    """KL divergence (nats) of the last minibatch evaluated, before its own step, a number above 0, above which the
    weights from before the iteration are restored."""
    lstm_gradient_norm: Positive = 10.0
    """Maximum global norm of the memory's gradient, a number above 0."""

    def traced(self) -> "Coefficients":
        """Returns the coefficients as 32-bit arrays.

        >>> Coefficients(gamma=0.5).traced().gamma
        Array(0.5, dtype=float32)
        """
        return jax.tree.map(jnp.float32, self)
