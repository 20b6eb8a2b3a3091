"""Equal results on one device and on eight. A second process has eight CPU devices."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import finish
from jaxsocial.config.config import Config
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.presets import preset
from jaxsocial.training import checkpoint, member, metrics
from jaxsocial.training.devices import SLOTS, devices_for, memory_limit
from jaxsocial.training.folder import config_of, write_config
from jaxsocial.training.member import Member
from jaxsocial.training.program import make_program
from tests import runs

DEVICES = 8
MIDWAY, ITERATIONS = 2, 4


def on_eight_devices(what: str, source: Path, out: Path) -> dict:
    """Runs a function of this file in a process with eight devices, and returns its report."""
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": str(DEVICES),
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, "-m", "tests.training.test_devices", what, str(source), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads((out / "report.json").read_text())


def trained(program, members: Member, folder: Path, config: Config, begin: int = 0):
    """Members after the last iteration, and all metrics. Saves a checkpoint midway."""
    steps = []
    for iteration in range(begin, ITERATIONS):
        members, measured = program.chunk(members, 1)
        steps.append({name: np.asarray(values)[:, 0] for name, values in measured.items()})
        if iteration + 1 == MIDWAY:
            checkpoint.save(folder, members, MIDWAY, config)
    return members, {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}


def prepared(config: Config, folder: Path) -> Config:
    folder.mkdir()
    write_config(config, folder / "config.json")
    return config


def spread(leaf) -> dict:
    """The number of devices of an array, and the shape of each shard."""
    shards = leaf.addressable_shards
    return {
        "devices": len({shard.device for shard in shards if shard.replica_id == 0}),
        "held": len({shard.device for shard in shards}),
        "share": list(shards[0].data.shape),
    }


def shares(members: Member) -> dict:
    learner = members.learner
    weights = learner.parameters["policy"]["last"]["kernel"]
    return {"grid": spread(learner.rollout_state.state.grid), "weights": spread(weights)}


def kept(members: Member, measured, path: Path) -> None:
    """Saves what is compared."""
    found = checkpoint.flat({"weights": members.learner.parameters, "metrics": measured})
    np.savez(path, **{name: np.asarray(leaf) for name, leaf in found.items()})


def shared_by_eight(source: Path, out: Path) -> dict:
    """The run in ``source`` once more: two seeds, the eight worlds of each in four parts."""
    config = prepared(config_of(source), out / "run")
    program = make_program(config)
    members = program.begin()
    begun = shares(members)
    members, measured = trained(program, members, out / "run", config)
    kept(members, measured, out / "eight.npz")
    # A run that resumes needs the rows up to its checkpoint; what follows them is dropped.
    (out / "run" / metrics.METRICS).write_bytes((source / metrics.METRICS).read_bytes())
    return {"begun": begun, "after": shares(members), "uneven": unevenly(config, members)}


UNEVEN = {"3 seeds": (3, 4, 8), "5 seeds": (5, 4, 8), "few segments": (1, 6, 8), "3 devices": (4, 4, 3)}
"""Seeds, segments of a minibatch, devices."""


def unevenly(config: Config, members: Member) -> dict:
    """The shards for numbers that do not divide evenly; nothing is compiled."""
    found = {}
    for name, (seeds, segments, devices) in UNEVEN.items():
        sizes = dataclasses.replace(config.sizes, segments=segments)
        program = make_program(dataclasses.replace(config, seeds=seeds, sizes=sizes), jax.devices()[:devices])
        found[name] = shares(program.place(jax.tree.map(lambda x, n=seeds: jnp.concatenate([x[:1]] * n), members)))
    return found


def partners_on_eight(source: Path, out: Path) -> dict:
    """With a frozen network and an expert that leave and rejoin: eight worlds in eight shards, four seeds in eight, and
    three seeds in blocks of one in two."""
    own = config_of(source)
    config = dataclasses.replace(
        own,
        partners=(f"run:{source}", "expert"),
        partner_schedule=PartnerSchedule(epsilon=(0.2,), solo=(0.25,), leave=0.2, rejoin=0.3),
        sizes=dataclasses.replace(own.sizes, segments=8),
        seeds=4,
    )
    one_seed, three = (dataclasses.replace(config, seeds=seeds) for seeds in (1, 3))
    found, rows = {}, member.CACHED_ROWS
    for name, chosen, devices in (
        ("one", config, 1),
        ("worlds", one_seed, 8),
        ("seeds", config, 8),
        ("in_turn", three, 2),
    ):
        member.CACHED_ROWS = 1 if name == "in_turn" else rows
        program = make_program(prepared(chosen, out / name), jax.devices()[:devices])
        members, measured = trained(program, program.begin(), out / name, chosen)
        kept(members, measured, out / f"{name}.npz")
        found[name] = shares(members)
        if name == "one":
            alone = program
    like = alone.begin()
    restored = checkpoint.restore(out / "seeds", MIDWAY, like)
    members, measured = trained(alone, alone.place(restored), out / "restored", config, MIDWAY)
    kept(members, measured, out / "restored.npz")
    return found | {"restored": shares(members)}


def loaded(path: Path) -> dict:
    with np.load(path) as found:
        return dict(found)


def assert_close(found: dict, expected: dict):
    chex.assert_trees_all_close(found, expected, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def eight(finished_run, tmp_path_factory):
    """The folder where the finished run was trained again on eight devices, and the report."""
    out = tmp_path_factory.mktemp("eight")
    return out, on_eight_devices("shared_by_eight", finished_run, out)


def test_memory_is_asked_of_a_device_of_this_host(monkeypatch):
    """Of several hosts' devices, the first is another host's on all but one, and cannot be asked."""
    monkeypatch.setattr(jax, "devices", lambda: [None, *jax.local_devices()])
    assert memory_limit() > 0


def test_every_device_has_its_shard(eight):
    _, report = eight
    for moment in ("begun", "after"):
        grid, weights = report[moment]["grid"], report[moment]["weights"]
        assert grid == {"devices": 8, "held": 8, "share": [1, 2, 6, 7]}
        # All devices that share a seed have its weights.
        assert (weights["devices"], weights["held"], weights["share"][:2]) == (2, 8, [1, 1])


@pytest.mark.parametrize(
    ("name", "devices", "share"),
    [("3 seeds", 6, [1, 4]), ("5 seeds", 5, [1, 8]), ("few segments", 2, [1, 4]), ("3 devices", 2, [2, 8])],
)
def test_as_many_devices_are_used_as_can_share_evenly(eight, name, devices, share):
    grid = eight[1]["uneven"][name]["grid"]
    assert (grid["held"], grid["share"][:2]) == (devices, share)


def test_eight_devices_compute_what_one_computes(eight, finished_run):
    found = loaded(eight[0] / "eight.npz")
    config = config_of(finished_run)
    weights = checkpoint.flat({"weights": checkpoint.restore_parameters(finished_run, config)[0]})
    assert_close({name: found[name] for name in weights}, {name: np.asarray(leaf) for name, leaf in weights.items()})
    for row in metrics.read(finished_run / "metrics.jsonl"):
        for name in row.keys() - {"step", "seed", "learner"}:
            mine = found[f"metrics.{name}"][row["seed"] - config.seed, row["step"] // runs.ITERATION - 1, 0]
            np.testing.assert_allclose(mine, np.nan if row[name] is None else row[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_run_of_eight_devices_resumes_on_one(eight, finished_run, monkeypatch):
    monkeypatch.setattr(finish, "measure", lambda *arguments: [])
    folder = eight[0] / "run"
    assert checkpoint.latest(folder) == MIDWAY
    assert runs.command("train", "--resume", str(folder)) == 0
    config = config_of(folder)
    mine, whole = (checkpoint.restore_parameters(path, config) for path in (folder, finished_run))
    assert mine[1] == whole[1] == ITERATIONS
    assert_close(mine[0], whole[0])


@pytest.fixture(scope="module")
def report_of_partners(finished_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("partners")
    return out, on_eight_devices("partners_on_eight", finished_run, out)


@pytest.mark.slow
def test_with_partners_eight_devices_compute_what_one_computes(report_of_partners):
    out, report = report_of_partners
    shares = {name: (report[name]["grid"]["held"], report[name]["grid"]["share"][:2]) for name in report}
    seeds = {"one": (1, [4, 8]), "seeds": (8, [1, 4]), "restored": (1, [4, 8])}
    assert shares == seeds | {"worlds": (8, [1, 1]), "in_turn": (2, [3, 4])}
    one = loaded(out / "one.npz")
    assert_close(loaded(out / "seeds.npz"), one)
    assert_close(loaded(out / "worlds.npz"), {name: leaf[:1] for name, leaf in one.items()})
    assert_close(loaded(out / "in_turn.npz"), {name: leaf[:3] for name, leaf in one.items()})
    assert len({float(loss) for loss in one["metrics.loss"][:, -1, 0]}) == 4
    assert (one["metrics.partner_return"] != 0).any()


@pytest.mark.slow
def test_a_checkpoint_of_eight_devices_resumes_on_one(report_of_partners):
    out, _ = report_of_partners
    later = {name: leaf[:, MIDWAY:] if "metrics" in name else leaf for name, leaf in loaded(out / "one.npz").items()}
    assert_close(loaded(out / "restored.npz"), later)


def devices_begun_with(chosen: dict[str, str], before: str = "") -> int:
    program = "from jaxsocial.training import devices; devices.use_all_cores(); import jax; print(len(jax.devices()))"
    mine = {name: value for name, value in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    command, environment = [sys.executable, "-c", before + program], mine | {"JAX_PLATFORMS": "cpu"} | chosen
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


BEGUN_WITH = {"": "cores", "JAX_NUM_CPU_DEVICES=3": 3, "XLA_FLAGS=--xla_force_host_platform_device_count=5": 5}


@pytest.mark.parametrize(("chosen", "expected"), BEGUN_WITH.items())
def test_every_core_is_a_device_unless_the_user_has_configured_that(chosen, expected):
    found = devices_begun_with(dict([chosen.split("=", 1)] if chosen else []))
    assert found == (min(len(os.sched_getaffinity(0)), 8) if expected == "cores" else expected)


@pytest.mark.parametrize(
    ("slots", "chosen", "expected"), [("3", {}, 2), ("9", {}, 1), ("1", {}, 7), ("3", {"JAX_NUM_CPU_DEVICES": "4"}, 4)]
)
def test_processes_that_share_a_machine_share_its_cores(slots, chosen, expected):
    seven = "import os; os.sched_getaffinity = lambda process: set(range(7)); "
    assert devices_begun_with({SLOTS: slots} | chosen, seven) == expected


@dataclasses.dataclass(frozen=True)
class Core:
    id: int
    platform: str = "cpu"
    process_index: int = 0


@pytest.mark.parametrize(
    ("name", "members", "shape"),
    [
        ("quickstart", 1, (1, 1)),
        ("quickstart", 3, (1, 1)),
        ("quickstart", 4, (2, 1)),
        ("paper", 1, (1, 2)),
        ("paper", 4, (2, 1)),
    ],
)
def test_cores_share_the_worlds_of_a_member_only_if_its_minibatches_are_large(name, members, shape, monkeypatch):
    cores, config = [Core(0), Core(1)], preset(name)
    monkeypatch.setattr("jaxsocial.training.devices.made_of_cores", True)
    assert tuple(devices_for(members, config, cores).shape.values()) == shape
    # Devices of a user's choice, and those of other kinds, are always used.
    gpus = [dataclasses.replace(core, platform="gpu") for core in cores]
    assert math.prod(devices_for(members, config, gpus).shape.values()) == 2
    monkeypatch.setattr("jaxsocial.training.devices.made_of_cores", False)
    assert math.prod(devices_for(members, config, cores).shape.values()) == 2


@pytest.mark.parametrize(("interval", "shares"), [(1, 8), (64, 8), (128, 4), (512, 1)])
def test_predicted_segments_of_all_shares_are_those_of_one_device(interval, shares):
    gpus, config = [Core(number, platform="gpu") for number in range(8)], preset("paper")
    sizes = dataclasses.replace(config.sizes, prediction_interval=interval)
    mesh = devices_for(1, dataclasses.replace(config, sizes=sizes), gpus)
    assert tuple(mesh.shape.values()) == (1, shares)
    whole, each = np.arange(sizes.segments), np.split(np.arange(sizes.segments), shares)
    np.testing.assert_array_equal(np.concatenate([own[::interval] for own in each]), whole[::interval])


def test_a_cpu_s_memory_is_shared_by_the_devices_that_a_program_uses():
    assert memory_limit(1) > 3 * memory_limit(4)


def test_processes_that_share_a_machine_share_its_memory(monkeypatch):
    alone = memory_limit()
    monkeypatch.setenv(SLOTS, "4")
    assert alone > 3 * memory_limit()


@pytest.mark.parametrize("wrong", ["0", "-1", "1.5", "four", ""])
def test_a_wrong_number_of_processes_is_refused(wrong, monkeypatch):
    monkeypatch.setenv(SLOTS, wrong)
    with pytest.raises(ValueError, match=r"JAXSOCIAL_SLOTS='.*': choose a whole number, 1 or more"):
        memory_limit()


if __name__ == "__main__":
    what, source, out = sys.argv[1:]
    report = {"shared_by_eight": shared_by_eight, "partners_on_eight": partners_on_eight}[what](Path(source), Path(out))
    (Path(out) / "report.json").write_text(json.dumps(report))
