import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.run.curriculum import PenaltyRamp, rules_in_force, share_charged


@pytest.mark.parametrize(
    ("steps", "share"), [(0, 0.2), (100, 0.2), (101, 0.204), (200, 0.6), (300, 1.0), (301, 1.0), (3e9, 1.0)]
)
def test_the_share_is_held_then_grows_evenly_then_is_whole(steps, share):
    ramp = PenaltyRamp(first_share=0.2, hold_steps=100, full_steps=300).traced()
    np.testing.assert_allclose(share_charged(jnp.float32(steps), ramp), share, rtol=1e-6)


def test_without_a_ramp_the_whole_penalty_is_charged_from_the_start():
    assert share_charged(jnp.float32(0), PenaltyRamp().traced()) == 1.0


def test_a_ramp_without_growth_is_a_jump():
    ramp = PenaltyRamp(first_share=0.5, hold_steps=100, full_steps=100).traced()
    assert [float(share_charged(jnp.float32(steps), ramp)) for steps in (0, 99, 100)] == [0.5, 0.5, 1.0]


def test_only_the_penalty_changes():
    rules = jaxsocial.make_rules(jaxsocial.make("goal_cycle").scenario, penalty=1.5)
    changed = rules_in_force(jnp.float32(0), rules, PenaltyRamp(0.2, 100, 300).traced())
    np.testing.assert_allclose(changed.penalty, 0.3, rtol=1e-6)
    for name in set(rules._fields) - {"penalty"}:
        np.testing.assert_array_equal(getattr(changed, name), getattr(rules, name))
