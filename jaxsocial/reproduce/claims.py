"""What should come out, each as a test of what does: orderings and bands of interquartile means over seeds."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxsocial.evaluate.statistics import middle_mean
from jaxsocial.reproduce.findings import Findings

RESAMPLES = 2000

Numbers = Float[np.ndarray, "*resamples seeds"]
Verdicts = Bool[np.ndarray, "*resamples"]


class Values(NamedTuple):
    """What one row came to: numbers for each seed, NaN where there is none; or for each of many resamples of seeds."""

    row: Numbers
    """What the row is about."""
    own: Numbers
    """Its measure, of the learner."""
    partners: Numbers
    """The same of its partners."""

    @property
    def mean(self) -> Float[np.ndarray, "*resamples"]:
        """The interquartile mean of what the row is about."""
        return middle_mean(self.row)

    def drawn(self, places: Int[np.ndarray, "*resamples seeds"]) -> "Values":
        """Of the seeds at these places."""
        return Values(*(values[places] for values in self))


class Expectation(NamedTuple):
    """A claim about a row, and whether the findings bear it out. Numbers that are not known do not."""

    text: str
    test: Callable[[Values, Mapping[str, Values]], Verdicts]
    """(the row, others by name) -> whether it holds."""
    others: tuple[str, ...] = ()
    """The rows that it is compared with."""

    def holds(self, row: str, found: Findings) -> bool:
        """Whether it does with all seeds that there are."""
        return bool(self.test(_values(row, found), {name: _values(name, found) for name in self.others}))

    def how_often(self, row: str, found: Findings) -> float | None:
        """The share of bootstrap resamples of the seeds in which it holds; None where no row has more than one seed.

        Rows of the same runs are resampled together, so that seeds stay beside themselves; others independently.
        """
        values = {name: _values(name, found) for name in (row, *self.others)}
        runs = {name: tuple((part.run, *part.seeds) for part in found.rows[name].parts) for name in values}
        sizes = {runs[name]: each.row.size for name, each in values.items()}
        if max(sizes.values()) < 2:
            return None
        rng = np.random.default_rng(0)
        places = {own: rng.integers(size, size=(RESAMPLES, size)) for own, size in sizes.items()}
        resampled = {name: each.drawn(places[runs[name]]) for name, each in values.items()}
        return float(np.mean(self.test(resampled[row], resampled)))


def _values(row: str, found: Findings) -> Values:
    finding = found.rows[row]
    own, partners = (finding.values(finding.measure, of_partners) for of_partners in (False, True))
    return Values(partners if finding.of_partners else own, own, partners)


def at_most(limit: float) -> Expectation:
    """Not above a limit."""
    return Expectation(f"at most {limit:g}", lambda row, _: row.mean <= limit)


def above(limit: float) -> Expectation:
    """Above a limit."""
    return Expectation(f"above {limit:g}", lambda row, _: row.mean > limit)


def within(low: float, high: float) -> Expectation:
    """From one number to another."""
    return Expectation(f"{low:g} to {high:g}", lambda row, _: (low <= row.mean) & (row.mean <= high))


def more_than(other: str) -> Expectation:
    """Above another row."""
    return Expectation(f"more than {other}", lambda row, others: row.mean > others[other].mean, (other,))


def times_as_much(other: str, times: float) -> Expectation:
    """Above so many times another row's value, and above nothing: twice a loss is no gain."""
    return Expectation(
        f"more than {times:g} times {other}",
        lambda row, others: row.mean > np.maximum(0.0, times * others[other].mean),
        (other,),
    )


def between(low: str, high: str) -> Expectation:
    """Above one row and below another."""
    return Expectation(
        f"between {low} and {high}",
        lambda row, others: (others[low].mean < row.mean) & (row.mean < others[high].mean),
        (low, high),
    )


def about(other: str, within: float = 0.25) -> Expectation:
    """Off another row's value by no more than this share of it."""

    def test(row: Values, others: Mapping[str, Values]) -> Verdicts:
        level = others[other].mean
        return np.asarray(np.abs(row.mean - level) <= within * np.abs(level))

    return Expectation(f"within {within:.0%} of {other}", test, (other,))


def below_its_partners(seeds: float = 0.5) -> Expectation:
    """Less than those beside it, in more than this share of seeds: of what costs."""
    text = f"below its partners in more than {seeds:.0%} of seeds"
    return Expectation(text, lambda row, _: np.mean(row.own < row.partners, axis=-1) > seeds)


def below_their_learner(seeds: float = 0.5) -> Expectation:
    """Of a row about partners: less than the learner beside them, in more than this share of seeds."""
    text = f"below their learner in more than {seeds:.0%} of seeds"
    return Expectation(text, lambda row, _: np.mean(row.partners < row.own, axis=-1) > seeds)


def all_of(*each: Expectation) -> Expectation:
    """Two or more at once."""
    text = ", and ".join(one.text for one in each)
    names = tuple(name for one in each for name in one.others)
    return Expectation(text, lambda row, others: np.logical_and.reduce([one.test(row, others) for one in each]), names)
