"""Items: rows equal those of single runs, also in batches, after kills and out-of-memory errors, and beside NaNs."""

import contextlib
import dataclasses
import json

import jax
import numpy as np
import pandas as pd
import pytest

from jaxsocial.config.fields import flat
from jaxsocial.sweep import command, rungs, table, work
from jaxsocial.sweep.members import GIB, Fit, entries, fitted, member_config, padded
from jaxsocial.sweep.spec import measures
from jaxsocial.training import checkpoint, metrics
from jaxsocial.training.member import metric_names
from jaxsocial.training.program import make_program
from tests.sweep.tiny import GRID, tiny

MEASURED = ["return", "evaluation.return", "evaluation.goals", "loss", "entropy", "healthy", "penalty"]

pytestmark = pytest.mark.usefixtures("keys_unchecked")


def begun(folder, sweep, memory_gib=None, rung=0, alive=None):
    """Returns the items of a rung, before any work."""
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
    """Trains the four settings in one batch."""
    with jax.debug_key_reuse(False):
        folder = tmp_path_factory.mktemp("sweep") / "whole"
        return folder, run_all(folder, tiny())


def test_the_table_has_a_row_per_setting_seed_and_log_point(whole):
    _, rows = whole
    assert len(rows) == 4 * 2 * 4
    assert rows["step"].unique().tolist() == [128, 256, 384, 512]
    assert rows.groupby("setting")["coefficients.learning_rate"].first().tolist() == [0.001, 0.001, 0.1, 0.1]
    evaluated = rows.groupby("step")["evaluation.return"].count()
    assert evaluated.to_dict() == {128: 0, 256: 0, 384: 0, 512: 8}
    assert rows["return"].notna().all()
    assert set(rows.columns) == {*table.KEYS, *flat(tiny().settings[0]), *measures(tiny().settings)}
    # Losses differ between rates, seeds and points; between penalties only after a wrong goal.
    assert rows["loss"].nunique() > 2 * 2 * 4


@pytest.mark.slow
def test_rows_equal_those_of_a_single_run(whole):
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


@pytest.mark.parametrize("changes", [{"teacher": ["expert"]}, {"sizes.prediction": ["others"]}])
def test_metrics_have_the_names_that_are_known_beforehand(changes):
    (config,) = tiny(grid=changes).settings
    program = make_program(config)
    traced = jax.eval_shape(lambda members: program.chunk(members, 1)[1], jax.eval_shape(program.begin))
    assert set(traced) == set(metric_names(config))


def test_a_finished_item_does_no_work(whole, monkeypatch):
    folder, rows = whole
    monkeypatch.setattr(work, "compiled_for", lambda *arguments: pytest.fail("compiled again"))
    assert_equal_rows(run_all(folder, tiny()), rows, exactly=True)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["write_part", "save"])
def test_a_killed_item_resumes_exactly(whole, tmp_path, monkeypatch, what):
    """Every second call raises, before a part of the table or a checkpoint is written."""
    module = table if what == "write_part" else work.checkpoint
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
def test_an_item_that_is_asked_to_stop_saves_at_the_next_log_point(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "stop_requests", lambda: contextlib.nullcontext(lambda: True))
    (one,) = begun(tmp_path / "stopped", tiny(save_seconds=1e9))
    for point in range(1, 4):
        with pytest.raises(SystemExit, match="saved"):
            work.work(one)
        assert table.read(tmp_path / "stopped")["step"].max() == 128 * point
    work.work(one)
    assert_equal_rows(table.read(tmp_path / "stopped"), whole[1], exactly=True)


@pytest.mark.slow
def test_a_batch_resumes_in_programs_of_other_sizes(tmp_path, monkeypatch):
    """As where memory or the number of devices has changed: checkpoints hold copies that fill the program."""
    sweep = tiny(grid={"rules.penalty": [0.5]}, seeds=3, save_seconds=1e9)
    (one,) = begun(tmp_path / "resized", sweep)

    def with_members(size):
        return lambda configs, *_: (make_program(padded(configs, size)), Fit(size, 0, 0, 1))

    with monkeypatch.context() as stopping:
        stopping.setattr(work, "stop_requests", lambda: contextlib.nullcontext(lambda: True))
        for size in (4, 6, 3):
            stopping.setattr(work, "fitted", with_members(size))
            with pytest.raises(SystemExit, match="saved"):
                work.work(one)
            (batch,) = one.glob("batch-*")
            assert checkpoint.size_of(batch, checkpoint.latest(batch)) == size
    work.work(one)
    assert_equal_rows(table.read(tmp_path / "resized"), run_all(tmp_path / "whole", sweep))


@pytest.mark.slow
def test_members_that_do_not_fit_train_in_batches(whole, tmp_path):
    configs = [member_config(entry, tiny().settings) for entry in entries(tiny().settings, range(4))]
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
def test_a_single_member_that_does_not_fit_is_refused():
    config = member_config(entries(tiny().settings, [0])[0], tiny().settings)
    with pytest.raises(MemoryError, match="make sizes smaller"):
        fitted([config], 1e-6)


@pytest.mark.slow
def test_a_batch_that_runs_out_of_memory_is_retried_with_fewer_members(whole, tmp_path, monkeypatch, capsys):
    real = table.write_part

    def write_part(sweep, writer, step, rows, schema):
        if len(rows) > 4 and step > 128:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        real(sweep, writer, step, rows, schema)

    monkeypatch.setattr(table, "write_part", write_part)
    assert_equal_rows(run_all(tmp_path / "crowded", tiny()), whole[1])
    assert "8 members do not fit at once: trying 4" in capsys.readouterr().out


@pytest.mark.slow
def test_a_setting_with_nan_changes_no_other_setting(whole, tmp_path):
    rates = GRID["coefficients.learning_rate"]
    grid = GRID | {"coefficients.learning_rate": [*rates, 1e30]}
    rows = run_all(tmp_path / "bad", tiny(grid=grid))
    last = rows[rows["step"] == 512].groupby("setting")["healthy"].min()
    assert last.tolist() == [1, 1, 1, 1, 0, 0]
    assert_equal_rows(rows[rows["setting"] < 4], whole[1])


@pytest.mark.slow
def test_halving_drops_the_worse_settings_and_changes_no_other(whole, tmp_path):
    folder = tmp_path / "halved"
    sweep = tiny(halving={"steps": [200], "keep": 0.5})  # rounded up to a log point
    halfway = run_all(folder, sweep)
    assert halfway["step"].max() == 256
    assert halfway.loc[halfway["step"] == 256, "evaluation.return"].notna().all()
    alive = rungs.survivors(halfway, sweep, range(4), 0)
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
    # A resumed sweep has the same items, also with other processes and memory.
    assert rungs.begin_rung(tmp_path / "sweep", sweep, 0, range(4), 1, 0.5) == first
    assert command.read(tmp_path / "sweep") == sweep
    assert len(json.loads((tmp_path / "sweep" / "settings.json").read_text())) == 4
