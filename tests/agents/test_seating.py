"""Who sits where."""

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


def saying(number):
    """A player whose every seat answers 10 times this number plus the seat, and counts its steps."""

    def seated(seats, scenario):
        def apply(parameters, key, memory, state, observation, first):
            steps = jnp.where(first, 0, memory) + 1
            return steps, jnp.array(seats) + 10 * number

        return Policy(init=lambda: jnp.int32(0), apply=apply)

    return seated


def test_answers_come_back_in_the_order_of_seats():
    policy = seat_partners(("b", "a", "b", "c"), ENV.scenario, {"a": saying(1), "b": saying(2), "c": saying(3)})
    state, timestep = quick_jit(ENV.reset)(jax.random.key(0))
    arguments = (state, timestep.observation, jnp.bool_(True))
    memory, actions = policy.apply(policy.parameters, jax.random.key(1), policy.init(), *arguments)
    assert actions.tolist() == [21, 12, 23, 34]
    memory, _ = policy.apply(
        policy.parameters, jax.random.key(2), memory, state, timestep.observation, jnp.bool_(False)
    )
    assert memory == {"b": 2, "a": 2, "c": 2}


def test_mixed_players_keep_their_seats():
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


def test_nobody_may_sit_with_the_learner():
    alone = jaxsocial.make("goal_cycle", height=6, width=7, goals=2, clutter=0, agents=1)
    policy = seat_partners((), alone.scenario)
    state, timestep = quick_jit(alone.reset)(jax.random.key(0))
    start = (policy.init(), state, timestep.observation, jnp.bool_(True))
    _, actions = policy.apply(policy.parameters, jax.random.key(1), *start)
    assert actions.shape == (0,)
    assert actions.dtype == jnp.int32


def test_a_wrong_name_or_number_says_the_cure():
    with pytest.raises(ValueError, match=r"'oracle' is unknown, choose from expert, .*, random, absent, mine"):
        seat_partners(("oracle",) * 4, ENV.scenario, {"mine": saying(1)})
    with pytest.raises(ValueError, match="2 for 5 agents; give one for each agent but the first"):
        seat_partners(("expert", "random"), ENV.scenario)


def test_random_players_take_every_action_equally_often():
    policy = random_policy(2, 7)
    _, actions = jax.vmap(lambda key: policy.apply((), key, (), None, None, None))(
        jax.random.split(jax.random.key(0), 3500)
    )
    np.testing.assert_allclose([np.bincount(column, minlength=7) for column in actions.T], 500, atol=110)


@pytest.fixture(scope="module")
def frozen():
    """A network, weights under which it has clear preferences, and the policy of two of its seats."""
    scenario = ENV.scenario
    sizes = NetworkSizes(channels=(6,), dense=8, memory=8, heads=(8,))
    network = make_network(sizes, scenario.observation_shape, scenario.tile_pixels, scenario.actions, False)
    parameters = quick_jit(network.init)(jax.random.key(0))
    parameters["policy"]["last"]["kernel"] *= 1500.0
    return network, parameters, frozen_policy(network, parameters, (1, 3))


def test_a_frozen_player_acts_as_its_network_and_remembers_per_seat(frozen):
    network, parameters, policy = frozen
    frames = jax.random.randint(jax.random.key(1), (4, 5, *ENV.scenario.observation_shape), 0, 256).astype(jnp.uint8)
    first = jnp.array([True, False, True, False])
    # The first memory is not empty: `first` has to empty it.
    memory = jax.tree.map(lambda m: m + 1.0, policy.init())
    starts = jnp.broadcast_to(first[:, None], (4, 2))
    outputs = quick_jit(network.unroll)(parameters, memory, frames[:, [1, 3]], starts)
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


def test_a_frozen_player_does_nothing_in_worlds_without_it(frozen):
    _, parameters, policy = frozen
    states, timestep = quick_jit(jax.vmap(ENV.reset))(jax.random.split(jax.random.key(1), 6))
    there = np.array([True, False, True, True, False, False])
    # In the fourth world one of its seats is away.
    active = there[:, None] & np.array([[True] * 5] * 3 + [[True, False, True, True, True]] + [[True] * 5] * 2)
    states = states._replace(active=jnp.asarray(active))
    memory = jax.tree.map(lambda m: jnp.ones((6, *m.shape)), policy.init())
    act = quick_jit(jax.vmap(policy.apply, (None, 0, 0, 0, 0, 0)))
    with jax.debug_key_reuse(False):
        keys = jax.random.split(jax.random.key(2), 6)
        after, actions = act(parameters, keys, memory, states, timestep.observation, jnp.zeros(6, bool))
    assert (np.asarray(after.hidden != memory.hidden).any((1, 2)) == there).all()
    assert (np.asarray(actions)[~there] == 0).all()


def test_a_frozen_player_that_enters_late_has_forgotten_the_last_episode(frozen):
    _, parameters, policy = frozen
    state, timestep = quick_jit(ENV.reset)(jax.random.key(1))
    nobody = state._replace(active=jnp.zeros_like(state.active))
    memory = jax.tree.map(jnp.ones_like, policy.init())
    act = quick_jit(policy.apply)
    for first, left in ((False, 1.0), (True, 0.0)):
        after, _ = act(parameters, jax.random.key(2), memory, nobody, timestep.observation, jnp.bool_(first))
        assert all((leaf == left).all() for leaf in after)


def test_partners_err_as_often_as_they_are_told():
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
    # A random action is the expert's own in one case of seven.
    np.testing.assert_allclose(other[[0, 1, 3]], np.array([0.0, 0.3, 1.0]) * 6 / 7, atol=0.03)
    assert (actions[:, 2] == 0).all()
    np.testing.assert_allclose(np.bincount(actions[:, 3], minlength=7) / 3000, 1 / 7, atol=0.03)


def test_players_may_take_every_seat():
    policy = seat_partners(("expert", "random", "random", "random", "random"), ENV.scenario, first_seat=0)
    state, timestep = quick_jit(ENV.reset)(jax.random.key(0))
    actions = policy.apply(
        policy.parameters, jax.random.key(1), policy.init(), state, timestep.observation, jnp.bool_(True)
    )[1]
    assert actions.shape == (5,)
