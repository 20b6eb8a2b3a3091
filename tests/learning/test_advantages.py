"""Advantages against calculations by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.learning.advantages import generalised_advantages

GAMMA, LAMBDA = 0.5, 0.5


def advantages(reward, discount, value, value_next, ended, lambda_):
    columns = (jnp.array(x, jnp.float32)[:, None] for x in (reward, discount, value, value_next))
    return generalised_advantages(*columns, jnp.array(ended, bool)[:, None], jnp.float32(lambda_))[:, 0]


def test_termination_in_the_middle():
    # Errors: 1 + .5*4 - 2 = 1;  2 + 0 - 4 = -2;  3 + .5*2 - 8 = -4;  5 + .5*6 - 2 = 6.
    found = advantages([1, 2, 3, 5], [GAMMA, 0, GAMMA, GAMMA], [2, 4, 8, 2], [4, 8, 2, 6], [0, 1, 0, 0], LAMBDA)
    np.testing.assert_allclose(found, [1 - 0.25 * 2, -2, -4 + 0.25 * 6, 6])


def test_truncation_bootstraps_and_passes_no_error_back():
    # As above, but the error of the second row is 2 + .5*10 - 4 = 3, with the final state's value of 10.
    found = advantages([1, 2, 3, 5], [GAMMA] * 4, [2, 4, 8, 2], [4, 10, 2, 6], [0, 1, 0, 0], LAMBDA)
    np.testing.assert_allclose(found, [1 + 0.25 * 3, 3, -4 + 0.25 * 6, 6])


@pytest.mark.parametrize("ends", [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0]])
def test_lambda_of_zero_is_the_one_step_error(ends):
    reward, value, value_next = np.random.default_rng(0).normal(size=(3, 5))
    found = advantages(reward, [GAMMA] * 5, value, value_next, ends, 0.0)
    np.testing.assert_allclose(found, reward + GAMMA * value_next - value, rtol=1e-5)


def test_lambda_of_one_is_the_return_minus_the_value():
    reward, value = np.random.default_rng(0).normal(size=(2, 5))
    value_next = np.append(value[1:], 7.0)
    value_next[2] = 9.0
    found = advantages(reward, [GAMMA] * 5, value, value_next, [0, 0, 1, 0, 0], 1.0)
    to_the_end = [
        reward[0] + GAMMA * (reward[1] + GAMMA * (reward[2] + GAMMA * 9)),
        reward[3] + GAMMA * (reward[4] + GAMMA * 7),
    ]
    np.testing.assert_allclose([found[0], found[3]], np.array(to_the_end) - value[[0, 3]], rtol=1e-5)
