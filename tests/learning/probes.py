"""Probe worlds: tiny environments with known values and optimal actions, for one learner.

Learning never inspects a state, so these have no grid. A view has 3 x 3 tiles: the first shows the cue, the second the
clock, the third the last action, by their colours in RGB. In symbols the cue is the colour of a key, the clock the
prestige of an agent, and the last action the state of a door. Rewards are traced, so that one compiled program trains
on every probe.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsocial.agents.policy import Policy, absent_policy
from jaxsocial.env import objects
from jaxsocial.env.core import Env
from jaxsocial.env.scenario import SYMBOLS, Scenario, Style
from jaxsocial.env.types import Observation, Rules, Timestep

ACTIONS = 3
ALWAYS = 1000
KEYS = (objects.encode(objects.KEY, "red"), objects.encode(objects.KEY, "blue"))
"""The cue as a symbol, by its number."""
DOOR = objects.encode(objects.DOOR, "green")
PRESTIGE = objects.COLOUR_NAMES.index("prestige")


class Probe(NamedTuple):
    """Parameters of a probe world; each may differ between worlds."""

    per_step: float = 0.0
    """Reward at every step."""
    at_end: float = 0.0
    """Reward at the last step of an episode."""
    for_cue: float = 0.0
    """Reward at the last step if the cue is 1; its negative if the cue is 0."""
    for_action: float = 0.0
    """Reward at the last step if the action equals the cue; its negative otherwise."""
    length: int = 4
    """Steps in an episode; 4 or more if it is truncated."""
    terminates: bool = True
    """Whether an episode terminates; otherwise it is truncated."""
    cue_until: int = ALWAYS
    """The cue is visible while the clock is below this."""
    cue_from: int = ALWAYS
    """The cue is visible again from this clock on."""
    shows_action: bool = True
    """Whether the last action is visible; with it, a learner without memory can leave itself a note."""


class ProbeState(NamedTuple):
    """One probe world."""

    cue: jax.Array
    """0 or 1, drawn at the start of an episode."""
    clock: jax.Array
    action: jax.Array
    """The last action; -1 before the first."""


class ProbeEnv(Env):
    """An environment of `ProbeState`s."""

    def reset(self, key, rules=None):
        return _reset(key, rules, self.scenario)

    def reset_to(self, state, rules=None):
        return _reset_to(state, rules, self.scenario)

    def step(self, key, state, actions, rules=None):
        return _step(key, state, actions, rules, self.scenario)

    step_without_restart = step


def make_probe(observation: Style = "rgb", tile_pixels: int = 1) -> Env:
    """Returns an environment for one agent; its `Probe` is the field ``reward`` of the rules."""
    sizes = {"agents": 1, "goals": 0, "clutter": 0, "view_size": 3, "tile_pixels": tile_pixels, "actions": ACTIONS}
    scenario = Scenario(layout=_no_layout, things=(*KEYS, DOOR), max_steps=4, observation=observation, **sizes)
    return ProbeEnv(scenario, probe_rules(Probe(), 1))


def probe_rules(probe: Probe, worlds: int) -> Rules:
    """Returns the rules of a number of equal probe worlds."""
    probes = jax.tree.map(lambda x: jnp.full(worlds, x), probe)
    zeros = jnp.zeros(worlds)
    present = jnp.ones((worlds, 1))
    return Rules(probes, zeros, zeros, zeros, present, zeros, zeros)  # pyright: ignore


def no_partners() -> Policy:
    """Returns a policy for no agents."""
    return absent_policy(0)


def _no_layout(key, scenario):
    raise NotImplementedError


def cue_is_one(observation: Observation):
    """Returns whether each observation shows the cue 1."""
    first = observation.image[..., 0, 0, :]
    return first[..., 1] == objects.colour_of(KEYS[1]) if first.shape[-1] == SYMBOLS else first[..., 0] == 255


def _reset(key, rules, scenario):
    state = ProbeState(jax.random.bernoulli(key).astype(jnp.int32), jnp.int32(0), jnp.int32(-1))
    return _reset_to(state, rules, scenario)


def _reset_to(state, rules, scenario):
    seen = _observation(state, rules.reward, scenario)
    false = jnp.zeros(1, bool)
    return state, Timestep(seen, jnp.zeros(1), false, false, seen, ~false)


def _step(key, state, actions, rules, scenario):
    probe: Probe = rules.reward
    after = ProbeState(state.cue, state.clock + 1, actions[0])
    ends = after.clock >= probe.length
    new, at_start = _reset(key, rules, scenario)
    final = _observation(after, probe, scenario)
    restarted, observation = jax.tree.map(
        lambda x, y: jnp.where(ends, x, y), (new, at_start.observation), (after, final)
    )
    reward = probe.per_step + jnp.where(ends, _last_reward(probe, after), 0.0)
    terminated, truncated = ends & probe.terminates, ends & ~probe.terminates
    return restarted, Timestep(observation, reward[None], terminated[None], truncated[None], final, jnp.ones(1, bool))


def _last_reward(probe: Probe, state: ProbeState):
    for_action = jnp.where(state.action == state.cue, probe.for_action, -probe.for_action)
    return probe.at_end + probe.for_cue * (2 * state.cue - 1) + for_action


def _observation(state: ProbeState, probe: Probe, scenario: Scenario) -> Observation:
    cue_seen = (state.clock < probe.cue_until) | (state.clock >= probe.cue_from)
    clock = 250 * state.clock // probe.length
    action = jnp.where(probe.shows_action, state.action, -1) + 1
    if scenario.observation == "symbolic":
        cells = _symbols(state.cue, cue_seen, clock, action)
        return Observation(jnp.zeros((1, 3, 3, SYMBOLS), jnp.uint8).at[0, 0].set(cells.astype(jnp.uint8)))
    cue = jnp.where(cue_seen, 100 + 155 * state.cue, 0)
    pixels = jnp.stack([cue, clock, 80 * action]).astype(jnp.uint8)
    frame = jnp.zeros((1, 3, 3, 3), jnp.uint8).at[0, 0].set(pixels[:, None])
    return Observation(frame.repeat(scenario.tile_pixels, 1).repeat(scenario.tile_pixels, 2))


def _symbols(cue, cue_seen, clock, action):
    """Returns the channels of the first three cells."""
    key = jnp.stack([objects.KEY, jnp.array([objects.colour_of(code) for code in KEYS])[cue], 0, 0, 0])
    agent = jnp.stack([objects.AGENT, PRESTIGE, objects.UP, clock, 0])
    door = jnp.stack([objects.DOOR, objects.colour_of(DOOR), action, 0, 0])
    return jnp.stack([key * cue_seen, agent, door * (action > 0)])
