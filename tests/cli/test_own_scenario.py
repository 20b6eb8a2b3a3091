"""Scenarios, partners and parts of networks of the user's own, named module:function, in configs and commands."""

import dataclasses
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxsocial
from jaxsocial.cli.parsing import parse
from jaxsocial.config.config import from_plain, to_plain
from jaxsocial.config.fields import config_hash, differences, with_fields
from jaxsocial.sweep.spec import make_sweep
from tests import runs
from tests.runs import ITERATION, TINY

ROOT = Path(__file__).parents[2]
MODULE = """
import dataclasses

import jax.numpy as jnp
from jaxsocial import Scenario
from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout
from jaxsocial.env.values import Probability

GOAL = objects.encode(objects.BONUS, "yellow")


@dataclasses.dataclass(frozen=True)
class Corridor:
    gate: float = 0.5

    def __call__(self, key, scenario):
        goals = jnp.array([[1, 1], [1, scenario.width - 2]])
        cells = grid.with_numbered(grid.walled(scenario.height, scenario.width), goals, GOAL)
        return Layout(cells, goals, grid.distinct_cells(key, cells == objects.EMPTY, scenario.agents))


def corridor(gate: Probability = 0.5, **sizes) -> Scenario:
    sizes = {"height": 3, "width": 9, "goals": 2, "clutter": 0, "things": (grid.WALL, GOAL)} | sizes
    return Scenario(layout=Corridor(gate), name="corridor", **sizes)


def fixed() -> Scenario:
    return corridor(agents=3)


def unannotated(**sizes):
    raise AssertionError("it must not be called")
"""
NAME = "own_corridor:corridor"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_corridor.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own_corridor", None)


def test_it_is_made_and_changed_and_read_again_like_those_of_the_package(folder):
    world = jaxsocial.make_scenario(NAME, width=11, agents=2, gate=1)
    assert (world.name, world.layout.gate, type(world.layout.gate)) == (NAME, 1.0, float)
    config = parse(["train", "--scenario", NAME, "--world.gate", "0.25"]).config
    kept = {"agents": 3, "view_size": 5, "view_offset": 1, "actions": 3, "observation": "symbolic"}
    assert config.world == jaxsocial.make_scenario(NAME, gate=0.25, **kept)
    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config
    assert {name: differences(config)[name] for name in ("world.name", "world.gate")} == {
        "world.name": NAME,
        "world.gate": 0.25,
    }
    wider = with_fields(config, {"world.width": 15})
    assert (wider.world.width, wider.world.layout.gate) == (15, 0.25)
    assert config_hash(wider) != config_hash(config)
    sweep = make_sweep({"scenario": NAME, "grid": {"world.gate": [0.0, 1.0]}})
    assert [setting.world.layout for setting in sweep.settings] == [
        dataclasses.replace(world.layout, gate=gate) for gate in (0.0, 1.0)
    ]
    assert jax.eval_shape(config.make_env().reset, jax.random.key(0))[0].grid.shape == (3, 9)


@pytest.mark.parametrize(
    ("name", "sizes", "remedy"),
    [
        (NAME, {"gate": 2}, "gate=2: choose 0 to 1"),
        (NAME, {"gaet": 0.5}, "has no size 'gaet': perhaps you meant gate"),
        ("own_corridor:fixed", {"agents": 2}, r"has no size 'agents': let the function take \*\*sizes"),
        ("own_corridor:unannotated", {}, r"annotate it, def unannotated\(...\) -> Scenario"),
        ("own_corridor:corridoor", {}, "has no attribute 'corridoor'"),
        ("subprocess:run", {"args": "false"}, r"annotate it, def run\(...\) -> Scenario"),
        ("own_corridor", {}, "or name your own as module:function"),
    ],
)
def test_what_cannot_be_built_is_refused_and_no_other_function_is_called(folder, name, sizes, remedy):
    with pytest.raises(ValueError, match=remedy):
        jaxsocial.make_scenario(name, **sizes)


