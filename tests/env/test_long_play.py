"""Ten million random steps over all scenarios and kinds of options: counts violations inside the compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial import make_dropout, make_env, make_rules, make_scenario, registered_scenarios
from jaxsocial.env import objects
from jaxsocial.env.types import visible_position

KINDS = {
    "plain": {},
    "blocking": {"ghost": False, "respawn": True, "initial_reward": False, "reset_on_mistake": True},
    "late": {"respawn": True, "spawn_delay": (0, 3, 9), "observation": "symbolic_world", "negative_prestige": True},
}
SIZES = {
    "maze": {"width": 13},
    "four_rooms": {"height": 12, "width": 17},
    "multi_room": {"height": 8, "width": 22, "max_rooms": 3},
}
COMMON = {"height": 7, "width": 12, "agents": 3, "view_size": 5, "max_steps": 40, "observation": "symbolic"}
WORLDS = 512
STEPS = -(-10_000_000 // (WORLDS * len(KINDS) * len(registered_scenarios())))


def violations(state, timestep, env):
    """Returns, for one world, whether each invariant is broken."""
    scenario, rules = env.scenario, env.rules
    there = visible_position(state)[:, 0] >= 0
    row, column = state.position[:, 0], state.position[:, 1]
    under, goals = state.grid[row, column], state.grid[state.goals[:, 0], state.goals[:, 1]]
    inside = (row > 0) & (row < scenario.height - 1) & (column > 0) & (column < scenario.width - 1)
    together = (state.position[:, None] == state.position[None]).all(-1) & there[:, None] & there
    tied = together & (state.arrival[:, None] == state.arrival[None])
    reward, decay = timestep.reward, rules.prestige_decay
    allowed = (reward == 0) | ((reward >= -rules.penalty) & (reward <= rules.reward))
    exact = (reward == 0) | (reward == rules.reward) | (reward == -rules.penalty)
    kinds = timestep.observation.image[..., 0]
    numbers = objects.state_of(goals) == np.arange(scenario.goals)
    is_goal = (objects.kind_of(goals) == objects.BONUS) | (objects.kind_of(goals) == objects.GOAL)
    broken = {
        "an agent outside": ~(inside | ~there).all(),
        "an agent in a wall": ~(objects.walkable(under) | (objects.kind_of(under) == objects.DOOR) | ~there).all(),
        "a goal moved or lost": ~(numbers & is_goal).all(),
        "a tie of arrivals": tied.sum() != there.sum(),
        "a heading": ((state.heading < 0) | (state.heading > 3)).any(),
        "the clock": (state.clock < 0) | (state.clock >= scenario.max_steps),
        "states of an agent": ((state.active & (state.finished | state.away)) | (state.finished & state.away)).any(),
        "present": (timestep.present != state.active).any(),
        "a finished agent where they respawn": (state.finished & scenario.respawn).any(),
        "a reward": ~(allowed if scenario.reward_decay else exact).all(),
        "a prestige": ~((state.prestige >= 0) & (state.prestige <= rules.reward / (1 - decay))).all(),
        "a last goal": ((state.last_goal < -1) | (state.last_goal >= max(scenario.goals, 1))).any(),
        "a kind that is not there": ~jnp.isin(kinds, np.array(sorted(objects.KINDS))).all(),
    }
    return {name: jnp.asarray(x, jnp.int32) for name, x in broken.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", registered_scenarios())
@pytest.mark.parametrize("options", KINDS)
def test_no_invariant_is_broken_in_ten_million_steps(name, options):
    scenario = make_scenario(name, **(COMMON | SIZES.get(name, {}) | KINDS[options]))
    env = make_env(scenario, make_rules(scenario, dropout=make_dropout(0.05, 0.2) if options == "late" else None))

    def one_step(carried, key):
        state, count = carried
        action_key, forward_key, step_key = jax.random.split(key, 3)
        actions = jax.random.randint(action_key, (WORLDS, scenario.agents), 0, scenario.actions, jnp.int32)
        # Half of them go forward: agents that only turn meet little.
        forward = jax.random.bernoulli(forward_key, 0.5, actions.shape)
        actions = jnp.where(forward, objects.FORWARD, actions)
        state, timestep = jax.vmap(env.step)(jax.random.split(step_key, WORLDS), state, actions)
        broken = jax.vmap(lambda state, timestep: violations(state, timestep, env))(state, timestep)
        return (state, jax.tree.map(lambda total, new: total + new.sum(), count, broken)), timestep.reward.any()

    @jax.jit
    def play(key):
        state, timestep = jax.vmap(env.reset)(jax.random.split(key, WORLDS))
        none = jax.tree.map(jnp.zeros_like, violations(*jax.tree.map(lambda x: x[0], (state, timestep)), env))
        return jax.lax.scan(one_step, (state, none), jax.random.split(jax.random.key(7), STEPS))

    (_, count), rewarded = play(jax.random.key(6))
    assert {name: int(number) for name, number in count.items() if number} == {}
    # In the other scenarios the goals are far away, or there are none.
    assert rewarded.any() or name not in ("goal_cycle", "cluttered", "empty")
