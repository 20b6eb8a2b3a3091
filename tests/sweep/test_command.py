"""Sweeps by the command: started, killed, resumed and refused."""

import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from jaxsocial.cli import main
from jaxsocial.config.fields import flat
from jaxsocial.sweep import command, members, plan, rungs, table, work
from jaxsocial.sweep.backends.items import Finished
from jaxsocial.sweep.executor import Executor
from jaxsocial.sweep.members import Entry
from jaxsocial.sweep.report import ranking
from jaxsocial.sweep.report.ranking import About
from jaxsocial.sweep.work import Task, write_task
from jaxsocial.training.member import metric_names
from jaxsocial.training.progress import Status
from jaxsocial.training.stopping import Stopped
from tests.runs import toml
from tests.sweep.tiny import FILE, GRID, tiny

ROOT = Path(__file__).parents[2]


def file_of(folder: Path, **changes) -> Path:
    """Writes the tiny sweep as a file."""
    path = folder / "tiny.toml"
    path.write_text("".join(f"{name} = {toml(value)}\n" for name, value in (FILE | changes).items()))
    return path


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"JAX_PLATFORMS": "cpu", "COLUMNS": "200"} | more


def sweep(*arguments) -> list:
    return [sys.executable, "-m", "jaxsocial", "sweep", *map(str, arguments)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Runs a sweep by the command without a stop; returns its folder, its file and its output."""
    folder = tmp_path_factory.mktemp("sweeps")
    path = file_of(folder, grid=GRID | {"network.matmul_dtype": ["float32", "bfloat16"]}, halving={"steps": [256]})
    done = subprocess.run(
        sweep(path, "--out", folder / "whole"), env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "whole", path, done.stdout


@pytest.mark.slow
def test_the_command_plans_runs_and_reports(finished):
    folder, _, printed = finished
    assert "8 settings, 16 seeds of them in all, 4 compilations" in printed
    assert printed.index("4 compilations") < printed.index("4 of 8 settings continue") < printed.index("report")
    rows = pd.read_parquet(folder / "results.parquet")
    assert not rows.duplicated(list(table.KEYS)).any()
    assert rows.groupby("setting")["step"].max().value_counts().to_dict() == {512: 4, 256: 4}
    pd.testing.assert_frame_equal(rows, table.in_order(pd.read_parquet(folder / "table")), check_dtype=False)
    assert (folder / "report" / "report.html").stat().st_size > 10_000
    assert len(pd.read_csv(folder / "report" / "ranking.csv")) == 8


@pytest.mark.slow
def test_a_plan_for_an_accelerator_that_is_not_here_says_what_fits_and_no_time(tmp_path, monkeypatch):
    """In place of its compiler: the CPU, with little memory."""
    monkeypatch.setattr(members, "described_device", lambda target: jax.devices()[0])
    monkeypatch.setattr(members, "memory_of", lambda target: 800_000)
    sweep, output = tiny(), io.StringIO()
    command.prepare(sweep, tmp_path / "sweep")

    def run_items(folders, work):
        for folder in folders:
            plan.measure(folder)
            yield Finished(folder, None)

    executor = Executor(run_items, processes=1, memory_gib=None)
    with jax.debug_key_reuse(False):
        command.show_plan(sweep, tmp_path / "sweep", executor, Console(file=output, width=200), "h100")
    (measured,) = (plan.read_measured(path.parent) for path in (tmp_path / "sweep").glob("plan/h100-*/done.json"))
    assert measured.iteration_seconds is None
    assert measured.bytes <= measured.limit == 800_000
    assert "not timed, since it is not here" in output.getvalue()


@pytest.mark.slow
def test_ten_kills_at_random_change_no_row(finished):
    whole, path, _ = finished
    folder, draw, kills = whole.with_name("killed"), random.Random(0), 0
    arguments = [path, "--out", folder]
    while True:
        process = subprocess.Popen(sweep(*arguments), env=environment(), cwd=ROOT, start_new_session=True)
        if folder.exists() and (folder / "sweep.json").is_file():
            arguments = ["--resume", folder]
        try:
            process.wait(draw.uniform(2, 12) if kills < 10 else None)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            # Items end a moment after their command: the next one mostly begins after that, and sometimes before.
            time.sleep(draw.uniform(0, 2))
            kills += 1
        if (folder / "sweep.json").is_file():
            arguments = ["--resume", folder]
        elif folder.exists():
            folder.rename(folder.with_name(f"half-made-{kills}"))
    assert process.returncode == 0
    found, expected = table.read(folder), table.read(whole)
    pd.testing.assert_frame_equal(found[list(table.KEYS)], expected[list(table.KEYS)])
    traced = expected.select_dtypes("number").columns
    np.testing.assert_allclose(found[traced], expected[traced], rtol=1e-6)
    assert kills >= 8


@pytest.mark.slow
def test_eight_devices_share_the_settings_and_change_no_row(finished):
    whole, path, _ = finished
    folder = whole.with_name("eight")
    done = subprocess.run(
        sweep(path, "--out", folder),
        env=environment(JAX_NUM_CPU_DEVICES="8"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 x cpu a process" in done.stdout
    found, expected = table.read(folder), table.read(whole)
    pd.testing.assert_frame_equal(found[list(table.KEYS)], expected[list(table.KEYS)])
    for name in ("return", "loss", "entropy"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_settings_that_cannot_be_built_are_refused_before_anything_runs(tmp_path, capsys):
    path = file_of(tmp_path, fixed=FILE["fixed"] | {"network.channels": [4, 4, 4]})
    assert main.main(["sweep", str(path), "--out", str(tmp_path / "sweep")]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "cannot be built" in complaint
    assert "use fewer" in complaint
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ("sweep", "give a file that declares a sweep, or --resume"),
        ("sweep nowhere.toml", "is no file"),
        ("sweep tiny.toml --resume tiny", "give a file that declares a sweep, or --resume"),
        ("sweep --resume nowhere", "holds no sweep"),
        ("sweep --resume begun --out new", "a resumed sweep stays in begun"),
        ("sweep wrong.toml", "perhaps you meant rules.penalty"),
        ("sweep tiny.toml --out there", "choose another --out"),
        ("sweep --extend begun", "needs a file and that folder only"),
        ("sweep tiny.toml --extend begun --out new", "needs a file and that folder only"),
        ("sweep tiny.toml --extend nowhere", "holds no sweep"),
        ("sweep other.toml --extend begun", "the nearest has another rules.prestige_scale: leave in what is trained"),
        ("sweep tiny.toml --processes 0", "choose 1 or more"),
        ("sweep tiny.toml --memory-gib 0", "choose a number above 0"),
        ("sweep tiny.toml --backend cloud", "Expected one of"),
        ("sweep tiny.toml --target h100", "give --dry-run too"),
        ("sweep-report nowhere", "holds no sweep"),
        ("sweep-report begun", "has no table yet"),
    ],
)
def test_a_refusal_is_one_line_with_the_remedy(arguments, remedy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, fixed=FILE["fixed"] | {"rules.prestige_scale": 2.0}).rename(tmp_path / "other.toml")
    file_of(tmp_path)
    (tmp_path / "wrong.toml").write_text("[grid]\nrules.penalti = [1]\n")
    (tmp_path / "there").mkdir()
    command.prepare(tiny(), tmp_path / "begun")
    assert main.main(arguments.split()) == 2
    complaint = capsys.readouterr().err
    assert remedy in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_rungs_end_at_log_points_and_settings_are_evaluated_there():
    sweep = tiny(halving={"steps": [1, 200, 9999]}, evaluations=2)
    config = sweep.settings[0]
    assert [plan.rung_end(config, sweep, rung) for rung in range(4)] == [2, 4, 8, 8]
    assert plan.evaluated_at(config, sweep) == [2, 4, 8]


def test_settings_whose_steps_round_differently_are_compared_by_their_returns():
    """An iteration has 64, 128 or 192 steps, so that rungs end at 256 or 384 steps."""
    sweep = tiny(grid={"sizes.worlds": [8, 16, 24]}, halving={"steps": [200], "keep": 0.4}, seeds=1)
    ends = plan.step_ends(sweep)
    assert [ends[setting][0] for setting in range(3)] == [256, 256, 384]
    rows = [
        {"setting": setting, "seed": 0, "learner": 0, "step": ends[setting][0], "evaluation.return": value}
        for setting, value in enumerate([1.0, 10.0, 0.0])
    ]
    assert rungs.survivors(pd.DataFrame(rows), sweep, range(3), 0) == [0, 1]
    # What was trained since changes nothing: a resumed or extended sweep has the same survivors.
    later = [*rows, rows[1] | {"step": ends[1][0] + 64, "evaluation.return": -1.0}]
    assert rungs.survivors(pd.DataFrame(later), sweep, range(3), 0) == [0, 1]
    later += [{**rows[0], "step": ends[0][1]}]
    assert rungs.survivors(pd.DataFrame(later), sweep, [1, 2], 0) == [1]
    longer = pd.DataFrame([*rows, *(rows[place] | {"step": ends[place][1]} for place in (0, 1))])
    ranked = ranking.rank(longer, About("", (), "evaluation.return", ends=ends))
    assert ranked.settings["setting"].tolist() == [1, 0, 2]
    assert ranked.dropped.to_dict() == {0: False, 1: False, 2: True}


def test_the_planned_time_counts_the_settings_that_are_still_in():
    sweep = tiny(halving={"steps": [256], "keep": 0.5})
    measured = plan.Measured(2, 0, 0, 1, "cpu", compile_seconds=10.0, iteration_seconds=3.0)
    # Eight members in four batches for four iterations, then four in two.
    assert plan.group_seconds(measured, 8, sweep.settings[0], sweep) == 10 + 4 * 4 * 3 + 10 + 2 * 4 * 3


def test_a_share_of_settings_is_that_of_the_file_s_decimal():
    """In binary 0.28 * 25 is a little more than 7."""
    penalties = np.linspace(0, 2, 25).tolist()
    sweep = tiny(grid={"rules.penalty": penalties}, halving={"steps": [256], "keep": 0.28}, seeds=1)
    rows = [
        {"setting": setting, "seed": 0, "learner": 0, "step": 256, "evaluation.return": float(setting)}
        for setting in range(25)
    ]
    assert rungs.survivors(pd.DataFrame(rows), sweep, range(25), 0) == list(range(18, 25))
    measured = plan.Measured(1, 0, 0, 1, "cpu", compile_seconds=0.0, iteration_seconds=1.0)
    assert plan.group_seconds(measured, 25, sweep.settings[0], sweep) == 25 * 4 + 7 * 4


def test_batches_that_did_not_fit_are_reported_with_their_item(tmp_path):
    sweep, output = tiny(), io.StringIO()

    def run_items(folders, what):
        for folder in folders:
            (folder / "log.txt").write_text("hello\n8 members do not fit at once: trying 4\n")
            done = [(*entry, f"{folder.name}/batch-0-8", 0) for entry in work.read_task(folder).entries]
            (folder / "done.json").write_text(json.dumps(done))
            yield Finished(folder, None)

    command.prepare(sweep, tmp_path / "sweep")
    table.write_part(tmp_path / "sweep", "item.batch-0-1", 1, [dict.fromkeys(table.KEYS, 0)])
    command.run(sweep, tmp_path / "sweep", Executor(run_items), Console(file=output, width=200))
    assert "rung0-group0-part0: 8 members do not fit at once: trying 4" in output.getvalue()
    assert "hello" not in output.getvalue()


def test_an_interrupt_says_how_to_continue(tmp_path):
    def run_items(folders, work):
        raise KeyboardInterrupt
        yield

    command.prepare(tiny(), tmp_path / "sweep")
    with pytest.raises(Stopped, match="stopped; continue with: jaxsocial sweep --resume"):
        command.run(tiny(), tmp_path / "sweep", Executor(run_items), Console(file=io.StringIO()))


def test_failed_items_are_named_with_their_reasons_and_the_command_that_continues(tmp_path):
    sweep = tiny()
    command.prepare(sweep, tmp_path / "sweep")
    executor = Executor(lambda folders, work: (Finished(folder, "out of luck") for folder in folders), processes=2)
    with pytest.raises(Stopped, match=r"2 of 2 items failed[\s\S]*--resume[\s\S]*part1: out of luck"):
        command.run(sweep, tmp_path / "sweep", executor, Console(file=io.StringIO()))


def test_progress_is_read_from_the_files_of_the_table(tmp_path):
    command.prepare(tiny(), tmp_path / "sweep")
    folder = tmp_path / "sweep"
    write_task(folder / "items" / "one", Task([Entry(0, 0), Entry(0, 1), Entry(1, 0)], 8, [], 1.0))
    written = (("one.batch-0-2", 64, [5.0, 5.0]), ("one.batch-0-2", 128, [1.0, math.nan]), ("one.batch-2-3", 64, [2.0]))
    for writer, step, returns in (*written, ("other.batch-0-9", 64, [9.0])):
        table.write_part(folder, writer, step, [{"setting": 0, "seed": 0, "return": value} for value in returns])
    assert command.progress(folder, ["one"]) == Status(2 * 128 + 64, "1 item", "1.50 (best 2.00)")
    assert command.progress(folder, ["none"]).returns == "-"
    assert rungs.total_steps(folder, [folder / "items" / "one"]) == 3 * 8 * 64


def test_the_process_that_plans_starts_no_device(tmp_path):
    path = file_of(tmp_path)
    program = (
        "from jax._src import xla_bridge; from pathlib import Path; from jaxsocial import cli\n"
        "from jaxsocial.sweep import command, rungs, spec\n"
        f"sweep = spec.read_sweep(Path({str(path)!r})); folder = Path({str(tmp_path / 'sweep')!r})\n"
        "command.prepare(sweep, folder); rungs.begin_rung(folder, command.read(folder), 0, range(4), 2, None)\n"
        "raise SystemExit(xla_bridge.backends_are_initialized())"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_settings_that_changed_since_their_item_was_made_are_refused(tmp_path):
    command.prepare(tiny(), tmp_path / "sweep")
    rungs.begin_rung(tmp_path / "sweep", tiny(), 0, range(4), 1, None)
    settings = tmp_path / "sweep" / "settings.json"
    settings.write_text(settings.read_text().replace('"learning_rate": 0.1', '"learning_rate": 0.2', 1))
    with pytest.raises(ValueError, match=r"rung0-group0-part0 have changed in .*settings.json"):
        rungs.begin_rung(tmp_path / "sweep", command.read(tmp_path / "sweep"), 0, range(4), 1, None)
    with pytest.raises(ValueError, match="have changed"):
        work.work(tmp_path / "sweep" / "items" / "rung0-group0-part0")
    settings.write_text(settings.read_text()[:99])
    with pytest.raises(ValueError, match=r"settings.json is damaged"):
        command.read(tmp_path / "sweep")


@pytest.mark.parametrize("name", ["../../../x", "/tmp/x", "rung0-group0-part0/../../x", ""])
def test_a_rung_names_items_of_its_own_sweep(tmp_path, name):
    command.prepare(tiny(), tmp_path / "sweep")
    rungs.begin_rung(tmp_path / "sweep", tiny(), 0, range(4), 1, None)
    path = tmp_path / "sweep" / "rung-0.json"
    path.write_text(path.read_text().replace("rung0-group0-part0", name))
    with pytest.raises(ValueError, match="which is no item"):
        rungs.begin_rung(tmp_path / "sweep", tiny(), 0, range(4), 1, None)
    assert not list(tmp_path.glob("**/x"))


def test_all_files_of_a_table_have_the_same_columns(tmp_path):
    """Groups differ in their metrics, and in fields that some of them leave out."""
    settings = tiny(grid={"sizes.prediction": ["none", "symbols"], "teacher": ["", "expert"]}).settings
    schema = table.schema_of(settings)
    for number, config in enumerate(settings):
        row = dict.fromkeys(table.KEYS, number) | flat(config) | dict.fromkeys(metric_names(config), float(number))
        table.write_part(tmp_path, f"group{number}.batch-0-1", 64, [row], schema)
    rows = pd.read_parquet(tmp_path / "table")
    assert rows["prediction_loss"].isna().tolist() == [True, True, False, False]
    assert rows["imitation_loss"].isna().tolist() == [True, False, True, False]
    pd.testing.assert_frame_equal(table.in_order(rows), table.read(tmp_path))


def test_a_damaged_file_of_a_table_is_refused(tmp_path):
    row = dict.fromkeys(table.KEYS, 1)
    table.write_part(tmp_path, "item.batch-0-1", 64, [row])
    table.write_whole(tmp_path)
    whole, (part,) = tmp_path / table.WHOLE, (tmp_path / "table").iterdir()
    for path, remedy in ((whole, "it is made again"), (part, "sweep --resume")):
        content = path.read_bytes()
        for place in range(0, len(content), 97):
            path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
            with pytest.raises(ValueError, match=rf"{path.name} is damaged: .*{remedy}"):
                table.read(tmp_path)
        path.unlink()
    part.with_name("item.batch-0-1.000000000000064.parquet").write_bytes(content[:-9])  # of an earlier version
    with pytest.raises(ValueError, match="is damaged"):
        table.read(tmp_path)


def test_equal_settings_are_trained_once_and_it_is_said(tmp_path, monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(command, "show_plan", lambda *arguments: None)
    path = file_of(tmp_path, grid={"rules.penalty": [0.5, 0.5, 1.5]})
    sweep = command.begin(path, tmp_path / "sweep", Executor(lambda *arguments: iter(())), Console(file=output))
    assert len(sweep.settings) == 2
    assert "1 of the declared settings equal others, and are trained once" in output.getvalue()


def test_varied_fields_are_those_that_differ_among_settings():
    assert command.varied(tiny()) == ("rules.penalty", "coefficients.learning_rate")
    assert command.varied(tiny(grid={})) == ()
