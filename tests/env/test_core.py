"""Invariants of every registered scenario, in square and oblong worlds."""

import collections
import functools
import itertools
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from jaxsocial import make, make_rules, registered_scenarios
from jaxsocial.env import core, objects
from jaxsocial.env.registry import make_scenario, register

SHAPES = {"square": {"height": 9, "width": 9}, "oblong": {"height": 7, "width": 12}}
OTHER_SHAPES = {
    "maze": {"square": {}, "oblong": {"width": 13}},
    "four_rooms": {"square": {"height": 12, "width": 12}, "oblong": {"height": 12, "width": 17}},
    "multi_room": {
        "square": {"height": 15, "width": 15, "max_rooms": 4},
        "oblong": {"height": 8, "width": 22, "max_rooms": 3},
    },
}
"""For scenarios that cannot have the sizes above."""
STEPS, WORLDS = 250, 40  # 10,000 steps of a world
SLOW = ("empty", "multi_room", "visibility")
METHODS = ("reset", "step", "step_without_restart", "reset_to")
CASES = [
    # Oblong worlds find more errors. Worlds of one room are tested by three scenarios.
    pytest.param(name, shape, marks=() if shape == "oblong" and name not in SLOW else (pytest.mark.slow,))
    for name, shape in itertools.product(registered_scenarios(), SHAPES)
]


@functools.cache
def small(name="goal_cycle", shape="square", **sizes):
    """Makes a small environment with compiled methods, each traced at its first call."""
    fitting = SHAPES[shape] | OTHER_SHAPES.get(name, {}).get(shape, {})
    built = make(name, **{**fitting, "max_steps": 20, "agents": 3, "view_size": 5, **sizes})
    compiled = {name: jax.jit(getattr(built, name)) for name in METHODS}
    return types.SimpleNamespace(scenario=built.scenario, rules=built.rules, **compiled)


def play(environment, key, worlds, steps, rules=None):
    """Returns (states, timesteps, actions), time first; row 0 of the first two is the reset."""
    rules = environment.rules if rules is None else rules
    reset_key, play_key = jax.random.split(key)
    agents = environment.scenario.agents

    def one_step(state, key):
        action_key, step_key = jax.random.split(key)
        actions = jax.random.randint(action_key, (worlds, agents), 0, environment.scenario.actions)
        step_keys = jax.random.split(step_key, worlds)
        state, timestep = jax.vmap(environment.step, (0, 0, 0, None))(step_keys, state, actions, rules)
        return state, (state, timestep, actions)

    @jax.jit
    def all_steps():
        first = jax.vmap(environment.reset, (0, None))(jax.random.split(reset_key, worlds), rules)
        _, (states, timesteps, actions) = jax.lax.scan(one_step, first[0], jax.random.split(play_key, steps))
        joined = jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first, (states, timesteps))
        return *joined, actions

    return jax.tree.map(np.asarray, all_steps())


@functools.cache
def long_play(name, shape, ghost=True):
    environment = small(name, shape, ghost=ghost)
    return environment, *play(environment, jax.random.key(5), WORLDS, STEPS)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_step_is_traced_once_for_all_rules_and_dtypes_stay(name, shape):
    environment = small(name, shape)
    chex.clear_trace_counter()
    step = jax.jit(chex.assert_max_traces(environment.step.__wrapped__, n=1))
    state, timestep = environment.reset(jax.random.key(0))
    before = jax.tree.map(lambda x: (x.shape, x.dtype), (state, timestep))
    for number in range(25):
        rules = make_rules(environment.scenario, penalty=0.1 * number, reward=1.0 + number, present=1 + number % 3)
        state, timestep = step(jax.random.key(number), state, jnp.full(3, number % 7), rules)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), (state, timestep)) == before
    chex.assert_tree_all_finite((state, timestep))


