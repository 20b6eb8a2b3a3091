"""Claims about the rows of a figure: orderings and bands of interquartile means over seeds."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import hypergeom, rankdata
from scipy.stats import t as student

from jaxsocial.evaluate.statistics import RESAMPLES, Score, interquartile_mean, middle_mean

SIGNIFICANT = 0.05
"""The level of tests."""

Numbers = Float[np.ndarray, "*resamples seeds"]
Verdicts = Bool[np.ndarray, "*resamples"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was measured for one row, over the seeds of all of its runs."""

    condition: str
    """What was trained."""
    runs: list[str]
    """The name of the run of each seed."""
    seeds: list[int]
    steps: int
    """Learner steps that each seed was trained for, at least."""
    planned_steps: int
    episodes: int
    """Episodes of each seed."""
    learner: list[float | None] | Numbers
    """The row's measure for each seed, a mean over episodes; None where it is not defined."""
    partners: list[float | None] | Numbers
    """The same of the learner's partners."""
    of_partners: bool = False
    """Whether the row is about the partners."""
    alone: bool = False
    """Whether the learner is tested alone."""
    last_good_steps: Mapping[int, int] = dataclasses.field(default_factory=dict)
    """Of seeds whose numbers did not stay finite: the learner steps after which they were."""

    @property
    def is_whole(self) -> bool:
        """Returns whether all seeds were trained to the end."""
        return self.steps >= self.planned_steps

    @property
    def values(self) -> Numbers:
        """Returns what the row is about for each seed, NaN where it is not defined."""
        return np.array(self.partners if self.of_partners else self.learner, float)

    @property
    def mean(self) -> Float[np.ndarray, "*resamples"]:
        """Returns the interquartile mean over seeds."""
        return middle_mean(self.values)

    @property
    def score(self) -> Score:
        """Returns the interquartile mean over seeds with its interval."""
        return interquartile_mean(self.values)

    @property
    def difference(self) -> Numbers:
        """Returns by how much the learner has more than its partners, for each seed."""
        return np.array(self.learner, float) - np.array(self.partners, float)

    def of_seeds(self, seeds: Sequence[int]) -> "Finding":
        """Returns the finding with these seeds only, in this order."""
        index = np.array([self.seeds.index(seed) for seed in seeds], int)
        runs = [self.runs[place] for place in index]
        return dataclasses.replace(self.resampled(index), runs=runs, seeds=list(seeds))

    def resampled(self, index: Int[np.ndarray, "*resamples seeds"]) -> "Finding":
        """Returns the finding with the numbers of the seeds at these indices."""
        learner, partners = (np.array(numbers, float)[index] for numbers in (self.learner, self.partners))
        return dataclasses.replace(self, learner=learner, partners=partners)


class Expectation(NamedTuple):
    """A claim about a row. It does not hold where a number that it needs is not defined."""

    text: str
    test: Callable[[Finding, Mapping[str, Finding]], Verdicts]
    """(the row, all rows by name) -> whether the claim holds."""
    others: tuple[str, ...] = ()
    """The rows that the row is compared with."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Rows of different runs whose seeds belong together. Only seeds that both have count."""

    def holds(self, row: str, found: Mapping[str, Finding]) -> bool:
        """Returns whether the claim holds with all seeds."""
        matched = self._matched(found)
        return bool(self.test(matched[row], matched))

    def how_often(self, row: str, found: Mapping[str, Finding]) -> float | None:
        """Returns the share of bootstrap resamples of the seeds in which the claim holds; None with one seed a row.

        Rows of the same runs are resampled together, and so are `pairs`, so that seeds stay paired; other rows are
        independent.
        """
        matched = self._matched(found)
        rows = {name: matched[name] for name in (row, *self.others)}
        runs = {name: tuple(zip(each.runs, each.seeds, strict=True)) for name, each in rows.items()}
        runs |= {one: runs[other] for one, other in self.pairs}
        if max(map(len, runs.values())) < 2:
            return None
        rng = np.random.default_rng(0)
        index = {own: rng.integers(len(own), size=(RESAMPLES, len(own))) for own in dict.fromkeys(runs.values())}
        resampled = {name: each.resampled(index[runs[name]]) for name, each in rows.items()}
        return float(np.mean(self.test(resampled[row], resampled)))

    def _matched(self, found: Mapping[str, Finding]) -> dict[str, Finding]:
        """Returns the rows, those of `pairs` with the seeds that both have, in the same order."""
        matched = dict(found)
        for pair in self.pairs:
            common = sorted(set.intersection(*(set(found[name].seeds) for name in pair)))
            matched |= {name: found[name].of_seeds(common) for name in pair}
        return matched


