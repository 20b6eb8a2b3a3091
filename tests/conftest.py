"""For every test: keys are checked for reuse, and the shapes in signatures are checked at each call."""

import os
import shutil
import tempfile
from pathlib import Path

# Many tests compile the same small programs; the workers of a run share them, and the user's own stay out of it.
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ.get("JAX_COMPILATION_CACHE_DIR") or tempfile.mkdtemp("-jaxsocial")

# Commands in a worker that has not begun yet would else make a device of each core, those in another not.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

import jax
import pytest
from jaxtyping import install_import_hook

# Most programs here run once: what compiles in half the time is quicker, even if it runs slower.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
# Before anything imports the package. Records are NamedTuples, which the hook leaves alone, so that under
# vmap they may hold batches.
install_import_hook("jaxsocial", "beartype.beartype")
jax.config.update("jax_debug_key_reuse", True)
# GPUs would else round what is multiplied to 10 bits, and tests compare to more.
jax.config.update("jax_default_matmul_precision", "highest")


def pytest_unconfigure(config):
    """The cache that was made here goes, once the workers that share it are gone."""
    cache = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    if cache.name.endswith("-jaxsocial") and not hasattr(config, "workerinput"):
        shutil.rmtree(cache, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs():
    """A worker would else hold the programs of every module until the end: several GB."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A finished run of seeds 3 and 4 and four iterations."""
    from tests import runs  # noqa: PLC0415, the hook comes first

    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert runs.train(folder, "--total-steps", str(4 * runs.ITERATION), "--seeds", "2", "--seed", "3") == 0
    return folder
