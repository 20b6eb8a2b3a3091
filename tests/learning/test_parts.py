"""Every encoder, memory and prediction target learns on worlds of known value."""

import dataclasses
import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from tests.learning.probes import Probe, cue_is_one, make_probe
from tests.learning.training import QUICK, SIZES, TINY, best_of_three, make_trainer

VISIBLE = Probe(for_action=1.0, length=1)
REMEMBER = Probe(for_action=1.0, length=4, cue_until=1, shows_action=False)


class Case(NamedTuple):
    """A network of named parts; every part is in one of them."""

    encoder: str
    memory: str
    prediction: str


FAST = [Case("symbolic", "gru", "symbols")]
SLOW = [
    Case("tile_contrast", "none", "none"),
    *(Case("convolutions", "gru", "frame"), Case("tile_contrast", "lstm", "current_frame")),
    *(
        Case("symbolic", "lstm", "changes"),
        Case("symbolic", "gru", "others"),
        Case("symbolic", "none", "current_symbols"),
    ),
]


def cases(with_memory: tuple[bool, ...] = (True, False)):
    """Parametrises a test with the cases that have a memory, or have none; all but one are slow."""
    chosen = [case for case in FAST + SLOW if (case.memory != "none") in with_memory]
    marked = [pytest.param(case, marks=pytest.mark.slow if case in SLOW else (), id="-".join(case)) for case in chosen]
    return pytest.mark.parametrize("case", marked)


# One program for all probes.
@functools.cache
def trainer(case: Case):
    network = dataclasses.replace(TINY, encoder=case.encoder, memory_type=case.memory)
    env = make_probe("symbolic") if case.encoder == "symbolic" else make_probe(tile_pixels=3)
    return make_trainer(env, dataclasses.replace(SIZES, prediction=case.prediction), iterations=120, network=network)[0]


def regret(trained):
    """Returns the difference to the maximum return."""
    return 1 - trained.late("solo_return")


@cases()
def test_value_depends_on_the_observation_and_the_prediction_comes_true(case):
    def error(trained):
        cue = cue_is_one(trained.trajectory.observation)
        return np.abs(trained.value - jnp.where(cue, 1.0, -1.0)).max()

    trained = best_of_three(trainer(case), Probe(for_cue=1.0, length=1), error, 0.1)
    assert error(trained) < 0.1
    if case.prediction != "none":
        assert trained.late("prediction_loss") < 0.2 * trained.metrics["prediction_loss"][0]


@cases(with_memory=(True,))
def test_a_cue_is_remembered_if_there_is_a_memory(case):
    # With the default weight of 3, two of ten seeds learn it while they also predict changes; with 0.3, ten do.
    train = functools.partial(trainer(case), coefficients=QUICK._replace(prediction_weight=0.3))
    trained = best_of_three(train, REMEMBER, regret, 0.1)
    assert trained.metrics["solo_return"][0] < 0.2
    assert trained.late("solo_return") > 0.9


@cases(with_memory=(False,))
def test_without_a_memory_only_a_visible_cue_is_acted_on(case):
    assert best_of_three(trainer(case), VISIBLE, regret, 0.05).late("solo_return") > 0.95
    assert abs(trainer(case)(REMEMBER).late("solo_return")) < 0.2
