"""A recording played again by our world, and the first place where the two differ."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial import paint, sight
from jaxsocial.actions import act
from jaxsocial.world import Rules, Scenario, State
from tests.golden.recording import Recording, rules_of, scenario_of, state_of

TOLERANCE = {"rewards": 1e-5, "prestige": 1e-5}
"""Relative, and absolute for numbers below 1: the reference counts in 64 bits. All else is exact."""


class Mismatch(NamedTuple):
    step: int
    array: str
    at: tuple[int, ...]
    ours: object
    theirs: object

    def __str__(self):
        return f"step {self.step}, {self.array}{list(self.at)}: ours {self.ours}, theirs {self.theirs}"


def replay(recording: Recording) -> Mismatch | None:
    """The first mismatch of a covered recording, or None."""
    if recording.facts["kind"] == "views":
        return _replay_scenes(recording)
    return _replay_rollout(recording)


def length_of(recording: Recording) -> int:
    """Steps, scenes or, of pictures of tiles, none."""
    return recording.facts.get("n_steps", recording.facts.get("n_scenes", 0))


def _replay_rollout(recording: Recording) -> Mismatch | None:
    scenario, rules, arrays = scenario_of(recording), rules_of(recording), recording.arrays
    first = state_of(recording, 0, scenario.goals)
    actions = jnp.asarray(arrays["actions"].astype(np.int32))
    turns = jnp.asarray(np.argsort(arrays["order"], axis=1).astype(np.int32))
    states, rewards = play(first, actions, turns, rules, scenario)
    ours = _as_recorded(states, rules, scenario) | {
        "rewards": rewards,
        "done": states.clock[1:] >= scenario.max_steps,
    }
    ours |= _pictures(recording, states, rules, scenario)
    return _first_mismatch(ours, recording)


@functools.partial(jax.jit, static_argnames="scenario")
def play(first: State, actions, turns, rules: Rules, scenario: Scenario):
    """All states, the first included, and the rewards of the steps between them."""

    def one_step(state, given):
        state, reward = act(state, *given, rules, scenario)
        return state, (state, reward)

    _, (states, rewards) = jax.lax.scan(one_step, first, (actions, turns))
    return jax.tree.map(lambda start, rest: jnp.concatenate([start[None], rest]), first, states), rewards


def _replay_scenes(recording: Recording) -> Mismatch | None:
    scenario, rules = scenario_of(recording), rules_of(recording)
    scenes = [state_of(recording, number, scenario.goals) for number in range(length_of(recording))]
    states = jax.tree.map(lambda *leaves: np.stack(leaves), *scenes)
    ours = {"obs": observe(states, rules, scenario), "vis": visibility(states, scenario)}
    return _first_mismatch(ours | _pictures(recording, states, rules, scenario), recording)


def _as_recorded(states: State, rules: Rules, scenario: Scenario) -> dict:
    """Our states in the reference's words, in the order in which a mismatch tells most."""
    return {
        "agent_pos": states.position[..., ::-1],
        "agent_dir": states.heading,
        "agent_active": states.active,
        "agent_rank": rank(states),
        "bonus_state": states.last_goal,
        "grid": _unpacked(states.grid),
        "prestige": states.prestige,
        "vis": visibility(states, scenario),
        "obs": observe(states, rules, scenario),
    }


def rank(states: State):
    """Each agent's place in the stack of its cell."""
    position, arrival = np.asarray(states.position), np.asarray(states.arrival)
    together = (position[:, :, None] == position[:, None, :]).all(-1)
    return (together & (arrival[:, None, :] < arrival[:, :, None])).sum(-1)


def _unpacked(grid):
    thing = np.asarray(grid).swapaxes(1, 2)
    return np.stack([thing & 15, (thing >> 4) & 15, thing >> 8], axis=-1)


@functools.partial(jax.jit, static_argnames="scenario")
def observe(states: State, rules: Rules, scenario: Scenario):
    return jax.vmap(lambda state: paint.observe(state, rules, scenario))(states)


@functools.partial(jax.jit, static_argnames="scenario")
def visibility(states: State, scenario: Scenario):
    """What each agent sees, indexed [x, y] in its own frame as recorded."""

    def of_one(state):
        codes = sight.window(state.grid, state.position, state.heading, scenario)
        return sight.visible(codes, scenario) & state.active[:, None, None]

    return jax.vmap(of_one)(states).swapaxes(-1, -2)


@functools.partial(jax.jit, static_argnames=("scenario", "tile"))
def whole_worlds(states: State, rules: Rules, scenario: Scenario, tile: int):
    return jax.vmap(lambda state: paint.whole_world(state, rules, scenario, tile))(states)


def _pictures(recording: Recording, states: State, rules: Rules, scenario: Scenario) -> dict:
    """Pictures for people, where the recording has some."""
    ours = {}
    for tile in (8, 32):
        if f"human{tile}" in recording.arrays:
            steps = recording.arrays.get(f"human{tile}_step", slice(None))
            chosen = jax.tree.map(lambda leaf, steps=steps: leaf[steps], states)
            ours[f"human{tile}"] = whole_worlds(chosen, rules, scenario, tile)
    return ours


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
