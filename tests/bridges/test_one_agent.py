"""A world with one agent that acts: the others are part of it, and it restarts when the learner's episode ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.bridges.one_agent import as_arrays, one_agent

WORLD = jaxsocial.make("goal_cycle", height=6, width=6, goals=2, clutter=0, agents=2, max_steps=5, view_size=3)


def played(world, steps, worlds=3):
    keys = jax.random.split(jax.random.key(0), worlds)

    @jax.jit
    def run(keys):
        games, first = jax.vmap(world.reset)(keys)

        def one_step(games, key):
            games, found = jax.vmap(world.step)(jax.random.split(key, worlds), games, jnp.full(worlds, 2))
            return games, (games.state.clock, games.first, found)

        return first, jax.lax.scan(one_step, games, jax.random.split(jax.random.key(1), steps))[1]

    return run(keys)


def test_worlds_restart_when_time_is_up_and_partners_forget():
    _, (clock, first, found) = played(one_agent(WORLD, ("searching_expert",)), 11)
    assert clock[:, 0].tolist() == [1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert (np.asarray(first) == (np.asarray(clock) == 0)).all()
    assert found.truncated[:, 0].tolist() == [False, False, False, False, True] * 2 + [False]
    assert not found.terminated.any()
    # Where an episode ended, the next observation is of a new world.
    same = (found.observation.image == found.final_observation.image).all((-1, -2, -3))
    assert same[~np.asarray(found.truncated)].all()
    assert not same[np.asarray(found.truncated)].all()


def test_a_learner_s_episode_ends_with_its_part_while_partners_go_on():
    corridor = jaxsocial.make_env(jaxsocial.scenario_from_text("#####\n#>.G#\n#>..#\n#####", agents=2, max_steps=50))
    world = one_agent(corridor, ("random",))
    _, (clock, _, found) = played(world, 6)
    assert found.terminated[:, 0].tolist() == [False, True] * 3
    assert clock[:, 0].tolist() == [1, 0] * 3


def test_partners_are_one_for_each_agent_or_one_for_all():
    env = jaxsocial.make("goal_cycle", agents=3)
    assert one_agent(env, ("expert",)).reset(jax.random.key(0))[0].state.position.shape == (3, 2)
    with pytest.raises(ValueError, match="2 agents are beside the first"):
        one_agent(env, ("expert", "expert", "random"))


def test_an_observation_with_inputs_is_a_dictionary():
    env = jaxsocial.make("goal_cycle", agents=1, inputs=("reward", "heading"))
    _, observation = one_agent(env).reset(jax.random.key(0))
    assert sorted(as_arrays(observation)) == ["heading", "image", "reward"]
