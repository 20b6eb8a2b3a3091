"""Social learning in numbers: who took a goal first, how long before, and what company was worth.

Worked out on the host from recorded episodes of a goal cycle. In other worlds, where goals have no order, all
that can be entered are right, and the measures mean the same but for ``cycles``.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from jaxsocial.evaluate.returns import CONFIDENCE, Score

RESAMPLES = 2000
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
NONE = -1
"""Stands where no goal was entered, and where nothing has happened yet."""


class Events(NamedTuple):
    """What everyone did in E episodes of T steps."""

    reward: Float[np.ndarray, "E T A"]
    goal: Int[np.ndarray, "E T A"]
    """The goal entered with this step, -1 where none was."""
    right: Bool[np.ndarray, "E T A"]
    """The goal entered was the next in order; apart from the reward, since a first goal or a mistake may pay 0."""
    present: Bool[np.ndarray, "E T A"]
    """Acted in this step. Where not, as after an episode's end, nothing else in the record counts."""


def measures(
    events: Events, learner: int = 0, partners: tuple[int, ...] = (1, 2), goals: int = 3
) -> dict[str, Float[np.ndarray, " E"]]:
    """What the learner in one seat did beside partners in others, a number for each episode.

    - ``return``: its rewards, summed.
    - ``goals``, ``penalties``: how often it entered a right goal, and a wrong one, whatever that cost.
    - ``cycles``: whole rounds. One is complete when the goal that began it is entered rightly again, so it takes
      ``goals`` right entries after the very first: ``(right entries - 1) // goals``, at least 0. True
      where a mistake leaves the place in the order as it was, so not under ``reset_on_mistake``.
    - ``following``: the share of its right entries that a partner led: some partner entered that goal rightly
      in an earlier step, and no earlier than the step of the learner's last right entry (for the
      first, than the episode's start). A partner more than one goal ahead thus does not lead. NaN without
      right entries. The first goal of an episode counts although any will do.
    - ``lag``: steps from the last such entry of a partner to the learner's own, a mean over the entries that
      were led; NaN where none was.
    - ``following_by_chance``: ``following``, but beside the partners of the next episode (the last takes the
      first's), whom the learner never saw. Busy partners lead by coincidence: two as quick as an independent
      learner lead about half of its entries. What exceeds this value is following, or owed to the layout, which
      partners of another episode do not share. NaN where ``following`` is, and with one episode. Episodes
      should be of one kind and length: partners who stop early lead less.
    """
    if events.goal.max(initial=NONE) >= goals:
        raise ValueError(f"goal {events.goal.max()} was entered and goals={goals}: pass the number of goals there are")
    taken = np.where(events.present & events.right, events.goal, NONE)
    own, others = taken[:, :, learner], taken[:, :, list(partners)]
    wrong = (events.present & ~events.right & (events.goal > NONE))[:, :, learner]
    number = (own > NONE).sum(1)
    following, lag = _following(own, others, goals)
    return {
        "return": np.where(events.present, events.reward, 0.0)[:, :, learner].sum(1, dtype=float),
        "goals": number.astype(float),
        "penalties": wrong.sum(1, dtype=float),
        "cycles": np.maximum((number - 1) // goals, 0).astype(float),
        "following": following,
        "lag": lag,
        "following_by_chance": _following_by_chance(own, others, goals),
    }


def _following(
    own: Int[np.ndarray, "E T"], others: Int[np.ndarray, "E T P"], goals: int
) -> tuple[Float[np.ndarray, " E"], Float[np.ndarray, " E"]]:
    """The share of right entries that were led, and the mean lag of those."""
    led_at = np.full(own.shape, NONE)
    for goal in range(goals):
        led_at = np.where(own == goal, _latest_before((others == goal).any(-1)), led_at)
    since = np.maximum(_latest_before(own > NONE), 0)
    led = led_at >= since
    lag = np.arange(own.shape[1]) - led_at
    return _mean(led, own > NONE), _mean(lag, led)


def _following_by_chance(own: Int[np.ndarray, "E T"], others: Int[np.ndarray, "E T P"], goals: int):
    if len(own) < 2:  # its next episode is itself
        return np.full(len(own), np.nan)
    return _following(own, np.roll(others, -1, axis=0), goals)[0]


def _latest_before(happened: Bool[np.ndarray, "E T"]) -> Int[np.ndarray, "E T"]:
    """The last earlier step in which it happened, -1 where it had not yet."""
    steps = np.where(happened, np.arange(happened.shape[1]), NONE)
    latest = np.maximum.accumulate(steps, axis=1)
    return np.pad(latest, ((0, 0), (1, 0)), constant_values=NONE)[:, :-1]


def _mean(
    values: Num[np.ndarray, "*N T"] | Bool[np.ndarray, "*N T"], counted: Bool[np.ndarray, "*N T"]
) -> Float[np.ndarray, "*N"]:
    """The mean along the last axis of those that count, NaN where none does."""
    number = counted.sum(-1)
    total = np.where(counted, values, 0).sum(-1)
    return np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)


