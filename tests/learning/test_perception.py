"""Frozen partners observe as they were trained to, in worlds that learners observe otherwise."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.agents.networks.network import Outputs, make_network
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.policy import perceived
from jaxsocial.agents.seating import frozen_policy, seat_partners
from jaxsocial.learning.rollout import AgentSetup, rollout, start
from jaxsocial.learning.settings import Sizes
from tests.compiling import quick_jit

WORLDS, STEPS, SEATS = 3, 14, (1, 3)
SIZES = Sizes(worlds=WORLDS, prediction="none")
STYLES = {
    "rgb": {"observation": "rgb", "inputs": ("reward", "last_action"), "view_size": 5},
    "symbolic": {"observation": "symbolic", "inputs": ("last_action", "heading", "reward"), "view_size": 3},
}


def blind(network):
    """Returns the network with random actions, whatever it observes."""

    def unroll(parameters, memory, observation, first):
        zeros = jnp.zeros((*first.shape, 3))
        return Outputs(zeros, zeros[..., 0], zeros, ())

    return network._replace(unroll=unroll, initial_memory=lambda batch: ())


def played(scenario, network, parameters, own):
    """Returns the rollout states of some steps; the observations of the frozen partner; and its actions."""
    frozen = {"trained": lambda seats, scenario: frozen_policy(network, parameters, seats, own)}
    partners = seat_partners(("trained", "random", "trained"), scenario, frozen)
    env = jaxsocial.make_env(scenario)
    setup = AgentSetup(env, blind(network), partners, SIZES)
    rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (WORLDS, *x.shape)), env.rules)

    def seen(play):
        if own is None:
            return jax.tree.map(lambda x: x[:, np.array(SEATS)], play.observation)
        found = jax.vmap(lambda *given: perceived(partners, *given))(play.state, play.observation, play.last, rules)
        return found.own["trained"]

    @quick_jit
    def play(key):
        start_key, play_key = jax.random.split(key)

        def one_step(play, key):
            after, _, outcome = rollout(key, play, (), partners.parameters, rules, setup, 1)
            return after, (after.state, seen(after), outcome.ended[0], after.partner_memory)

        before = start(start_key, rules, setup)
        return seen(before), jax.lax.scan(one_step, before, jax.random.split(play_key, STEPS))[1]

    return play(jax.random.key(0))


@pytest.mark.parametrize(
    ("trained", "around"), [("rgb", "symbolic"), pytest.param("symbolic", "rgb", marks=pytest.mark.slow)]
)
def test_a_partner_acts_as_in_a_world_of_the_kind_that_it_was_trained_in(trained, around):
    sizes = {"height": 6, "width": 7, "goals": 9, "clutter": 1, "agents": 4, "max_steps": 5, "actions": 3}
    own, other = (jaxsocial.make_scenario("goal_cycle", **sizes, **STYLES[style]) for style in (trained, around))
    encoder = "tile_contrast" if trained == "rgb" else "symbolic"
    network = make_network(NetworkSizes(dense=8, memory=8, heads=(), encoder=encoder, memory_type="gru"), own)
    noise = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    # Weights with which actions depend on what is observed.
    parameters = jax.tree.map(lambda leaf: jnp.asarray(0.5 * noise.normal(size=leaf.shape), jnp.float32), shapes)
    found, expected = played(other, network, parameters, own), played(own, network, parameters, None)
    # Equal states follow from equal actions alone.
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    _, (_, seen, ended, _) = found
    assert ended.sum() == WORLDS * (STEPS // 5)
    np.testing.assert_array_equal((np.asarray(seen.last_action) == -1).all(-1), ended)
    assert (seen.reward != 0).any()
    assert (np.asarray(seen.reward)[np.asarray(ended)] == 0).all()


def test_a_partner_of_the_same_kind_of_world_observes_with_the_others():
    world = jaxsocial.make_scenario("goal_cycle", agents=4)
    network = make_network(NetworkSizes(), world)
    assert frozen_policy(network, (), SEATS).observe is None
    assert frozen_policy(network, (), SEATS, dataclasses.replace(world, view_size=5)).observe is not None
