"""Each loss against calculations by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial.agents.networks.targets import frame_error
from jaxsocial.agents.policy import distribution
from jaxsocial.learning import losses


def test_surrogate_loss_of_known_ratios():
    ratio = jnp.array([1.0, 1.1, 1.5, 1.5, 0.5, 0.5])
    advantage = jnp.array([2.0, 2.0, 2.0, -2.0, 2.0, -2.0])
    loss = losses.surrogate_loss(jnp.log(ratio), advantage, jnp.float32(0.2))
    # Inside the interval; inside; gain clipped; loss kept; loss kept; gain clipped.
    np.testing.assert_allclose(loss, [-2.0, -2.2, -2.4, 3.0, -1.0, 1.6], rtol=1e-5)


def test_gradient_is_zero_beyond_the_clip():
    def gradient(ratio, advantage):
        return jax.grad(lambda x: losses.surrogate_loss(x, jnp.float32(advantage), jnp.float32(0.2)))(jnp.log(ratio))

    assert gradient(1.5, 2.0) == 0 == gradient(0.5, -2.0)
    np.testing.assert_allclose([gradient(1.5, -2.0), gradient(0.5, 2.0)], [3.0, -1.0], rtol=1e-5)


def test_value_loss_is_the_squared_error():
    np.testing.assert_allclose(losses.value_loss(jnp.array([1.0, -2.0]), jnp.array([4.0, 0.0])), [9.0, 4.0])


def test_approx_kl_is_never_negative_and_its_mean_is_the_kl_divergence():
    key = jax.random.key(0)
    old, new = (distribution(jnp.log(jnp.array(p))) for p in ([0.8, 0.15, 0.05], [0.3, 0.3, 0.4]))
    action = old.sample(seed=key, sample_shape=(200_000,))
    found = losses.approx_kl(new.log_prob(action) - old.log_prob(action))
    assert found.min() >= 0
    np.testing.assert_allclose(found.mean(), old.kl_divergence(new), rtol=0.03)
    assert abs(found.mean() - new.kl_divergence(old)) > 0.1  # The reverse divergence is another number.


def test_frame_error_is_a_fraction_of_the_full_range():
    target = jnp.zeros((2, 4, 4, 3), jnp.uint8).at[0].set(255)
    frame = jnp.full((2, 4, 4, 3), 0.25)
    np.testing.assert_allclose(frame_error(frame, target), [0.75, 0.25])
    np.testing.assert_allclose(frame_error(target / 255.0, target), 0, atol=1e-7)
    one_pixel = frame.at[1, 2, 3, 1].add(0.48)
    np.testing.assert_allclose(frame_error(one_pixel, target)[1] - 0.25, 0.48 / 48, rtol=1e-4)
