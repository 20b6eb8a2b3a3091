"""Every claim can hold, and can fail."""

import dataclasses

import pytest
from scipy.stats import fisher_exact, spearmanr

from jaxsocial.reproduce import claims
from tests.reproduce import made_up


def held(expectation, own, others=None, partners=None):
    rows = {"own": made_up.finding(own, partners)} | (others or {})
    return expectation.holds("own", rows)


@pytest.mark.parametrize(
    ("expectation", "good", "bad"),
    [
        (claims.at_most(1.5), [1.5, 1.5], [1.6, 1.6]),
        (claims.above(1.5), [1.6, 1.6], [1.5, 1.5]),
        (claims.more_than("low"), [2.1, 2.1], [2.0, 2.0]),
        (claims.times_as_much("low", 2.0), [4.1, 4.1], [4.0, 3.9]),
        (claims.times_as_much("loss", 2.0), [0.1, 0.1], [-1.0, -0.1]),
        (claims.within(15.0, 20.0), [15.0, 15.0], [14.9, 14.9]),
        (claims.within(15.0, 20.0), [20.0, 20.0], [20.1, 20.1]),
        (claims.between("low", "high"), [3.0, 3.0], [8.5, 8.5]),
        (claims.between("low", "high"), [3.0, 3.0], [1.5, 1.5]),
        (claims.about("high", within=0.25), [6.1, 9.9], [5.9, 5.9]),
        (claims.about("high", within=0.25), [6.1, 9.9], [10.1, 10.1]),
        (claims.all_of(claims.at_most(5.0), claims.more_than("low")), [3.0], [1.0]),
        (claims.all_of(claims.at_most(5.0), claims.more_than("low")), [3.0], [6.0]),
    ],
)
def test_orderings_and_bands(expectation, good, bad):
    others = {"low": made_up.finding([2.0]), "high": made_up.finding([8.0]), "loss": made_up.finding([-1.0])}
    assert held(expectation, good, others)
    assert not held(expectation, bad, others)


@pytest.mark.parametrize("seeds", [[1.0], [1.0, 1.0, 1.0]])
def test_rows_of_any_number_of_seeds_can_be_compared(seeds):
    """A row of many seeds can be compared with a row of one."""
    own, low = made_up.finding([3.0]), made_up.finding([2.0 * seed for seed in seeds])
    both = claims.all_of(claims.at_most(5.0), claims.more_than("low"))
    sure = both.how_often("own", {"own": own, "low": low})
    assert sure == (1.0 if len(seeds) > 1 else None), "nothing is resampled of one seed each"


def test_most_seeds_beat_their_partners():
    assert held(claims.below_its_partners(), [1, 1, 5], partners=[4, 4, 4])
    assert not held(claims.below_its_partners(), [1, 5, 5], partners=[4, 4, 4])
    assert held(claims.below_their_learner(), [5, 5, 0], partners=[4, 4, 4])
    assert not held(claims.below_their_learner(), [5, 0, 0], partners=[4, 4, 4])
    # Half of the seeds are not most.
    assert not held(claims.below_their_learner(), [5, 0], partners=[4, 4])


@pytest.mark.parametrize(
    ("own", "other", "significant"),
    [(9, 3, True), (9, 5, False), (9, 4, True), (3, 0, False), (4, 0, True), (3, 9, False)],
)
def test_more_seeds_leave_by_fishers_exact_test(own, other, significant):
    rows = [made_up.finding([8.0] * count + [1.0] * (10 - count)) for count in (own, other)]
    assert held(claims.more_often_above(3.0, "other"), rows[0].learner, {"other": rows[1]}) == significant
    table = [[own, 10 - own], [other, 10 - other]]
    assert (fisher_exact(table, "greater").pvalue < 0.05) == significant


