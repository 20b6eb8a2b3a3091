"""Extensions: numbers and rows of what exists stay, only what is missing is trained, and the rest is refused."""

import dataclasses
import io
import re
import shutil

import chex
import jax
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from jaxsocial.cli.main import main
from jaxsocial.sweep import command, rungs, table, work
from jaxsocial.sweep.extension import extended
from jaxsocial.sweep.members import identity
from jaxsocial.sweep.spec import make_sweep
from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of, locked
from jaxsocial.training.program import make_program
from tests.sweep.test_command import file_of
from tests.sweep.tiny import FILE, TINY, here, tiny

RATES = {"coefficients.learning_rate": [0.001, 0.1], "rules.penalty": [1.5]}
DROP = {"halving": {"steps": [256]}}

pytestmark = pytest.mark.usefixtures("keys_unchecked")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_numbers_stay_and_what_is_new_follows():
    held = tiny(grid=RATES)
    more = tiny(seeds=5, grid={"rules.penalty": [0.5, 1.5], "coefficients.learning_rate": [0.03, 0.1, 0.001]})
    both = extended(held, more)
    fields = [(config.rules.penalty, config.coefficients.learning_rate) for config in both.settings]
    assert fields[:2] == [(1.5, 0.001), (1.5, 0.1)]
    assert sorted(fields[2:]) == [(0.5, 0.001), (0.5, 0.03), (0.5, 0.1), (1.5, 0.03)]
    assert [identity(config) for config in both.settings[:2]] == [identity(config) for config in held.settings]
    assert {config.seeds for config in both.settings} == {5}


def test_settings_that_differ_in_their_lengths_only_keep_theirs_where_they_can():
    def lengths(*steps):
        fixed = {name: value for name, value in TINY.items() if name != "total_steps"}
        return make_sweep(FILE | {"fixed": fixed, "grid": {"total_steps": [*steps]}})

    both = extended(lengths(512, 256), lengths(1024, 256, 512))
    assert [config.total_steps for config in both.settings] == [512, 256, 1024]


def test_more_draws_begin_with_those_that_were_drawn():
    def drawn(count):
        fields = {
            "coefficients.learning_rate": {"log_uniform": [1e-5, 1e-2]},
            "sizes.refresh_interval": {"integers": [1, 2]},
            "coefficients.gamma": {"uniform": [0.9, 1.0]},
            "rules.penalty": {"choice": [0.5, 1.0, 1.5]},
        }
        return tiny(grid={}, draw={"count": count, "fields": fields})

    assert extended(drawn(7), drawn(20)).settings == drawn(20).settings


@pytest.mark.parametrize(
    ("held", "declared", "remedy"),
    [
        ({}, {"fixed": TINY | {"sizes.worlds": 16}}, "setting 0, since the nearest has another sizes.worlds: leave in"),
        ({}, {"episodes": 9}, "the nearest has another evaluation_episodes"),
        (
            {},
            {"grid": RATES | {"coefficients.learning_rate": [0.1, 0.2]}},
            "another coefficients.learning_rate: leave in",
        ),
        ({}, {"fixed": TINY | {"total_steps": 384}}, "total_steps=384: setting 0 trains for 512; choose as many"),
        ({}, {"seeds": 1}, "seed=0, seeds=1: setting 0 has seeds 0 to 1; choose them and more"),
        ({}, {"seed": 1, "seeds": 3}, "seed=1, seeds=3: setting 0 has seeds 0 to 1"),
        ({"fixed": TINY | {"total_steps": 64}}, {}, "was shorter than log_steps=128"),
        ({}, DROP, "halving has changed"),
        (DROP, {**DROP, "measure": "return"}, "measure has changed"),
        (DROP, {**DROP, "seeds": 3}, "change total_steps only"),
        (DROP, {**DROP, "grid": RATES | {"coefficients.learning_rate": [0.001, 0.01, 0.1]}}, "change total_steps only"),
    ],
)
def test_what_is_no_extension_is_refused_in_one_line(held, declared, remedy):
    with pytest.raises(ValueError, match=remedy) as refused:
        extended(tiny(**{"grid": RATES} | held), tiny(**{"grid": RATES} | declared))
    assert "\n" not in str(refused.value)


def test_without_halving_another_measure_and_more_evaluations_are_extensions():
    both = extended(tiny(), tiny(measure="return", evaluations=4))
    assert (both.measure, both.evaluations, both.settings) == ("return", 4, tiny().settings)


