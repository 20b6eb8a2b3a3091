"""Numbers over seeds, and results.json."""

import json

import numpy as np
import pytest
from scipy import stats

from jaxsocial.reproduce import findings
from jaxsocial.reproduce.findings import interquartile_mean
from tests.reproduce import made_up


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert interquartile_mean(np.array([100.0, 2.0, 3.0, 4.0, -50.0])).mean == pytest.approx(3)
    assert interquartile_mean(np.arange(8.0)).mean == pytest.approx(stats.trim_mean(np.arange(8.0), 0.25)) == 3.5


def test_its_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [score.low <= 5 <= score.high for score in (interquartile_mean(rng.normal(5, 2, 20)) for _ in range(200))]
    assert 0.85 <= np.mean(held) <= 0.99


def test_one_seed_and_equal_seeds_have_no_width_and_no_seed_no_value():
    assert interquartile_mean(np.array([2.0])) == (2, 2, 2)
    assert interquartile_mean(np.full(5, 3.0)) == (3, 3, 3)
    assert interquartile_mean(np.array([np.nan, 4.0])) == (4, 4, 4)
    assert np.isnan(interquartile_mean(np.array([np.nan]))).all()


def test_a_row_is_about_its_measure_and_perhaps_its_partners():
    row = made_up.finding([1, 2, None], partners=[7, 8, 9])
    np.testing.assert_array_equal(row.values("lag"), [1, 2, np.nan])
    found = made_up.findings({"own": row, "theirs": made_up.finding([1], partners=[7], of_partners=True)})
    assert found.score("own").mean == 1.5
    assert found.score("theirs").mean == 7
    assert np.isnan(row.values("lag", of_partners=True)).all()


def test_results_are_read_as_they_were_written(tmp_path):
    found = made_up.findings({"own": [1.0, None]}, {"own": made_up.curve([1, 2])})
    findings.write(found, tmp_path)
    assert findings.read(tmp_path) == found
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert json.loads((tmp_path / "results.json").read_text())["rows"]["own"]["measures"]["return"] == [1.0, None]


def test_where_nothing_was_found_there_is_a_cure(tmp_path):
    with pytest.raises(ValueError, match="does not exist: leave --report out"):
        findings.read(tmp_path)
