"""The inputs beside the image, as numbers for the network: `Scenario.inputs`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Observation

HEADINGS = 4


def check_inputs(world: Scenario) -> None:
    """Checks that a network can read the inputs of a world.

    Raises:
      ValueError: it names inputs that are for prediction targets.
    """
    private = [name for name in world.inputs if name in ("symbols", "others")]
    if private:
        raise ValueError(
            f"world.inputs={world.inputs}: {' and '.join(private)} are for prediction targets, which add them "
            "themselves: leave them out"
        )


def input_count(world: Scenario) -> int:
    """Returns the number of numbers in `input_vector`.

    >>> from jaxsocial.env.registry import make_scenario
    >>> input_count(make_scenario("goal_cycle", inputs=("heading", "goal_position")))
    10
    """
    counts = {"reward": 1, "position": 2, "heading": HEADINGS, "last_action": world.actions}
    counts |= {"goal_position": 2 * world.goals}
    return sum(counts[name] for name in world.inputs)


def input_vector(observation: Observation, world: Scenario) -> Float[Array, "N inputs"]:
    """Returns the inputs of N agents side by side; headings and actions are one-hot, and no action is all zeros."""
    forms: dict[str, Callable] = {
        "reward": lambda x: x[:, None],
        "position": lambda x: x,
        "heading": lambda x: jax.nn.one_hot(x, HEADINGS, dtype=jnp.float32),
        "last_action": lambda x: jax.nn.one_hot(x, world.actions, dtype=jnp.float32),
        "goal_position": lambda x: x.reshape(x.shape[0], -1),
    }
    return jnp.concatenate([forms[name](getattr(observation, name)) for name in world.inputs], axis=-1)
