"""A run of the first version, whose config and checkpoint have other names, still loads and resumes."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxsocial
from jaxsocial import finish
from jaxsocial.config.renamed import SCHEMA
from jaxsocial.training import metrics
from jaxsocial.training.folder import config_of
from tests import runs

RUN = Path(__file__).parent / "version_1"
"""Two seeds of 1,024 steps; expected.jsonl is what the first version measured in the next 512."""


def test_its_policy_loads():
    config = config_of(RUN)
    assert config.network.encoder == "tile_contrast"
    assert config.penalty_ramp == (0.15, 900_000, 5_600_000)
    loaded = jaxsocial.load_policy(RUN, seed=1)
    outputs = jax.eval_shape(
        loaded.network.unroll,
        loaded.parameters,
        loaded.network.initial_memory((1,)),
        jaxsocial.Observation(np.zeros((1, 1, *config.world.observation_shape), np.uint8)),
        np.ones((1, 1), bool),
    )
    assert outputs.logits.shape == (1, 1, config.world.actions)


@pytest.mark.slow
def test_it_resumes_as_the_first_version_did(tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "measure", lambda trained: [])
    folder = shutil.copytree(RUN, tmp_path / "run")
    assert runs.command("train", "--resume", str(folder), "--total-steps", "1536") == 0
    found, expected = metrics.read(folder / "metrics.jsonl")[-4:], metrics.read(RUN / "expected.jsonl")
    for mine, known in zip(found, expected, strict=True):
        known["approx_kl"] = known.pop("divergence")
        assert mine.keys() == known.keys() | {f"prediction_loss_{where}_others" for where in ("with", "without")}
        for name, value in known.items():
            value = np.nan if value is None else value
            np.testing.assert_allclose(np.nan if mine[name] is None else mine[name], value, rtol=1e-4, atol=1e-6)
    assert json.loads((folder / "config.json").read_text())["schema"] == SCHEMA