def cultural_transmission(
    full: Float[np.ndarray, "S E"],
    half: Float[np.ndarray, "S E"],
    solo: Float[np.ndarray, "S E"],
    expert: Float[np.ndarray, "S E"],
) -> Score:
    """What an expert's company is worth: 0.5 (full - solo) / expert + 0.5 (half - solo) / expert, of mean returns.

    From the learner's returns with an expert all along, with one that leaves midway, and alone, and from the
    expert's own, by seed and episode (Bhoopchand et al. 2022, arXiv 2203.00715). 0 where company makes no difference,
    1 where who earns nothing alone does as well as the expert, also once that has left. The interval is that of
    `over_seeds`, with the same seeds and episodes drawn of all four; it is wide where the expert's mean is unsure.
    """
    if expert.mean() <= 0:
        raise ValueError(f"expert's mean return {expert.mean():g}: measure by an expert whose mean return is above 0")
    returns = (full, half, solo, expert)
    # From equal seeds come equal draws.
    resampled = [_resampled_means(values, np.random.default_rng(0)).mean(-1) for values in returns]
    low, high = np.quantile(_transmission(*resampled), TAILS)
    return Score(float(_transmission(*[values.mean() for values in returns])), float(low), float(high))


def _transmission(full, half, solo, expert):
    return 0.5 * (full - solo) / expert + 0.5 * (half - solo) / expert


def over_seeds(values: Float[np.ndarray, "S E"]) -> Score:
    """The mean over seeds of the mean over each seed's episodes, with an interval for other seeds and episodes.

    A hierarchical bootstrap, percentiles of 2,000 resamples: seeds are drawn, then episodes of each; with
    one seed it speaks of that seed's episodes only. Few seeds make it narrow: where all is up to the seed, it
    holds the true mean in 85 % of cases with five of them and in 91 % with ten, not 95 %. NaN counts as absent, so a
    seed of NaN alone drops out; all NaN where nothing is known.
    """
    known = values[~np.isnan(values).all(1)]
    if not known.size:
        return Score(np.nan, np.nan, np.nan)
    resampled = _mean_known(_resampled_means(known, np.random.default_rng(0)))
    low, high = np.nanquantile(resampled, TAILS)
    return Score(float(_mean_known(known).mean()), float(low), float(high))


def _resampled_means(values: Float[np.ndarray, "S E"], rng: np.random.Generator) -> Float[np.ndarray, "R S"]:
    """Means over drawn episodes of drawn seeds. One seed's share at a time, since all at once is much memory."""
    seeds, episodes = values.shape
    means = []
    for _ in range(seeds):
        seed = rng.integers(seeds, size=(RESAMPLES, 1))
        episode = rng.integers(episodes, size=(RESAMPLES, episodes))
        means.append(_mean_known(values[seed, episode]))
    return np.stack(means, axis=1)


def _mean_known(values: Float[np.ndarray, "*N T"]) -> Float[np.ndarray, "*N"]:
    return _mean(values, ~np.isnan(values))
