"""Returns over whole episodes, also those that end before the time limit."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxsocial.config import presets
from jaxsocial.config.network import network_of
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.evaluate import returns
from jaxsocial.evaluate.episodes import Episodes, episode_player
from tests.evaluate.test_episodes import small_config
from tests.runs import command

ROOM = scenario_from_text("####\n#>G#\n####", max_steps=250, actions=3, view_size=3)


def test_only_the_first_episode_of_each_world_counts():
    config = small_config(ROOM)
    parameters = jax.tree.map(lambda x: x[None, None], network_of(config).init(jax.random.key(0)))
    with jax.debug_key_reuse(False):
        episodes = episode_player(config, 64)(parameters)
    # An episode ends at the goal, which pays 1. In 250 random steps every learner enters it, and many would again.
    (result,) = returns.evaluate(config, episodes)
    assert result.episodes == 64
    assert result.return_ == result.goals == (1, 1, 1)


def test_an_absent_partner_has_no_row():
    config = dataclasses.replace(presets.preset("quickstart"), partners=("absent", "expert"))
    episodes = Episodes(*np.zeros((4, 1, 2, 3, 3), bool))
    assert [result.player for result in returns.evaluate(config, episodes)] == ["learner", "expert"]


def test_an_observation_that_the_network_cannot_encode_is_refused(capsys):
    with pytest.raises(
        ValueError, match=r"needs RGB images, and world.observation is 'symbolic': choose world.observation .rgb."
    ):
        network_of(small_config(dataclasses.replace(ROOM, observation="symbolic")))
    assert command("train", "--preset", "laptop", "--world.observation", "symbolic") == 2
    assert 'choose world.observation "rgb"' in capsys.readouterr().err
