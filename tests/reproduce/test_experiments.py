"""Experiments refuse in a line what they cannot show."""

import sys

import pytest

from experiments import orders, pretrained


@pytest.mark.parametrize(
    ("experiment", "argument", "remedy"),
    [
        (orders, "pretrained:solo", "its learner was trained alone; choose a run with partners"),
        (pretrained, "sociopl", "learner 'sociopl' is unknown: choose from sociapl, sociapl_counterclockwise"),
    ],
)
def test_a_refusal_is_one_line(experiment, argument, remedy, monkeypatch):
    monkeypatch.setattr(sys, "argv", [experiment.__name__, argument])
    with pytest.raises(SystemExit, match=remedy) as refused:
        experiment.main()
    assert "\n" not in str(refused.value)
