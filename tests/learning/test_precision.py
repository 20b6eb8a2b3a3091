"""Most seeds learn with float32 and with bfloat16 products, on probes and thresholds of test_probes.py."""

import dataclasses

import numpy as np
import pytest

from tests.learning.probes import Probe, make_probe
from tests.learning.training import SIZES, TINY, make_trainer

SEEDS = 9
"""Of 64 seeds 48 learned to remember in time, and 56 without rounding (docs/performance.md): one seed shows little."""


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def train(request):
    network = dataclasses.replace(TINY, matmul_dtype=request.param)
    return make_trainer(make_probe(), SIZES, iterations=120, network=network)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "threshold"),
    [(Probe(for_action=1.0, length=1), 0.95), (Probe(for_action=1.0, length=4, cue_until=1), 0.9)],
)
def test_most_seeds_learn_to_act_on_observation_or_memory(train, probe, threshold):
    trained = [train(probe, seed) for seed in range(SEEDS)]
    assert max(run.metrics["solo_return"][0] for run in trained) < 0.4
    assert np.median([run.late("solo_return") for run in trained]) > threshold
