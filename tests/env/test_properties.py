"""Invariants of random worlds, options and actions, which hypothesis draws."""

import collections
import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jaxsocial import make_dropout, make_rules
from jaxsocial.env import core, objects
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.types import State
from tests.compiling import quick_jit
from tests.golden.recording import Recorded

KEYS = [objects.encode(objects.KEY, colour) for colour in ("red", "blue")]
DOORS = [objects.encode(objects.DOOR, colour, state) for colour in ("red", "blue") for state in (1, 2, 3)]
BOXES = [
    objects.encode(objects.BOX, "green", content)
    for content in (objects.EMPTY, KEYS[1], objects.encode(objects.BALL, "pink"))
]
WALL = objects.encode(objects.WALL, "worst")
GOALS = [objects.encode(objects.GOAL, "green", number) for number in range(3)]
TILES = [objects.encode(objects.BONUS, "yellow", number) for number in range(3)]
LAVA, FLOOR = objects.encode(objects.LAVA, "orange"), objects.encode(objects.FLOOR, "blue")
SPACE = objects.encode(objects.SPACE, "grey")
HANDLED = (*KEYS, objects.encode(objects.BALL, "pink"), *DOORS, *BOXES)
EVERYTHING = (WALL, *TILES, *GOALS, LAVA, FLOOR, SPACE, *HANDLED)
CHANGING = {objects.KEY, objects.BALL, objects.BOX, objects.DOOR, objects.EMPTY}
STEPS = 12
# Failures are not shrunk: shrinking takes longer than reading them.
quick = functools.partial(settings, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))


def scenario(**options) -> Scenario:
    sizes = {"height": 5, "width": 6, "agents": 3, "goals": 3, "clutter": 0, "max_steps": 60, "view_size": 5}
    return Scenario(layout=Recorded(), **sizes | options)


DELAYED = View(size=3, offset=0, tile_pixels=5), View(size=5, offset=2), View(see_through_walls=True, hidden=("wall",))
SCENARIOS = {
    "cycle": scenario(things=(WALL, TILES[0])),
    "cycle, blocking each other": scenario(things=(WALL, *TILES), ghost=False, agents=5, reset_on_mistake=True),
    "everything": scenario(things=EVERYTHING, respawn=True, reward_decay=True, inputs=("reward", "position")),
    "everything, blocking each other": scenario(things=EVERYTHING, ghost=False, agents=4, observation="symbolic"),
    "ends": scenario(things=(WALL, *GOALS, LAVA), inputs=("last_action", "heading"), negative_prestige=True),
    "late": scenario(things=(WALL, *GOALS, *HANDLED), spawn_delay=(0, 2, 7), respawn=True, views=DELAYED),
}


class Drawn(NamedTuple):
    """A world, actions, and the numbers of its rules."""

    state: State
    actions: np.ndarray
    """(steps, agents)"""
    reward: list[float]
    penalty: float
    decay: float
    leave: float
    rejoin: float
    seed: int


