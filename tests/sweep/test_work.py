"""Items: rows equal those of runs alone, however they are cut, killed, crowded out, or driven out of numbers."""

import contextlib
import dataclasses
import json

import jax
import numpy as np
import pandas as pd
import pytest

from jaxsocial.sweep import batch, command, rungs, table, work
from jaxsocial.sweep.members import GIB, config_of, entries, fitted
from jaxsocial.sweep.rungs import survivors
from jaxsocial.train import metrics
from jaxsocial.train.program import make_program
from tests.sweep.tiny import GRID, tiny

MEASURED = ["return", "evaluation.return", "evaluation.goals", "loss", "entropy", "healthy", "penalty"]


@pytest.fixture(autouse=True)
def keys_unchecked():
    """The check of key reuse takes a scan under vmap for one."""
    with jax.debug_key_reuse(False):
        yield


def begun(folder, sweep, memory_gib=None, rung=0, alive=None):
    """The items of a rung, not yet worked on."""
    if not folder.exists():
        command.prepare(sweep, folder)
    alive = range(len(sweep.settings)) if alive is None else alive
    return rungs.begin_rung(folder, sweep, rung, alive, 1, memory_gib)


def run_all(folder, sweep, **options):
    for one in begun(folder, sweep, **options):
        work.work(one)
    return table.read(folder)


