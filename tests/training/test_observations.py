"""Runs of learners that observe symbols, by the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import jax
import numpy as np
import pytest

from jaxsocial.cli.parsing import parse
from jaxsocial.evaluate import media
from jaxsocial.training import checkpoint, metrics
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of
from tests import runs
from tests.sweep.tiny import FILE, TINY

SYMBOLS = ("--world.observation", "symbolic", "--network.encoder", "symbolic", "--sizes.prediction", "symbols")
OPTIONS = (
    *(*SYMBOLS, "--network.memory-type", "gru", "--total-steps", str(4 * runs.ITERATION), "--seed", "3"),
    *("--world.inputs", "reward", "position", "heading", "last_action", "goal_position"),
)


def numbers(row):
    return {name: value for name, value in row.items() if name not in ("step", "seed", "learner")}


@pytest.fixture(scope="module")
def symbolic_run(tmp_path_factory):
    """A run of a learner with a GRU that observes symbols and all inputs, and predicts symbols."""
    folder = tmp_path_factory.mktemp("runs") / "symbolic"
    assert runs.train(folder, *OPTIONS) == 0
    return folder


@pytest.mark.slow
def test_a_learner_of_symbols_and_inputs_trains_and_is_evaluated(symbolic_run):
    rows = metrics.read(symbolic_run / "metrics.jsonl")
    assert len(rows) == 4
    assert all(row["prediction_loss"] > 0 for row in rows)
    assert all({"prediction_loss_with_others", "prediction_loss_without_others"} <= row.keys() for row in rows)
    results = json.loads((symbolic_run / "evaluation.json").read_text())
    assert [result["player"] for result in results] == [
        "learner",
        "searching_expert",
        "learner, alone",
        "untrained learner",
    ]
    assert (symbolic_run / "episode.gif").exists()


@pytest.mark.slow
def test_it_resumes_exactly(symbolic_run, tmp_path):
    folder = tmp_path / "resumed"
    assert runs.train(folder, *OPTIONS, "--total-steps", str(2 * runs.ITERATION)) == 0
    assert runs.command("train", "--resume", str(folder), "--total-steps", str(4 * runs.ITERATION)) == 0
    for name in ("metrics.jsonl", "evaluation.json"):
        assert (symbolic_run / name).read_text() == (folder / name).read_text()
    config = config_of(folder)
    whole, resumed = (checkpoint.restore_parameters(path, config)[0] for path in (symbolic_run, folder))
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)


@pytest.mark.slow
def test_two_devices_compute_what_one_computes(symbolic_run, tmp_path):
    folder = tmp_path / "two"
    command = [sys.executable, "-m", "jaxsocial", "train", "--out", str(folder), *runs.TINY, *OPTIONS]
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert len(json.loads((folder / "run.json").read_text())["devices"]) == 2
    one, two = (metrics.read(path / "metrics.jsonl") for path in (symbolic_run, folder))
    for mine, other in zip(one, two, strict=True):
        assert mine.keys() == other.keys()
        for name, value in numbers(mine).items():
            assert (value is None) == (other[name] is None), name
            np.testing.assert_allclose(other[name] or 0.0, value or 0.0, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_a_learner_without_memory_trains_and_resumes_exactly(tmp_path):
    options = (*SYMBOLS, "--network.memory-type", "none", "--sizes.prediction", "changes")
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert runs.train(whole, *options, "--total-steps", "128") == 0
    assert runs.train(resumed, *options, "--total-steps", "64") == 0
    assert runs.command("train", "--resume", str(resumed), "--total-steps", "128") == 0
    assert (whole / "metrics.jsonl").read_text() == (resumed / "metrics.jsonl").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["symbolic", "rgb"])
def test_a_partner_may_observe_otherwise_than_the_learner(learner, symbolic_run, finished_run, tmp_path):
    """The run resumes exactly too: what a partner observes next depends on its last reward and action."""
    own, other = ((OPTIONS, finished_run), ((), symbolic_run))[learner == "rgb"]
    options = (*own, "--partners", f"run:{other}", "random", "--world.max-steps", "6")
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert runs.train(whole, *options, "--total-steps", "128") == 0
    assert runs.train(resumed, *options, "--total-steps", "64") == 0
    assert runs.command("train", "--resume", str(resumed), "--total-steps", "128") == 0
    for name in ("metrics.jsonl", "evaluation.json"):
        assert (whole / name).read_text() == (resumed / name).read_text()


@pytest.mark.slow
def test_symbols_are_imitated(tmp_path):
    folder = tmp_path / "imitation"
    assert runs.train(folder, *OPTIONS, "--teacher", "expert", "--coefficients.learning-rate", "1e-2") == 0
    rows = metrics.read(folder / "metrics.jsonl")
    assert rows[-1]["imitation_loss"] < rows[0]["imitation_loss"]


@pytest.mark.slow
def test_a_sweep_compares_prediction_targets(tmp_path):
    fixed = TINY | {"world.observation": "symbolic", "network.encoder": "symbolic", "total_steps": 128}
    tables = FILE | {"seeds": 1, "fixed": fixed, "grid": {"sizes.prediction": ["none", "symbols"]}}
    path = tmp_path / "sweep.toml"
    path.write_text("".join(f"{name} = {runs.toml(value)}\n" for name, value in tables.items()))
    command = [sys.executable, "-m", "jaxsocial", "sweep", str(path), "--out", str(tmp_path / "sweep")]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 settings" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("style", "side"), [("symbolic", 9), ("symbolic_world", 21)])
def test_pictures_show_what_agents_see_as_symbols(style, side, tmp_path):
    """A view of 3 x 3 tiles of 3 pixels; a world of 6 x 7, padded to a square."""
    given = ("--world.observation", style, "--network.encoder", "symbolic", "--sizes.prediction", "none")
    config = parse(
        ["train", *runs.TINY, *given, "--network.memory-type", "none", "--partners", "random", "random"]
    ).config
    setup = make_agent_setup(config)
    noise = np.random.default_rng(0)
    shapes = jax.eval_shape(setup.network.init, jax.random.key(0))
    learners = jax.tree.map(lambda leaf: noise.normal(size=(1, *leaf.shape)).astype(np.float32), shapes)
    with jax.debug_key_reuse(False):
        episode = list(media.moments(config, learners, setup)(0))
        scene = next(media.scenes(config, iter(episode[-1:])))
        media.write_episode(tmp_path / "episode.gif", config, media.moments(config, learners, setup), number=0)
    assert scene.views.shape == (3, side, side, 3)
    if style == "symbolic_world":
        np.testing.assert_array_equal(scene.views[0], scene.views[1])
        assert scene.views[0, :18].any()
        assert not scene.views[0, 18:].any()
    frames = imageio.imread(tmp_path / "episode.gif")
    last = media.compose(scene, media.player_names(config))
    assert frames.shape == (9, *last.shape)
    imageio.imwrite(tmp_path / "last.png", last)
    np.testing.assert_array_equal(imageio.imread(tmp_path / "last.png"), last)
