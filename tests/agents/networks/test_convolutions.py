"""Both forms of a 3 x 3 convolution, and their gradients, against jax's own convolution."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks.blocks import traced_for
from jaxsocial.agents.networks.convolutions import LEAST_FRAMES, MOST_LEARNERS, Convolution, leaky_relu

FEATURES = 3
RANDOM = np.random.default_rng(0)


def reference(grows):
    margin = 2 if grows else 0

    def convolved(parameters, x):
        kernel = parameters["kernel"].reshape(3, 3, x.shape[-1], FEATURES)
        numbers = ("NHWC", "HWIO", "NHWC")
        found = jax.lax.conv_general_dilated(x, kernel, (1, 1), [(margin, margin)] * 2, dimension_numbers=numbers)
        return found + parameters["bias"]

    return convolved


def ours(grows, dtype, platform):
    module = Convolution(FEATURES, dtype, grows)

    def convolved(parameters, x):
        with traced_for(platform):
            return module.apply({"params": parameters}, x)

    return convolved


def results_and_gradients(function, parameters, x, seeds):
    """Returns results, and the gradients of their sum of sines, in parameters and frames."""

    def loss(parameters, x):
        found = function(parameters, x)
        return jnp.sin(found).sum(), found

    gradients, found = jax.grad(loss, (0, 1), has_aux=True), None
    for axes in seeds:
        gradients = jax.vmap(gradients, axes)
    gradients, found = jax.jit(gradients)(parameters, x)
    return found, gradients


def drawn(frames, *learners):
    x = RANDOM.normal(size=(*learners, frames, 5, 6, 2)).astype(np.float32)
    parameters = {
        "kernel": RANDOM.normal(size=(*learners, 18, FEATURES)).astype(np.float32) / 4,
        "bias": RANDOM.normal(size=(*learners, FEATURES)).astype(np.float32),
    }
    return parameters, x


def assert_all_close(found, expected, tolerance):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == np.float32
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, atol=tolerance * scale)


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize(("platform", "frames"), [("cpu", 3), ("gpu", 3), ("gpu", LEAST_FRAMES)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_each_form_and_its_gradients_equal_jax_s_convolution(grows, platform, frames, dtype, tolerance):
    arrays = drawn(frames)
    expected = results_and_gradients(reference(grows), *arrays, ())
    assert_all_close(results_and_gradients(ours(grows, dtype, platform), *arrays, ()), expected, tolerance)


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("learners", [2, MOST_LEARNERS + 1])
@pytest.mark.parametrize("axes", [(0, 0), (None, 0), (0, None)])
def test_learners_have_their_own_kernels_and_frames_or_share_them(grows, learners, axes):
    (parameters, x), frames = drawn(LEAST_FRAMES, learners), LEAST_FRAMES
    parameters = parameters if axes[0] == 0 else jax.tree.map(lambda a: a[0], parameters)
    x = x if axes[1] == 0 else x[0]
    assert x.shape[-4] == frames
    expected = results_and_gradients(reference(grows), parameters, x, (axes,))
    assert_all_close(results_and_gradients(ours(grows, "float32", "gpu"), parameters, x, (axes,)), expected, 1e-5)


def test_maps_over_learners_of_learners_are_as_one():
    parameters, x = drawn(LEAST_FRAMES, 2, 2)
    axes = ((0, 0), (0, 0))
    expected = results_and_gradients(reference(False), parameters, x, axes)
    assert_all_close(results_and_gradients(ours(False, "float32", "gpu"), parameters, x, axes), expected, 1e-5)


@pytest.mark.parametrize(
    ("platform", "frames", "learners", "convolutions"),
    [
        ("cpu", LEAST_FRAMES, 2, 0),
        ("gpu", LEAST_FRAMES - 1, 2, 0),
        ("gpu", LEAST_FRAMES, 2, 6),
        ("gpu", LEAST_FRAMES, 9, 0),
    ],
)
def test_accelerators_convolve_many_frames_learner_by_learner(platform, frames, learners, convolutions):
    function = ours(False, "float32", platform)
    gradients = jax.vmap(jax.grad(lambda parameters, x: function(parameters, x).sum(), (0, 1)))
    # The result, and the gradients of frames and kernel, of each learner.
    groups = list(groups_of_convolutions(jax.make_jaxpr(gradients)(*drawn(frames, learners)).jaxpr))
    assert groups == [1] * convolutions


def groups_of_convolutions(jaxpr):
    """Yields the number of groups of each convolution in a traced function."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.params["feature_group_count"]
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            yield from groups_of_convolutions(inner) if hasattr(inner, "eqns") else ()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("bfloat16", 1e-2)])
def test_leaky_relu_and_its_gradient_equal_flax_s(dtype, tolerance):
    x = jnp.array([-2.0, -1e-3, 0.0, 1e-3, 3.0])
    found, gradient = jax.vjp(lambda x: leaky_relu(x, dtype), x)
    expected, expected_gradient = jax.vjp(nn.leaky_relu, x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.astype(jnp.float32), expected, rtol=tolerance)
    np.testing.assert_array_equal(gradient(jnp.ones(5, dtype))[0], expected_gradient(jnp.ones(5))[0])
