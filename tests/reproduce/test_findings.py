"""Numbers over seeds, and results.json."""

import json

import numpy as np
import pytest

from jaxsocial.reproduce import findings
from tests.reproduce import made_up


def test_a_row_is_about_its_measure_and_perhaps_its_partners():
    row = made_up.finding([1, 2, None], partners=[7, 8, 9])
    np.testing.assert_array_equal(row.values("lag"), [1, 2, np.nan])
    found = made_up.findings({"own": row, "theirs": made_up.finding([1], partners=[7], of_partners=True)})
    assert found.score("own").mean == 1.5
    assert found.score("theirs").mean == 7
    assert np.isnan(row.values("lag", of_partners=True)).all()


def test_a_ratio_is_of_two_measures_and_unknown_where_one_is():
    numbers = {"penalties": [1.0, 2.0, None, 0.0], "goals": [2.0, 0.0, 1.0, 4.0]}
    row = findings.Finding("it", 100, [findings.Part("it-0", "0", 1, 1, [0, 1, 2, 3], numbers, {})])
    np.testing.assert_array_equal(row.values("penalties_per_goal"), [0.5, np.nan, np.nan, 0.0])
    assert np.isnan(row.values("penalties_per_goal", of_partners=True)).all()


def test_results_are_read_as_they_were_written(tmp_path):
    found = made_up.findings({"own": [1.0, None]}, {"own": made_up.curve([1, 2])})
    findings.write(found, tmp_path)
    assert findings.read(tmp_path) == found
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert json.loads((tmp_path / "results.json").read_text())["rows"]["own"]["parts"][0]["measures"]["return"] == [
        1.0,
        None,
    ]


def test_where_nothing_was_found_there_is_a_cure(tmp_path):
    with pytest.raises(ValueError, match="does not exist: leave --report out"):
        findings.read(tmp_path)
