"""Compiling for tests."""

import functools

import jax

quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""For programs that run a few times: they take half as long to compile."""
