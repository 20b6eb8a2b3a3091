"""Groups that train side by side, each on devices of its own."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from rich.console import Console

from jaxsocial.config.presets import alone
from jaxsocial.reproduce import progress, train
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.store import folder_of, is_trained, run_name
from jaxsocial.train import checkpoint
from jaxsocial.train.devices import device_groups
from jaxsocial.train.loop import Chunk
from tests.reproduce.conftest import tiny_config


@pytest.fixture
def two_lanes(monkeypatch):
    """As if there were two devices. Threads see only what is configured for all of them."""
    monkeypatch.setattr(train, "lanes", lambda devices: [devices[:1], devices[:1]])
    before = jax.config.values["jax_debug_key_reuse"]
    jax.config.update("jax_debug_key_reuse", False)
    yield
    jax.config.update("jax_debug_key_reuse", before)


def two_conditions() -> list[Condition]:
    """Of other shapes, so that they cannot train in one program."""
    config = tiny_config()
    return [Condition("beside", config), Condition("alone", alone(config))]


def parameters(condition, store):
    return checkpoint.restore_parameters(folder_of(condition, store), condition.config)[0]


class Seen:
    """Keeps what it is told, and asks for a stop at the calls it was given; a second caller at a time is an error."""

    def __init__(self, stop_at: tuple[int, ...] = ()):
        self.said, self._stop_at, self._lock = [], stop_at, threading.Lock()

    def __call__(self, group, chunk):
        assert self._lock.acquire(blocking=False)
        self.said.append((group.names[0].partition("-")[0], chunk and chunk.iteration))
        self._lock.release()
        return len(self.said) in self._stop_at


def fake_device(platform: str) -> SimpleNamespace:
    return SimpleNamespace(platform=platform)


def test_a_core_is_a_lane_and_all_accelerators_are_one():
    cores, cards = [[fake_device(name) for _ in range(3)] for name in ("cpu", "gpu")]
    assert device_groups(cores) == [[core] for core in cores]
    assert device_groups(cards) == [cards]


def test_side_by_side_they_come_to_what_they_come_to_one_after_the_other(two_lanes, tmp_path, monkeypatch):
    conditions, seen = two_conditions(), Seen()
    train.train(conditions, tmp_path / "two", seen)
    assert {name for name, _ in seen.said[:2]} == {"beside", "alone"}
    assert [done for _, done in seen.said[:2]] == [None, None]
    assert sorted(seen.said[2:]) == [("alone", 1), ("alone", 2), ("beside", 1), ("beside", 2)]
    monkeypatch.setattr(train, "lanes", lambda devices: [devices])
    train.train(conditions, tmp_path / "one", Seen())
    for condition in conditions:
        both = (parameters(condition, tmp_path / name) for name in ("two", "one"))
        jax.tree.map(np.testing.assert_array_equal, *both)


def test_whoever_asks_for_a_stop_all_are_saved_and_go_on(two_lanes, tmp_path):
    conditions, seen = two_conditions(), Seen(stop_at=(3, 4))  # the first chunk of each
    with pytest.raises(train.Stopped):
        train.train(conditions, tmp_path, seen)
    assert [train.iterations_done(condition, tmp_path) for condition in conditions] == [1, 1]
    train.train(conditions, tmp_path, seen)
    assert all(is_trained(condition, tmp_path) for condition in conditions)
    assert sorted(name for name, done in seen.said if done == 2) == ["alone", "beside"]


@pytest.mark.parametrize("more", [0, 1, 2])
def test_what_is_alike_is_shared_out_among_free_lanes(two_lanes, tmp_path, monkeypatch, more):
    begun, both = [], threading.Barrier(2)

    def fake_train(group, lane, watch):
        begun.append([name.partition("-")[0] for name in group.names])
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(10)
        monkeypatch.setattr(train, "is_trained", lambda condition, store: True)

    monkeypatch.setattr(train, "_train", fake_train)
    config = tiny_config()
    alike = [Condition(f"number{n}", dataclasses.replace(config, seed=2 * n)) for n in range(2 + more)]
    train.train(alike, tmp_path, Seen())
    first, second = sorted(begun)
    assert first + second == [condition.name for condition in alike]
    assert len(first) - len(second) == more % 2


def test_one_that_ends_does_not_undo_the_stop_of_another(two_lanes, tmp_path, monkeypatch):
    stopped, begun = threading.Event(), []

    def fake_train(group, lane, watch):
        name = group.names[0].partition("-")[0]
        begun.append(name)
        assert len(begun) <= 2
        if name == "beside":
            stopped.set()
            raise train.Stopped
        stopped.wait(10)
        time.sleep(0.1)

    monkeypatch.setattr(train, "_train", fake_train)
    with pytest.raises(train.Stopped):
        train.train(two_conditions(), tmp_path, Seen())
    assert sorted(begun) == ["alone", "beside"]


def test_what_goes_wrong_with_one_is_raised_once_all_others_are_saved(two_lanes, tmp_path):
    beside, solo = two_conditions()
    wrong = dataclasses.replace(beside, name="wrong", partners=("nobody",))
    with pytest.raises(ValueError, match="nobody"):
        train.train([wrong, solo], tmp_path, Seen())
    assert train.iterations_done(solo, tmp_path) in (0, 1)  # at once, or after the chunk it was at
    train.train([solo], tmp_path, Seen())
    assert is_trained(solo, tmp_path)


def test_what_needs_another_waits_for_it_though_a_lane_is_free(two_lanes, tmp_path):
    first = two_conditions()[1]
    then = dataclasses.replace(first, name="then", start_from=first)
    seen = Seen()
    train.train([first, then], tmp_path, seen)
    assert seen.said == [(name, done) for name in ("alone", "then") for done in (None, 1, 2)]


def smoke(folder) -> subprocess.Popen:
    """A figure by the command, begun on two devices."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "out")]
    command = [sys.executable, "-m", "jaxsocial", "reproduce", "figure7", "--scale", "smoke", *places]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_figure_by_the_command_on_two_cores(tmp_path):
    process = smoke(tmp_path)
    process.communicate()
    assert process.returncode == 0
    found = json.loads((tmp_path / "out" / "smoke" / "figure7" / "results.json").read_text())
    assert len(found["rows"]) == 5
    assert len(found["circumstances"]["devices"]) == 2


