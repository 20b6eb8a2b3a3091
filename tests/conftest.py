"""For every test: keys are checked for reuse, and the shapes in signatures are checked at each call."""

import jax
from jaxtyping import install_import_hook

# Before anything imports the package. Records are NamedTuples, which the hook leaves alone, so that under
# vmap they may hold batches.
install_import_hook("jaxsocial", "beartype.beartype")
jax.config.update("jax_debug_key_reuse", True)
