"""Two processes of four CPU devices each train one run together by the command line."""

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import chex
import jax
import numpy as np
import pytest

from jaxsocial import finish
from jaxsocial.cli.main import main
from jaxsocial.config.presets import preset
from jaxsocial.training import checkpoint, metrics
from jaxsocial.training.devices import devices_for
from jaxsocial.training.distributed import Hosts
from tests import runs

ITERATIONS = 8
ONE_SEED = (*runs.TINY, "--sizes.segments", "8", "--seed", "3", "--total-steps", str(ITERATIONS * runs.ITERATION))
"""A world on each of eight devices."""
COMMAND, UNMEASURED = "jaxsocial", "tests.training.test_distributed"
"""The program of a process: the command line, and the same without the evaluation at the end."""


class Done(NamedTuple):
    status: int
    shown: str
    complaint: str


def begin(program: str, devices: int, *arguments: str, **variables: str) -> subprocess.Popen:
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"} | variables
    command = [sys.executable, "-m", program, "train", *arguments]
    root, pipe = Path(__file__).parents[2], subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, cwd=root)


def begin_two(program: str, *arguments: str, second: tuple[str, ...] = ()) -> list[subprocess.Popen]:
    """Both hosts of a run; the second with more arguments, if there are any."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        together = ("--hosts", "2", "--coordinator", f"127.0.0.1:{free.getsockname()[1]}")
    more = {0: (), 1: second}
    return [begin(program, 4, *arguments, *together, "--host", str(host), *more[host]) for host in more]


def begin_two_by_slurm(program: str, *arguments: str) -> list[subprocess.Popen]:
    """The same as tasks of SLURM, which names the hosts in environment variables."""
    job = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
    tasks = [job | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)} for task in (0, 1)]
    return [begin(program, 4, *arguments, "--hosts", "auto", **task) for task in tasks]


def ended(processes: list[subprocess.Popen]) -> list[Done]:
    """How the processes ended; none is left running. Lines of gloo are left out."""
    try:
        done = []
        for process in processes:
            shown, complaint = process.communicate(timeout=400)
            lines = [line for line in shown.splitlines() if "[Gloo]" not in line]
            done.append(Done(process.returncode, "\n".join(lines), complaint))
        return done
    finally:
        for process in processes:
            process.kill()


def assert_same_run(found: Path, expected: Path):
    """Equal parameters at the end, and equal metrics, each line written once."""
    chex.assert_trees_all_close(runs.parameters_of(found), runs.parameters_of(expected), rtol=1e-3, atol=1e-5)
    rows, known = (metrics.read(folder / "metrics.jsonl") for folder in (found, expected))
    assert [(row["step"], row["seed"]) for row in rows] == [(row["step"], row["seed"]) for row in known]
    for mine, theirs in zip(rows, known, strict=True):
        assert mine.keys() == theirs.keys()
        here, there = ([np.nan if value is None else value for value in row.values()] for row in (mine, theirs))
        np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A run of two hosts, and how they ended."""
    folder = tmp_path_factory.mktemp("hosts") / "two"
    return folder, ended(begin_two(UNMEASURED, "--out", str(folder), *ONE_SEED))


@pytest.mark.slow
def test_two_hosts_compute_what_one_process_computes(two, tmp_path):
    folder, done = two
    assert [host.status for host in done] == [0, 0], done
    (alone,) = ended([begin(UNMEASURED, 8, "--out", str(tmp_path / "one"), *ONE_SEED)])
    assert alone.status == 0, alone.complaint
    assert_same_run(folder, tmp_path / "one")
    assert len(metrics.read(folder / "metrics.jsonl")) == ITERATIONS
    kept = [sorted(path.name for path in (run / "checkpoints").iterdir()) for run in (folder, tmp_path / "one")]
    assert kept[0] == kept[1] == ["7", "8"]


@pytest.mark.slow
def test_only_the_first_host_prints_and_writes(two):
    folder, (first, second) = two
    assert "steps/s" in first.shown
    assert "everything of this run is in" in first.shown
    assert second.shown == ""
    there = json.loads((folder / "run.json").read_text())
    assert (there["processes"], len(there["devices"])) == (2, 8)


