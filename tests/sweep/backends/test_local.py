"""Items on this machine, each in a fresh process."""

import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import types

import psutil
import pytest

from jaxsocial.sweep.backends import items, local
from jaxsocial.training import folder as files
from tests.sweep.backends.conftest import alive, wait_for
from tests.sweep.backends.works import MARKER, attempts

WORKS = "tests.sweep.backends.works"
DRIVER = f"""
import sys
from pathlib import Path
from jaxsocial.sweep.backends import local
folders = [Path(folder) for folder in sys.argv[3:]]
options = local.Options(slots=len(folders), grace_seconds=float(sys.argv[2]))
list(local.run_items(folders, "{WORKS}:" + sys.argv[1], options))
from jax._src import xla_bridge
raise SystemExit(xla_bridge.backends_are_initialized())
"""


@pytest.fixture(autouse=True)
def no_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def run(folders, work, **options):
    return {
        done.folder.name: done.error for done in local.run_items(folders, f"{WORKS}:{work}", local.Options(**options))
    }


def test_each_item_has_its_own_process_and_at_most_one_per_slot_runs(make_folders):
    folders = make_folders("abcde")
    assert run(folders, "succeed", slots=2) == dict.fromkeys("abcde")
    assert all((folder / MARKER).exists() for folder in folders)
    assert len({attempts(folder)[0]["pid"] for folder in folders}) == 5
    began = [(attempts(folder)[0]["began"], 1) for folder in folders]
    ended = [(float((folder / "ended").read_text()), -1) for folder in folders]
    at_once = list(itertools.accumulate(change for _, change in sorted(began + ended)))
    assert max(at_once) <= 2


def test_output_goes_to_the_log_of_the_item(make_folders):
    folders = make_folders("ab")
    run(folders, "succeed")
    for folder in folders:
        log = (folder / items.LOG).read_text()
        assert f"hello from {folder.name}" in log
        assert f"process {attempts(folder)[0]['pid']}" in log


def test_slots_share_gpus_and_their_memory(make_folders, monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    folders = make_folders("abcd")
    run(folders, "succeed", slots=4)
    seen = [
        (first["CUDA_VISIBLE_DEVICES"], first["XLA_PYTHON_CLIENT_MEM_FRACTION"]) for [first] in map(attempts, folders)
    ]
    assert seen == [("4", "0.45"), ("7", "0.45")] * 2


def test_a_killed_process_is_restarted_and_affects_no_other_item(make_folders):
    folders = make_folders("abc")
    assert run(folders, "die_at_first", slots=3) == dict.fromkeys("abc")
    assert [len(attempts(folder)) for folder in folders] == [1, 2, 1]
    assert all((folder / MARKER).exists() for folder in folders)


def test_an_item_that_is_killed_too_often_fails(make_folders):
    folders = make_folders("a")
    errors = run(folders, "always_die", retries=1)
    assert "killed by SIGKILL, attempt 2" in errors["a"]
    assert len(attempts(folders[0])) == 2


def test_an_exception_is_reported_with_the_end_of_the_log_and_not_retried(make_folders):
    folders = make_folders("abc")
    errors = run(folders, "fail")
    assert errors["a"] is errors["c"] is None
    assert "ValueError: no such colour: octarine" in errors["b"]
    assert str(folders[1] / items.LOG) in errors["b"]
    assert len(attempts(folders[1])) == 1


def test_processes_that_an_item_leaves_are_killed(make_folders):
    [folder] = make_folders("a")
    assert run([folder], "leave_a_process") == {"a": None}
    wait_for(lambda: not alive(int((folder / "child").read_text())), 5)


def test_an_item_runs_only_once_at_a_time(make_folders):
    [folder] = make_folders("a")
    with open(folder / files.LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is in use by another process" in run([folder], "succeed", grace_seconds=0.1)["a"]
    assert not (folder / MARKER).exists()
    assert run([folder], "succeed") == {"a": None}


def start_driver(work, grace_seconds, folders):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, work, str(grace_seconds), *map(str, folders)])
    wait_for(lambda: all((folder / "ready").exists() for folder in folders))
    return driver


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_items_save_and_end_when_the_command_is_stopped(make_folders, number):
    folders = make_folders("ab")
    driver = start_driver("save_when_told", 20, folders)
    driver.send_signal(number)
    assert driver.wait(20) != 0
    wait_for(lambda: not any(alive(attempts(folder)[0]["pid"]) for folder in folders), 10)
    assert all((folder / "saved").exists() for folder in folders)
    assert run(folders, "save_when_told") == dict.fromkeys("ab")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_items_that_ignore_a_stop_are_killed(make_folders, number):
    [folder] = make_folders("a")
    driver = start_driver("hold", 0.5, [folder])
    driver.send_signal(number)
    driver.wait(20)
    wait_for(lambda: not alive(attempts(folder)[0]["pid"]), 10)


def test_the_command_itself_starts_no_device(make_folders):
    [folder] = make_folders("a")
    (folder / "saved").touch()
    assert subprocess.run([sys.executable, "-c", DRIVER, "save_when_told", "1", folder], check=False).returncode == 0
    assert (folder / MARKER).exists()


def test_closing_the_iterator_stops_the_other_items(make_folders):
    folders = make_folders("ab")
    (folders[0] / "saved").touch()
    finished = local.run_items(folders, f"{WORKS}:save_when_told", local.Options(slots=2))
    assert next(finished).folder == folders[0]
    wait_for((folders[1] / "ready").exists)
    began = time.monotonic()
    finished.close()
    assert time.monotonic() - began < 10
    assert (folders[1] / "saved").exists()
    assert not alive(attempts(folders[1])[0]["pid"])


