"""Measures of social learning: who entered a goal first, how long before, and how much partners improve returns.

They are computed on the host from recorded episodes of a goal cycle. In worlds whose goals have no order, every goal
is right; all measures except ``cycles`` mean the same there.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxsocial.evaluate.statistics import TAILS, Score, hierarchical_resamples, masked_mean

NONE = -1
"""Stands for "no goal" and for "not yet"."""


class Events(NamedTuple):
    """Rewards and goals of every agent in E episodes of T steps."""

    reward: Float[np.ndarray, "E T A"]
    goal: Int[np.ndarray, "E T A"]
    """The goal entered in this step, -1 for none."""
    right: Bool[np.ndarray, "E T A"]
    """The goal entered was the next in order. The reward does not tell: a first goal or a mistake may pay 0."""
    present: Bool[np.ndarray, "E T A"]
    """Acted in this step. Where false, as after an episode's end, no other field counts."""


def measures(
    events: Events, learner: int = 0, partners: tuple[int, ...] = (1, 2), goals: int = 3
) -> dict[str, Float[np.ndarray, " E"]]:
    """Computes measures of one learner beside partners, one value for each episode.

    Args:
      events: what every agent did.
      learner: the learner's seat.
      partners: the seats of its partners.
      goals: the number of goals in the world.

    Returns:
      A dictionary by name:

      - ``return``: the sum of its rewards.
      - ``goals``, ``penalties``: how often it entered a right goal and a wrong one, whatever the penalty.
      - ``cycles``: complete rounds, ``max((right entries - 1) // goals, 0)``. A round is complete when its first goal
        is entered rightly again. Exact if a mistake keeps the position in the order, so not under
        ``reset_on_mistake``.
      - ``following``: the share of its right entries that a partner led. A partner leads if it entered that goal
        rightly in an earlier step, and no earlier than the step of the learner's last right entry (or than the
        episode's start). So a partner more than one goal ahead does not lead. The first goal of an episode
        counts although any goal is right. NaN without right entries.
      - ``lag``: mean number of steps from the last such entry of a partner to the learner's own, over entries that
        were led; NaN if none was.
      - ``following_by_chance``: ``following`` computed with the partners of the next episode (the last takes the
        first's), whom the learner never saw. Busy partners lead by coincidence: two as quick as an independent learner
        lead about half of its entries. ``following`` above this value is due to following, or to the layout, which
        partners of another episode do not share. NaN where ``following`` is, and with one episode. Use
        episodes of one kind and length: partners that stop early lead less.

    Raises:
      ValueError: a goal beyond ``goals`` was entered.

    >>> goal = np.array([[[-1, 0], [0, -1], [-1, -1], [-1, 1], [-1, -1], [1, -1]]])
    >>> events = Events((goal >= 0).astype(float), goal, goal >= 0, np.ones(goal.shape, bool))
    >>> found = measures(events, partners=(1,), goals=2)
    >>> [found[name].item() for name in ("return", "goals", "following", "lag")]
    [2.0, 2.0, 1.0, 1.5]
    """
    if events.goal.max(initial=NONE) >= goals:
        raise ValueError(f"goal {events.goal.max()} was entered and goals={goals}: pass the number of goals there are")
    taken = np.where(events.present & events.right, events.goal, NONE)
    own, others = taken[:, :, learner], taken[:, :, list(partners)]
    wrong = (events.present & ~events.right & (events.goal > NONE))[:, :, learner]
    count = (own > NONE).sum(1)
    following, lag = _following(own, others, goals)
    by_chance = np.full(len(own), np.nan)
    if len(own) > 1:  # else the next episode is the same one
        by_chance, _ = _following(own, np.roll(others, -1, axis=0), goals)
    return {
        "return": np.where(events.present, events.reward, 0.0)[:, :, learner].sum(1, dtype=float),
        "goals": count.astype(float),
        "penalties": wrong.sum(1, dtype=float),
        "cycles": np.maximum((count - 1) // goals, 0).astype(float),
        "following": following,
        "lag": lag,
        "following_by_chance": by_chance,
    }


def _following(
    own: Int[np.ndarray, "E T"], others: Int[np.ndarray, "E T P"], goals: int
) -> tuple[Float[np.ndarray, " E"], Float[np.ndarray, " E"]]:
    """Computes the share of right entries that were led, and their mean lag in steps."""
    leading = leading_entry(own, others, goals)
    lag = np.arange(own.shape[1]) - leading
    return masked_mean(leading > NONE, own > NONE), masked_mean(lag, leading > NONE)


def leading_entry(own: Int[np.ndarray, "E T"], others: Int[np.ndarray, "E T P"], goals: int) -> Int[np.ndarray, "E T"]:
    """Returns the step of the partner's entry that led each right entry of a learner, -1 where there is none.

    It is the latest entry of any partner into the same goal, if `measures` counts it as leading.

    >>> own, other = np.array([[-1, -1, 0, -1, 1]]), np.array([[[0], [-1], [-1], [-1], [1]]])
    >>> leading_entry(own, other, goals=2)
    array([[-1, -1,  0, -1, -1]])

    Args:
      own: the goal that the learner entered rightly in each step, -1 for none.
      others: those of its partners.
      goals: the number of goals in the world.
    """
    led_at = np.full(own.shape, NONE)
    for goal in range(goals):
        led_at = np.where(own == goal, _latest_before((others == goal).any(-1)), led_at)
    # At least 0, and `led_at` is -1 where nobody led: only entries can be led.
    since = np.maximum(_latest_before(own > NONE), 0)
    return np.where(led_at >= since, led_at, NONE)


def _latest_before(happened: Bool[np.ndarray, "E T"]) -> Int[np.ndarray, "E T"]:
    """Returns the last earlier step in which it happened, -1 if it had not."""
    steps = np.where(happened, np.arange(happened.shape[1]), NONE)
    latest = np.maximum.accumulate(steps, axis=1)
    return np.pad(latest, ((0, 0), (1, 0)), constant_values=NONE)[:, :-1]


def cultural_transmission(
    full: Float[np.ndarray, "S E"],
    half: Float[np.ndarray, "S E"],
    solo: Float[np.ndarray, "S E"],
    expert: Float[np.ndarray, "S E"],
) -> Score:
    """Computes 0.5 (full - solo) / expert + 0.5 (half - solo) / expert of mean returns (Bhoopchand et al. 2022).

    See arXiv 2203.00715. The score is 0 if the expert makes no difference. It is 1 if a learner that earns nothing
    alone does as well as the expert, even after the expert has left. The interval is that of `mean_over_seeds`, with
    the same seeds and episodes drawn of all four; it is wide if the expert's mean is uncertain.

    Args:
      full: the learner's returns with an expert in the whole episode.
      half: its returns with an expert that leaves midway.
      solo: its returns alone.
      expert: the expert's own returns.

    Raises:
      ValueError: the expert's mean return is not above 0.

    >>> returns = [np.full((2, 3), value) for value in (20.0, 10.0, 2.0, 25.0)]
    >>> print(cultural_transmission(*returns))
    0.52 [0.52, 0.52]
    """
    if expert.mean() <= 0:
        raise ValueError(f"expert's mean return {expert.mean():g}: measure by an expert whose mean return is above 0")
    returns = (full, half, solo, expert)
    low, high = np.quantile(_transmission(*[hierarchical_resamples(values).mean(-1) for values in returns]), TAILS)
    return Score(float(_transmission(*[values.mean() for values in returns])), float(low), float(high))


def _transmission(full, half, solo, expert):
    return 0.5 * (full - solo) / expert + 0.5 * (half - solo) / expert
