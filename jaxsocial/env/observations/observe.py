"""Agents' observations of one step: an image in the scenario's style, and the inputs that it names."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxsocial.env.observations import pixels, symbolic
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation, Rules, State, visible_position

NO_ACTION = -1
"""The last action before the first step."""


def observe(
    state: State, reward: Float[Array, " A"], last_action: Int[Array, " A"], rules: Rules, scenario: Scenario
) -> Observation:
    """Returns the observations of all agents.

    Args:
      state: the world after the step.
      reward: what each agent received in the step.
      last_action: what each agent did in it; `NO_ACTION` before the first step.
      rules: the world's traced numbers.
      scenario: the world's sizes; its ``inputs`` name the fields beside the image.
    """
    # Functions, so that only the inputs that the scenario names are traced.
    available = {
        "reward": lambda: reward,
        "position": lambda: _normalised(visible_position(state), scenario),
        "heading": lambda: state.heading,
        "last_action": lambda: last_action.astype(jnp.int32),
        "goal_position": lambda: jnp.broadcast_to(
            _normalised(state.goals, scenario), (scenario.agents, *state.goals.shape)
        ),
    }
    inputs = {name: available[name]() for name in scenario.inputs}
    return Observation(image=_images(state, rules, scenario), **inputs)


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


def _images(state: State, rules: Rules, scenario: Scenario) -> UInt8[Array, "A height width channels"]:
    """Returns each agent's image, padded at the right and the bottom to the size of the largest."""
    if scenario.observation == "symbolic_world":
        world = symbolic.whole_world(state, scenario)
        return jnp.broadcast_to(world, (scenario.agents, *world.shape))
    images = []
    for view, agents in scenario.agents_by_view.items():
        if scenario.observation == "symbolic":
            images.append(symbolic.observe(state, agents, view, scenario))
        else:
            images.append(pixels.observe(state, agents, view, rules, scenario))
    if len(images) == 1:
        return images[0]
    height, width, _ = scenario.observation_shape
    padding = [((0, 0), (0, height - i.shape[1]), (0, width - i.shape[2]), (0, 0)) for i in images]
    padded = jnp.concatenate([jnp.pad(image, pad) for image, pad in zip(images, padding, strict=True)])
    # Images are grouped by view: put them back into the order of the agents.
    order = np.argsort([agent for agents in scenario.agents_by_view.values() for agent in agents])
    return padded[order.astype(np.int32)]
