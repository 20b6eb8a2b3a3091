"""Groups of runs that train side by side, each in a process on a core of its own."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from jaxsocial.config.presets import alone
from jaxsocial.reproduce import command, train
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.store import folder_of, is_trained, read_records, run_name, seconds_of
from jaxsocial.sweep.backends import local
from jaxsocial.sweep.backends.items import Finished
from jaxsocial.training import checkpoint, devices, metrics, run
from jaxsocial.training.stopping import Stopped
from tests.reproduce.conftest import in_this_process, tiny_config

pytestmark = pytest.mark.usefixtures("keys_unchecked")


@pytest.fixture
def two_processes(monkeypatch):
    """An executor of two processes, also on one core."""
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "2")
    return train.make_executor()


def two_conditions() -> list[Condition]:
    """Conditions of different shapes, so that they cannot train in one program."""
    config = tiny_config()
    return [Condition("beside", config), Condition("alone", alone(config))]


def parameters(condition, runs):
    return checkpoint.restore_parameters(folder_of(condition, runs), condition.config)[0]


def test_a_core_is_a_slot():
    own = local.core_environments()
    assert len(own) == len(os.sched_getaffinity(0))
    assert len({slot["JAXSOCIAL_CORE"] for slot in own}) == len(own)
    assert len(local.core_environments(3)) == 3
    assert {slot["JAX_NUM_CPU_DEVICES"] for slot in own} == {"1"}


def test_slots_share_the_memory():
    assert {slot["JAXSOCIAL_SLOTS"] for slot in local.core_environments(3)} == {"3"}


@pytest.mark.slow
def test_in_processes_the_result_is_that_of_one_after_the_other(two_processes, tmp_path):
    conditions = two_conditions()
    assert two_processes.processes == 2
    train.train(conditions, tmp_path / "two", two_processes)
    train.train(conditions, tmp_path / "one", in_this_process())
    for condition in conditions:
        both = (parameters(condition, tmp_path / name) for name in ("two", "one"))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4), *both)


def fail_once_another_trains(folder):
    """Trains a group; the wrong one begins when another has learned something."""
    if folder.name.startswith("wrong-"):
        while not any(path.stat().st_size for path in folder.parent.glob("*/metrics.jsonl")):
            time.sleep(0.1)
    train.work(folder)


@pytest.mark.slow
def test_what_goes_wrong_with_one_is_raised_once_the_others_are_saved(two_processes, tmp_path, monkeypatch):
    beside, solo = two_conditions()
    wrong = dataclasses.replace(beside, name="wrong", partners=("nobody",))
    # It would train for long, and save nothing before its end.
    steps = 10_000 * solo.config.iteration_steps
    long = dataclasses.replace(solo, config=dataclasses.replace(solo.config, total_steps=steps, checkpoint_steps=steps))
    monkeypatch.setattr(train, "WORK", f"{__name__}:{fail_once_another_trains.__name__}")
    with pytest.raises(ValueError, match=r"wrong-(.|\n)*nobody"):
        train.train([wrong, long], tmp_path, two_processes)
    assert 0 < train.iterations_done(long, tmp_path) < 10_000


@pytest.mark.slow
def test_stopped_after_a_chunk_nothing_is_lost(tmp_path):
    conditions, asked = two_conditions(), iter([False, True])

    def until_asked(folders, more):
        for folder in folders:
            train.train_group(folder, lambda: next(asked))
            yield Finished(folder, None)

    with pytest.raises(Stopped):
        train.train(conditions, tmp_path, train.Executor(until_asked))
    assert [train.iterations_done(condition, tmp_path) for condition in conditions] == [1, 0]
    assert train.left_to_train(conditions, tmp_path) == 3 * 128
    train.train(conditions, tmp_path, in_this_process())
    assert all(is_trained(condition, tmp_path) for condition in conditions)


@pytest.mark.parametrize("more", [0, 1, 2])
def test_runs_of_one_program_are_distributed_over_free_processes(tmp_path, more):
    config = tiny_config()
    alike = [Condition(f"number{n}", dataclasses.replace(config, seed=2 * n)) for n in range(2 + more)]
    first, second = (train.group_of(folder) for folder in train.ready_groups(alike, tmp_path, processes=2))
    names = [folder.name for group in (first, second) for folder in group.folders]
    assert names == [run_name(condition) for condition in alike]
    assert len(first.configs) - len(second.configs) == more % 2
    assert len(train.ready_groups(alike, tmp_path / "elsewhere", processes=1)) == 1


@pytest.mark.slow
def test_a_condition_waits_for_those_that_it_needs(tmp_path):
    first = two_conditions()[1]
    then = dataclasses.replace(first, name="then", start_from=first)
    (ready,) = train.ready_groups([first, then], tmp_path, processes=2)
    assert ready.name == run_name(first)
    train.train([first, then], tmp_path, in_this_process())
    assert is_trained(then, tmp_path)


def test_a_condition_begins_while_others_still_train(tmp_path, monkeypatch):
    slow, quick = two_conditions()
    then = dataclasses.replace(quick, name="then", start_from=quick)
    trained, begun = set(), []
    monkeypatch.setattr(train, "is_trained", lambda condition, runs: condition.name in trained)

    def run_items(folders, more):
        begun.append([folder.name for folder in folders])
        trained.add(quick.name)
        begun.append([folder.name for folder in more()])
        yield Finished(folders[1], None)
        trained.update((slow.name, then.name))
        # Nothing begins twice, though it has no checkpoint yet.
        begun.append(list(more()))
        yield Finished(folders[0], None)

    train.train([slow, quick, then], tmp_path, train.Executor(run_items, processes=2))
    assert begun == [[run_name(slow), run_name(quick)], [run_name(then)], []]


def smoke(folder, *more) -> subprocess.Popen:
    """A figure by the command, in two processes."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "out")]
    arguments = [sys.executable, "-m", "jaxsocial", "reproduce", "figure7", "--scale", "smoke", *places, *more]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for_training(process, folder):
    while not any(path.stat().st_size for path in folder.glob("runs/smoke/*/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.1)


@pytest.mark.slow
def test_a_figure_by_the_command_stopped_once(tmp_path):
    process = smoke(tmp_path)
    wait_for_training(process, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "The same command continues" in said
    process = smoke(tmp_path)
    process.communicate()
    assert process.returncode == 0
    records = read_records(tmp_path / "out" / "smoke" / "runs")
    assert {record.condition for record in records} >= {"solo SociAPL, continued", "SociAPL", "mixed"}
    assert all(record.is_whole and len(record.provenance["devices"]) == 2 for record in records)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once_and_breaks_nothing(tmp_path):
    process = smoke(tmp_path)
    wait_for_training(process, tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    process = smoke(tmp_path, "--time-limit", "0")
    _, said = process.communicate()
    assert "learner steps are left" in said


def test_progress_is_read_from_the_metrics_of_runs(tmp_path):
    """Two runs of one condition, with other seeds: both are counted, and the name is shown once."""
    config = tiny_config()
    batches = [Condition("it", dataclasses.replace(config, seed=seed)) for seed in (0, 2)]
    watch = command.Watch(batches, tmp_path)
    assert watch.total == 2 * 2 * 128
    assert watch.status().what == "compiling"
    for condition, step in zip(batches, (64, 128), strict=True):
        folder = folder_of(condition, tmp_path)
        folder.mkdir()
        seeds = (condition.config.seed, condition.config.seed + 1)
        rows = [{"step": step, "seed": seed, "learner": 0, "social_return": seed + 0.5} for seed in seeds]
        metrics.append(folder / metrics.METRICS, rows)
    status = watch.status()
    assert (status.steps, status.what, status.returns) == (2 * 64 + 2 * 128, "it", "0.5 1.5")
    assert "0 of 2 conditions trained; 0.0 M learner steps are left, about" in watch.left()


def test_a_run_that_goes_back_to_its_checkpoint_has_a_speed_still(tmp_path):
    condition = Condition("it", tiny_config())
    folder = folder_of(condition, tmp_path)
    folder.mkdir()
    line = '{{"step": {}, "seed": 0, "learner": 0, "social_return": 1.0}}\n'
    (folder / metrics.METRICS).write_text(2 * line.format(96))
    watch = command.Watch([condition], tmp_path)
    (folder / metrics.METRICS).write_text("")
    assert watch.status().speed == 0
    (folder / metrics.METRICS).write_text(2 * line.format(64))
    status = watch.status()
    assert status.what == "it"
    assert status.speed > 0


def test_a_seed_that_went_bad_is_reported(tmp_path, capsys):
    config = tiny_config()
    log = tmp_path / "it-0" / "log.txt"
    log.parent.mkdir()
    log.write_text("seed 0 stopped before step 8, as was said when it happened\n")
    watch = command.Watch([Condition("it", config)], tmp_path)
    run.report_bad(train.Console(soft_wrap=True), config, np.array([True, True]), np.array([True, False]), 1)
    with log.open("a") as appended:
        appended.write("--- begins\n" + capsys.readouterr().out)
    (line,) = watch.warnings()
    assert line.startswith("it-0: seed 1 stopped before step 64: its loss or a weight is no longer")


@pytest.mark.slow
def test_what_does_not_fit_into_memory_is_not_trained(tmp_path, monkeypatch):
    (folder,) = train.ready_groups([Condition("it", tiny_config())], tmp_path)
    monkeypatch.setattr(devices, "memory_limit", lambda used: 9_999)
    with pytest.raises(ValueError, match=r"sizes\.worlds=8: training takes .* choose fewer"):
        train.train_group(folder, lambda: False)
    assert checkpoint.latest(folder) is None


@pytest.mark.slow
def test_the_time_of_a_program_is_shared_by_its_runs(tmp_path):
    config = tiny_config()
    alike = [Condition(f"number{n}", dataclasses.replace(config, seed=2 * n)) for n in range(2)]
    with pytest.raises(Stopped):
        train.train(alike, tmp_path, in_this_process(deadline=0.0))
    (folder,) = train.ready_groups(alike, tmp_path)
    asked = iter([False, True])
    with pytest.raises(Stopped):
        train.train_group(folder, lambda: next(asked))
    one, two = (seconds_of(folder_of(condition, tmp_path)) for condition in alike)
    assert one == two > 0
    assert seconds_of(folder) == pytest.approx(2 * one, abs=0.2)
    assert json.loads((folder / train.NAMES).read_text()) == [run_name(condition) for condition in alike]
