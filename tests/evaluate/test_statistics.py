"""Means and their bootstrap intervals: definitions, missing values, and coverage of the true mean."""

import numpy as np
import pytest
from scipy import stats

from jaxsocial.evaluate.statistics import interquartile_mean, masked_mean, mean_over_seeds, middle_mean, score


def test_the_interquartile_mean_omits_a_quarter_at_either_end():
    assert interquartile_mean(np.array([100.0, 2.0, 3.0, 4.0, -50.0])).mean == pytest.approx(3)
    assert interquartile_mean(np.arange(8.0)).mean == pytest.approx(stats.trim_mean(np.arange(8.0), 0.25)) == 3.5


def test_its_interval_contains_the_true_mean_about_as_often_as_stated():
    rng = np.random.default_rng(0)
    held = [score.low <= 5 <= score.high for score in (interquartile_mean(rng.normal(5, 2, 20)) for _ in range(200))]
    assert 0.85 <= np.mean(held) <= 0.99


def test_one_seed_and_equal_seeds_have_zero_width_and_no_seed_is_nan():
    assert interquartile_mean(np.array([2.0])) == (2, 2, 2)
    assert interquartile_mean(np.full(5, 3.0)) == (3, 3, 3)
    assert interquartile_mean(np.array([np.nan, 4.0])) == (4, 4, 4)
    assert np.isnan(interquartile_mean(np.array([np.nan]))).all()


def test_without_its_interval_it_is_the_same_mean():
    for values in ([100.0, 2.0, 3.0, 4.0, -50.0], [1.0, np.nan, 4.0], [2.0]):
        assert middle_mean(np.array(values)) == interquartile_mean(np.array(values)).mean
    assert np.isnan(middle_mean(np.array([np.nan])))


def holds(interval, truth):
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize(("between", "within"), [(2.0, 1.0), (1.0, 2.0)])
def test_intervals_over_seeds_contain_the_true_mean(between, within):
    rng = np.random.default_rng(1)
    drawn = 3 + between * rng.normal(size=(100, 16, 1)) + within * rng.normal(size=(100, 16, 8))
    assert 85 <= sum(holds(mean_over_seeds(values), 3) for values in drawn) <= 100
    # As episodes of one seed, the same values have an interval that is too narrow.
    assert sum(holds(mean_over_seeds(values.reshape(1, -1)), 3) for values in drawn) < 85


def test_one_seed_has_the_bootstrap_interval_of_its_episodes():
    values = np.random.default_rng(2).normal(size=100)
    np.testing.assert_allclose(mean_over_seeds(values[None]), score(values), atol=0.02)


def test_seeds_have_equal_weight_and_nan_is_absent():
    values = np.array([[1.0, 3.0, np.nan, np.nan], [5.0, 6.0, 7.0, 6.0], [np.nan] * 4])
    got = mean_over_seeds(values)
    assert got.mean == pytest.approx((2 + 6) / 2)
    assert got == mean_over_seeds(values[:2])
    assert 1 <= got.low < got.mean < got.high <= 7
    assert mean_over_seeds(np.full((2, 3), 4.0)) == (4, 4, 4)
    assert np.isnan(mean_over_seeds(np.full((2, 3), np.nan))).all()


def test_a_masked_mean_is_nan_where_nothing_counts():
    values, mask = np.array([[1.0, 2.0, 6.0], [1.0, 2.0, 6.0]]), np.array([[True, False, True], [False] * 3])
    np.testing.assert_array_equal(masked_mean(values, mask), [3.5, np.nan])
    np.testing.assert_array_equal(masked_mean(np.where(mask, values, np.nan)), [3.5, np.nan])
