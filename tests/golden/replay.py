"""A recording played again by our world, and the first place where the two differ."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial.env import objects, spawning
from jaxsocial.env.actions import act
from jaxsocial.env.observations import observe as observation
from jaxsocial.env.observations import pixels, sprites, vision
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Rules, State
from tests.golden.recording import Recording, from_seats, rules_of, scenario_of, states_of

TOLERANCE = {"rewards": 1e-5, "prestige": 1e-5, "rich_position": 1e-6}
"""Relative, and absolute for numbers below 1: the reference counts in 64 bits. All else is exact."""
NOT_COMPARED = {"rich_reward": "always 0 in the reference; ours is the reward, docs/differences.md"}
GIVEN = {"actions", "order", "spawn_pos", "respawn_pos", "cell_reward", "human8_step", "human32_step", "agent_color"}
"""What a replay is handed, or is there to say what an array means."""
SCENE = {"grid", "agent_pos", "agent_dir", "agent_active", "agent_rank", "prestige"}
"""Given as well, where nothing is played."""


class NotCoveredError(Exception):
    """A recording holds what a replay would compare with nothing."""


class Mismatch(NamedTuple):
    step: int
    array: str
    at: tuple[int, ...]
    ours: object
    theirs: object

    def __str__(self):
        return f"step {self.step}, {self.array}{list(self.at)}: ours {self.ours}, theirs {self.theirs}"


def replay(recording: Recording) -> Mismatch | None:
    """The first mismatch of a recording, or None.

    Raises:
      NotCoveredError: the recording holds an array that would be compared with nothing.
    """
    if recording.facts["kind"] == "tiles":
        return _compare_tiles(recording)
    scenario, rules = scenario_of(recording), rules_of(recording)
    states = states_of(recording)
    ours, given = {}, GIVEN | SCENE
    if recording.facts["kind"] == "rollout":
        states, ours, given = *_played(recording, states, rules, scenario), GIVEN
    ours |= _seen(recording, states, rules, scenario) | _pictures(recording, states, rules, scenario)
    left_over = set(recording.arrays) - set(ours) - given - set(NOT_COMPARED)
    if left_over:
        raise NotCoveredError(", ".join(sorted(left_over)))
    return _first_mismatch(ours, recording)


def _played(recording: Recording, states: State, rules: Rules, scenario: Scenario) -> tuple[State, dict]:
    """The episode played by us from its first state, and what the reference would have written down of it."""
    arrays = recording.arrays
    first = jax.tree.map(lambda leaf: leaf[0], states)
    turns = np.argsort(arrays["order"], axis=1)
    steps = (arrays["actions"], turns, arrays["spawn_pos"][..., ::-1], arrays["respawn_pos"][..., ::-1])
    states, rewards = play(first, tuple(jnp.asarray(s.astype(np.int32)) for s in steps), rules, scenario)
    done = (states.clock[1:] >= scenario.max_steps) | states.finished[1:].all(-1)
    return states, {"rewards": rewards, "done": done} | _as_recorded(states)


@functools.partial(jax.jit, static_argnames="scenario")
def play(first: State, steps: tuple, rules: Rules, scenario: Scenario):
    """All states, the first included, and the rewards of the steps between them."""

    def one_step(state, given):
        actions, turn, enters_at, again_at = given
        state = spawning.enter(state, enters_at, scenario)
        state, reward = act(state, actions, turn, rules, scenario)
        state = spawning.settle(state, again_at, scenario)
        return state, (state, reward)

    _, (states, rewards) = jax.lax.scan(one_step, first, steps)
    return jax.tree.map(lambda start, rest: jnp.concatenate([start[None], rest]), first, states), rewards


def _as_recorded(states: State) -> dict:
    """Our states in the reference's words, in the order in which a mismatch tells most."""
    return {
        "agent_pos": states.position[..., ::-1],
        "agent_dir": states.heading,
        "agent_active": states.active,
        "agent_finished": states.finished,
        "agent_rank": rank(states),
        "bonus_state": states.last_goal,
        "carrying": _triples(states.carrying),
        "grid": _triples(np.asarray(states.grid).swapaxes(1, 2)),
        "prestige": states.prestige,
    }


def rank(states: State):
    """Each agent's place in the stack of its cell; -1 for one that is not in the world."""
    position, arrival = np.asarray(states.position), np.asarray(states.arrival)
    together = (position[:, :, None] == position[:, None, :]).all(-1)
    place = (together & (arrival[:, None, :] < arrival[:, :, None])).sum(-1)
    return np.where(position[..., 0] < 0, -1, place)


