"""Evaluation: whole episodes, also where they end before the clock runs out."""

import dataclasses

import jax
import pytest

from jaxsocial.run import evaluate, presets
from jaxsocial.run.checkpoint import network_of
from jaxsocial.run.episodes import episode_player
from jaxsocial.scenarios.text_map import scenario_from_text
from tests.run.runs import command

ROOM = scenario_from_text("####\n#>G#\n####", max_steps=250, actions=3, view_size=3)


def small_config(world):
    """An untrained learner alone in a world."""
    preset = presets.preset("paper")
    network = dataclasses.replace(preset.network, channels=(4,), dense=8, memory=8, heads=(8,))
    return dataclasses.replace(preset, world=world, partners=(), network=network, evaluation_episodes=64)


def test_only_the_first_episode_of_each_world_counts():
    config = small_config(ROOM)
    parameters = jax.tree.map(lambda x: x[None, None], network_of(config).init(jax.random.key(0)))
    with jax.debug_key_reuse(False):
        episodes = episode_player(config, 64)(parameters)
    # An episode ends with the goal, which pays 1; in 250 random steps nobody misses it, and many would find it again.
    (result,) = evaluate.evaluate(config, episodes)
    assert result.episodes == 64
    assert result.return_ == result.goals == (1, 1, 1)


def test_what_a_network_cannot_learn_from_is_refused(capsys):
    with pytest.raises(ValueError, match=r"observation='symbolic'.*choose rgb"):
        network_of(small_config(dataclasses.replace(ROOM, observation="symbolic")))
    assert command("train", "--world.observation", "symbolic") == 2
    assert "choose rgb" in capsys.readouterr().err
