"""Compiled programs on disk, so that a command begins at once when it was given before."""

import os

import jax
import platformdirs

LEAST_SECONDS = 0.5
"""What compiles faster than this is not kept."""


def keep_compiled_programs() -> None:
    """Keeps them in the user's cache folder, unless the user has chosen a folder, or none, in jax's own way.

    That way is the environment's JAX_COMPILATION_CACHE_DIR, JAX_ENABLE_COMPILATION_CACHE, or `jax.config`.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or jax.config.values["jax_compilation_cache_dir"]:
        return
    folder = platformdirs.user_cache_path("jaxsocial") / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