def check_records(scenario, states, timesteps):
    height, width = scenario.height, scenario.width
    assert states.grid.shape[2:] == (height, width)
    assert ((states.position > 0) & (states.position < (height - 1, width - 1))).all()
    assert np.isin(states.heading, range(4)).all()
    assert ((states.last_goal >= -1) & (states.last_goal < max(scenario.goals, 1))).all()
    assert (states.active == ~states.finished).all()
    assert ((states.clock >= 0) & (states.clock < scenario.max_steps)).all()
    assert (states.prestige >= 0).all()
    assert np.isfinite(states.prestige).all()
    if scenario.reward_decay:
        assert ((timesteps.reward >= 0) & (timesteps.reward < 1)).all()
    else:
        assert np.isin(timesteps.reward, np.float32([0.0, 1.0, -1.5])).all()


def check_places(states):
    step, world = np.ogrid[: states.clock.shape[0], : states.clock.shape[1]]
    under = states.grid[step[..., None], world[..., None], states.position[..., 0], states.position[..., 1]]
    assert (objects.walkable(under) | (objects.kind_of(under) == objects.DOOR)).all()
    goals = states.grid[step[..., None], world[..., None], states.goals[..., 0], states.goals[..., 1]]
    assert np.isin(objects.kind_of(goals), (objects.BONUS, objects.GOAL)).all()
    assert (objects.state_of(goals) == np.arange(states.goals.shape[2])).all()
    together = (states.position[:, :, :, None] == states.position[:, :, None]).all(-1)
    tied = states.arrival[..., :, None] == states.arrival[..., None, :]
    assert ((together & tied).sum((-1, -2)) == states.position.shape[2]).all()