def test_items_that_waited_for_another_begin_when_it_has_ended(make_folders):
    first, long, then = make_folders("abc")
    for folder in (first, then):
        (folder / "saved").touch()
    waiting = [[then], []]
    options = local.Options(slots=2)
    finished = local.run_items([first, long], f"{WORKS}:save_when_told", options, more=lambda: waiting.pop(0))
    assert [next(finished).folder for _ in range(2)] == [first, then]
    assert not (long / MARKER).exists()
    finished.close()


def test_at_the_deadline_items_are_told_to_stop(make_folders):
    folders = make_folders("abc")
    began = time.monotonic()
    finished = local.run_items(folders, f"{WORKS}:save_when_told", local.Options(slots=2), deadline=began + 3)
    assert list(finished) == []
    assert time.monotonic() - began < 13
    assert not (folders[2] / "ready").exists(), "begun after the deadline"
    # On a busy machine the deadline may pass before a process has started.
    begun = [folder for folder in folders[:2] if (folder / "attempts.jsonl").is_file()]
    assert not any(alive(attempts(folder)[0]["pid"]) for folder in begun)


def test_items_that_end_in_the_last_poll_before_the_deadline_are_yielded(make_folders, monkeypatch):
    ends, begun = make_folders("ab")
    now = itertools.count()

    def poll(seconds):
        wait_for(lambda: (ends / MARKER).exists())
        # With WNOWAIT the process can be waited for once more. A zombie may still have threads.
        os.waitid(os.P_PID, attempts(ends)[0]["pid"], os.WEXITED | os.WNOWAIT)

    monkeypatch.setattr(local, "time", types.SimpleNamespace(monotonic=lambda: next(now), sleep=poll))
    # The clock is read once before the items begin, and once after the poll.
    finished = local.run_items([ends, begun], f"{WORKS}:succeed", local.Options(slots=1), deadline=1.0)
    assert list(finished) == [items.Finished(ends, None)]
    assert not (begun / items.LOG).exists()


def test_a_process_is_pinned_to_the_core_of_its_slot(make_folders):
    cores = local.core_environments()
    folders = make_folders("abc"[: len(cores)])
    assert all(done.error is None for done in local.run_items(folders, f"{WORKS}:record_cores", local.Options(), cores))
    for folder, slot in zip(folders, cores, strict=False):
        assert json.loads((folder / MARKER).read_text()) == [[int(slot["JAXSOCIAL_CORE"])], "1"]


@pytest.mark.parametrize(
    ("visible", "names"), [("", []), ("-1", []), ("0", ["0"]), ("1, GPU-8a", ["1", "GPU-8a"]), ("NoDevFiles", [])]
)
def test_gpus_are_those_of_cuda_visible_devices(monkeypatch, visible, names):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local.visible_gpus() == names


def test_gpus_are_listed_by_nvidia_smi(monkeypatch, tmp_path):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local.visible_gpus() == []
    command = tmp_path / "nvidia-smi"
    command.write_text(
        "#!/bin/sh\necho 'GPU 0: H100 (UUID: GPU-1)'\necho '  MIG 1g'\necho 'GPU 1: H100 (UUID: GPU-2)'\n"
    )
    command.chmod(0o755)
    assert local.visible_gpus() == ["0", "1"]
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert local.visible_gpus() == []


def test_slots_divide_gpus():
    share = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.45"}
    assert local.slot_environments(None, []) == local.slot_environments(1, []) == [{}]
    assert local.slot_environments(None, ["0", "1"]) == [{local.VISIBLE: "0"}, {local.VISIBLE: "1"}]
    assert local.slot_environments(1, ["0", "1"]) == [{local.VISIBLE: "0,1"}]
    assert local.slot_environments(2, ["5"]) == [{local.VISIBLE: "5", **share}] * 2


def test_slots_without_gpus_share_cores_and_memory(make_folders, monkeypatch):
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    folders = make_folders("ab")
    assert run(folders, "record_share", slots=2) == dict.fromkeys("ab")
    devices, limits = zip(*[json.loads((folder / MARKER).read_text()) for folder in folders], strict=True)
    assert devices == (max(1, min(len(os.sched_getaffinity(0)) // 2, 8)),) * 2
    claimed = sum(count * limit for count, limit in zip(devices, limits, strict=True))
    assert claimed < psutil.virtual_memory().total


@pytest.mark.parametrize("work", ["nowhere:work", "tests.sweep.backends.works:nothing", "works", ":work"])
def test_a_wrong_name_is_refused_before_anything_starts(make_folders, work):
    with pytest.raises(ValueError, match="as module:function"):
        local.run_items(make_folders("a"), work, local.Options())


def test_wrong_folders_and_options_are_refused(make_folders, tmp_path):
    [folder] = make_folders("a")
    with pytest.raises(ValueError, match="is given twice"):
        local.run_items([folder, folder], f"{WORKS}:succeed", local.Options())
    with pytest.raises(ValueError, match="is not a folder"):
        local.run_items([tmp_path / "z"], f"{WORKS}:succeed", local.Options())
    with pytest.raises(ValueError, match="slots 0: choose 1 or more"):
        local.Options(slots=0)
    with pytest.raises(ValueError, match="retries -1"):
        local.Options(retries=-1)
