"""Experiments outside the figures: what they print, and what they refuse."""

import sys

import pytest

from experiments import larger_room, orders, pretrained
from jaxsocial.sweep import table


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


def test_the_larger_room_s_table_counts_the_seeds_that_escaped(tmp_path, monkeypatch, capsys):
    for agents, ends in ((3, [9.5, 3.0]), (1, [1.0, 0.5])):
        rows = [
            {"setting": 0, "seed": seed, "learner": 0, "step": step, "return": end, "evaluation.return": end}
            | {"sizes.prediction": "symbols", "world.agents": agents}
            for step in (100, 200)
            for seed, end in enumerate(ends if step == 200 else [0.1, 20.0], start=7)
        ]
        table.write_part(tmp_path / "sweep", f"item{agents}.batch-0-2", 200, rows)
    monkeypatch.setattr(sys, "argv", ["larger_room", str(tmp_path / "sweep"), "--out", str(tmp_path / "room")])
    larger_room.main()
    assert capsys.readouterr().out.splitlines() == [
        "| condition | 7 | 8 | escaped |",
        "| --- | ---: | ---: | ---: |",
        "| SociAPL | 9.5 | 3.0 | 1 of 2 |",
        "| solo SociAPL | 1.0 | 0.5 | 0 of 2 |",
    ]
    assert (tmp_path / "room.png").is_file()
    assert len((tmp_path / "room.csv").read_text().splitlines()) == 1 + 8
    table.write_part(tmp_path / "sweep", "other.batch-0-1", 200, [rows[0] | {"sizes.prediction": "frame"}])
    with pytest.raises(SystemExit, match=r"\('frame', 1\) is no condition here: choose from"):
        larger_room.main()
