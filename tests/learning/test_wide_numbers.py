"""Training with 64-bit numbers switched on: every number keeps its width."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import dataclasses, jax, jax.numpy as jnp
import jaxsocial
from jaxsocial.config.fields import with_fields

sizes = {"sizes.worlds": 8, "sizes.steps": 8, "sizes.segment_length": 4, "sizes.segments": 4, "sizes.minibatches": 2}
sizes |= {"sizes.refresh_interval": 1, "world.max_steps": 8, "total_steps": 64, "log_steps": 64}
config = with_fields(jaxsocial.preset("laptop-symbolic"), sizes | {"world.inputs": ["reward", "heading"]})
learner, metrics = jax.jit(jaxsocial.make_train(config))(jax.random.key(0))
wide = [leaf.dtype for leaf in jax.tree.leaves((learner, metrics)) if leaf.dtype in (jnp.int64, jnp.float64)]
assert jax.config.jax_enable_x64 and not wide, wide
assert jnp.isfinite(metrics["loss"]).all()
"""


@pytest.mark.slow
def test_training_keeps_32_bits_where_64_are_enabled():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=os.environ | {"JAX_ENABLE_X64": "1"}, timeout=600)
