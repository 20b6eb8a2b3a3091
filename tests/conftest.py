"""For every test: keys are checked for reuse, and the shapes in signatures are checked at each call."""

import os
import tempfile

# Many tests compile the same small programs; the workers of a run share them, and the user's own stay out of it.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", tempfile.mkdtemp(prefix="jaxsocial-tests-"))

import jax
import pytest
from jaxtyping import install_import_hook

# Most programs here run once: what compiles in half the time is quicker, even if it runs slower.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
# Before anything imports the package. Records are NamedTuples, which the hook leaves alone, so that under
# vmap they may hold batches.
install_import_hook("jaxsocial", "beartype.beartype")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A finished run of seeds 3 and 4 and four iterations."""
    from tests.run import runs  # noqa: PLC0415, the hook comes first

    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert runs.train(folder, "--total-steps", str(4 * runs.ITERATION), "--seeds", "2", "--seed", "3") == 0
    return folder