@pytest.mark.parametrize(("name", "shape"), CASES)
@pytest.mark.parametrize("ghost", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_invariants_hold_for_10_000_steps(name, shape, ghost):
    environment, states, timesteps, _ = long_play(name, shape, ghost)
    check_records(environment.scenario, states, timesteps)
    check_places(states)
    # In the other scenarios the goals are far away, or there are none.
    assert timesteps.reward.any() or name not in ("goal_cycle", "cluttered", "empty")


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_within_an_episode_the_grid_stays_and_agents_move_forward(name, shape):
    environment, states, timesteps, actions = long_play(name, shape)
    going_on = ~ended(timesteps)[1:]
    stays = states.grid[1:] == states.grid[:-1]
    if environment.scenario.grid_changes:
        stays |= np.isin(objects.kind_of(states.grid[:-1]), (objects.EMPTY, objects.DOOR, objects.KEY))
        assert (states.grid[1:] != states.grid[:-1])[going_on].any()
    assert stays[going_on].all()
    moved = (states.position[1:] - states.position[:-1])[going_on]
    forward = (actions == objects.FORWARD)[going_on]
    ahead = objects.STEP[states.heading[:-1][going_on]]
    assert (forward[..., None] * ahead * np.abs(moved) == moved).all()
    turned = (states.heading[1:] - states.heading[:-1])[going_on] % 4
    active = states.active[:-1][going_on]
    assert (turned == active * np.choose(actions[going_on], [3, 1, 0, 0, 0, 0, 0])).all()
    assert not moved[~active].any()
    assert moved.any()


def ended(timesteps):
    return timesteps.truncated.any(-1) | timesteps.terminated.all(-1)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_worlds_restart_when_the_clock_runs_out_or_all_agents_terminated(name, shape):
    _, states, timesteps, _ = long_play(name, shape)
    restarted = ended(timesteps)
    assert not restarted[0].any()
    assert (states.clock[1:] == np.where(restarted[1:], 0, states.clock[:-1] + 1)).all()
    out_of_time = states.clock[:-1] == 19
    assert (timesteps.truncated[1:] == out_of_time[..., None] & ~timesteps.terminated[1:]).all()
    assert (states.last_goal[restarted] == -1).all()
    assert (states.prestige[restarted] == 0).all()
    assert states.active[restarted].all()
    before = jax.tree.map(lambda leaf: leaf[:-1][restarted[1:]], (states.grid, states.position, states.heading))
    after = jax.tree.map(lambda leaf: leaf[restarted], (states.grid, states.position, states.heading))
    changed = [(x != y).reshape(len(x), -1).any(-1) for x, y in zip(before, after, strict=True)]
    assert np.logical_or.reduce(changed).mean() > 0.99
    shown = jax.vmap(small(name, shape).reset_to)(jax.tree.map(lambda x: x[20], states))[1].observation
    assert (timesteps.observation.image[20] == shown.image).all()


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_final_observation_is_of_the_world_that_ended(name, shape):
    environment = small(name, shape, max_steps=3)
    state, _ = environment.reset(jax.random.key(1))
    for number in range(3):
        key, actions = jax.random.key(10 + number), jnp.array([2, 1, 0])
        old_world = environment.step_without_restart(jax.random.split(jax.random.clone(key))[0], state, actions)[1]
        state, timestep = environment.step(key, state, actions)
        assert (timestep.final_observation.image == old_world.observation.image).all()
        same = timestep.observation.image == timestep.final_observation.image
        assert bool(same.all()) == (number < 2)
    assert timestep.truncated.all()


@pytest.mark.parametrize(
    "name",
    [
        # The scenarios share all of a step but the layout, which the invariants below check in all of them.
        pytest.param(name, marks=() if name == "goal_cycle" else pytest.mark.slow)
        for name in registered_scenarios()
    ],
)
def test_jit_vmap_and_eager_steps_agree(name):
    environment = small(name, "oblong", max_steps=2, view_size=3)
    actions = jnp.array([[2, 0, 1], [2, 2, 2], [1, 2, 0]])
    states = jax.vmap(environment.reset)(jax.random.split(jax.random.key(2), 3))[0]
    # Only the third world restarts: it is a step ahead.
    states = states._replace(clock=jnp.array([0, 0, 1]))
    together = jax.vmap(environment.step)(jax.random.split(jax.random.key(3), 3), states, actions)
    for world, key in enumerate(jax.random.split(jax.random.key(3), 3)):
        state = jax.tree.map(lambda x, world=world: x[world], states)
        alone = environment.step(key, state, actions[world])
        chex.assert_trees_all_equal(alone, jax.tree.map(lambda x, world=world: x[world], together))
    with jax.disable_jit():
        chex.assert_trees_all_equal(alone, environment.step(jax.random.clone(key), state, actions[2]))


def test_layouts_are_drawn_only_for_worlds_whose_episode_ends():
    """Looks for top_k, which draws layouts: in a batched step it must be in the loop over the worlds that need it."""
    environment = small()
    step = jax.vmap(jax.vmap(environment.step))
    states = jax.eval_shape(jax.vmap(jax.vmap(environment.reset)), jax.random.split(jax.random.key(0), (2, 4)))[0]
    jaxpr = jax.make_jaxpr(step)(jax.random.split(jax.random.key(0), (2, 4)), states, jnp.zeros((2, 4, 3), int))
    assert "top_k" in str(jaxpr)
    assert "top_k" not in set(primitives_outside_loops(jaxpr.jaxpr))


def primitives_outside_loops(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        if equation.primitive.name != "while":
            for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
                yield from primitives_outside_loops(getattr(inner, "jaxpr", inner)) if hasattr(inner, "eqns") else ()


def test_absent_agents_are_not_placed_not_seen_and_not_rewarded():
    environment = small(colours=("red", "green", "blue"))
    blue_is_seen = {}
    for present in (2, 3):
        rules = make_rules(environment.scenario, present=present)
        states, timesteps, _ = play(environment, jax.random.key(8), WORLDS, 60, rules)
        assert (states.active == (np.arange(3) < present)).all()
        red, _, blue = np.moveaxis(timesteps.observation.image[:, :, :2].astype(int), -1, 0)
        blue_is_seen[present] = bool((blue > red).any())
        if present == 2:
            assert (states.position[:, :, 2] == -1).all()
            assert (timesteps.reward[:, :, 2] == 0).all()
            assert (timesteps.observation.image[:, :, 2] == objects.SHADOW).all()
    assert blue_is_seen == {2: False, 3: True}


def test_three_actions_are_the_first_three_of_seven():
    seven, three = small(), small(actions=3)
    state, _ = seven.reset(jax.random.key(0))
    for action in range(3):
        key, actions = jax.random.key(action), jnp.full(3, action)
        chex.assert_trees_all_equal(seven.step(key, state, actions), three.step(jax.random.clone(key), state, actions))


@pytest.mark.parametrize("action", [objects.PICK_UP, objects.DROP, objects.TOGGLE, objects.DONE])
def test_the_other_actions_do_nothing(action):
    environment = small()
    state, _ = environment.reset(jax.random.key(0))
    after, timestep = environment.step(jax.random.key(1), state, jnp.full(3, action))
    chex.assert_trees_all_equal(after, state._replace(clock=jnp.int32(1)))
    assert (timestep.reward == 0).all()


def before_goal(environment, clock):
    """Makes a state in which agent 0 is left of goal 0 and faces it."""
    state, _ = environment.reset(jax.random.key(4))
    bare = jnp.where(objects.kind_of(state.grid) == objects.BONUS, objects.EMPTY, state.grid)
    goal = objects.encode(objects.BONUS, "yellow", 0)
    grid = bare.at[4, 4].set(objects.EMPTY).at[4, 5].set(goal)
    position = state.position.at[0].set(jnp.array([4, 4]))
    return state._replace(grid=grid, position=position, heading=jnp.zeros(3, jnp.int32), clock=jnp.int32(clock))


@pytest.mark.parametrize("clock", [0, 7, 18])
@pytest.mark.parametrize(("last_goal", "base"), [(-1, 2.0), (2, 2.0), (0, -3.0), (1, -3.0)])
def test_reward_decays_with_the_clock_and_follows_the_rules(clock, last_goal, base):
    for decay in (False, True):
        environment = small(reward_decay=decay)
        rules = make_rules(environment.scenario, reward=2.0, penalty=3.0, prestige_decay=0.5)
        state = before_goal(environment, clock)
        state = state._replace(last_goal=jnp.full(3, last_goal), prestige=jnp.array([4.0, 4.0, 4.0]))
        after, timestep = environment.step_without_restart(jax.random.key(9), state, jnp.array([2, 6, 6]), rules)
        reward = base * (1 - 0.9 * (clock + 1) / 20 if decay else 1.0)
        np.testing.assert_allclose(timestep.reward, [reward, 0, 0], rtol=1e-6)
        np.testing.assert_allclose(after.prestige, [0.5 * (4 + reward) if reward > 0 else 0, 2, 2], rtol=1e-6)


@pytest.mark.parametrize("agents", [1, 2, 3, 4])
def test_acting_order_is_uniform_over_the_permutations(agents):
    keys = jax.random.split(jax.random.key(6), 6_000)
    orders = np.asarray(jax.jit(jax.vmap(lambda key: core.acting_order(key, agents)))(keys))
    counts = collections.Counter(map(tuple, orders.tolist()))
    permutations = list(itertools.permutations(range(agents)))
    assert set(counts) == set(permutations)
    assert len(permutations) == 1 or chisquare([counts[order] for order in permutations]).pvalue > 1e-3


def test_acting_orders_differ_between_worlds():
    environment = small(
        "goal_cycle", "square", height=3, width=7, goals=0, clutter=0, agents=2, colours=("red", "blue")
    )
    state, _ = environment.reset(jax.random.key(0))
    state = state._replace(position=jnp.array([[1, 2], [1, 4]]), heading=jnp.array([0, 2]))
    step = jax.vmap(environment.step, (0, None, None))
    after, _ = step(jax.random.split(jax.random.key(1), 200), state, jnp.array([2, 2]))
    red_came_first = after.arrival[:, 0] < after.arrival[:, 1]
    assert 60 < red_came_first.sum() < 140


def test_unknown_names_and_sizes_raise():
    with pytest.raises(ValueError, match=r"goal_circle.*choose from.*goal_cycle"):
        make_scenario("goal_circle")
    with pytest.raises(ValueError, match="hieght"):
        make_scenario("goal_cycle", hieght=9)
    with pytest.raises(ValueError, match="choose another name"):
        register("goal_cycle", make_scenario)
