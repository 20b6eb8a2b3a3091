"""For every test: keys are checked for reuse, and the shapes in signatures are checked at each call."""

import gc
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

# Many tests compile the same small programs. The workers of one run share a cache, apart from the user's.
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ.get("JAX_COMPILATION_CACHE_DIR") or tempfile.mkdtemp("-jaxsocial")

# Without this, a command would make each core a device, but only if jax has not started in its worker.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

import jax
import pytest
from jaxtyping import install_import_hook

# Most programs here run once: a quarter of the compile time outweighs slower code.
XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
# Elemental emitters compile a training chunk 2.6 times as fast. Later versions have none, and abort on the flag.
if version("jaxlib").startswith("0.10."):
    XLA_FLAGS += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)
# Before anything imports the package. The hook skips NamedTuples, so that records may hold batches under vmap.
install_import_hook("jaxsocial", "beartype.beartype")
jax.config.update("jax_debug_key_reuse", True)
# By default GPUs round operands to 10 bits; tests compare more.
jax.config.update("jax_default_matmul_precision", "highest")


def pytest_unconfigure(config):
    """Removes the cache that was made here, after the workers that share it have ended."""
    cache = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    if cache.name.endswith("-jaxsocial") and not hasattr(config, "workerinput"):
        shutil.rmtree(cache, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def collect_less_often():
    """Looks for garbage less often, and not in what was imported: it took 8 % of the time (November 2026)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 10)


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs():
    """Frees compiled programs. A worker would hold those of every module until the end: several GB."""
    yield
    jax.clear_caches()


@pytest.fixture
def keys_unchecked():
    """Turns off the check of key reuse, which misjudges scans under vmap."""
    with jax.debug_key_reuse(False):
        yield


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A finished run of seeds 3 and 4 and four iterations."""
    from tests import runs  # noqa: PLC0415, the hook comes first

    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert runs.train(folder, "--total-steps", str(4 * runs.ITERATION), "--seeds", "2", "--seed", "3") == 0
    return folder
