"""Seating of partners, and frozen policies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.agents.networks.network import make_network
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.policy import Policy, distribution, random_policy
from jaxsocial.agents.seating import frozen_policy, seat_partners
from jaxsocial.env.types import Observation
from tests.compiling import quick_jit

ENV = jaxsocial.make("goal_cycle", height=6, width=7, goals=2, clutter=0, agents=5, view_size=3)


def constant_policy(number):
    """A policy whose action is 10 * number + index of the agent; its memory counts steps."""

    def build(seats, scenario):
        def apply(parameters, key, memory, state, observation, first):
            steps = jnp.where(first, 0, memory) + 1
            return steps, jnp.array(seats) + 10 * number

        return Policy(init=lambda: jnp.int32(0), apply=apply)

    return build


def test_actions_are_in_the_order_of_agents():
    policy = seat_partners(
        ("b", "a", "b", "c"), ENV.scenario, {"a": constant_policy(1), "b": constant_policy(2), "c": constant_policy(3)}
    )
    state, timestep = quick_jit(ENV.reset)(jax.random.key(0))
    arguments = (state, timestep.observation, jnp.bool_(True))
    memory, actions = policy.apply(policy.parameters, jax.random.key(1), policy.init(), *arguments)
    assert actions.tolist() == [21, 12, 23, 34]
    memory, _ = policy.apply(
        policy.parameters, jax.random.key(2), memory, state, timestep.observation, jnp.bool_(False)
    )
    assert memory == {"b": 2, "a": 2, "c": 2}


def test_mixed_policies_act_for_their_own_agents():
    names = ("random", "expert", "random", "expert")
    policy = seat_partners(names, ENV.scenario)
    experts = seat_partners(("expert",) * 4, ENV.scenario)

    @quick_jit
    def act(policy_key, state, observation):
        keys = jax.random.split(policy_key, 40)
        at_start = (state, observation, jnp.bool_(True))
        mixed = jax.vmap(lambda key: policy.apply(policy.parameters, key, policy.init(), *at_start)[1])(keys)
        return mixed, experts.apply(experts.parameters, policy_key, experts.init(), *at_start)[1]

    state, timestep = quick_jit(ENV.reset)(jax.random.key(0))
    with jax.debug_key_reuse(False):
        mixed, knowing = (np.asarray(x) for x in act(jax.random.key(1), state, timestep.observation))
    np.testing.assert_array_equal(mixed[:, [1, 3]], np.broadcast_to(knowing[[1, 3]], (40, 2)))
    assert [len(set(column)) for column in mixed[:, [0, 2]].T] == [7, 7]
    assert (mixed[:, 0] != mixed[:, 2]).any()


def test_a_world_without_partners_has_no_actions():
    alone = jaxsocial.make("goal_cycle", height=6, width=7, goals=2, clutter=0, agents=1)
    policy = seat_partners((), alone.scenario)
    state, timestep = quick_jit(alone.reset)(jax.random.key(0))
    start = (policy.init(), state, timestep.observation, jnp.bool_(True))
    _, actions = policy.apply(policy.parameters, jax.random.key(1), *start)
    assert actions.shape == (0,)
    assert actions.dtype == jnp.int32


def test_a_wrong_name_or_number_is_rejected_with_the_remedy():
    with pytest.raises(ValueError, match=r"'oracle' is unknown, choose from expert, .*, random, absent, mine"):
        seat_partners(("oracle",) * 4, ENV.scenario, {"mine": constant_policy(1)})
    with pytest.raises(ValueError, match="2 for 5 agents; give one for each agent but the first"):
        seat_partners(("expert", "random"), ENV.scenario)


def test_random_policy_draws_all_actions_equally_often():
    policy = random_policy(2, 7)
    _, actions = jax.vmap(lambda key: policy.apply((), key, (), None, None, None))(
        jax.random.split(jax.random.key(0), 3500)
    )
    np.testing.assert_allclose([np.bincount(column, minlength=7) for column in actions.T], 500, atol=110)


@pytest.fixture(scope="module")
def frozen():
    """A network, weights with clear preferences, and its policy for two agents."""
    scenario = ENV.scenario
    sizes = NetworkSizes(channels=(6,), dense=8, memory=8, heads=(8,))
    network = make_network(sizes, scenario)
    parameters = quick_jit(network.init)(jax.random.key(0))
    parameters["policy"]["last"]["kernel"] *= 1500.0
    return network, parameters, frozen_policy(network, parameters, (1, 3))


def test_a_frozen_policy_samples_from_its_network_and_has_a_memory_per_agent(frozen):
    network, parameters, policy = frozen
    frames = jax.random.randint(jax.random.key(1), (4, 5, *ENV.scenario.observation_shape), 0, 256).astype(jnp.uint8)
    first = jnp.array([True, False, True, False])
    # The initial memory is not zero: `first` has to reset it.
    memory = jax.tree.map(lambda m: m + 1.0, policy.init())
    starts = jnp.broadcast_to(first[:, None], (4, 2))
    outputs = quick_jit(network.unroll)(parameters, memory, Observation(frames[:, [1, 3]]), starts)
    act = quick_jit(jax.vmap(policy.apply, (None, 0, None, None, None, None)))
    state, _ = quick_jit(ENV.reset)(jax.random.key(5))
    with jax.debug_key_reuse(False):
        for t in range(4):
            keys = jax.random.split(jax.random.fold_in(jax.random.key(2), t), 4000)
            after, actions = act(parameters, keys, memory, state, Observation(frames[t]), first[t])
            shares = np.stack([np.bincount(column, minlength=7) / 4000 for column in np.asarray(actions).T])
            np.testing.assert_allclose(shares, distribution(outputs.logits[t]).probs, atol=0.035)
            memory = jax.tree.map(lambda m: m[0], after)
            for mine, expected in zip(memory, outputs.after, strict=True):
                np.testing.assert_allclose(mine, expected[t], atol=1e-5)
    probabilities = np.asarray(distribution(outputs.logits).probs)
    assert np.abs(probabilities[:, 0] - probabilities[:, 1]).max() > 0.1
    assert np.abs(probabilities - 1 / 7).max() > 0.2


def test_a_frozen_policy_does_nothing_in_worlds_without_its_agents(frozen):
    _, parameters, policy = frozen
    states, timestep = quick_jit(jax.vmap(ENV.reset))(jax.random.split(jax.random.key(1), 6))
    has_agents = np.array([True, False, True, True, False, False])
    # In the fourth world one of its agents is inactive.
    active = has_agents[:, None] & np.array([[True] * 5] * 3 + [[True, False, True, True, True]] + [[True] * 5] * 2)
    states = states._replace(active=jnp.asarray(active))
    memory = jax.tree.map(lambda m: jnp.ones((6, *m.shape)), policy.init())
    act = quick_jit(jax.vmap(policy.apply, (None, 0, 0, 0, 0, 0)))
    with jax.debug_key_reuse(False):
        keys = jax.random.split(jax.random.key(2), 6)
        after, actions = act(parameters, keys, memory, states, timestep.observation, jnp.zeros(6, bool))
    assert (np.asarray(after.hidden != memory.hidden).any((1, 2)) == has_agents).all()
    assert (np.asarray(actions)[~has_agents] == 0).all()


def test_memory_is_reset_at_the_first_step_even_if_agents_are_inactive(frozen):
    _, parameters, policy = frozen
    state, timestep = quick_jit(ENV.reset)(jax.random.key(1))
    all_inactive = state._replace(active=jnp.zeros_like(state.active))
    memory = jax.tree.map(jnp.ones_like, policy.init())
    act = quick_jit(policy.apply)
    for first, left in ((False, 1.0), (True, 0.0)):
        after, _ = act(parameters, jax.random.key(2), memory, all_inactive, timestep.observation, jnp.bool_(first))
        assert all((leaf == left).all() for leaf in after)


def test_partners_act_at_random_with_probability_epsilon():
    policy = seat_partners(("expert", "expert", "absent", "expert"), ENV.scenario)
    noisy = policy.parameters._replace(epsilon=jnp.array([0.0, 0.3, 0.0, 1.0]))
    state, timestep = quick_jit(ENV.reset)(jax.random.key(0))

    @quick_jit
    def act(key):
        keys = jax.random.split(key, 3000)
        at_start = (state, timestep.observation, jnp.bool_(True))
        return jax.vmap(lambda key: policy.apply(noisy, key, policy.init(), *at_start)[1])(keys)

    with jax.debug_key_reuse(False):
        actions = np.asarray(act(jax.random.key(1)))
        knowing = policy.apply(policy.parameters, jax.random.key(2), policy.init(), state, timestep.observation, True)[
            1
        ]
    other = (actions != np.asarray(knowing)).mean(0)
    # One random action in seven equals the expert's.
    np.testing.assert_allclose(other[[0, 1, 3]], np.array([0.0, 0.3, 1.0]) * 6 / 7, atol=0.03)
    assert (actions[:, 2] == 0).all()
    np.testing.assert_allclose(np.bincount(actions[:, 3], minlength=7) / 3000, 1 / 7, atol=0.03)


def test_partners_may_act_for_all_agents():
    policy = seat_partners(("expert", "random", "random", "random", "random"), ENV.scenario, first_seat=0)
    state, timestep = quick_jit(ENV.reset)(jax.random.key(0))
    actions = policy.apply(
        policy.parameters, jax.random.key(1), policy.init(), state, timestep.observation, jnp.bool_(True)
    )[1]
    assert actions.shape == (5,)
