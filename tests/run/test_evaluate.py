"""Evaluation: whole episodes, also where they end before the clock runs out."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxsocial.run import config as configs
from jaxsocial.run import evaluate
from jaxsocial.run.checkpoint import network_of
from jaxsocial.run.program import make_parts
from jaxsocial.scenarios.text_map import scenario_from_text
from tests.run.runs import command

ROOM = scenario_from_text("####\n#>G#\n####", max_steps=250, actions=3, view_size=3)


def small_config(world):
    """An untrained learner alone in a world."""
    preset = configs.preset("paper")
    network = dataclasses.replace(preset.network, channels=(4,), dense=8, memory=8, heads=(8,))
    return dataclasses.replace(preset, world=world, partners=(), network=network, evaluation_episodes=64)


def test_only_the_first_episode_of_each_world_counts():
    config = small_config(ROOM)
    parts = make_parts(config)
    parameters = jax.tree.map(lambda x: x[None], parts.network.init(jax.random.key(0)))
    with jax.debug_key_reuse(False):
        tally = evaluate.episode_player(config, parts, 64)(parameters)
    # An episode ends with the goal, which pays 1; in 250 random steps nobody misses it, and many would find it again.
    assert tally.return_.shape == (1, 64, 1)
    assert (np.asarray(tally.return_) == 1).all()
    assert (np.asarray(tally.goals) == 1).all()


def test_what_a_network_cannot_learn_from_is_refused(capsys):
    with pytest.raises(ValueError, match=r"observation='symbolic'.*choose rgb"):
        network_of(small_config(dataclasses.replace(ROOM, observation="symbolic")))
    assert command("train", "--world.observation", "symbolic") == 2
    assert "choose rgb" in capsys.readouterr().err
