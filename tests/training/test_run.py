"""Runs by the command line: their files, resuming, and runs as partners."""

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from rich.console import Console

from jaxsocial import finish
from jaxsocial.config.presets import preset
from jaxsocial.training import checkpoint, devices, metrics, pretrained, run
from jaxsocial.training.folder import config_of
from tests import runs


def test_a_run_s_folder_has_the_files_that_readme_lists(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    assert names == {
        *("config.json", "run.json", "metrics.jsonl", "checkpoints", "lock"),
        *("learning_curve.png", "episode.gif", "episodes.html", "evaluation.json"),
    }


def test_every_seed_has_its_own_rows(finished_run):
    rows = metrics.read(finished_run / "metrics.jsonl")
    assert [(row["step"], row["seed"]) for row in rows] == [(s * 64, seed) for s in (1, 2, 3, 4) for seed in (3, 4)]
    assert rows[0]["loss"] != rows[1]["loss"]
    assert all(row["episodes"] == 8 for row in rows)


@pytest.mark.slow
def test_seeds_whose_optimiser_overflows_are_not_healthy(tmp_path, capsys):
    """Adam's second moment becomes infinite, which leaves the weights and the loss finite, and ends all learning."""
    folder = tmp_path / "dead"
    steps = ("--total-steps", str(2 * runs.ITERATION), "--seeds", "2", "--seed", "3")
    assert runs.train(folder, *steps, "--coefficients.value-weight", "1e30") == 1
    assert "(not finite" in capsys.readouterr().out
    learners = json.loads((folder / "evaluation.json").read_text())[:2]
    assert [(one["seed"], one["healthy"], one["last_good_step"]) for one in learners] == [(3, False, 0), (4, False, 0)]
    assert "healthy" not in json.loads((folder / "evaluation.json").read_text())[-1]


def test_a_run_that_does_not_fit_into_memory_is_refused_before_it_begins(tmp_path, monkeypatch, capsys):
    steps = ("--total-steps", str(4 * runs.ITERATION), "--seeds", "2", "--seed", "3")
    monkeypatch.setattr(devices, "memory_limit", lambda used: 9_999)
    assert runs.train(tmp_path / "run", *steps) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("jaxsocial: sizes.worlds=8: training takes 0.0 GiB on each device")
    assert "choose fewer, fewer seeds" in complaint
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.slow
def test_a_ramp_scales_the_penalty(tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "measure", lambda *arguments: [])
    folder = tmp_path / "ramp"
    steps = 32 * 8  # in an iteration: with so many worlds some agent is penalised in each
    crowded = ("--world.goals", "8", "--sizes.worlds", "32", "--log-steps", str(steps))
    ramp = ("--penalty-ramp.ramp-start", str(steps), "--penalty-ramp.ramp-end", str(3 * steps))
    first = ("--penalty-ramp.initial-fraction", "0.2", "--total-steps", str(4 * steps))
    assert runs.train(folder, *crowded, *ramp, *first) == 0
    rows = metrics.read(folder / "metrics.jsonl")
    np.testing.assert_allclose([row["penalty"] for row in rows], [0.4, 0.4, 1.2, 2.0], rtol=1e-6)
    assert all(row["social_penalties"] > 0 for row in rows)
    for row in rows:
        paid = row["social_goals"] - row["penalty"] * row["social_penalties"]
        np.testing.assert_allclose(row["social_return"], paid, atol=1e-5)


def test_evaluation_names_learner_partners_and_untrained_learner(finished_run):
    results = json.loads((finished_run / "evaluation.json").read_text())
    players = "learner", "searching_expert", "learner, alone", "untrained learner"
    assert [(r["player"], r["seed"]) for r in results] == [(player, seed) for player in players for seed in (3, 4)]
    for result in results:
        assert result["episodes"] == 16
        assert result["return"]["low"] <= result["return"]["mean"] <= result["return"]["high"]


@pytest.fixture(scope="module")
def resumed_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "resumed"
    seeds = ("--seeds", "2", "--seed", "3")
    assert runs.train(folder, "--total-steps", str(2 * runs.ITERATION), *seeds) == 0
    assert runs.command("train", "--resume", str(folder), "--total-steps", str(4 * runs.ITERATION)) == 0
    return folder


def test_a_resumed_run_equals_the_one_that_never_stopped_exactly(finished_run, resumed_run):
    whole, resumed = runs.parameters_of(finished_run), runs.parameters_of(resumed_run)
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)
    for name in ("metrics.jsonl", "evaluation.json"):
        assert (finished_run / name).read_text() == (resumed_run / name).read_text()


