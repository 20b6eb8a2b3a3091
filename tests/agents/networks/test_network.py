"""The network against direct definitions of its layers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks import encoders, targets
from jaxsocial.agents.networks.memories import LSTMState
from jaxsocial.agents.networks.network import MEMORY_NAME, make_network, parameter_count
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.types import Observation
from tests.compiling import quick_jit

PAPER = NetworkSizes()
SMALL = NetworkSizes(channels=(6, 5, 4), dense=10, memory=8, heads=(9, 7))
VIEW, TILE, ACTIONS, T, N = 7, 3, 7, 6, 3
SHAPE = (VIEW * TILE, VIEW * TILE, 3)


def build(sizes, prediction="frame"):
    return make_network(sizes, make_scenario("goal_cycle"), prediction)


@pytest.fixture(scope="module")
def network():
    return build(SMALL)


@pytest.fixture(scope="module")
def start(network):
    return quick_jit(network.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def parameters(start):
    """Parameters with nonzero biases, so that a missing bias shows."""
    leaves, structure = jax.tree.flatten(start)
    noise = np.random.default_rng(1)
    return structure.unflatten([leaf + 0.1 * noise.normal(size=leaf.shape).astype(np.float32) for leaf in leaves])


@pytest.fixture(scope="module")
def frames():
    return Observation(jax.random.randint(jax.random.key(2), (T, N, *SHAPE), 0, 256).astype(jnp.uint8))


@pytest.fixture(scope="module")
def memory():
    hidden, cell = jax.random.normal(jax.random.key(3), (2, N, SMALL.memory))
    return LSTMState(hidden, cell)


FIRST = np.zeros((T, N), bool)
FIRST[0, 0] = FIRST[3, 1] = FIRST[4, 1] = FIRST[5, 2] = True


def leaky(x):
    return jnp.where(x > 0, x, 0.01 * x)


def dense(layer, x):
    return x @ layer["kernel"] + layer.get("bias", 0.0)


def head(layers, x):
    names = sorted(name for name in layers if name != "last")
    for name in names:
        x = jnp.tanh(dense(layers[name], x))
    return dense(layers["last"], x)


def encode(parameters, frame):
    """Encodes one frame with `jax.lax.conv_general_dilated`; inputs are pixels over 255."""
    x = (frame.astype(jnp.float32) / 255.0)[None]
    for number, stride in enumerate((TILE, 1, 1)):
        layer = parameters["encoder"][f"convolution_{number}"]
        kernel = layer["kernel"].reshape(3, 3, x.shape[-1], -1)
        form = ("NHWC", "HWIO", "NHWC")
        x = leaky(
            jax.lax.conv_general_dilated(x, kernel, (stride,) * 2, "VALID", dimension_numbers=form) + layer["bias"]
        )
    return jnp.tanh(dense(parameters["encoder"]["dense"], x.reshape(-1)))


def lstm(parameters, memory, x):
    gates = x @ parameters["input"]["kernel"] + memory.hidden @ parameters["recurrent"] + parameters["bias"]
    i, f, g, o = jnp.split(gates, 4)
    cell = jax.nn.sigmoid(f) * memory.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return LSTMState(jax.nn.sigmoid(o) * jnp.tanh(cell), cell)


def decode(parameters, hidden, action):
    """Decodes one frame with `jax.lax.conv_transpose`."""
    decoder = parameters["decoder"]
    x = jnp.concatenate([hidden, jax.nn.one_hot(action, ACTIONS)])
    x = jax.nn.relu(dense(decoder["dense"], x)).reshape(1, 3, 3, SMALL.channels[-1])
    for number in range(2):
        layer = decoder[f"transposed_{number}"]
        kernel = layer["kernel"].reshape(3, 3, x.shape[-1], -1)
        x = leaky(jax.lax.conv_transpose(x, kernel, (1, 1), "VALID") + layer["bias"])
    # Each cell becomes a tile. A transposed convolution applies its kernel rotated by half a turn.
    kernel = decoder["frame"]["kernel"].reshape(-1, TILE, TILE, 3).transpose(1, 2, 0, 3)[::-1, ::-1]
    return (jax.lax.conv_transpose(x, kernel, (TILE, TILE), "VALID") + decoder["bias"])[0]


def test_tile_contrast_encoder_is_one_layer_on_contrasts(frames, memory):
    network = build(dataclasses.replace(SMALL, encoder="tile_contrast"))
    parameters = quick_jit(network.init)(jax.random.key(0))
    assert not any(name.startswith("convolution") for name in parameters["encoder"])
    features = 3 + (TILE * TILE - 1) + 3
    assert parameters["encoder"]["dense"]["kernel"].shape == (VIEW * VIEW * features, SMALL.dense)
    # With weights on the corners' colours only, other pixels have no effect.
    kernel = parameters["encoder"]["dense"]["kernel"].reshape(VIEW * VIEW, features, -1).at[:, 3:].set(0.0)
    layer = parameters["encoder"]["dense"] | {"kernel": kernel.reshape(VIEW * VIEW * features, -1)}
    blind = parameters | {"encoder": {"dense": layer}}
    corners = frames.image[..., ::TILE, ::TILE, :]
    flat = Observation(corners.repeat(TILE, axis=-3).repeat(TILE, axis=-2))
    unroll = quick_jit(network.unroll)
    np.testing.assert_allclose(
        unroll(blind, memory, frames, FIRST).hidden, unroll(blind, memory, flat, FIRST).hidden, atol=1e-6
    )
    assert not np.allclose(
        unroll(parameters, memory, frames, FIRST).hidden, unroll(parameters, memory, flat, FIRST).hidden
    )


@pytest.mark.parametrize(("prediction", "count"), [("frame", 667_787), ("none", 497_096 - 768)])
def test_the_papers_network_has_the_papers_parameters(prediction, count):
    assert parameter_count(jax.eval_shape(build(PAPER, prediction).init, jax.random.key(0))) == count


def test_unroll_equals_the_definition_of_its_layers(network, parameters, frames, memory):
    outputs = quick_jit(network.unroll)(parameters, memory, frames, FIRST)
    one_step = quick_jit(
        lambda parameters, before, frame: lstm(parameters[MEMORY_NAME]["lstm"], before, encode(parameters, frame))
    )
    for world in range(N):
        state = jax.tree.map(lambda m, n=world: m[n], memory)
        for t in range(T):
            empty = LSTMState(jnp.zeros(SMALL.memory), jnp.zeros(SMALL.memory))
            state = one_step(parameters, empty if FIRST[t, world] else state, frames.image[t, world])
            np.testing.assert_allclose(outputs.after.hidden[t, world], state.hidden, atol=1e-5)
            np.testing.assert_allclose(outputs.after.cell[t, world], state.cell, atol=1e-5)
            np.testing.assert_array_equal(outputs.hidden[t, world], outputs.after.hidden[t, world])
            np.testing.assert_allclose(outputs.logits[t, world], head(parameters["policy"], state.hidden), atol=1e-5)
            np.testing.assert_allclose(outputs.value[t, world], head(parameters["value"], state.hidden)[0], atol=1e-5)


def test_single_steps_equal_a_joint_unroll(network, parameters, frames, memory):
    unroll = quick_jit(network.unroll)
    together = unroll(parameters, memory, frames, FIRST)
    for t in range(T):
        alone = unroll(parameters, memory, Observation(frames.image[t, None]), FIRST[t, None])
        for one, all_ in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(one[0], all_[t], atol=1e-5)
        memory = jax.tree.map(lambda m: m[0], alone.after)


def test_memory_is_reset_exactly_at_the_start_of_an_episode(network, parameters, frames, memory):
    unroll = quick_jit(network.unroll)
    other = jax.tree.map(lambda m: m + 1.0, memory)
    one, two = (np.asarray(unroll(parameters, m, frames, FIRST).hidden) for m in (memory, other))
    same = (one == two).all(-1)
    np.testing.assert_array_equal(same, np.logical_or.accumulate(FIRST, axis=0))


def test_predict_equals_the_definition_of_the_decoder(network, parameters):
    hidden = jax.random.normal(jax.random.key(5), (T, N, SMALL.memory))
    action = jax.random.randint(jax.random.key(6), (T, N), 0, ACTIONS)
    found = quick_jit(network.predict)(parameters, hidden, action)
    assert found.shape == (T, N, *SHAPE)
    expected = quick_jit(jax.vmap(jax.vmap(decode, (None, 0, 0)), (None, 0, 0)))(parameters, hidden, action)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def with_gradient(network, parameters, memory, frames):
    """Returns the gradient of the sum of squared outputs, and the outputs."""

    def total(parameters):
        outputs = network.unroll(parameters, memory, frames, jnp.asarray(FIRST))
        frame = network.predict(parameters, outputs.hidden, jnp.arange(T * N).reshape(T, N) % ACTIONS)
        return sum(jnp.square(x).mean() for x in (outputs.logits, outputs.value, frame)), (outputs, frame)

    return quick_jit(jax.grad(total, has_aux=True))(parameters)


@pytest.fixture(scope="module")
def expected(network, parameters, memory, frames):
    return with_gradient(network, parameters, memory, frames)


def test_blocks_of_frames_change_no_result(parameters, memory, frames, expected, monkeypatch):
    monkeypatch.setattr(encoders, "BLOCK", 4)
    monkeypatch.setattr(targets, "BLOCK", 4)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")  # where blocks are used
    network = build(SMALL)
    found = with_gradient(network, parameters, memory, frames)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    # A new function, since jax would reuse its earlier trace of ``unroll``.
    program = jax.make_jaxpr(lambda parameters: network.unroll(parameters, memory, frames, jnp.asarray(FIRST)))
    loops = str(program(parameters)).count("scan[")
    assert loops == 2, "one over frames, and one over steps"


@pytest.fixture(scope="module")
def rounding():
    return build(dataclasses.replace(SMALL, matmul_dtype="bfloat16"))


def test_rounded_products_change_no_initial_weights(rounding, start):
    jax.tree.map(np.testing.assert_array_equal, quick_jit(rounding.init)(jax.random.key(0)), start)


def test_rounded_products_give_similar_results_in_32_bits(rounding, parameters, memory, frames, expected):
    gradient, outputs = with_gradient(rounding, parameters, memory, frames)
    for rounded, exact in zip(jax.tree.leaves(outputs), jax.tree.leaves(expected[1]), strict=True):
        assert rounded.dtype == jnp.float32
        np.testing.assert_allclose(rounded, exact, atol=0.03)
        # The memory before the first step is given; all else is computed from products.
        assert (rounded[1:] != exact[1:]).mean() > 0.5
    for rounded, exact in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected[0]), strict=True):
        assert rounded.dtype == jnp.float32
        assert jnp.linalg.norm(rounded - exact) < 0.1 * jnp.linalg.norm(exact)


def test_other_types_of_products_are_rejected():
    sizes = NetworkSizes()
    # The constructor would fail at the annotation, which only tests check.
    object.__setattr__(sizes, "matmul_dtype", "float16")
    with pytest.raises(ValueError, match=r"network.matmul_dtype=.float16.: choose from float32, bfloat16"):
        sizes.__post_init__()


def test_initial_weights_are_those_of_the_paper(start):
    i, f, g, o = jnp.split(start[MEMORY_NAME]["lstm"]["bias"], 4)
    assert (f == 2).all()
    assert not jnp.stack([i, g, o]).any()
    assert set(start[MEMORY_NAME]["lstm"]) == {"input", "recurrent", "bias"}
    assert set(start[MEMORY_NAME]["lstm"]["input"]) == {"kernel"}
    for gate in jnp.split(start[MEMORY_NAME]["lstm"]["recurrent"], 4, axis=-1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(SMALL.memory), atol=1e-5)
    for number in range(3):
        kernel = start["encoder"][f"convolution_{number}"]["kernel"]
        np.testing.assert_allclose(kernel.T @ kernel, 2 * np.eye(kernel.shape[1]), atol=1e-5)


def test_a_view_too_small_for_the_layers_is_rejected():
    with pytest.raises(ValueError, match="room for 2 layers"):
        make_network(NetworkSizes(channels=(4, 4, 4)), make_scenario("goal_cycle", view_size=3, tile_pixels=3))
    with pytest.raises(ValueError, match=r"network\.memory=0: choose 1 to 65536"):
        NetworkSizes(memory=0)