@pytest.mark.parametrize(
    "after", [[1.0, 1.0, 6.0, 7.0], [7.0, 6.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [2.0, 1.0, 8.0, 3.0]]
)
def test_a_skill_is_foretold_by_spearmans_test_over_pooled_seeds(after):
    before = [0.9, 1.0, 3.0, 4.0]
    rows = {"a": after, "b": [each + 0.1 for each in after], "a before": before, "b before": before}
    found = {name: made_up.finding(values) for name, values in rows.items()}
    claim = claims.rises_with({"a": "a before", "b": "b before"})
    expected = spearmanr(rows["a"] + rows["b"], before + before, alternative="greater").pvalue < 0.05
    assert claim.holds("a", found) == expected


def test_pairs_of_different_runs_stay_paired_and_only_common_seeds_count():
    before, after = [float(seed) for seed in range(12)], [2.0 * seed for seed in range(12)]
    rows = {"before": made_up.finding(before, runs=["a"] * 12), "after": made_up.finding(after, runs=["b"] * 12)}
    claim = claims.rises_with({"after": "before"})
    assert claim.how_often("after", rows) > 0.95
    fewer = rows | {"after": made_up.finding(after[:10], runs=["b"] * 10)}
    assert claim.holds("after", fewer)
    assert claim.how_often("after", fewer) > 0.95


def test_one_lucky_seed_does_not_move_the_interquartile_mean():
    assert not held(claims.above(1.5), [1, 1, 1, 1, 20])


def test_an_undefined_number_does_not_hold():
    for expectation in (claims.at_most(9.0), claims.above(-9.0), claims.below_their_learner()):
        assert not held(expectation, [None, None])
    unknown = {"other": made_up.finding([None])}
    for expectation in (claims.more_than("other"), claims.times_as_much("other", 2.0)):
        assert not held(expectation, [9.0, 9.0], unknown)


@pytest.mark.parametrize("other", [[1.0], [3.0]])
def test_a_row_about_partners_is_compared_by_its_partners(other):
    experts = made_up.finding([0.0], partners=other, of_partners=True)
    assert held(claims.more_than("experts"), [2.0], {"experts": experts}) == (other == [1.0])


def how_often(expectation, own, others=None, partners=None):
    rows = {"own": made_up.finding(own, partners)} | (others or {})
    return expectation.how_often("own", rows)


def test_the_share_of_resamples_says_how_sure_a_claim_is():
    assert how_often(claims.above(1.5), [2, 2, 2]) == 1.0
    assert how_often(claims.above(1.5), [1, 1, 1]) == 0.0
    # Only where the good one is never drawn, or once, does its mean stay below: (2/3)^3 + 3 (1/3) (2/3)^2 = 20/27.
    assert how_often(claims.above(1.5), [0, 0, 3]) == pytest.approx(7 / 27, abs=0.03)
    assert how_often(claims.at_most(1.5), [0, 0, 3]) == pytest.approx(20 / 27, abs=0.03)


def test_rows_of_the_same_runs_are_resampled_together_and_others_independently():
    own, other = [1, 2, 3], made_up.finding([0.5, 1.5, 2.5])
    assert how_often(claims.more_than("other"), own, {"other": other}) == 1.0, "each seed is above itself"
    apart = dataclasses.replace(other, runs=["other-0"] * 3)
    assert 0.6 < how_often(claims.more_than("other"), own, {"other": apart}) < 0.9


def test_rows_of_many_runs_are_compared_with_rows_of_few():
    runs = [f"own-{batch}" for batch in (0, 0, 1, 1, 2, 2)]
    rows = {"own": made_up.finding([3.0, 4.0] * 3, runs=runs), "low": made_up.finding([2.0, 3.6])}
    sure = claims.more_than("low").how_often("own", rows)
    # The lower row's mean is 3.6 in a quarter of its resamples; of the other's 64, 22 have their middle above that.
    assert sure == pytest.approx(0.75 + 0.25 * 22 / 64, abs=0.03)


def test_a_single_seed_is_not_resampled():
    low = {"low": made_up.finding([2.0])}
    assert how_often(claims.more_than("low"), [3.0], low) is None
    assert how_often(claims.more_than("low"), [0, 0, 9], low) == pytest.approx(19 / 27, abs=0.03)


def test_resamples_keep_a_seed_paired_with_its_partners():
    assert how_often(claims.below_its_partners(), [1, 2, 3], partners=[2, 3, 4]) == 1.0
    assert how_often(claims.below_its_partners(), [1, 2, 9], partners=[2, 3, 4]) == pytest.approx(20 / 27, abs=0.03)


def test_resamples_of_what_is_not_known_do_not_hold():
    assert how_often(claims.at_most(9.0), [None, None]) == 0.0
    assert how_often(claims.at_most(9.0), [1.0, None, None]) == pytest.approx(19 / 27, abs=0.03)
