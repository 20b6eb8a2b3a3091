"""The order of packages and modules (docs/architecture.md): allowed imports, and what importing does not do."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import jaxsocial

PACKAGE = Path(jaxsocial.__file__).parent
ENV_NEEDS = {"jax", "numpy", "jaxtyping"}
FEW_IMPORT = {
    "flax": ("agents.networks", "bridges"),
    "distrax": ("agents.policy",),
    "orbax": ("training.checkpoint",),
    "matplotlib": ("evaluate", "reproduce", "sweep"),
    "pandas": ("api", "sweep", "loggers"),
}
LEARNING_MAY_IMPORT = (
    "env.core",
    "env.types",
    "env.values",
    "agents.policy",
    "agents.networks.blocks",  # for which platform a function is traced
    "agents.networks.network",
    "agents.networks.parts",
)
LEARNING_KNOWS_OF_ENV = {"Env", "discount", "episode_ended"}


def _modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if path.name not in ("__init__.py", "__main__.py"):
            yield name, path


MODULES = dict(_modules())


def imports(path):
    """(module, name or None) of everything that a file imports; modules of jaxsocial without that prefix."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports out in full"
            yield from (_resolved(node.module or "", alias.name) for alias in node.names)


def _resolved(module, name):
    """``from jaxsocial.learning import losses`` imports the module losses, not a name."""
    inside = f"{module}.{name}".removeprefix("jaxsocial.")
    return (f"jaxsocial.{inside}", None) if module.startswith("jaxsocial") and inside in MODULES else (module, name)


def own_imports(path):
    for module, name in imports(path):
        if module.startswith("jaxsocial."):
            yield module.removeprefix("jaxsocial."), name


def order_of(package):
    """The modules of a package from the bottom up, as its ``__init__.py`` lists them."""
    if not package:
        return jaxsocial.PACKAGES
    return importlib.import_module(f"jaxsocial.{package}").MODULES


def may_import(importer, imported):
    """Whether, in the package of both, the imported part is listed before the importing one."""
    mine, theirs = importer.split("."), imported.split(".")
    if (importer, imported.rpartition(".")[0]) == ("env.core", "env.scenarios"):
        return False  # it receives the record
    depth = next(level for level, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b)
    order = order_of(".".join(mine[:depth]))
    return order.index(theirs[depth]) < order.index(mine[depth])


@pytest.mark.parametrize("name", MODULES)
def test_each_module_imports_only_from_below(name):
    for imported, _ in own_imports(MODULES[name]):
        if imported in MODULES:
            assert may_import(name, imported), f"{name} may not import {imported}"


@pytest.mark.parametrize("package", ["", *sorted({name.rpartition(".")[0] for name in MODULES})])
def test_each_package_lists_all_of_its_modules(package):
    folder = PACKAGE / package.replace(".", "/")
    there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert sorted(order_of(package)) == sorted(there - {"__init__", "__main__"})


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("learning.")])
def test_learning_never_inspects_a_world(name):
    for imported, what in own_imports(MODULES[name]):
        assert imported.startswith("learning") or imported in LEARNING_MAY_IMPORT, f"{name} may not import {imported}"
        assert imported != "env.core" or what in LEARNING_KNOWS_OF_ENV, f"{name} may not know env.core.{what}"


@pytest.mark.parametrize(("library", "packages"), FEW_IMPORT.items())
def test_few_modules_use_each_library(library, packages):
    importers = {name for name, path in MODULES.items() if library in {of.split(".")[0] for of, _ in imports(path)}}
    assert {next((of for of in packages if name.startswith(of)), name) for name in importers} == set(packages)


def test_env_needs_few_libraries():
    needed = {
        module.split(".")[0] for name, path in MODULES.items() if name.startswith("env.") for module, _ in imports(path)
    }
    assert needed - set(sys.stdlib_module_names) - {"jaxsocial"} == ENV_NEEDS


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("env.objects", "env.types"),
        ("env.observations.vision", "env.observations.pixels"),
        ("env.actions", "env.observations.vision"),
        ("env.core", "env.scenarios.goal_cycle"),
        ("env.core", "env.registry"),
        ("learning.losses", "learning.rollout"),
        ("agents.policy", "agents.networks.network"),
        ("training.run", "finish"),
        ("finish", "api"),
        ("api", "play.game"),
        ("training.run", "sweep.backends.items"),
    ],
)
def test_the_order_forbids_imports_from_above(importer, imported):
    assert not may_import(importer, imported)


def loaded_by(statement):
    """The modules that a new process has imported after a statement."""
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


HEAVY = {"distrax", "flax", "imageio", "matplotlib", "optax", "orbax", "pandas", "scipy", "tensorflow_probability"}


@pytest.mark.parametrize("module", ["jaxsocial", "jaxsocial.cli.main"])
def test_importing_is_quick(module):
    assert loaded_by(f"import {module}") & HEAVY == set()


def test_what_needs_more_is_imported_at_its_first_use():
    assert loaded_by("import jaxsocial; jaxsocial.load_policy") >= {"flax", "orbax"}
    for name in jaxsocial.__all__:
        assert getattr(jaxsocial, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'load_polcy'"):
        jaxsocial.load_polcy  # noqa: B018, pyright: ignore


def test_importing_starts_no_device():
    program = (
        "import jaxsocial; from jax._src import xla_bridge; raise SystemExit(xla_bridge.backends_are_initialized())"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, check=False).returncode == 0
    program = program.replace(";", "; import jax.numpy; jax.numpy.arange(3);", 1)
    assert subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, check=False).returncode == 1
