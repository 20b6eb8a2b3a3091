"""The house's floors (docs/architecture.md): who may import whom, and that importing starts nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jaxsocial"
FLOORS = (
    ("cells", "grid", "shapes", "scenario", "world", "batching"),
    ("actions", "places", "sight", "paint", "symbols", "observation", "alphabet", "maps", "scenarios"),
    ("env",),
    ("registry", "render", "bridges", "agents"),
    ("learning",),
    ("run",),
    ("reproduce", "sweep"),
    ("cli",),
)
"""From the ground up; a room may import from any lower floor."""
STAIRS = {
    ("grid", "cells"),
    ("scenario", "cells"),
    ("world", "scenario"),
    ("shapes", "cells"),
    ("places", "actions"),
    ("paint", "sight"),
    ("symbols", "sight"),
    ("observation", "paint"),
    ("observation", "symbols"),
    ("maps", "alphabet"),
    ("scenarios.text_map", "maps"),
    ("agents.network", "agents.policy"),
    ("agents.network", "agents.tiles"),
    ("agents.network", "agents.blocks"),
    ("agents.network", "agents.layers"),
    ("agents.layers", "agents.tiles"),
    ("agents.cost", "agents.network"),
    ("agents.cost", "agents.tiles"),
    ("agents.experts", "agents.policy"),
    ("agents.seats", "agents.policy"),
    ("agents.seats", "agents.experts"),
    ("agents.seats", "agents.network"),
    ("learning.settings", "learning.prediction"),
    ("learning.rollout", "learning.settings"),
    ("learning.rollout", "learning.sharing"),
    ("learning.refresh", "learning.rollout"),
    ("learning.refresh", "learning.advantages"),
    ("learning.refresh", "learning.settings"),
    ("learning.refresh", "learning.sharing"),
    ("learning.minibatch", "learning.refresh"),
    ("learning.minibatch", "learning.rollout"),
    ("learning.minibatch", "learning.ppo"),
    ("learning.minibatch", "learning.prediction"),
    ("learning.minibatch", "learning.imitation"),
    ("learning.minibatch", "learning.settings"),
    ("learning.minibatch", "learning.sharing"),
    ("learning.update", "learning.minibatch"),
    ("learning.update", "learning.refresh"),
    ("learning.update", "learning.rollout"),
    ("learning.update", "learning.settings"),
    ("learning.update", "learning.sharing"),
}
"""(room, room) on one floor, of which the first may import the second."""
FEW_IMPORT = {"flax": {"agents.network", "agents.layers"}, "distrax": {"agents.policy"}}
LEARNING_MAY_IMPORT = {"world", "env", "agents.policy", "agents.network"}
LEARNING_KNOWS_OF_ENV = {"Env", "Timestep", "episode_ended", "discount"}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        if name:  # the package's own front door may show anything
            yield name, path


NAMES = dict(modules())


def imports(path):
    """(module, name or None) of everything imported, in functions too; of jaxsocial without its own name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports out in full"
            yield from (_resolved(node.module or "", alias.name) for alias in node.names)


def _resolved(module, name):
    """``from jaxsocial.learning import ppo`` is an import of the module ppo, not of a name."""
    inside = f"{module}.{name}".removeprefix("jaxsocial.")
    return (f"jaxsocial.{inside}", None) if module.startswith("jaxsocial") and inside in NAMES else (module, name)


def imports_from_house(path):
    for module, name in imports(path):
        assert module != "jaxsocial", f"{path}: import {name} from the module that holds it"
        if module.startswith("jaxsocial."):
            yield module.removeprefix("jaxsocial."), name


def floor_of(room):
    return next((number for number, rooms in enumerate(FLOORS) if room.split(".")[0] in rooms), None)


def may_import(importer, imported):
    above, below = floor_of(importer), floor_of(imported)
    assert None not in (above, below), f"give {importer} and {imported} a floor"
    # The folders of these floors may be arranged as they like inside.
    same_room = importer.split(".")[0] == imported.split(".")[0] and floor_of(imported) in (5, 6)
    if (importer, imported.split(".")[0]) == ("env", "scenarios"):
        return False  # it is handed the record, and knows no level by name
    return below < above or same_room or (importer, imported) in STAIRS


@pytest.mark.parametrize("name", NAMES)
def test_each_room_imports_only_from_below(name):
    for imported, _ in imports_from_house(NAMES[name]):
        assert may_import(name, imported), f"{name} may not import {imported}"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("learning")])
def test_learning_is_blind_to_the_world(name):
    for imported, what in imports_from_house(NAMES[name]):
        assert imported in LEARNING_MAY_IMPORT or imported.startswith("learning"), f"{name} may not import {imported}"
        assert imported != "env" or what in LEARNING_KNOWS_OF_ENV, f"{name} may not know env.{what}"


@pytest.mark.parametrize(("library", "rooms"), FEW_IMPORT.items())
def test_few_rooms_deal_with_each_library(library, rooms):
    importers = {name for name, path in NAMES.items() if any(of.split(".")[0] == library for of, _ in imports(path))}
    assert importers <= rooms


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("cells", "world"),
        ("sight", "paint"),
        ("actions", "sight"),
        ("env", "scenarios.goal_cycle"),
        ("env", "registry"),
        ("learning.ppo", "learning.rollout"),
        ("agents.policy", "agents.network"),
        ("sweep.backends.local", "reproduce.store"),
        ("run.train", "sweep.backends.items"),
    ],
)
def test_the_plan_forbids_looking_up_and_across(importer, imported):
    assert not may_import(importer, imported)


def test_importing_starts_no_device():
    program = (
        "import jaxsocial; from jax._src import xla_bridge; raise SystemExit(xla_bridge.backends_are_initialized())"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, check=False).returncode == 0
    program = program.replace(";", "; import jax.numpy; jax.numpy.arange(3);", 1)
    assert subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, check=False).returncode == 1