@st.composite
def played(draw, world: Scenario) -> Drawn:
    """Draws a random world: things anywhere, agents on walkable cells, some of them carrying something."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    crowded = draw(st.floats(0.0, 0.9))
    size = (world.height, world.width)
    things = np.where(random.random(size) < crowded, random.choice(world.things, size), objects.EMPTY)
    grid = np.where((random.random(size) < draw(st.floats(0.0, 1.0))), things, objects.EMPTY).astype(np.int32)
    late = np.array(world.spawn_delay or (0,) * world.agents) > 0
    return Drawn(
        _with_agents(grid, late, world, random),
        random.integers(0, 7, (STEPS, world.agents)),
        reward=draw(st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3)),
        penalty=draw(st.floats(0, 3, width=32)),
        decay=draw(st.sampled_from((0.0, 0.5, 0.99, 1.0))),
        leave=draw(st.sampled_from((0.0, 0.0, 0.3, 1.0))),
        rejoin=draw(st.sampled_from((0.0, 0.3, 1.0))),
        seed=draw(st.integers(0, 1000)),
    )


def _with_agents(grid, late, world, random) -> State:
    visible_position = random.permutation(np.argwhere(objects.walkable(grid)))
    if len(visible_position) < world.agents:
        grid, visible_position = np.zeros_like(grid), random.permutation(np.argwhere(grid >= 0))
    agents = world.agents
    hands = [code for code in world.things if objects.portable(code)] or [objects.EMPTY]
    holding = np.where(random.random(agents) < 0.5, random.choice(hands, agents), objects.EMPTY)
    return State(
        grid=grid,
        goals=np.zeros((world.goals, 2), np.int32),
        position=np.where(late[:, None], -1, visible_position[:agents]).astype(np.int32),
        heading=random.integers(0, 4, agents).astype(np.int32),
        active=~late,
        finished=np.zeros(agents, bool),
        away=np.zeros(agents, bool),
        arrival=np.arange(agents, dtype=np.int32),
        carrying=np.where(late, objects.EMPTY, holding).astype(np.int32),
        prestige=random.random(agents).astype(np.float32),
        last_goal=random.integers(-1, max(world.goals, 1), agents).astype(np.int32),
        spawn=np.tile(np.array([0, 0, world.height - 1, world.width - 1], np.int32), (agents, 1)),
        clock=np.int32(0),
    )


@functools.cache
def stepper(world: Scenario):
    return quick_jit(core.make_env(world).step_without_restart)


def rules_of(drawn: Drawn, world: Scenario):
    dropout = make_dropout(drawn.leave, drawn.rejoin)
    return make_rules(world, reward=drawn.reward, penalty=drawn.penalty, prestige_decay=drawn.decay, dropout=dropout)


def check_all_steps(world: Scenario, drawn: Drawn):
    rules, before = rules_of(drawn, world), drawn.state
    for number, actions in enumerate(drawn.actions):
        key = jax.random.fold_in(jax.random.key(drawn.seed), number)
        after, timestep = stepper(world)(key, before, jnp.asarray(actions), rules)
        after, timestep = jax.tree.map(np.asarray, (after, timestep))
        check_places(after, world)
        check_participation(before, after, timestep, world)
        check_dropout(before, after, drawn, world)
        check_things(before, after, actions, world)
        check_rewards(before, after, timestep, drawn, world)
        before = after


def check_places(state: State, world: Scenario):
    placed = state.position[state.position[:, 0] >= 0]
    assert (placed < (world.height, world.width)).all()
    assert (state.position[state.position[:, 0] < 0] == -1).all()
    there = state.position[(state.position[:, 0] >= 0) & ~state.away]
    under = state.grid[there[:, 0], there[:, 1]]
    assert (objects.walkable(under) | (objects.kind_of(under) == objects.DOOR)).all()
    assert np.isin(state.heading, range(4)).all()
    arrivals = collections.Counter(zip(map(tuple, state.position.tolist()), state.arrival.tolist(), strict=True))
    assert all(count == 1 for (cell, _), count in arrivals.items() if cell != (-1, -1))


def acted(before: State, after: State):
    """Returns which agents were there or entered late, even if they left in the same step."""
    return before.active | (~before.away & (after.active | after.away))


def check_participation(before: State, after: State, timestep, world: Scenario):
    assert (after.active == ~after.finished & ~after.away)[before.active].all()
    assert (timestep.present == after.active).all()
    assert (before.finished <= after.finished).all()
    assert (timestep.terminated == after.finished).all()
    assert not (world.respawn and after.finished.any())
    resting = ~acted(before, after)
    for field in ("position", "heading", "carrying", "last_goal", "prestige"):
        assert (getattr(before, field)[resting] == getattr(after, field)[resting]).all()
    assert (timestep.reward[resting] == 0).all()
    image = timestep.observation.image[~after.active]
    nothing_seen = (objects.SHADOW, (0, 0, 0)) if world.observation == "rgb" else ((objects.UNSEEN, 0, 0, 0, 0),)
    assert np.logical_or.reduce([(image == colour).all(-1) for colour in nothing_seen]).all()


def check_dropout(before: State, after: State, drawn: Drawn, world: Scenario):
    assert not (after.away & (after.active | after.finished)).any()
    stayed, back = before.away & after.away, before.away & ~after.away
    assert after.active[back].all()
    assert not (before.away.any() and drawn.leave == 0)
    assert not (back.any() and drawn.rejoin == 0)
    assert not (stayed.any() and drawn.rejoin == 1 and world.ghost and not world.grid_changes)
    assert not (after.active[before.active].any() and drawn.leave == 1)
    if not world.ghost:
        at = [tuple(position) for position in after.position[~after.away].tolist()]
        assert all(at.count(tuple(position)) == 1 for position in after.position[back].tolist())


def inventory(state: State):
    """Counts all things that can be handled, on the ground, carried or in boxes; doors without their state."""
    codes = np.concatenate([state.grid.ravel(), state.carrying])
    inside = objects.state_of(codes[objects.kind_of(codes) == objects.BOX])
    codes = np.concatenate([codes, inside])
    found = collections.Counter((codes & 0xFF).tolist())
    return collections.Counter({c: n for c, n in found.items() if objects.kind_of(c) in CHANGING - {objects.EMPTY}})


def check_things(before: State, after: State, actions, world: Scenario):
    changed = before.grid != after.grid
    assert set(np.unique(objects.kind_of(before.grid[changed]))) <= CHANGING
    assert set(np.unique(objects.kind_of(after.grid[changed]))) <= CHANGING
    was_door, is_door = (objects.kind_of(state.grid) == objects.DOOR for state in (before, after))
    assert (was_door == is_door).all()
    assert ((before.grid ^ after.grid)[is_door] & 0xFF == 0).all()
    unlocked = is_door & (objects.state_of(before.grid) == objects.LOCKED) & changed
    for door in before.grid[unlocked]:
        holds_key = after.carrying & 0xFF == objects.KEY | (door & 0xF0)
        assert (holds_key & (actions == objects.TOGGLE)).any()
    check_conserved(before, after)


def check_conserved(before: State, after: State):
    """Checks that only opened boxes vanish, and what respawning agents carried."""
    lost = inventory(before) - inventory(after)
    assert not inventory(after) - inventory(before)
    steps = np.abs(after.position - before.position).sum(-1)
    let_go = before.carrying[(after.carrying == objects.EMPTY) & before.active & (steps != 1)]
    vanished = collections.Counter()
    for code in let_go.tolist():
        vanished.update({code & 0xFF: 1})
        vanished.update({objects.state_of(code): 1} if objects.kind_of(code) == objects.BOX else {})
    unexplained = lost - vanished
    assert all(objects.kind_of(code) == objects.BOX for code in unexplained)


def check_rewards(before: State, after: State, timestep, drawn: Drawn, world: Scenario):
    share = 1 - 0.9 * after.clock / world.max_steps if world.reward_decay else 1.0
    possible = share * np.array([0.0, *drawn.reward, -abs(drawn.penalty)])
    assert np.isclose(timestep.reward[:, None], possible, rtol=1e-5, atol=1e-6).any(-1).all()
    kept = (
        before.prestige
        if world.negative_prestige
        else np.where(timestep.reward < 0, 0, before.prestige + timestep.reward)
    )
    expected = np.where(acted(before, after), kept * drawn.decay, before.prestige)
    np.testing.assert_allclose(after.prestige, expected, rtol=1e-5, atol=1e-6)
    assert ((after.last_goal >= -1) & (after.last_goal < max(world.goals, 1))).all()


@pytest.mark.parametrize("name", SCENARIOS)
def test_invariants_hold_in_every_world(name):
    world = SCENARIOS[name]

    @quick(max_examples=60)
    @given(played(world))
    def in_every_world(drawn):
        check_all_steps(world, drawn)

    in_every_world()


@st.composite
def options(draw) -> dict:
    """Draws options. The scenario is built elsewhere, since the check of its types draws random numbers too."""
    chosen = tuple(draw(st.lists(st.sampled_from(EVERYTHING), min_size=1, max_size=8, unique=True)))
    agents = draw(st.integers(1, 6))
    size = draw(st.integers(3, 8))
    return {
        "height": draw(st.integers(3, 9)),
        "width": draw(st.integers(3, 9)),
        "agents": agents,
        "things": chosen,
        "view_size": size,
        "view_offset": draw(st.integers(0, size - 1)),
        "tile_pixels": draw(st.integers(1, 4)),
        "see_through_walls": draw(st.booleans()),
        "hidden": tuple(
            draw(st.lists(st.sampled_from(("wall", "agent", "key", "bonus", "door")), max_size=2, unique=True))
        ),
        "observation": draw(st.sampled_from(("rgb", "symbolic"))),
        "reward_decay": draw(st.booleans()),
        "initial_reward": draw(st.booleans()),
        "reset_on_mistake": draw(st.booleans()),
        "respawn": draw(st.booleans()),
        "ghost": draw(st.booleans()),
        "negative_prestige": draw(st.booleans()),
        "spawn_delay": tuple(draw(st.lists(st.integers(0, 5), min_size=agents, max_size=agents))),
    }


@pytest.mark.slow
@quick(max_examples=40)
@given(st.data())
def test_invariants_hold_for_random_options(data):
    world = scenario(**data.draw(options()))
    check_all_steps(world, data.draw(played(world)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["everything, blocking each other", "late"])
def test_jit_vmap_and_eager_steps_agree_in_every_world(name):
    world = SCENARIOS[name]

    @quick(max_examples=2)
    @given(played(world), played(world))
    def in_every_world(one, other):
        check_agreement(world, one, other)

    in_every_world()


def two_keys(seed: int):
    return jax.random.split(jax.random.key(seed), 2)


def check_agreement(world: Scenario, one: Drawn, other: Drawn):
    step = core.make_env(world).step_without_restart
    rules = rules_of(one, world)
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), one.state, other.state)
    actions = jnp.asarray(np.stack([one.actions[0], other.actions[0]]))
    both = quick_jit(jax.vmap(step, (0, 0, 0, None)))(two_keys(one.seed), together, actions, rules)
    for number, drawn in enumerate((one, other)):
        alone = stepper(world)(two_keys(one.seed)[number], drawn.state, actions[number], rules)
        chex.assert_trees_all_equal(alone, jax.tree.map(lambda leaf, n=number: leaf[n], both))
        with jax.disable_jit():
            eager = step(two_keys(one.seed)[number], jax.tree.map(jnp.asarray, drawn.state), actions[number], rules)
        chex.assert_trees_all_close(eager, alone, rtol=1e-6)
