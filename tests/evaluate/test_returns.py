"""Evaluation: whole episodes, also where they end before the clock runs out."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from jaxsocial.config import presets
from jaxsocial.config.network import network_of
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.evaluate import returns
from jaxsocial.evaluate.episodes import episode_player
from jaxsocial.evaluate.returns import interquartile_mean, middle_mean
from tests.runs import command

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
    (result,) = returns.evaluate(config, episodes)
    assert result.episodes == 64
    assert result.return_ == result.goals == (1, 1, 1)


def test_what_a_network_cannot_learn_from_is_refused(capsys):
    with pytest.raises(ValueError, match=r"observation='symbolic'.*choose rgb"):
        network_of(small_config(dataclasses.replace(ROOM, observation="symbolic")))
    assert command("train", "--world.observation", "symbolic") == 2
    assert "choose rgb" in capsys.readouterr().err


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert interquartile_mean(np.array([100.0, 2.0, 3.0, 4.0, -50.0])).mean == pytest.approx(3)
    assert interquartile_mean(np.arange(8.0)).mean == pytest.approx(stats.trim_mean(np.arange(8.0), 0.25)) == 3.5


def test_its_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [score.low <= 5 <= score.high for score in (interquartile_mean(rng.normal(5, 2, 20)) for _ in range(200))]
    assert 0.85 <= np.mean(held) <= 0.99


def test_one_seed_and_equal_seeds_have_no_width_and_no_seed_no_value():
    assert interquartile_mean(np.array([2.0])) == (2, 2, 2)
    assert interquartile_mean(np.full(5, 3.0)) == (3, 3, 3)
    assert interquartile_mean(np.array([np.nan, 4.0])) == (4, 4, 4)
    assert np.isnan(interquartile_mean(np.array([np.nan]))).all()


def test_without_its_interval_it_is_the_same_mean():
    for values in ([100.0, 2.0, 3.0, 4.0, -50.0], [1.0, np.nan, 4.0], [2.0]):
        assert middle_mean(np.array(values)) == interquartile_mean(np.array(values)).mean
    assert np.isnan(middle_mean(np.array([np.nan])))
