"""The partner schedule: worlds without partners, random actions of partners, and partners that leave and rejoin."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.env.types import NEVER, Dropout, Rules
from jaxsocial.env.values import NotNegative, Probability


class PartnerSchedule(NamedTuple):
    """The numbers of the partners. Traced, except for the lengths of its lists."""

    epsilon: tuple[Probability, ...] = (0.0,)
    """Probability that a partner's action is replaced by a uniformly random one, 0 to 1; one for all, or one per
    partner."""
    solo: tuple[Probability, ...] = (0.0,)
    """Share of worlds without partners, 0 to 1; one number, or one for each of ``solo_steps``."""
    solo_steps: tuple[NotNegative, ...] = (0.0,)
    """Learner steps at which ``solo`` has its values, 0 or more and increasing; linear interpolation between them."""
    solo_drawn: bool = False
    """Whether each episode is drawn to be without partners, with probability ``solo``; else the share is exact."""
    leave: Probability = 0.0
    """Probability per step that a partner leaves within an episode, 0 to 1."""
    rejoin: Probability = 0.0
    """Probability per step that a partner that left returns, 0 to 1."""

    def traced(self) -> "PartnerSchedule":
        """Returns the same numbers as float32 arrays."""
        return PartnerSchedule(*[jnp.asarray(number, jnp.float32) for number in self])  # pyright: ignore

    def check(self, partners: int) -> None:
        """Checks the lengths of the lists.

        Raises:
          ValueError: they do not fit together or to the number of partners.
        """
        if len(self.epsilon) not in (1, partners):
            raise ValueError(
                f"partner_schedule.epsilon={self.epsilon}: give one number for all partners, or one for each of the "
                f"{partners}"
            )
        if not self.solo:
            raise ValueError("partner_schedule.solo=(): give at least one number, 0 for no world without partners")
        if len(self.solo) != len(self.solo_steps):
            raise ValueError(
                f"partner_schedule.solo={self.solo}, solo_steps={self.solo_steps}: give as many numbers of one as of "
                "the other"
            )
        if list(self.solo_steps) != sorted(set(self.solo_steps)):
            raise ValueError(f"partner_schedule.solo_steps={self.solo_steps}: give increasing numbers")


def partner_noise(partner_schedule: PartnerSchedule, partners: int) -> Float[Array, " partners"]:
    """Returns the probability of a random action for each partner.

    >>> partner_noise(PartnerSchedule(epsilon=(0.25,)), 2).tolist()
    [0.25, 0.25]
    """
    return jnp.broadcast_to(jnp.asarray(partner_schedule.epsilon), (partners,))


def rules_of_worlds(
    rules: Rules,
    partner_schedule: PartnerSchedule,
    steps: Float[Array, ""],
    seated: Bool[np.ndarray, " A"],
    learners: int,
    numbers: Int[Array, " N"],
    worlds: int,
) -> Rules:
    """Computes the rules of each world of an iteration.

    Args:
      rules: the rules of one world.
      partner_schedule: the traced schedule.
      steps: learner steps before the iteration.
      seated: whether each seat is taken at all.
      learners: the number of learners; they take the first seats and are always present.
      numbers: the worlds' indices among all worlds; those of the lowest indices have no partners.
      worlds: the number of all worlds.

    Returns:
      Rules with worlds as the first axis of every leaf.
    """
    share = jnp.interp(steps, jnp.asarray(partner_schedule.solo_steps), jnp.asarray(partner_schedule.solo))
    # Traced records hold floats only, so that they stack.
    drawn = jnp.asarray(partner_schedule.solo_drawn) > 0
    exact = (numbers >= jnp.round(share * worlds)).astype(jnp.float32)
    with_partners = jnp.where(drawn, 1.0 - share, exact)
    is_learner = np.arange(len(seated)) < learners
    present = jnp.where(is_learner, 1.0, with_partners[:, None]) * seated
    batch: Rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(numbers), *x.shape)), rules)
    return batch._replace(present=batch.present * present)


def dropout_of(partner_schedule: PartnerSchedule, learners: int, agents: int) -> Dropout:
    """Returns the dropout probabilities of all agents; those of learners are 0.

    Args:
      partner_schedule: the schedule.
      learners: the number of learners, in the first seats.
      agents: the number of all agents.
    """
    partner = np.arange(agents) >= learners
    return Dropout(
        leave=jnp.asarray(partner_schedule.leave) * partner,
        rejoin=jnp.asarray(partner_schedule.rejoin) * partner,
        gone_from=jnp.int32(NEVER),
    )
