"""Learning with products of rounded numbers reaches what it reaches without (tests/learning/test_probes.py)."""

import dataclasses

import numpy as np
import pytest

from tests.learning.probes import Probe, make_probe
from tests.learning.training import SIZES, TINY, make_trainer

SEEDS = 5
"""With numbers of 32 bits, too, one seed in five or six has not learned after so few iterations."""


@pytest.fixture(scope="module")
def train():
    return make_trainer(make_probe(), SIZES, iterations=120, network=dataclasses.replace(TINY, products="bfloat16"))[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "mark"), [(Probe(for_action=1.0, length=1), 0.95), (Probe(for_action=1.0, length=4, cue_until=1), 0.9)]
)
def test_most_seeds_learn_to_act_by_what_they_see_or_remember(train, probe, mark):
    trained = [train(probe, seed) for seed in range(SEEDS)]
    assert max(run.metrics["solo_return"][0] for run in trained) < 0.4
    assert np.median([run.late("solo_return") for run in trained]) > mark