def test_a_table_gets_the_columns_of_an_extension_whatever_a_kill_leaves(tmp_path, monkeypatch):
    before, now = tiny(grid={"sizes.prediction": ["none"]}), tiny(grid={"sizes.prediction": ["none", "frame"]})
    command.prepare(before, tmp_path / "sweep")
    row = dict.fromkeys(table.KEYS, 0) | {"loss": 0.5, "return": float("nan")}
    table.conform(tmp_path / "sweep", before.settings)
    for step in (128, 256):
        rows = [row | {"step": step, "total_steps": 512}]
        schema = table.schema_of(before.settings)
        table.write_part(tmp_path / "sweep", "rung0-group0-part0.batch-0-1", step, rows, schema)
    longer = [dataclasses.replace(config, total_steps=1024) for config in now.settings]
    real, calls = table.write_part, []

    def killed_at_the_second(*arguments):
        calls.append(real(*arguments))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(table, "write_part", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        table.conform(tmp_path / "sweep", longer)
    table.conform(tmp_path / "sweep", longer)
    rows = pd.read_parquet(tmp_path / "sweep" / "table")
    assert rows["step"].tolist() == [128, 256]
    assert rows["prediction_loss"].isna().all()
    assert rows["total_steps"].tolist() == [1024, 1024]
    assert rows["loss"].tolist() == [0.5, 0.5]
    done = len(calls)
    table.conform(tmp_path / "sweep", longer)
    assert len(calls) == done


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Trains two settings of one seed, four iterations each."""
    folder = tmp_path_factory.mktemp("sweeps") / "short"
    sweep = tiny(seeds=1, grid=RATES, fixed=TINY | {"total_steps": 256})
    with jax.debug_key_reuse(False):
        command.prepare(sweep, folder)
        command.run(sweep, folder, here(), quiet())
    return folder


def test_an_extension_that_is_only_planned_or_in_use_or_cannot_be_built_changes_nothing(short, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    shutil.copytree(short, folder)
    before = sorted(path for path in folder.rglob("*") if path.name != "lock")
    monkeypatch.setattr(command.plan, "measure", lambda item: None)
    monkeypatch.setattr(command, "show_plan", lambda *arguments, **more: None)
    file = file_of(tmp_path, grid=RATES)
    command.extend(file, folder, here(), quiet(), dry_run=True)
    assert len(command.read(folder).settings) == 2
    with locked(next((folder / rungs.ITEMS).iterdir()), 0.0), pytest.raises(ValueError, match="in use by another"):
        command.extend(file, folder, here(), quiet())

    def unbuildable(*arguments, **more):
        raise ValueError("setting 0, and those of its sizes, cannot be built: use fewer")

    monkeypatch.setattr(command, "show_plan", unbuildable)
    with pytest.raises(ValueError, match="use fewer"):
        command.extend(file, folder, here(), quiet())
    assert sorted(path for path in folder.rglob("*") if path.name != "lock") == before
    assert command.read(folder) == command.read(short)


@pytest.mark.slow
def test_an_extended_sweep_has_the_rows_of_one_that_was_declared_so(short, tmp_path):
    """More steps, seeds and values at once; what is finished is neither trained nor written again."""
    folder = tmp_path / "extended"
    shutil.copytree(short, folder)
    console = quiet()
    sweep = command.extend(file_of(tmp_path), folder, here(), console)
    assert "2 settings with 2 seeds become 4 with 8" in console.file.getvalue()
    command.run(sweep, folder, here(), console)
    straight = tiny()
    command.prepare(straight, tmp_path / "straight")
    command.run(straight, tmp_path / "straight", here(), quiet())
    found, expected = table.read(folder), table.read(tmp_path / "straight")
    number = [sweep.settings.index(config) for config in straight.settings]
    expected["setting"] = [number[setting] for setting in expected["setting"]]
    expected = table.in_order(expected)
    assert list(found.columns) == list(expected.columns)
    same = [name for name in found.columns if not name.startswith("evaluation.")]
    for name in same:
        if found[name].dtype == float:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-4, err_msg=name)
        else:
            assert found[name].tolist() == expected[name].tolist()
    pd.testing.assert_frame_equal(found, pd.read_parquet(folder / table.WHOLE))
    tasks = [work.read_task(item) for item in sorted((folder / rungs.ITEMS).glob("rung1-*"))]
    assert [(len(task.entries), task.sources is None) for task in tasks] == [(6, True), (2, False)]
    first = min(int(path.name.split(".")[2]) for path in (folder / "table").glob("rung1-group0-part1.*"))
    assert first == 384
    # A finished extension is finished.
    again = command.extend(tmp_path / "tiny.toml", folder, here(), quiet())
    assert again == sweep
    command.run(again, folder, here(), quiet())
    assert not list((folder / rungs.ITEMS).glob("rung2-*"))


@pytest.mark.slow
def test_after_halving_the_survivors_of_a_longer_sweep_go_on(tmp_path):
    short = tiny(seeds=1, halving={"steps": [128]}, fixed=TINY | {"total_steps": 256})
    command.prepare(short, tmp_path / "sweep")
    command.run(short, tmp_path / "sweep", here(), quiet())
    file = file_of(tmp_path, seeds=1, halving={"steps": [128]})
    longer = command.extend(file, tmp_path / "sweep", here(), quiet())
    command.run(longer, tmp_path / "sweep", here(), quiet())
    ends = table.read(tmp_path / "sweep").groupby("setting")["step"].max()
    assert sorted(ends) == [128, 128, 512, 512]


def weights_of(folder):
    config = config_of(folder)
    return config, checkpoint.restore_parameters(folder, config)[0]


def test_the_networks_of_a_setting_stand_for_a_run(short, tmp_path, capsys):
    best = int(table.read(short).groupby("setting")["evaluation.return"].last().idxmax())
    assert main(["export", str(short), "--to", "policy", "--out", str(tmp_path / "best")]) == 0
    assert f"setting {best}, seed 0, after 256 steps" in capsys.readouterr().out
    found = {}
    for setting in (0, 1):
        out = tmp_path / f"setting-{setting}"
        assert main(["export", f"{short}#0", "--to", "policy", "--setting", str(setting), "--out", str(out)]) == 0
        config, found[setting] = weights_of(out)
        assert (config.iterations, config.seed, config.seeds) == (4, 0, 1)
        assert config.coefficients.learning_rate == command.read(short).settings[setting].coefficients.learning_rate
    chex.assert_trees_all_equal(weights_of(tmp_path / "best")[1], found[best])
    # What was trained in a batch is what the same setting learns as a run of its own.
    config = dataclasses.replace(command.read(short).settings[1], seeds=1)
    program = make_program(config)
    alone = program.chunk(program.begin(), 4)[0].learner.parameters
    chex.assert_trees_all_close(found[1], jax.device_get(alone), rtol=1e-3, atol=1e-5)
    assert main(["evaluate", str(tmp_path / "best"), "--episodes", "8"]) == 0


def test_a_setting_of_a_sweep_is_replayed(short, tmp_path, capsys):
    page, other = tmp_path / "page.html", tmp_path / "other"
    assert main(["render", str(short), "--setting", "1", "--episodes", "1", "--out", str(page)]) == 0
    assert f"wrote {page}: setting 1, seed 0, after 256 steps" in " ".join(capsys.readouterr().out.split())
    assert f"{short.name}, setting 1" in page.read_text()
    other.mkdir()
    assert main(["render", str(other), "--setting", "1", "--out", str(page)]) == 2
    assert "is no sweep: leave --setting out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("which", "options", "remedy"),
    [
        ("", ("--setting", "2"), "setting 2 is not in .*: choose 0 to 1"),
        ("#7", (), "has no seed 7: choose 0 to 0"),
        ("@64", (), "a sweep keeps the last checkpoint of each setting"),
    ],
)
def test_a_member_that_was_not_trained_is_refused(short, tmp_path, which, options, remedy, capsys):
    assert main(["export", f"{short}{which}", "--to", "policy", "--out", str(tmp_path / "out"), *options]) == 2
    assert re.search(remedy, capsys.readouterr().err)


def test_a_damaged_checkpoint_of_a_sweep_is_not_exported(short, tmp_path, capsys):
    shutil.copytree(short, tmp_path / "sweep")
    file = max((tmp_path / "sweep").glob("items/*/batch-*/checkpoints/4/parameters/**/d/*"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert main(["export", str(tmp_path / "sweep"), "--to", "policy", "--out", str(tmp_path / "out")]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
