"""What should come out, each as a test of what does: orderings and bands of interquartile means over seeds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxsocial.reproduce.findings import Findings


class Expectation(NamedTuple):
    """A claim about a row, and whether the findings bear it out. Numbers that are not known do not."""

    text: str
    holds: Callable[[str, Findings], bool]
    others: tuple[str, ...] = ()
    """The rows that it is compared with."""


def at_most(limit: float) -> Expectation:
    """Not above a limit."""
    return Expectation(f"at most {limit:g}", lambda row, found: found.score(row).mean <= limit)


def above(limit: float) -> Expectation:
    """Above a limit."""
    return Expectation(f"above {limit:g}", lambda row, found: found.score(row).mean > limit)


def within(low: float, high: float) -> Expectation:
    """From one number to another."""
    return Expectation(f"{low:g} to {high:g}", lambda row, found: low <= found.score(row).mean <= high)


def more_than(other: str) -> Expectation:
    """Above another row."""
    return Expectation(
        f"more than {other}", lambda row, found: found.score(row).mean > found.score(other).mean, (other,)
    )


def times_as_much(other: str, times: float) -> Expectation:
    """Above so many times another row's value, and above nothing: twice a loss is no gain."""
    return Expectation(
        f"more than {times:g} times {other}",
        lambda row, found: found.score(row).mean > np.maximum(0.0, times * found.score(other).mean),
        (other,),
    )


def between(low: str, high: str) -> Expectation:
    """Above one row and below another."""
    return Expectation(
        f"between {low} and {high}",
        lambda row, found: found.score(low).mean < found.score(row).mean < found.score(high).mean,
        (low, high),
    )


def about(other: str, within: float = 0.25) -> Expectation:
    """Off another row's value by no more than this share of it."""

    def holds(row: str, found: Findings) -> bool:
        level = found.score(other).mean
        return abs(found.score(row).mean - level) <= within * abs(level)

    return Expectation(f"within {within:.0%} of {other}", holds, (other,))


def below_its_partners(seeds: float = 0.5) -> Expectation:
    """Less than those beside it, in more than this share of seeds: of what costs."""
    text = f"below its partners in more than {seeds:.0%} of seeds"
    return Expectation(text, lambda row, found: bool(np.mean(_own(row, found) < _partners(row, found)) > seeds))


def below_their_learner(seeds: float = 0.5) -> Expectation:
    """Of a row about partners: less than the learner beside them, in more than this share of seeds."""
    text = f"below their learner in more than {seeds:.0%} of seeds"
    return Expectation(text, lambda row, found: bool(np.mean(_partners(row, found) < _own(row, found)) > seeds))


def all_of(*each: Expectation) -> Expectation:
    """Two or more at once."""
    text = ", and ".join(one.text for one in each)
    others = tuple(name for one in each for name in one.others)
    return Expectation(text, lambda row, found: all(one.holds(row, found) for one in each), others)


def _own(row: str, found: Findings) -> np.ndarray:
    return found.rows[row].values(found.rows[row].measure)


def _partners(row: str, found: Findings) -> np.ndarray:
    return found.rows[row].values(found.rows[row].measure, of_partners=True)