def at_most(limit: float) -> Expectation:
    """Claims a mean that is not above a limit."""
    return Expectation(f"at most {limit:g}", lambda row, _: row.mean <= limit)


def above(limit: float) -> Expectation:
    """Claims a mean above a limit."""
    return Expectation(f"above {limit:g}", lambda row, _: row.mean > limit)


def within(low: float, high: float) -> Expectation:
    """Claims a mean between two numbers, both included."""
    return Expectation(f"{low:g} to {high:g}", lambda row, _: (low <= row.mean) & (row.mean <= high))


def more_than(other: str) -> Expectation:
    """Claims a mean above that of another row."""
    return Expectation(f"more than {other}", lambda row, others: row.mean > others[other].mean, (other,))


def times_as_much(other: str, times: float) -> Expectation:
    """Claims a mean above 0 and above a multiple of another row's: twice a loss is no gain."""
    return Expectation(
        f"more than {times:g} times {other}",
        lambda row, others: row.mean > np.maximum(0.0, times * others[other].mean),
        (other,),
    )


def more_often_above(limit: float, other: str) -> Expectation:
    """Claims that more seeds are above a limit than of another row: Fisher's exact test, one-sided at 5 %.

    Ten seeds each find 9 in 10 against 3 in 10 with a probability of 82 %, twenty with 99 %.

    Args:
      limit: the value that counts.
      other: the name of the other row.
    """

    def test(row: Finding, others: Mapping[str, Finding]) -> Verdicts:
        counts = [np.sum(each.values > limit, axis=-1) for each in (row, others[other])]
        sizes = [each.values.shape[-1] for each in (row, others[other])]
        # The number of the row's seeds among all that are above the limit, if both rows were alike.
        return np.asarray(hypergeom.sf(counts[0] - 1, sum(sizes), counts[0] + counts[1], sizes[0]) < SIGNIFICANT)

    return Expectation(f"above {limit:g} in more seeds than {other}", test, (other,))


def between(low: str, high: str) -> Expectation:
    """Claims a mean above one row's and below another's."""
    return Expectation(
        f"between {low} and {high}",
        lambda row, others: (others[low].mean < row.mean) & (row.mean < others[high].mean),
        (low, high),
    )


def about(other: str, within: float = 0.25) -> Expectation:
    """Claims a mean that differs from another row's by at most this share of it."""

    def test(row: Finding, others: Mapping[str, Finding]) -> Verdicts:
        level = others[other].mean
        return np.asarray(np.abs(row.mean - level) <= within * np.abs(level))

    return Expectation(f"within {within:.0%} of {other}", test, (other,))


def below_its_partners(seeds: float = 0.5) -> Expectation:
    """Claims that the learner has less than its partners, in more than this share of seeds."""
    text = f"below its partners in more than {seeds:.0%} of seeds"
    return Expectation(text, lambda row, _: np.mean(row.difference < 0, axis=-1) > seeds)


def below_their_learner(seeds: float = 0.5) -> Expectation:
    """Claims that partners have less than their learner, in more than this share of seeds."""
    text = f"below their learner in more than {seeds:.0%} of seeds"
    return Expectation(text, lambda row, _: np.mean(row.difference > 0, axis=-1) > seeds)


def rises_with(before: Mapping[str, str]) -> Expectation:
    """Claims that what rows show rises with what others show of the same seeds: Spearman's test, one-sided at 5 %.

    Args:
      before: each row to the one that foretells it, seed by seed; their seeds are pooled.
    """

    def test(_: Finding, others: Mapping[str, Finding]) -> Verdicts:
        pooled = [
            np.concatenate([others[name].values for name in names], axis=-1) for names in (before, before.values())
        ]
        ranks = [rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in pooled]
        count, (one, other) = pooled[0].shape[-1], ranks
        spread = np.sqrt((one**2).sum(-1) * (other**2).sum(-1))
        correlation = (one * other).sum(-1) / np.where(spread > 0, spread, np.inf)
        score = correlation * np.sqrt((count - 2) / np.maximum(1 - correlation**2, 1e-12))
        return np.asarray(student.sf(score, count - 2) < SIGNIFICANT)

    names = tuple(dict.fromkeys([*before, *before.values()]))
    text = f"rises with {' and '.join(dict.fromkeys(before.values()))}"
    return Expectation(text, test, names, tuple(before.items()))


def all_of(*each: Expectation) -> Expectation:
    """Claims two or more things at once."""
    text = ", and ".join(one.text for one in each)
    names, pairs = (tuple(item for one in each for item in getattr(one, field)) for field in ("others", "pairs"))

    def test(row: Finding, others: Mapping[str, Finding]) -> Verdicts:
        return np.asarray(np.logical_and.reduce([one.test(row, others) for one in each]))

    return Expectation(text, test, names, pairs)