def _triples(codes):
    """(kind, colour, state); in the reference goals have no numbers."""
    codes = np.asarray(codes)
    kind = objects.kind_of(codes)
    return np.stack(
        [kind, objects.colour_of(codes), np.where(kind == objects.GOAL, 0, objects.state_of(codes))], axis=-1
    )


def _seen(recording: Recording, states: State, rules: Rules, scenario: Scenario) -> dict:
    """Observations, where the recording has some; agents that have arrays of their own have views of their own."""
    arrays = recording.arrays
    if not any(name.startswith("obs") for name in arrays):
        return {}
    observed = jax.tree.map(np.asarray, observe(states, rules, scenario))
    sights = {agents: np.asarray(values) for agents, values in visibility(states, scenario).items()}
    if "obs_0" in arrays:
        ours = {}
        for agent, view in enumerate(scenario.agent_views):
            ours[f"obs_{agent}"] = observed.image[:, agent, : view.pixels, : view.pixels]
            ours[f"vis_{agent}"] = sights[(agent,)][:, 0]
        return ours
    ours = {"vis": from_seats(*sights.values(), recording), "obs": from_seats(observed.image, recording)}
    if observed.position is not None:
        ours |= {"rich_position": observed.position[..., ::-1], "rich_orientation": observed.heading}
    return ours


@functools.partial(jax.jit, static_argnames="scenario")
def observe(states: State, rules: Rules, scenario: Scenario):
    return jax.vmap(lambda state: observation.first_observation(state, rules, scenario))(states)


@functools.partial(jax.jit, static_argnames="scenario")
def visibility(states: State, scenario: Scenario):
    """What agents see, by the agents that share a view, indexed [x, y] in its own frame as recorded."""

    def of_one(state, view, agents):
        chosen = jnp.array(agents)
        codes = vision.window(state.grid, state.position[chosen], state.heading[chosen], view)
        seen = vision.visible(jnp.moveaxis(codes, 0, -1), view) & state.active[chosen]
        return jnp.moveaxis(seen, -1, 0)

    return {
        agents: jax.vmap(functools.partial(of_one, view=view, agents=agents))(states).swapaxes(-1, -2)
        for view, agents in scenario.agents_by_view.items()
    }


@functools.partial(jax.jit, static_argnames=("scenario", "tile"))
def whole_worlds(states: State, rules: Rules, scenario: Scenario, tile: int):
    return jax.vmap(lambda state: pixels.whole_world(state, rules, scenario, tile))(states)


def _pictures(recording: Recording, states: State, rules: Rules, scenario: Scenario) -> dict:
    """Pictures for people, where the recording has some."""
    ours = {}
    for tile in (8, 32):
        if f"human{tile}" in recording.arrays:
            steps = recording.arrays.get(f"human{tile}_step", slice(None))
            chosen = jax.tree.map(lambda leaf, steps=steps: leaf[steps], states)
            ours[f"human{tile}"] = whole_worlds(chosen, rules, scenario, tile)
    return ours


def _compare_tiles(recording: Recording) -> Mismatch | None:
    """The picture of every single thing and agent, before it is lit and turned."""
    tile = recording.facts["tile_size"]
    keys = recording.arrays["key"].astype(int)
    ours = {
        "key": keys,
        "empty": sprites.empty(tile),
        "tile": np.stack([_tile(kind | colour << 4 | state << 8, tile) for kind, colour, state in keys]),
    }
    return _first_mismatch(ours, recording)


def _tile(code: int, tile: int) -> np.ndarray:
    if objects.kind_of(code) != objects.AGENT:
        return sprites.thing(code, tile)
    covered = sprites.agent_coverage(tile)[objects.state_of(code), ..., None]
    return covered * objects.RGB[objects.colour_of(code)].astype(int) // sprites.SAMPLES**2


def _first_mismatch(ours: dict, recording: Recording) -> Mismatch | None:
    found = [_compare(name, np.asarray(values), recording) for name, values in ours.items()]
    return min((mismatch for mismatch in found if mismatch), key=lambda mismatch: mismatch.step, default=None)


def _compare(name: str, ours: np.ndarray, recording: Recording) -> Mismatch | None:
    theirs = recording.arrays[name]
    if ours.shape != theirs.shape:
        return Mismatch(0, f"shape of {name}", (), ours.shape, theirs.shape)
    tolerance = TOLERANCE.get(name, 0)
    equal = np.isclose(ours, theirs, tolerance, tolerance) if tolerance else ours == theirs
    if equal.all():
        return None
    row, *index = (int(number) for number in np.argwhere(~equal)[0])
    step = int(recording.arrays.get(f"{name}_step", np.arange(len(equal)))[row])
    return Mismatch(step, name, tuple(index), ours[(row, *index)], theirs[(row, *index)])
