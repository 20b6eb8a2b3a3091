"""Probe worlds: tiny environments whose values and best actions are known, for the learner alone.

The learner never looks into a state, so these need no grid. A frame is 3 x 3 pixels, one pixel a tile:
the first shows the cue, the second the clock, the third the last action. What pays is traced, so that one
compiled program trains on every probe.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsocial.agents.policy import Policy, absent_policy
from jaxsocial.env.core import Env
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation, Rules, Timestep

ACTIONS = 3
ALWAYS = 1000


class Probe(NamedTuple):
    """The numbers of a probe world; every one may differ between worlds."""

    for_living: float = 0.0
    """Paid at every step."""
    for_lasting: float = 0.0
    """Paid at an episode's last step."""
    for_cue: float = 0.0
    """Paid at the last step where the cue is 1, and taken where it is 0."""
    for_action: float = 0.0
    """Paid at the last step if the action equals the cue, and taken if not."""
    length: int = 4
    """Steps in an episode, 4 or more where the clock ends it."""
    natural: bool = True
    """Whether an episode comes to a natural end, or the clock runs out."""
    cue_until: int = ALWAYS
    """The cue is shown while the clock is below this."""
    cue_from: int = ALWAYS
    """And again from here on."""


class ProbeState(NamedTuple):
    """One probe world."""

    cue: jax.Array
    """0 or 1, drawn when an episode begins."""
    clock: jax.Array
    action: jax.Array
    """The last one; -1 before the first."""


class ProbeEnv(Env):
    """An environment of `ProbeState`s."""

    def reset(self, key, rules=None):
        return _reset(key, rules)

    def reset_to(self, state, rules=None):
        return _reset_to(state, rules)

    def step(self, key, state, actions, rules=None):
        return _step(key, state, actions, rules)

    step_without_restart = step


def make_probe() -> Env:
    """A world for one agent; its `Probe` comes with the rules, in place of the reward."""
    sizes = {"agents": 1, "goals": 0, "clutter": 0, "view_size": 3, "tile_pixels": 1, "actions": ACTIONS}
    return ProbeEnv(Scenario(layout=_no_layout, things=(), max_steps=4, **sizes), probe_rules(Probe(), 1))


def probe_rules(probe: Probe, worlds: int) -> Rules:
    """The rules of so many equal probe worlds."""
    numbers = jax.tree.map(lambda x: jnp.full(worlds, x), probe)
    nothing = jnp.zeros(worlds)
    present = jnp.ones((worlds, 1))
    return Rules(numbers, nothing, nothing, nothing, present, nothing, nothing)  # pyright: ignore


def nobody() -> Policy:
    """Partners where there are none."""
    return absent_policy(0)


def _no_layout(key, scenario):
    raise NotImplementedError


def _reset(key, rules):
    state = ProbeState(jax.random.bernoulli(key).astype(jnp.int32), jnp.int32(0), jnp.int32(-1))
    return _reset_to(state, rules)


def _reset_to(state, rules):
    frame = _frame(state, rules.reward)
    nobody = jnp.zeros(1, bool)
    return state, Timestep(frame, jnp.zeros(1), nobody, nobody, frame, ~nobody)


def _step(key, state, actions, rules):
    probe: Probe = rules.reward
    after = ProbeState(state.cue, state.clock + 1, actions[0])
    ends = after.clock >= probe.length
    replayed, at_start = _reset(key, rules)
    final = _frame(after, probe)
    restarted, observation = jax.tree.map(
        lambda new, old: jnp.where(ends, new, old), (replayed, at_start.observation), (after, final)
    )
    reward = probe.for_living + jnp.where(ends, _last_reward(probe, after), 0.0)
    terminated, truncated = ends & probe.natural, ends & ~probe.natural
    return restarted, Timestep(observation, reward[None], terminated[None], truncated[None], final, jnp.ones(1, bool))


def _last_reward(probe: Probe, state: ProbeState):
    for_action = jnp.where(state.action == state.cue, probe.for_action, -probe.for_action)
    return probe.for_lasting + probe.for_cue * (2 * state.cue - 1) + for_action


def _frame(state: ProbeState, probe: Probe):
    cue_seen = (state.clock < probe.cue_until) | (state.clock >= probe.cue_from)
    cue = jnp.where(cue_seen, 100 + 155 * state.cue, 0)
    clock = 250 * state.clock // probe.length
    action = 80 * (state.action + 1)
    pixels = jnp.stack([cue, clock, action]).astype(jnp.uint8)
    return Observation(jnp.zeros((1, 3, 3, 3), jnp.uint8).at[0, 0].set(pixels[:, None]))
