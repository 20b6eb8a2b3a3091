import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxsocial.run import config as configs
from jaxsocial.run.curriculum import PenaltyRamp


@pytest.mark.parametrize("name", configs.presets())
def test_a_preset_survives_json(name):
    config = configs.preset(name)
    assert configs.from_plain(json.loads(json.dumps(configs.to_plain(config)))) == config


def test_quickstart_solo_differs_from_quickstart_in_company_only():
    social, solo = configs.preset("quickstart"), configs.preset("quickstart-solo")
    alone = dataclasses.replace(social.world, agents=1)
    assert dataclasses.replace(social, world=alone, partners=(), preset=solo.preset) == solo


def test_paper_is_the_papers():
    paper = configs.preset("paper")
    assert paper.iteration_steps == 128 * 250
    assert paper.total_steps == 1_500_000 * 250
    assert (paper.world.clutter, paper.world.goals, paper.rules.penalty) == (18, 3, 1.5)
    assert paper.sizes.segments * paper.sizes.segment_length == 8192
    assert (paper.coefficients.learning_rate, paper.coefficients.prediction_weight) == (1e-4, 3.0)
    assert configs.preset("paper-vanilla").sizes.prediction == "none"
    assert configs.preset("paper-autoencoder").sizes.prediction == "current"
    assert configs.preset("paper-solo").world.agents == 1


def test_solo_worlds_are_exact():
    config = dataclasses.replace(configs.preset("paper"), solo_worlds=96)
    rules = configs.world_rules(config)
    assert rules.present.shape == (128, 3)
    assert rules.present[:, 0].all()
    assert int(rules.present[:, 1:].all(-1).sum()) == 32
    assert int((~rules.present[:, 1:]).all(-1).sum()) == 96
    assert all(leaf.shape[0] == 128 for leaf in jax.tree.leaves(rules))
    np.testing.assert_allclose(rules.penalty, 1.5)


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ({"solo_worlds": 129}, "choose 0 to 128"),
        ({"total_steps": 0}, "choose 1 or more"),
        ({"partners": ("expert",)}, "name one for each"),
        ({"rules": configs.RuleNumbers(prestige_scale=0.0)}, "above 0"),
        ({"penalty_ramp": PenaltyRamp(first_share=1.5)}, "choose 0 to 1"),
        ({"penalty_ramp": PenaltyRamp(hold_steps=5.0, full_steps=3.0)}, "no smaller"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_cure(change, cure):
    with pytest.raises(ValueError, match=cure):
        dataclasses.replace(configs.preset("paper"), **change)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="quickstart, quickstart-solo"):
        configs.preset("papre")


def test_a_config_of_another_version_is_refused():
    plain = configs.to_plain(configs.preset("paper"))
    plain["sizes"]["wrolds"] = plain["sizes"].pop("worlds")
    with pytest.raises(ValueError, match="wrolds"):
        configs.from_plain(plain)