def assert_equal_rows(found: pd.DataFrame, expected: pd.DataFrame, exactly: bool = False):
    pd.testing.assert_frame_equal(found[list(table.KEYS)], expected[list(table.KEYS)])
    tolerance = {"rtol": 0, "atol": 0} if exactly else {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(found[MEASURED], expected[MEASURED], **tolerance)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The four settings in one batch."""
    with jax.debug_key_reuse(False):
        folder = tmp_path_factory.mktemp("sweep") / "whole"
        return folder, run_all(folder, tiny())


def test_the_table_has_a_row_a_setting_seed_and_log_point(whole):
    _, rows = whole
    assert len(rows) == 4 * 2 * 4
    assert rows["step"].unique().tolist() == [128, 256, 384, 512]
    assert rows.groupby("setting")["coefficients.learning_rate"].first().tolist() == [0.001, 0.001, 0.1, 0.1]
    evaluated = rows.groupby("step")["evaluation.return"].count()
    assert evaluated.to_dict() == {128: 0, 256: 0, 384: 0, 512: 8}
    assert rows["return"].notna().all()
    # Two rates, two seeds and four points differ for sure; a price only where a mistake was made.
    assert rows["loss"].nunique() > 2 * 2 * 4


def test_rows_equal_those_of_a_run_alone(whole):
    _, rows = whole
    settings = tiny().settings
    config = dataclasses.replace(settings[3], seeds=1, seed=1)
    program = make_program(config)
    members, alone = program.begin(), []
    for point in range(1, 5):
        members, measured = program.chunk(members, 2)
        host = {name: np.asarray(values) for name, values in measured.items()}
        alone += [row | {"return": metrics.learner_return(row)} for row in metrics.rows_of(host, 128 * point, 1)]
    mine = rows[(rows["setting"] == 3) & (rows["seed"] == 1)]
    for name in ("return", "loss", "entropy", "value_loss", "penalty"):
        np.testing.assert_allclose(mine[name], [row[name] for row in alone], rtol=1e-3, atol=1e-4)


def test_a_done_item_is_left_alone(whole, monkeypatch):
    folder, rows = whole
    monkeypatch.setattr(work, "compiled_for", lambda *arguments: pytest.fail("compiled again"))
    assert_equal_rows(run_all(folder, tiny()), rows, exactly=True)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["write_part", "save"])
def test_an_item_that_is_killed_goes_on_where_it_was(whole, tmp_path, monkeypatch, what):
    """Before a part of the table is written, and before a checkpoint is: each in turn."""
    module = table if what == "write_part" else batch.checkpoint
    real, calls, done = getattr(module, what), [], []

    def killed_now_and_then(*arguments):
        calls.append(arguments)
        if len(calls) % 2 == 0:
            raise KeyboardInterrupt
        done.append(real(*arguments))

    monkeypatch.setattr(module, what, killed_now_and_then)
    (one,) = begun(tmp_path / "killed", tiny())
    while not work.is_done(one):
        try:
            work.work(one)
        except KeyboardInterrupt:
            continue
    assert len(calls) - len(done) >= 3
    assert_equal_rows(table.read(tmp_path / "killed"), whole[1], exactly=True)


@pytest.mark.slow
def test_an_item_that_is_told_to_stop_saves_at_the_next_log_point(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "stop_requests", lambda: contextlib.nullcontext(lambda: True))
    (one,) = begun(tmp_path / "stopped", tiny(save_seconds=1e9))
    for point in range(1, 4):
        with pytest.raises(SystemExit, match="saved"):
            work.work(one)
        assert table.read(tmp_path / "stopped")["step"].max() == 128 * point
    work.work(one)
    assert_equal_rows(table.read(tmp_path / "stopped"), whole[1], exactly=True)


@pytest.mark.slow
def test_what_does_not_fit_is_trained_in_batches(whole, tmp_path):
    configs = [config_of(entry, tiny().settings) for entry in entries(tiny().settings, range(4))]
    program, fit = fitted(configs)
    assert (fit.members, fit.bytes) == (8, program.memory(1))
    room = 0.6 * fit.bytes / GIB
    folder = tmp_path / "cut"
    assert_equal_rows(run_all(folder, tiny(), memory_gib=room), whole[1])
    names = sorted(path.name for path in (folder / rungs.ITEMS).glob("*/batch-*"))
    assert len(names) > 1
    _, smaller = fitted(configs, room)
    assert smaller.bytes <= room * GIB
    assert names[0] == f"batch-0-{smaller.members}"


@pytest.mark.slow
def test_a_member_that_does_not_fit_at_all_is_refused():
    config = config_of(entries(tiny().settings, [0])[0], tiny().settings)
    with pytest.raises(MemoryError, match="make sizes smaller"):
        fitted([config], 1e-6)


def test_a_batch_that_a_device_refuses_is_cut_and_tried_again(whole, tmp_path, monkeypatch, capsys):
    real = batch._log_points

    def with_little_room(program, members, iteration, own):
        for number, point in enumerate(real(program, members, iteration, own)):
            if len(members.healthy) > 4 and number == 1:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
            yield point

    monkeypatch.setattr(batch, "_log_points", with_little_room)
    assert_equal_rows(run_all(tmp_path / "crowded", tiny()), whole[1])
    assert "8 members do not fit at once: trying 4" in capsys.readouterr().out


@pytest.mark.slow
def test_a_setting_whose_numbers_go_bad_ends_its_own_rows_only(whole, tmp_path):
    rates = GRID["coefficients.learning_rate"]
    grid = GRID | {"coefficients.learning_rate": [*rates, 1e30]}
    rows = run_all(tmp_path / "bad", tiny(grid=grid))
    last = rows[rows["step"] == 512].groupby("setting")["healthy"].min()
    assert last.tolist() == [1, 1, 1, 1, 0, 0]
    assert_equal_rows(rows[rows["setting"] < 4], whole[1])


@pytest.mark.slow
def test_halving_drops_the_worse_and_changes_nothing_of_the_rest(whole, tmp_path):
    folder = tmp_path / "halved"
    sweep = tiny(halving={"steps": [200], "keep": 0.5})  # rounded up to a log point
    halfway = run_all(folder, sweep)
    assert halfway["step"].max() == 256
    assert halfway.loc[halfway["step"] == 256, "evaluation.return"].notna().all()
    alive = survivors(halfway, sweep, range(4))
    means = halfway[halfway["step"] == 256].groupby("setting")["evaluation.return"].mean()
    assert len(alive) == 2
    assert means[alive].min() >= means.drop(alive).max()
    rows = run_all(folder, sweep, rung=1, alive=alive)
    assert rows.groupby("setting")["step"].max().to_dict() == {n: 512 if n in alive else 256 for n in range(4)}
    ended = rows[(rows["step"] == 512)].reset_index(drop=True)
    straight = whole[1][(whole[1]["step"] == 512) & whole[1]["setting"].isin(alive)].reset_index(drop=True)
    assert_equal_rows(ended, straight)


def test_a_rung_is_written_down_before_it_begins(tmp_path):
    sweep = tiny()
    command.prepare(sweep, tmp_path / "sweep")
    first = rungs.begin_rung(tmp_path / "sweep", sweep, 0, range(4), 3, None)
    assert len(first) == 3
    assert sum(len(work.read_task(one).entries) for one in first) == 8
    # Whoever goes on with other means has the same items.
    assert rungs.begin_rung(tmp_path / "sweep", sweep, 0, range(4), 1, 0.5) == first
    assert command.read(tmp_path / "sweep") == sweep
    assert len(json.loads((tmp_path / "sweep" / "settings.json").read_text())) == 4
