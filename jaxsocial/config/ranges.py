"""The range of every number of a config that a user or a sweep may choose."""

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "1 or more": (lambda x: x >= 1, "total_steps seeds log_steps checkpoint_steps evaluation_episodes"),
    "0 or more": (
        lambda x: x >= 0,
        "keep_every rules.penalty rules.first_level rules.levels penalty_ramp.ramp_start penalty_ramp.ramp_end "
        "stages.penalties stages.steps coefficients.learning_rate coefficients.value_weight "
        "coefficients.prediction_weight coefficients.entropy_weight partner_schedule.solo_steps",
    ),
    "a number above 0": (
        lambda x: x > 0,
        "rules.prestige_scale coefficients.clip coefficients.kl_stop coefficients.kl_restore "
        "coefficients.lstm_gradient_norm",
    ),
    "0 to 1": (
        lambda x: 0 <= x <= 1,
        "rules.prestige_decay penalty_ramp.initial_fraction coefficients.gamma coefficients.gae_lambda "
        "partner_schedule.epsilon partner_schedule.solo partner_schedule.leave partner_schedule.rejoin",
    ),
    "0 up to below 1": (lambda x: 0 <= x < 1, "stages.smoothing"),
    "a finite number": (math.isfinite, "rules.reward stages.returns"),
}
"""A range in words to (its test, the fields that it holds for). NaN is in none of them."""


def check_ranges(config: Any) -> None:
    """Checks every number of a config, and every number of its lists.

    Raises:
      ValueError: a number outside its range, with the range.
    """
    for words, (within, names) in RANGES.items():
        for name in names.split():
            value = attrgetter(name)(config)
            if not all(map(within, np.atleast_1d(value).tolist())):
                raise ValueError(f"{name}={value}: choose {words}")
