"""Recorded episodes of untrained learners, which need no run."""

import dataclasses

import jax
from jax import numpy as jnp

from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.config.presets import preset
from jaxsocial.env.registry import make_scenario
from jaxsocial.evaluate import media
from jaxsocial.training.build import make_agent_setup
from jaxsocial.viewer.record import Episode, episode_recorder
from tests.compiling import quick_jit


def parameters_of(config: Config):
    """Draws networks, learners as the first axis."""
    keys = jax.random.split(jax.random.key(0), config.sizes.learners)
    each = [quick_jit(network_of(config).init)(key) for key in keys]
    return jax.tree.map(lambda *x: jnp.stack(x), *each)


def small_config(prediction: str = "none", observation: str = "rgb", learners: int = 1) -> Config:
    """Returns a room of three goals, an expert and a searching expert, and small networks."""
    config = preset("quickstart")
    world = make_scenario(
        "goal_cycle",
        height=6,
        width=7,
        goals=3,
        clutter=2,
        agents=learners + 2,
        max_steps=30,
        view_size=5,
        actions=3,
        observation=observation,
    )
    encoder = "convolutions" if observation == "rgb" else "symbolic"
    network = dataclasses.replace(config.network, encoder=encoder, channels=(4,), dense=8, memory=8, heads=(8,))
    sizes = dataclasses.replace(config.sizes, prediction=prediction, learners=learners)
    return dataclasses.replace(
        config, world=world, network=network, sizes=sizes, partners=("expert", "searching_expert")
    )


def recorded(config: Config, *numbers: int, alone: bool = False) -> list[Episode]:
    """Records episodes. Skips the check of key reuse, which misjudges scans under vmap."""
    with jax.debug_key_reuse(False):
        # On the host, as runs of several hosts have them.
        learners, setup = jax.device_get(parameters_of(config)), make_agent_setup(config)
        record = episode_recorder(config, learners, setup, media.moments(config, learners, setup))
        return [record(number, alone) for number in numbers]