@pytest.mark.slow
def test_a_checkpoint_of_two_hosts_resumes_in_one_process_of_one_device(two, tmp_path):
    longer = ("--total-steps", str((ITERATIONS + 2) * runs.ITERATION))
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    shutil.copytree(two[0], mine)
    shutil.copytree(two[0], theirs)
    assert len(jax.devices()) == 1
    assert runs.command("train", "--resume", str(mine), *longer) == 0
    done = ended(begin_two(COMMAND, "--resume", str(theirs), *longer))
    assert [host.status for host in done] == [0, 0], done
    assert_same_run(theirs, mine)
    assert len(metrics.read(mine / "metrics.jsonl")) == ITERATIONS + 2
    results = [json.loads((folder / "evaluation.json").read_text()) for folder in (mine, theirs)]
    assert [result["player"] for result in results[0]] == [result["player"] for result in results[1]]


@pytest.mark.slow
def test_a_stop_of_one_host_stops_both_and_both_resume(two, tmp_path):
    folder = tmp_path / "stopped"
    processes = begin_two(UNMEASURED, "--out", str(folder), *ONE_SEED)
    while not (folder / "metrics.jsonl").exists():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGTERM)
    for host in ended(processes):
        assert host.status == 130
        assert f"--resume {folder}" in host.complaint
        assert "Traceback" not in host.complaint
    stopped = metrics.read(folder / "metrics.jsonl")[-1]["step"]
    assert stopped < ITERATIONS * runs.ITERATION
    assert checkpoint.latest(folder) == stopped // runs.ITERATION
    done = ended(begin_two_by_slurm(UNMEASURED, "--resume", str(folder)))
    assert [host.status for host in done] == [0, 0], done
    assert_same_run(folder, two[0])


@pytest.mark.slow
def test_earlier_networks_are_loaded_on_all_hosts(finished_run, tmp_path):
    given = (
        *(*runs.TINY, "--total-steps", str(2 * runs.ITERATION), "--seed", "3", "--seeds", "2", "--keep-optimiser"),
        *("--partners", f"run:{finished_run}", "expert", "--start-from", str(finished_run)),
        *("--partner-schedule.leave", "0.2", "--partner-schedule.rejoin", "0.3"),
    )
    done = ended(begin_two(COMMAND, "--out", str(tmp_path / "two"), *given))
    assert [host.status for host in done] == [0, 0], done
    assert runs.command("train", "--out", str(tmp_path / "one"), *given) == 0
    assert_same_run(tmp_path / "two", tmp_path / "one")
    assert (tmp_path / "two" / "evaluation.json").read_text() == (tmp_path / "one" / "evaluation.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("second", "remedy"),
    [
        (("--coefficients.learning-rate", "0.5"), "has another config than others: start all by the same command"),
        (("--out", "elsewhere"), "is not the same folder on all hosts: choose one on a disk that they share"),
    ],
)
def test_hosts_that_do_not_agree_all_refuse(second, remedy, tmp_path):
    second = tuple(str(tmp_path / word) if word == "elsewhere" else word for word in second)
    for host in ended(begin_two(COMMAND, "--out", str(tmp_path / "run"), *ONE_SEED, second=second)):
        assert host.status == 2
        assert remedy in host.complaint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ((0,), "hosts=0: choose 1 or more, or auto"),
        ((2, 2, "a:1"), "host=2: choose 0 to 1"),
        ((2, 0, "somewhere"), "coordinator='somewhere': write ADDRESS:PORT"),
        ((1, 1), "say how many hosts there are by --hosts"),
        (("auto", 0, "a:1"), "with hosts=auto: leave them out"),
    ],
)
def test_hosts_that_do_not_fit_are_refused_with_a_remedy(given, remedy):
    with pytest.raises(ValueError, match=remedy):
        Hosts(*given)


def test_hosts_without_a_folder_are_refused(capsys):
    assert runs.command("train", "--hosts", "2", "--coordinator", "127.0.0.1:1") == 2
    assert "--hosts 2 without --out: name a folder that all hosts share" in capsys.readouterr().err


def test_a_host_whose_devices_would_idle_is_refused():
    devices = [SimpleNamespace(process_index=host) for host in (0, 0, 0, 0, 1, 1, 1, 1)]
    config = preset("quickstart")
    odd = dataclasses.replace(config, sizes=dataclasses.replace(config.sizes, segments=1))
    with pytest.raises(ValueError, match=r"go evenly onto 1 of 8 devices.*fewer hosts"):
        devices_for(1, odd, devices)


if __name__ == "__main__":
    finish.measure = lambda *arguments: []
    sys.exit(main(sys.argv[1:]))
