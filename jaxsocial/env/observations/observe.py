"""Agents' observations of one step: an image in the scenario's style, and the inputs that it names."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxsocial.env import objects
from jaxsocial.env.observations import pixels, symbolic
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import NO_ACTION, Observation, Rules, State, visible_position


def observe(
    state: State,
    reward: Float[Array, " A"],
    last_action: Int[Array, " A"],
    rules: Rules,
    scenario: Scenario,
    agents: tuple[int, ...] | None = None,
) -> Observation:
    """Returns the observations of agents.

    Args:
      state: the world after the step.
      reward: what each agent received in the step.
      last_action: what each agent did in it; `NO_ACTION` before the first step.
      rules: the world's traced numbers.
      scenario: the world's sizes; its ``inputs`` name the fields beside the image.
      agents: the indices of those that observe, in increasing order; all if None.
    """
    agents = tuple(range(scenario.agents)) if agents is None else agents
    chosen = slice(None) if len(agents) == scenario.agents else np.array(agents, np.int32)
    image, others = _images(state, rules, scenario, agents)
    symbolic_image, as_symbols = scenario.observation != "rgb", dataclasses.replace(scenario, observation="symbolic")
    # Functions, so that only the inputs that the scenario names are traced.
    available = {
        "reward": lambda: reward[chosen],
        "position": lambda: _normalised(visible_position(state), scenario)[chosen],
        "heading": lambda: state.heading[chosen],
        "last_action": lambda: last_action.astype(jnp.int32)[chosen],
        "goal_position": lambda: jnp.broadcast_to(
            _normalised(_listed_goals(state, scenario), scenario), (len(agents), *state.goals.shape)
        ),
        "symbols": lambda: image if symbolic_image else _images(state, rules, as_symbols, agents)[0],
        "others": lambda: others,
    }
    return Observation(image=image, **{name: available[name]() for name in scenario.inputs})


def _listed_goals(state: State, scenario: Scenario) -> Int[Array, "G 2"]:
    """Returns the cells of goals. Where they have a hidden order, they are listed by row and column instead."""
    if not scenario.may_hold(objects.BONUS):
        return state.goals
    return state.goals[jnp.argsort(state.goals[:, 0] * scenario.width + state.goals[:, 1])]


def first_observation(state: State, rules: Rules, scenario: Scenario) -> Observation:
    """Returns the observations before the first step: rewards are 0, last actions `NO_ACTION`.

    Args:
      state: the world after its reset.
      rules: the world's traced numbers.
      scenario: the world's sizes.
    """
    reward = jnp.zeros(scenario.agents, jnp.float32)
    return observe(state, reward, jnp.full(scenario.agents, NO_ACTION, jnp.int32), rules, scenario)


def _normalised(position: Int[Array, "*N 2"], scenario: Scenario) -> Float[Array, "*N 2"]:
    """Returns (row / height, column / width), each in [0, 1); zeros for (-1, -1)."""
    return jnp.maximum(position, 0) / jnp.array([scenario.height, scenario.width], jnp.float32)


# Programs of one process share the trace. XLA inlines it.
@functools.partial(jax.jit, static_argnames=("scenario", "agents"))
def _images(
    state: State, rules: Rules, scenario: Scenario, agents: tuple[int, ...]
) -> tuple[UInt8[Array, "B height width channels"], Bool[Array, " B"]]:
    """Returns each agent's image, padded at the right and the bottom to the size of the largest, and `others`."""
    if scenario.observation == "symbolic_world":
        world = symbolic.whole_world(state, rules, scenario)
        seen = visible_position(state)[:, 0] >= 0
        own = np.arange(scenario.agents) == np.array(agents, np.int32)[:, None]
        return jnp.broadcast_to(world, (len(agents), *world.shape)), (seen & ~own).any(-1)
    module = symbolic if scenario.observation == "symbolic" else pixels
    by_view = {
        view: own for view, group in scenario.agents_by_view.items() if (own := tuple(a for a in group if a in agents))
    }
    found = [module.observe(state, own, view, rules, scenario) for view, own in by_view.items()]
    if len(found) == 1:
        return found[0]
    height, width, _ = scenario.observation_shape
    padded = [
        jnp.pad(image, ((0, 0), (0, height - image.shape[1]), (0, width - image.shape[2]), (0, 0)))
        for image, _ in found
    ]
    # Images are grouped by view: put them back into the order of the agents.
    order = np.argsort([agent for own in by_view.values() for agent in own]).astype(np.int32)
    return jnp.concatenate(padded)[order], jnp.concatenate([others for _, others in found])[order]
