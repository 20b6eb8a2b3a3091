"""The penalty's ramp and stages."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.config.penalty import PenaltyRamp, Stages, advanced, current_penalty, first_progress, penalty_fraction


@pytest.mark.parametrize(
    ("steps", "fraction"), [(0, 0.2), (100, 0.2), (101, 0.204), (200, 0.6), (300, 1.0), (301, 1.0), (3e9, 1.0)]
)
def test_the_fraction_is_constant_then_grows_linearly_then_is_one(steps, fraction):
    ramp = PenaltyRamp(initial_fraction=0.2, ramp_start=100, ramp_end=300).traced()
    np.testing.assert_allclose(penalty_fraction(jnp.float32(steps), ramp), fraction, rtol=1e-6)


def test_without_a_ramp_the_fraction_is_one():
    assert penalty_fraction(jnp.float32(0), PenaltyRamp().traced()) == 1.0


def test_a_ramp_without_length_is_a_jump():
    ramp = PenaltyRamp(initial_fraction=0.5, ramp_start=100, ramp_end=100).traced()
    assert [float(penalty_fraction(jnp.float32(steps), ramp)) for steps in (0, 99, 100)] == [0.5, 0.5, 1.0]


STAGES = Stages(penalties=(0.2, 0.6, 1.5), returns=(4.0, 6.0), smoothing=0.5).traced()


def through(returns, stages, steps=100):
    """The stage after each iteration with these mean returns."""
    progress, seen = first_progress(), []
    for return_ in returns:
        progress = advanced(progress, stages, jnp.float32(return_), steps)
        seen.append(int(progress.stage))
    return seen


def test_a_stage_ends_at_its_return_and_the_next_begins_a_new_mean():
    # The second stage's mean begins with its own first return: 9 ends it at once, after 5 more are needed.
    assert through([1.0, 4.0, 9.0, 9.0], STAGES) == [0, 0, 1, 2]
    assert through([9.0, 5.0, 6.0, 6.4, 6.9, 9.0], STAGES) == [1, 1, 1, 1, 2, 2]


def test_an_iteration_without_ended_episodes_changes_no_mean():
    assert through([math.nan, 9.0, math.nan, 5.0, math.nan, math.nan, 7.1], STAGES) == [0, 1, 1, 1, 1, 1, 2]


def test_a_stage_ends_after_its_steps_at_the_latest():
    limited = Stages(penalties=(0.2, 1.5), steps=(250.0,)).traced()
    assert through([0.0] * 4, limited) == [0, 0, 1, 1]
    either = Stages(penalties=(0.2, 1.5), returns=(5.0,), steps=(250.0,)).traced()
    assert through([6.0, 0.0], either) == [1, 1]


def test_the_penalty_is_the_stage_s_times_the_ramp_s_fraction():
    rise = PenaltyRamp(0.5, 100, 100).traced()
    for stage, penalty in enumerate((0.2, 0.6, 1.5)):
        progress = first_progress()._replace(stage=jnp.int32(stage))
        for steps, fraction in ((0, 0.5), (100, 1.0)):
            charged = current_penalty(jnp.float32(9.0), jnp.float32(steps), rise, STAGES, progress)
            np.testing.assert_allclose(charged, penalty * fraction, rtol=1e-6)
    without = Stages().traced()
    charged = current_penalty(jnp.float32(1.5), jnp.float32(0), PenaltyRamp().traced(), without, first_progress())
    assert charged == 1.5
