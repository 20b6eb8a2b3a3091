"""The last part of a run: what is written, in which order, and what a run without it is."""

import shutil
from pathlib import Path

import jax
import pytest
from rich.console import Console

from jaxsocial import finish
from jaxsocial.api import Run
from jaxsocial.config import presets
from jaxsocial.training import run
from jaxsocial.training.folder import CURVE, EPISODE, EVALUATION

QUIET = Console(quiet=True)


@pytest.fixture
def trained(finished_run, tmp_path):
    """Resumes a copy of a finished run that lacks its results, as if it was killed after training."""
    folder = shutil.copytree(finished_run, tmp_path / "unfinished")
    for name in (EVALUATION, CURVE, EPISODE):
        (folder / name).unlink()
    with jax.debug_key_reuse(False):
        yield run.resume(folder, QUIET)


def test_the_evaluation_is_written_last_and_completes_the_run(trained, finished_run, monkeypatch):
    def write_at_once(path, text):
        assert path == trained.folder / EVALUATION
        assert {path.name for path in trained.folder.iterdir()} == everything - {EVALUATION}
        written(path, text)

    everything = {path.name for path in finished_run.iterdir()}
    written = finish.write_at_once
    monkeypatch.setattr(finish, "write_at_once", write_at_once)
    results = finish.finish(trained, QUIET)
    assert (trained.folder / EVALUATION).read_text() == (finished_run / EVALUATION).read_text()
    players = ["learner", "searching_expert", "learner, alone", "untrained learner"]
    assert [result.player for result in results[::2]] == players
    # As `jaxsocial evaluate --alone` measures it.
    alone = Run(trained.folder).evaluate(trained.config.evaluation_episodes, alone=True)
    assert [result.return_ for result in alone] == [result.return_ for result in results[4:6]]


def test_a_run_that_is_stopped_while_it_is_measured_is_unfinished(trained, monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(finish.media, "write_episode", stopped)
    with pytest.raises(KeyboardInterrupt):
        finish.finish(trained, QUIET)
    assert not (trained.folder / EVALUATION).exists()


def test_only_the_first_host_measures(monkeypatch):
    monkeypatch.setattr(finish.distributed, "is_first", lambda: False)
    monkeypatch.setattr(finish, "measure", lambda trained: pytest.fail("measured"))
    trained = run.Trained(Path(), presets.preset("quickstart"), {}, {}, 0.0)
    assert finish.finish(trained, QUIET) == []