@pytest.mark.parametrize("full", [{1}, {1, 2, 3}, {4}])
def test_a_run_goes_on_while_the_disk_is_full_and_writes_what_was_left_later(
    full, finished_run, tmp_path, monkeypatch, capsys
):
    """At some of its four log points there is no space."""
    folder, points, append = tmp_path / "run", [], metrics.append

    def refusing(path, rows):
        points.append(rows[-1]["step"] // runs.ITERATION)
        if points[-1] in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        append(path, rows)

    monkeypatch.setattr(metrics, "append", refusing)
    steps = ("--total-steps", str(4 * runs.ITERATION), "--seeds", "2", "--seed", "3")
    status = runs.train(folder, *steps, "--when-disk-full", "continue")
    assert "the disk is full" in capsys.readouterr().out
    if 4 in full:
        assert status == 3
        assert (len(metrics.read(folder / "metrics.jsonl")), checkpoint.latest(folder)) == (2 * 3, 3)
        monkeypatch.undo()
        assert runs.command("train", "--resume", str(folder)) == 0
    else:
        assert status == 0
    assert (folder / "metrics.jsonl").read_text() == (finished_run / "metrics.jsonl").read_text()
    jax.tree.map(np.testing.assert_array_equal, runs.parameters_of(finished_run), runs.parameters_of(folder))


def test_a_row_that_does_not_fit_on_the_disk_leaves_no_part_of_itself(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    metrics.append(path, [{"step": 64}])

    def fail(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        metrics.append(path, [{"step": 128}])
    assert path.read_text() == '{"step": 64}\n'


@pytest.mark.slow
def test_a_seed_alone_equals_the_seed_among_others(finished_run, tmp_path):
    folder = tmp_path / "alone"
    assert runs.train(folder, "--total-steps", str(4 * runs.ITERATION), "--seed", "4") == 0
    among = jax.tree.map(lambda x: x[1], runs.parameters_of(finished_run))
    alone = jax.tree.map(lambda x: x[0], runs.parameters_of(folder))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), among, alone)


@pytest.mark.slow
def test_a_finished_run_can_be_a_partner(finished_run, tmp_path):
    folder = tmp_path / "second"
    status = runs.train(folder, "--total-steps", "64", "--partners", f"run:{finished_run}", "random")
    assert status == 0
    players = {r["player"] for r in json.loads((folder / "evaluation.json").read_text())}
    partner = f"run:{finished_run}@{4 * runs.ITERATION}"
    assert players == {"learner", partner, "random", "learner, alone", "untrained learner"}
    assert config_of(folder).partners == (partner, "random"), "the name does not change when that run trains further"


def test_a_loaded_policy_is_the_one_trained(finished_run):
    loaded = pretrained.load_policy(finished_run, seed=4)
    own = jax.tree.map(lambda x: x[1, 0], runs.parameters_of(finished_run))
    jax.tree.map(np.testing.assert_array_equal, loaded.parameters, own)
    assert loaded.env == loaded.config.make_env()
    with pytest.raises(ValueError, match="choose 3 to 4"):
        pretrained.load_policy(finished_run, seed=0)


@pytest.fixture
def one_seed(finished_run):
    return dataclasses.replace(config_of(finished_run), seed=0, seeds=1)


def test_rows_after_the_checkpoint_are_dropped(tmp_path, one_seed):
    path = tmp_path / "metrics.jsonl"
    metrics.append(path, [{"step": step, "seed": 0} for step in (64, 128, 192)])
    metrics.cut(path, metrics.rows_until(path, one_seed, 2))
    assert [row["step"] for row in metrics.read(path)] == [64, 128]


def test_an_incomplete_line_is_no_row(tmp_path, one_seed):
    path = tmp_path / "metrics.jsonl"
    metrics.append(path, [{"step": 64, "seed": 0}])
    with path.open("a") as file:
        file.write('{"step": 128, "se')
    assert [row["step"] for row in metrics.read(path)] == [64]
    metrics.cut(path, metrics.rows_until(path, one_seed, 1))
    metrics.append(path, [{"step": 128, "seed": 0}])
    assert [row["step"] for row in metrics.read(path)] == [64, 128]


def test_a_run_cannot_be_shortened_and_is_unfinished_while_it_trains_further(
    finished_run, tmp_path, capsys, monkeypatch
):
    folder = shutil.copytree(finished_run, tmp_path / "again")
    before = (folder / "config.json").read_text()
    shorter, longer = (("--total-steps", str(count * runs.ITERATION)) for count in (3, 5))
    assert runs.command("train", "--resume", str(folder), *shorter) == 2
    assert f"has been trained for {4 * runs.ITERATION} already" in " ".join(capsys.readouterr().err.split())
    assert (folder / "config.json").read_text() == before
    assert (folder / "evaluation.json").exists()
    monkeypatch.setattr(finish, "measure", lambda *arguments: [])  # killed before it
    assert runs.command("train", "--resume", str(folder), *longer) == 0
    names = {"config.json", "run.json", "metrics.jsonl", "checkpoints", "lock"}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.slow
def test_an_interrupt_saves_and_says_how_to_continue(tmp_path):
    folder = tmp_path / "interrupted"
    command = [sys.executable, "-m", "jaxsocial", "train", "--out", str(folder), *runs.TINY]
    process = subprocess.Popen([*command, "--total-steps", "100000000"], stderr=subprocess.PIPE, text=True)
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"--resume {folder}" in complaint
    assert "Traceback" not in complaint
    assert not (folder / "evaluation.json").exists()
    step = metrics.read(folder / "metrics.jsonl")[-1]["step"]
    assert checkpoint.latest(folder) == step // runs.ITERATION
    assert runs.command("train", "--resume", str(folder), "--total-steps", str(step + runs.ITERATION)) == 0
    assert (folder / "evaluation.json").exists()


def test_several_hosts_that_would_go_on_while_the_disk_is_full_are_refused_at_once(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(run.jax, "process_count", lambda: 2)
    for begin in (
        lambda: run.train(preset("quickstart"), tmp_path / "run", Console(quiet=True), when_disk_full="continue"),
        lambda: run.resume(finished_run, Console(quiet=True), when_disk_full="continue"),
    ):
        with pytest.raises(ValueError, match="needs a single host: leave it out"):
            begin()
    assert not (tmp_path / "run").exists()
