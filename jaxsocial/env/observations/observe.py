"""What agents perceive in one step: the image of a scenario's style, and the inputs it names beside it."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxsocial.env.observations import pixels, symbolic
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation, Rules, State, visible_position

NO_ACTION = -1


def observe(
    state: State,
    reward: Float[Array, " A"],
    last_action: Int[Array, " A"],
    rules: Rules,
    scenario: Scenario,
) -> Observation:
    """The observations of all agents, given what they got and did in the last step."""
    everything = {
        "reward": lambda: reward,
        "position": lambda: _shares(visible_position(state), scenario),
        "heading": lambda: state.heading,
        "last_action": lambda: last_action.astype(jnp.int32),
        "goal_position": lambda: _goal_positions(state, scenario),
    }
    chosen = {name: everything[name]() for name in scenario.inputs}
    return Observation(image=_images(state, rules, scenario), **chosen)


def first_observation(state: State, rules: Rules, scenario: Scenario) -> Observation:
    """Of a world in which nothing was done yet."""
    nothing = jnp.zeros(scenario.agents, jnp.float32)
    return observe(state, nothing, jnp.full(scenario.agents, NO_ACTION, jnp.int32), rules, scenario)


def _shares(position: Int[Array, "*N 2"], scenario: Scenario) -> Float[Array, "*N 2"]:
    """(row, column) as shares of the world's height and width; zeros for (-1, -1)."""
    return jnp.maximum(position, 0) / jnp.array([scenario.height, scenario.width], jnp.float32)


def _goal_positions(state: State, scenario: Scenario) -> Float[Array, "A G 2"]:
    return jnp.broadcast_to(_shares(state.goals, scenario), (scenario.agents, *state.goals.shape))


def _images(state: State, rules: Rules, scenario: Scenario) -> UInt8[Array, "A height width channels"]:
    if scenario.observation == "symbolic_world":
        world = symbolic.whole_world(state, scenario)
        return jnp.broadcast_to(world, (scenario.agents, *world.shape))
    images = []
    for view, agents in scenario.agents_by_view.items():
        if scenario.observation == "symbolic":
            images.append(symbolic.observe(state, agents, view, scenario))
        else:
            images.append(pixels.observe(state, agents, view, rules, scenario))
    return _together(images, scenario)


def _together(images: list, scenario: Scenario) -> UInt8[Array, "A height width channels"]:
    """Images of all views in the order of the agents; smaller ones in the top left corner, on zeros."""
    if len(images) == 1:
        return images[0]
    height, width, _ = scenario.observation_shape
    room = [((0, 0), (0, height - i.shape[1]), (0, width - i.shape[2]), (0, 0)) for i in images]
    filled = jnp.concatenate([jnp.pad(i, r) for i, r in zip(images, room, strict=True)])
    order = np.argsort([agent for agents in scenario.agents_by_view.values() for agent in agents])
    return filled[order.astype(np.int32)]
