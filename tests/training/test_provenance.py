"""When, where and with which versions something was computed."""

import json
import subprocess

import jax
import pytest

from jaxsocial.training import provenance as own
from jaxsocial.training.provenance import described, provenance


class Device:
    """A device as jax describes it."""

    def __init__(self, name, platform, kind):
        self.name, self.platform, self.device_kind = name, platform, kind

    def __str__(self):
        return self.name


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device("cpu:0", "cpu", "cpu"), "cpu:0"),
        (Device("cuda:0", "gpu", "NVIDIA H100 80GB HBM3"), "cuda:0 (NVIDIA H100 80GB HBM3)"),
    ],
)
def test_a_device_is_described_by_its_model(device, expected):
    assert described(device) == expected


def test_the_commit_is_that_of_this_code(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ("-c", "user.name=me", "-c", "user.email=me@here")
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    module = tmp_path / "package" / "run" / "circumstances.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    monkeypatch.setattr(own, "__file__", str(module))
    assert provenance()["git"] is None, "no repository"
    git("init")
    git("commit", "--allow-empty", "-m", "first")
    assert provenance()["git"] is None, "a copy that lies in a repository"
    git("add", str(module))
    git("commit", "-m", "second")
    (tmp_path / "results.json").write_text("not of the package")
    assert provenance()["git"] == git("rev-parse", "HEAD")
    module.write_text("changed")
    assert provenance()["git"] == git("rev-parse", "HEAD") + "-dirty"


def test_all_devices_are_described(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [Device("cuda:0", "gpu", "H100"), Device("cuda:1", "gpu", "H100")])
    assert provenance()["devices"] == ["cuda:0 (H100)", "cuda:1 (H100)"]


def test_a_published_command_names_no_folder_of_the_machine(tmp_path):
    written = {"command": ["jaxsocial", "reproduce", "--runs", "/home/me/runs", "--out", "results"], "git": None}
    (tmp_path / "run.json").write_text(json.dumps(written))
    found = own.read_provenance(tmp_path)
    assert found == written | {"command": ["jaxsocial", "reproduce", "--runs", "runs", "--out", "results"]}
