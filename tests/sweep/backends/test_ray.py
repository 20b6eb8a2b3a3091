"""Items on a Ray cluster of two nodes, both on this machine."""

import concurrent.futures
import os
import subprocess
import sys

import pytest

from jaxsocial.sweep.backends import items
from jaxsocial.sweep.backends import ray as backend
from tests.sweep.backends.conftest import alive, wait_for
from tests.sweep.backends.works import MARKER, attempts

WORKS = "tests.sweep.backends.works"
STARVED = f"""
import sys
from pathlib import Path
from jaxsocial.sweep.backends import ray
print(*ray.run_items([Path(sys.argv[1])], "{WORKS}:wait_to_go", ray.Options(retries=1)))
"""


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    backend._import_ray(2)  # with the settings of the backend
    from ray.cluster_utils import Cluster  # noqa: PLC0415, may be missing

    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def run(cluster):
    def run_on_cluster(folders, work, **options):
        options = backend.Options(address=cluster.address, **options)
        return {done.folder.name: done.error for done in backend.run_items(folders, f"{WORKS}:{work}", options)}

    return run_on_cluster


@pytest.mark.slow
def test_items_of_killed_workers_are_retried_and_no_others(make_folders, run):
    folders = make_folders("abc")
    assert run(folders, "die_at_first") == dict.fromkeys("abc")
    assert [len(attempts(folder)) for folder in folders] == [1, 2, 1]
    assert all((folder / MARKER).exists() for folder in folders)
    processes = [attempt["pid"] for folder in folders for attempt in attempts(folder)]
    assert len(set(processes)) == 4
    assert {attempt["JAX_PLATFORMS"] for folder in folders for attempt in attempts(folder)} == {"cpu"}
    assert f"process {attempts(folders[0])[0]['pid']}" in (folders[0] / items.LOG).read_text()


@pytest.mark.slow
def test_failures_are_reported(make_folders, run):
    folders = make_folders("ab")
    errors = run(folders, "fail")
    assert errors["a"] is None
    assert "ValueError: no such colour: octarine" in errors["b"]
    assert len(attempts(folders[1])) == 1
    [folder] = make_folders("c")
    assert "WorkerCrashedError" in run([folder], "always_die", retries=1)["c"]
    assert len(attempts(folder)) == 2


@pytest.mark.slow
def test_closing_the_iterator_lets_the_other_items_save(make_folders, cluster):
    folders = make_folders("ab")
    (folders[0] / "saved").touch()
    options = backend.Options(address=cluster.address, grace_seconds=20.0)
    finished = backend.run_items(folders, f"{WORKS}:save_when_told", options)
    assert next(finished).folder == folders[0]
    wait_for((folders[1] / "ready").exists)
    finished.close()
    assert (folders[1] / "saved").exists()
    wait_for(lambda: not alive(attempts(folders[1])[0]["pid"]))


@pytest.mark.slow
def test_the_item_of_a_lost_machine_runs_on_another(make_folders, cluster, run):
    folders = make_folders("ab")

    def lose_a_machine():
        wait_for(lambda: all((folder / "ready").exists() for folder in folders))
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        for folder in folders:
            (folder / "go").touch()

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        lost = threads.submit(lose_a_machine)
        assert run(folders, "wait_to_go") == dict.fromkeys("ab")
        lost.result()
    assert sorted(len(attempts(folder)) for folder in folders) == [1, 2]


@pytest.mark.slow
def test_an_item_that_ray_kills_for_lack_of_memory_fails(make_folders):
    pytest.importorskip("ray")
    [folder] = make_folders("a")
    starved = {**os.environ, "RAY_memory_usage_threshold": "0.001"}
    command = [sys.executable, "-c", STARVED, folder]
    ended = subprocess.run(command, env=starved, capture_output=True, text=True, timeout=120, check=True)
    assert "OutOfMemoryError" in ended.stdout


def test_requirements_of_tasks():
    share = backend._requirements(backend.Options(gpus_per_item=0.25))
    assert share["num_gpus"] == 0.25
    assert share["max_calls"] == 1
    assert share["runtime_env"]["env_vars"]["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.225"
    whole = backend._requirements(backend.Options(gpus_per_item=2.0))["runtime_env"]["env_vars"]
    # Where scenarios of the user's own are found.
    assert set(whole) == {"PYTHONPATH"}
    assert whole["PYTHONPATH"].split(os.pathsep)[0] == os.getcwd()
    with pytest.raises(ValueError, match=r"gpus_per_item 1\.5"):
        backend.Options(gpus_per_item=1.5)


def test_items_on_the_cpu_have_as_many_devices_as_cores(monkeypatch):
    def devices(**options):
        return backend._requirements(backend.Options(**options))["runtime_env"]["env_vars"].get("JAX_NUM_CPU_DEVICES")

    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    assert [devices(cpus_per_item=cpus) for cpus in (0.0, 0.5, 1.0, 4.0)] == ["1", "1", "1", "4"]
    assert devices(cpus_per_item=4.0, gpus_per_item=1.0) is None
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "3")
    assert devices(cpus_per_item=4.0) == "3"


@pytest.mark.slow
def test_items_of_a_machine_share_its_memory(make_folders, run):
    folders = make_folders("abc")
    assert run(folders, "succeed", cpus_per_item=0.25) == dict.fromkeys("abc")
    assert {attempts(folder)[0]["JAXSOCIAL_SLOTS"] for folder in folders} == {"4"}


def test_a_missing_ray_is_an_error_with_the_remedy(make_folders, monkeypatch):
    monkeypatch.setitem(backend.importlib.sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'jaxsocial\[ray\]'"):
        backend.run_items(make_folders("a"), f"{WORKS}:succeed", backend.Options())