@pytest.mark.slow
def test_a_second_ctrl_c_waits_for_nothing_and_breaks_nothing(tmp_path):
    process = smoke(tmp_path)
    while not any(path.stat().st_size for path in tmp_path.glob("runs/smoke/*/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (130, "")


def test_two_runs_of_one_condition_are_told_apart(tmp_path):
    """Lots of seeds: one may come to its end while the other still trains."""
    config = tiny_config()
    seed_batches = [Condition("it", dataclasses.replace(config, seed=seed)) for seed in (0, 2)]
    groups = [train.Group((run_name(c),), (c.config,), (tmp_path,), tmp_path) for c in seed_batches]
    with progress.display(Console(file=io.StringIO())) as bar:
        watch = progress.Watch("figure0", seed_batches, tmp_path, bar, lambda: False)
        first, second = (functools.partial(watch, group) for group in groups)
        for begin in (first, second):
            begin(None)
        first(chunk_of(config, config.iterations, healthy=False))
        bar.refresh()
        assert bar.tasks[0].fields["what"] == "it"
        second(chunk_of(config, config.iterations, healthy=True))
        assert bar.tasks[0].fields["what"] == ""


def chunk_of(config, iteration: int, healthy: bool) -> Chunk:
    members = SimpleNamespace(healthy=np.full(config.seeds, healthy))
    return Chunk(members, iteration, rows=[], speed=1.0, saved=True)


def test_a_program_s_time_is_shared_by_its_runs(tmp_path):
    folders = tuple(tmp_path / name for name in ("one", "two", "shared"))
    for folder in folders:
        folder.mkdir()
    *runs, shared = folders
    train._note_seconds(train.Group(("one", "two"), (), tuple(runs), shared), 10.0)
    assert [train.seconds_of(folder) for folder in folders] == [5.0, 5.0, 10.0]
    train._note_seconds(train.Group(("one",), (), (runs[0],), runs[0]), 7.0)
    assert train.seconds_of(runs[0]) == 7.0
