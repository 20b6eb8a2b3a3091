"""Operations against counts by hand and by the compiler."""

import jax
import jax.numpy as jnp
import pytest

from jaxsocial.agents.networks.network import make_network
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.types import Observation
from tests.compiling import quick_jit

VIEW, TILE = 7, 3


def test_operations_of_the_papers_network():
    found = make_network(NetworkSizes(), make_scenario("goal_cycle"), "frame").operations
    encoder = 49 * 27 * 32 + 25 * 288 * 64 + 9 * 576 * 64 + 576 * 192
    recurrent = (192 + 192) * 768
    heads = (192 * 64 + 64 * 64 + 64 * 7) + (192 * 64 + 64 * 64 + 64)
    assert found.forward == 2 * (encoder + recurrent + heads)
    assert found.prediction == 2 * (199 * 576 + 9 * 64 * 576 + 25 * 64 * 288 + 49 * 32 * 27)


def test_operations_of_a_network_with_one_convolution():
    sizes = NetworkSizes(channels=(5,), dense=4, memory=3, heads=(2,))
    world = make_scenario("goal_cycle", view_size=3, tile_pixels=1, actions=3)
    found = make_network(sizes, world, "frame").operations
    assert found.forward == 2 * (9 * 3 * 5 + 45 * 4 + (4 + 3) * 12 + (3 * 2 + 2 * 3) + (3 * 2 + 2 * 1))
    assert found.prediction == 2 * ((3 + 3) * 45 + 9 * 5 * 3)


@pytest.mark.parametrize("encoder", ["convolutions", "tile_contrast"])
def test_the_compiler_counts_at_most_a_tenth_more(encoder):
    """The compiler counts elementwise operations too; they are few where products are large."""
    sizes, frames = NetworkSizes(encoder=encoder), 16
    network = make_network(sizes, make_scenario("goal_cycle"), "frame")
    parameters, memory = jax.eval_shape(
        lambda key: (network.init(key), network.initial_memory((frames,))), jax.random.key(0)
    )
    observation = Observation(jax.ShapeDtypeStruct((1, frames, VIEW * TILE, VIEW * TILE, 3), jnp.uint8))
    first, action = (jax.ShapeDtypeStruct((1, frames), kind) for kind in (jnp.bool_, jnp.int32))
    hidden = jax.ShapeDtypeStruct((1, frames, sizes.memory), jnp.float32)
    counted = network.operations
    for expected, program in (
        (counted.forward, quick_jit(network.unroll).lower(parameters, memory, observation, first)),
        (counted.prediction, quick_jit(network.predict).lower(parameters, hidden, action)),
    ):
        assert expected < program.compile().cost_analysis()["flops"] / frames < 1.1 * expected