@pytest.mark.slow
def test_commands_and_sweeps_in_processes_of_their_own_use_it(folder):
    """As the console script starts them: without the working folder on Python's path."""
    program = "import sys; sys.path.remove(''); from jaxsocial.cli.main import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    sizes = TINY[4:]  # without the height and width
    command("train", "--scenario", NAME, *sizes, "--out", "run", "--total-steps", str(ITERATION))
    command("train", "--resume", "run", "--total-steps", str(2 * ITERATION))
    command("evaluate", "run", "--episodes", "8")
    fixed = dict(zip([option[2:].replace("-", "_") for option in sizes[::2]], map(int, sizes[1::2]), strict=True))
    del fixed["evaluation_episodes"], fixed["checkpoint_steps"]
    fixed |= {"network.channels": [4], "network.heads": [8], "total_steps": ITERATION}
    lines = [f'scenario = "{NAME}"', "episodes = 8", "[grid]", "world.width = [9, 11]", "[fixed]"]
    (folder / "sweep.toml").write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in fixed.items())]))
    command("sweep", "sweep.toml", "--out", "swept")


PARTS = """
import jax.numpy as jnp
from jaxsocial.agents.networks.parts import Encoder, Memory, Target
from jaxsocial.agents.policy import Policy


def turner(seats, scenario) -> Policy:
    def apply(parameters, key, memory, state, observation, first):
        return memory, jnp.ones(len(seats), jnp.int32)

    return Policy(init=lambda: (), apply=apply)


def brightness(sizes, world) -> Encoder:
    return Encoder(
        init=lambda key: jnp.ones(3),
        encode=lambda scale, seen: scale * seen.image.astype(jnp.float32).mean((-3, -2))[:, :3] / 255,
        features=3,
    )


def forgetting(sizes, inputs) -> Memory:
    return Memory(lambda key: {}, lambda batch: (), lambda parameters, state, x, first: (x, ()), units=inputs)


def next_blue(sizes, world, units) -> Target:
    return Target(
        init=lambda key: jnp.zeros(units),
        decode=lambda parameters, memory, action: memory @ parameters,
        loss=lambda predicted, now, later: (predicted - later.image[..., 2].mean((-2, -1)) / 255) ** 2,
    )


def unannotated(seats, scenario):
    raise AssertionError("it must not be called")
"""
OWN = """
    --partners own_parts:turner expert --network.encoder own_parts:brightness --network.memory-type own_parts:forgetting
    --sizes.prediction own_parts:next_blue --world.observation rgb
"""


@pytest.fixture
def parts(tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_parts", None)


def test_partners_and_parts_of_networks_are_read_by_every_process(parts, capsys):
    assert runs.command("train", "--out", "run", *shlex.split(OWN), *TINY, "--total-steps", str(ITERATION)) == 0
    # As another process would find them.
    sys.modules.pop("own_parts")
    assert runs.command("evaluate", "run", "--episodes", "2") == 0
    assert "own_parts:turner" in capsys.readouterr().out
    assert runs.command("train", "--resume", "run", "--total-steps", str(2 * ITERATION)) == 0


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("--partners own_parts:gone expert", "cannot be imported"),
        ("--partners own_parts:unannotated expert", "is not known to make a partner: annotate it, def unannotated"),
        (
            "--network.encoder own_parts:turner",
            "is not known to make a network encoder: annotate it, def turner(...) -> Encoder",
        ),
        ("--network.encoder nowhere:turner", "No module named 'nowhere'"),
        ("--teacher own_parts:unannotated", "is not known to make a partner"),
    ],
)
def test_what_is_no_part_is_refused_and_not_called(parts, option, remedy, capsys):
    assert runs.command("train", "--out", "run", *shlex.split(option), *TINY) == 2
    assert remedy in " ".join(capsys.readouterr().err.split())
    assert not (parts / "run").exists()
