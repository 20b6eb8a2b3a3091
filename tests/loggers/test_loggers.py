"""Metrics for other programs: every point once, with its config, whether a run is whole or was resumed."""

import json
import shutil
import sys
from typing import ClassVar

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest

from jaxsocial.cli.parsing import parse
from jaxsocial.evaluate import returns
from jaxsocial.evaluate.statistics import Score
from jaxsocial.loggers import destinations, send
from jaxsocial.loggers.export import export
from jaxsocial.loggers.series import series_of
from jaxsocial.sweep import command, table
from jaxsocial.training import metrics
from jaxsocial.training.folder import write_config
from tests import runs
from tests.sweep.tiny import tiny


class Recorder(destinations.Destination):
    """A destination that keeps what it receives."""

    library = "json"
    received: ClassVar[list] = []

    def __init__(self, series, folder, project):
        self._name = series.name
        self.received.append((series.name, "config", series.config["rules.penalty"]))

    def numbers(self, step, values):
        self.received.append((self._name, step, values["loss"]))

    def close(self, series):
        self.received.append((self._name, "closed", tuple(series.results)))


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(Recorder, "received", [])
    monkeypatch.setitem(destinations.DESTINATIONS, "recorder", Recorder)
    return Recorder.received


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run of seeds 4 and 5, made by hand."""
    folder = tmp_path / "made" / "run"
    folder.mkdir(parents=True)
    config = parse(["train", *runs.TINY, "--total-steps", "192", "--seeds", "2", "--seed", "4"]).config
    write_config(config, folder / "config.json")
    for step in (64, 128, 192):
        values = {"loss": np.full((2, 1, 1), 1 / step), "social_return": np.full((2, 1, 1), step / 64)}
        metrics.write_rows(values, [config], [folder], step)
    score = Score(2.0, 1.0, 3.0)
    results = [returns.Result("learner", seed, 16, score, score, score) for seed in (4, 5)]
    (folder / "evaluation.json").write_text(json.dumps(returns.plain(results)))
    for name in ("learning_curve.png", "episode.gif"):
        imageio.imwrite(folder / name, np.zeros((8, 8, 3), np.uint8))
    return folder


def test_a_run_has_a_series_for_each_seed(run):
    one, other = series_of(run)
    assert (one.name, other.name, one.group) == ("seed4", "seed5", "run")
    assert [step for step, _ in one.points] == [64, 128, 192]
    assert one.points[0][1]["loss"] == metrics.read(run / "metrics.jsonl")[0]["loss"]
    assert sorted(one.pictures) == ["episode", "learning_curve"]
    assert other.pictures == {}
    assert set(other.results) == {"evaluation.return", "evaluation.goals", "evaluation.penalties"}


def test_points_are_sent_once_also_after_a_resume(run, recorder, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text((run / "config.json").read_text())
    rows = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(rows[:4]))
    sender = send.Sender(folder, ["recorder"])
    sender()
    sender()
    (folder / "metrics.jsonl").write_text("".join(rows))
    send.Sender(folder, ["recorder"]).close()
    steps = [step for name, step, _ in recorder if name == "seed5" and isinstance(step, int)]
    assert steps == [64, 128, 192]
    assert recorder[-1] == ("seed5", "closed", ())


def test_a_second_command_sends_nothing_and_a_folder_without_a_run_neither(run, recorder, tmp_path):
    send.Sender(run, ["recorder"]).close()
    once = list(recorder)
    assert once[-1] == ("seed5", "closed", ("evaluation.return", "evaluation.goals", "evaluation.penalties"))
    send.Sender(run, ["recorder"]).close()
    send.Sender(tmp_path / "nowhere", ["recorder"]).close()
    assert recorder == once


def test_a_sweep_has_a_series_for_each_seed_of_each_setting(tmp_path):
    sweep = tiny()
    command.prepare(sweep, tmp_path / "sweep")
    keys = [dict(zip(table.KEYS, (setting, seed, 0, 64), strict=True)) for setting in (0, 3) for seed in (0, 1)]
    rows = [key | {"return": 0.5 + key["seed"], "loss": float("nan")} for key in keys]
    table.write_part(tmp_path / "sweep", "item.batch-0-4", 64, rows)
    found = series_of(tmp_path / "sweep")
    assert [one.name for one in found] == ["setting0-seed0", "setting0-seed1", "setting3-seed0", "setting3-seed1"]
    assert [one.config["rules.penalty"] for one in found] == [0.5, 0.5, 1.5, 1.5]
    assert found[1].points == [(64, {"return": 1.5})]


@pytest.mark.parametrize(("kind", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_a_table_has_a_row_for_each_point(run, tmp_path, kind, read):
    found = read(export(run, kind, tmp_path / "out"))
    assert found["step"].tolist() == [64, 128, 192] * 2
    assert found["seed"].tolist() == [4] * 3 + [5] * 3
    assert set(found["rules.penalty"]) == {2.0}


def test_marl_eval_reads_steps_of_each_seed(run, tmp_path):
    found = json.loads(export(run, "marl-eval", tmp_path / "out.json").read_text())
    seeds = found["jaxsocial"]["goal_cycle"]["run"]
    assert sorted(seeds) == ["seed4", "seed5"]
    assert "absolute_metrics" in seeds["seed4"]
    assert seeds["seed4"]["step_0"]["step_count"] in (64, 128, 192)


def test_tensorboard_has_every_point(run, capsys):
    pytest.importorskip("tensorboardX")
    assert runs.command("log", str(run), "--to", "tensorboard") == 0
    assert capsys.readouterr().out.startswith("sent ")
    files = [path for path in (run / "tensorboard" / "seed4").rglob("events*") if path.stat().st_size]
    assert files
    assert runs.command("log", str(run), "--to", "tensorboard") == 0
    assert capsys.readouterr().out.startswith("nothing new in ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_trackers_take_a_run(run, name, monkeypatch, tmp_path):
    pytest.importorskip(name)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert runs.command("log", str(run), "--to", name) == 0
    assert json.loads((run / send.SENT).read_text())[name]["seed5 results"] == 192


def test_what_cannot_be_sent_is_refused_in_a_line(run, tmp_path, capsys, monkeypatch):
    assert runs.command("log", str(tmp_path)) == 2
    assert "holds no run" in capsys.readouterr().err
    with pytest.raises(ValueError, match="choose from tensorboard, wandb, trackio"):
        send.Sender(run, ["neptune"])
    with pytest.raises(ValueError, match="choose from csv, parquet, marl-eval"):
        export(run, "xlsx")
    monkeypatch.setitem(sys.modules, "wandb", None)
    for verb in (("log", str(run), "--to"), ("train", *runs.TINY, "--out", str(tmp_path / "new"), "--log")):
        assert runs.command(*verb, "wandb") == 2
        assert "pip install 'jaxsocial[wandb]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_refused_command_sends_nothing(run, tmp_path, capsys):
    pytest.importorskip("tensorboardX")
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns(send.SENT))
    assert runs.command("train", *runs.TINY, "--out", str(tmp_path / "run"), "--log", "tensorboard") == 2
    assert "exists" in capsys.readouterr().err
    assert not (tmp_path / "run" / send.SENT).exists()
    assert runs.command("export", str(run), "--setting", "1") == 2
    assert "--setting 1 chooses networks" in capsys.readouterr().err
