"""Who is there: in which worlds the learner is alone, how partners err, and how they come and go."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.env.types import NEVER, Dropout, Rules


class PartnerSchedule(NamedTuple):
    """The numbers of the learners' partner_schedule. Traced but for the lengths of its lists."""

    epsilon: tuple[float, ...] = (0.0,)
    """How often a partner's action is replaced by a random one, 0 to 1; one for all or one a partner."""
    solo: tuple[float, ...] = (0.0,)
    """Share of worlds without partners, 0 to 1: one, or one for each of ``solo_steps``."""
    solo_steps: tuple[float, ...] = (0.0,)
    """Learner steps at which ``solo`` has its values, rising; between them it changes evenly."""
    solo_drawn: bool = False
    """Whether each episode is drawn to be without partners, with that probability; else their number is exact."""
    leave: float = 0.0
    """Probability per step that a partner disappears within an episode, 0 to 1."""
    rejoin: float = 0.0
    """Probability per step that one that has disappeared comes back, 0 to 1."""

    def traced(self) -> "PartnerSchedule":
        """The same numbers as arrays."""
        return PartnerSchedule(*[jnp.asarray(number, jnp.float32) for number in self])  # pyright: ignore

    def problem(self, partners: int) -> str | None:
        """What is wrong with them, and the cure; None if nothing is."""
        for name in ("epsilon", "solo", "leave", "rejoin"):
            values = getattr(self, name)
            if not all(0 <= value <= 1 for value in np.atleast_1d(values)):
                return f"partner_schedule.{name}={values}: choose 0 to 1"
        if len(self.epsilon) not in (1, partners):
            return (
                f"partner_schedule.epsilon={self.epsilon}: give one for all partners, or one for each of the {partners}"
            )
        if len(self.solo) != len(self.solo_steps):
            return (
                f"partner_schedule.solo={self.solo}, solo_steps={self.solo_steps}: give as many of one as of the other"
            )
        if list(self.solo_steps) != sorted(set(self.solo_steps)):
            return f"partner_schedule.solo_steps={self.solo_steps}: let them rise"
        return None


def partner_noise(partner_schedule: PartnerSchedule, partners: int) -> Float[Array, " partners"]:
    """How often each partner errs."""
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
    """The rules of each world of an iteration, worlds as the first axis of every leaf.

    Args:
      rules: of one world.
      company: who is there, traced.
      steps: learner steps taken before the iteration.
      seated: which seats are taken at all.
      learners: how many of the first seats are the learners'; they are always there.
      numbers: which of all worlds these are: the first ones are those without partners.
      worlds: how many there are in all.
    """
    share = jnp.interp(steps, jnp.asarray(partner_schedule.solo_steps), jnp.asarray(partner_schedule.solo))
    drawn = jnp.asarray(partner_schedule.solo_drawn) > 0
    exact = (numbers >= jnp.round(share * worlds)).astype(jnp.float32)
    with_partners = jnp.where(drawn, 1.0 - share, exact)
    is_learner = np.arange(len(seated)) < learners
    present = jnp.where(is_learner, 1.0, with_partners[:, None]) * seated
    batch: Rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(numbers), *x.shape)), rules)
    return batch._replace(present=batch.present * present)


def dropout_of(partner_schedule: PartnerSchedule, learners: int, agents: int) -> Dropout:
    """Partners that come and go; learners stay."""
    partner = np.arange(agents) >= learners
    return Dropout(
        leave=jnp.asarray(partner_schedule.leave) * partner,
        rejoin=jnp.asarray(partner_schedule.rejoin) * partner,
        gone_from=jnp.int32(NEVER),
    )
