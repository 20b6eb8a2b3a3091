"""Items as jobs: with submitit's local executor, and with SLURM on this machine."""

import concurrent.futures
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from jaxsocial.sweep.backends import items, queue, slurm
from tests.sweep.backends.conftest import alive, wait_for
from tests.sweep.backends.works import MARKER, attempts

WORKS = "tests.sweep.backends.works"
SCRIPTS = Path(__file__).parent.parent / "slurm"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(queue, "SQUEUE_SECONDS", 0.5)
    monkeypatch.setattr(queue, "RESULT_SECONDS", 2.0)


def run(folders, work, **options):
    finished = slurm.run_items(folders, f"{WORKS}:{work}", slurm.Options(**options))
    return {done.folder.name: done.error for done in finished}


def start(folders, work, **options):
    """Runs items in the background; returns their errors as a future."""
    errors = concurrent.futures.Future()
    command = threading.Thread(target=lambda: errors.set_result(run(folders, work, **options)), daemon=True)
    command.start()
    return errors


@pytest.mark.slow
def test_local_jobs_run_a_few_at_a_time(make_folders):
    folders = make_folders("abcd")
    assert run(folders, "succeed", cluster="local", parallel=2) == dict.fromkeys("abcd")
    began = [(attempts(folder)[0]["began"], 1) for folder in folders]
    ended = [(float((folder / "ended").read_text()), -1) for folder in folders]
    assert max(itertools.accumulate(change for _, change in sorted(began + ended))) <= 2
    assert {attempts(folder)[0]["JAX_PLATFORMS"] for folder in folders} == {"cpu"}
    assert {attempts(folder)[0]["JAXSOCIAL_SLOTS"] for folder in folders} == {"2"}
    assert "hello from a" in (folders[0] / items.LOG).read_text()


@pytest.mark.slow
def test_local_jobs_are_retried_and_failures_reported(make_folders):
    folders = make_folders("ab")
    assert run(folders, "die_at_first", cluster="local", parallel=2) == dict.fromkeys("ab")
    assert [len(attempts(folder)) for folder in folders] == [1, 2]
    errors = run(folders, "fail", cluster="local", parallel=2)
    assert errors["a"] is None
    assert "ValueError: no such colour: octarine" in errors["b"]


def test_a_pre_empted_job_saves_and_continues(make_folders):
    [folder] = make_folders("a")
    errors = start([folder], "save_when_told", cluster="local")
    wait_for((folder / "ready").exists)
    for process in ("pid", "parent"):  # SLURM sends it to all processes of a job
        os.kill(attempts(folder)[0][process], signal.SIGUSR2)
    assert errors.result(60) == {"a": None}
    assert (folder / "saved").exists()
    assert len(attempts(folder)) == 2


@pytest.mark.parametrize("ignored", [False, True])
def test_closing_the_iterator_stops_local_jobs(make_folders, ignored):
    # A shell starts a command in the background of a script with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        _close_while_one_runs(make_folders)
    finally:
        signal.signal(signal.SIGINT, before)


def _close_while_one_runs(make_folders):
    folders = make_folders("ab")
    (folders[0] / "saved").touch()
    options = slurm.Options(cluster="local", parallel=2, grace_seconds=20.0)
    finished = slurm.run_items(folders, f"{WORKS}:save_when_told", options)
    assert next(finished).folder == folders[0]
    wait_for((folders[1] / "ready").exists)
    finished.close()
    wait_for(lambda: not alive(attempts(folders[1])[0]["pid"]))
    assert (folders[1] / "saved").exists()


def test_wrong_options_are_refused(make_folders, monkeypatch):
    with pytest.raises(ValueError, match="cluster 'lsf': choose slurm, or local"):
        slurm.Options(cluster="lsf")
    with pytest.raises(ValueError, match="minutes 2: choose at least 3"):
        slurm.Options(minutes=2)
    with pytest.raises(ValueError, match="parallel 0: choose 1 or more"):
        slurm.Options(parallel=0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="no SLURM here"):
        run(make_folders("a"), "succeed")
    monkeypatch.setitem(slurm.importlib.sys.modules, "submitit", None)
    with pytest.raises(ValueError, match=r"pip install 'jaxsocial\[slurm\]'"):
        run(make_folders("b"), "succeed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Starts SLURM with this machine as its node; skips if it is not installed."""
    folder = tmp_path_factory.mktemp("slurm")
    if os.geteuid() != 0:
        pytest.skip("SLURM's daemons need root")
    started = subprocess.run([SCRIPTS / "start.sh", folder], capture_output=True, text=True, timeout=300, check=False)
    if started.returncode != 0:
        pytest.skip(f"SLURM cannot be started here: {(started.stderr or started.stdout).strip()[-300:]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        yield
    subprocess.run([SCRIPTS / "stop.sh", folder], timeout=60, check=True)


def job_of(folder):
    return json.loads((folder / queue.RECORD).read_text())["job"]


@pytest.mark.slow
def test_an_array_runs_and_a_cancelled_job_continues_when_submitted_again(make_folders, cluster):
    folders = make_folders("abcd")
    for folder in folders[:3]:
        (folder / "saved").touch()
    errors = start(folders, "save_when_told", grace_seconds=15.0)
    wait_for((folders[3] / "ready").exists)
    assert len({job_of(folder).split("_")[0] for folder in folders}) == 1
    subprocess.run(["scancel", job_of(folders[3])], check=True)
    ended = errors.result(60)
    assert [ended[name] for name in "abc"] == [None] * 3
    assert "ended without a result (cancelled" in ended["d"]
    assert (folders[3] / "saved").exists()
    assert not (folders[3] / MARKER).exists()
    left = [folder for folder in folders if not (folder / MARKER).exists()]
    assert run(left, "save_when_told") == {"d": None}
    assert [len(attempts(folder)) for folder in folders] == [1, 1, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("command", [["scontrol", "requeue"], ["scancel", "--signal=USR2"]])
def test_a_requeued_or_pre_empted_job_continues_by_itself(make_folders, cluster, command):
    [folder] = make_folders("a")
    errors = start([folder], "save_when_told", grace_seconds=15.0)
    wait_for((folder / "ready").exists)
    subprocess.run([*command, job_of(folder)], check=True)
    assert errors.result(90) == {"a": None}
    assert (folder / "saved").exists()
    assert len(attempts(folder)) == 2


@pytest.mark.slow
def test_jobs_outlive_the_command_and_the_next_one_waits_for_them(make_folders, cluster):
    folders = make_folders("ab")
    for folder in folders:
        (folder / "ready").touch()
    finished = slurm.run_items(folders, f"{WORKS}:wait_to_go", slurm.Options())
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        first = threads.submit(next, finished)
        wait_for(lambda: all((folder / "attempts.jsonl").exists() for folder in folders))
        (folders[0] / "go").touch()
        assert first.result(30).folder == folders[0]
    finished.close()
    time.sleep(1.0)
    assert alive(attempts(folders[1])[0]["pid"])
    (folders[1] / "go").touch()
    assert run(folders[1:], "wait_to_go") == {"b": None}
    assert len(attempts(folders[1])) == 1


@pytest.mark.slow
def test_a_refusal_of_slurm_is_reported(make_folders, cluster):
    with pytest.raises(ValueError, match=r"SLURM refuses the jobs.*invalid partition"):
        run(make_folders("a"), "succeed", partition="nowhere")
