"""Cluttered: a goal that ends the episode, among random walls (MarlGrid's ClutteredMultiGrid)."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario
from jaxsocial.env.values import Probability

GOAL = objects.encode(objects.GOAL, "green")


@dataclasses.dataclass(frozen=True)
class Cluttered:
    """A layout: goals, then walls, then agents, uniform over the free cells. Some cells may be unreachable.

    Agents start in different cells, which may be a goal's.
    """

    random_goal: bool = False
    """Whether the first goal is uniform too; else it is in the far corner."""

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        thing_key, agent_key = jax.random.split(key)
        walls = grid.walled(scenario.height, scenario.width)
        corner = jnp.array([[scenario.height - 2, scenario.width - 2]], jnp.int32)
        fixed = corner[: 0 if self.random_goal else scenario.goals]
        free = (walls == objects.EMPTY).at[fixed[:, 0], fixed[:, 1]].set(False)
        drawn = scenario.goals - len(fixed)
        things = grid.distinct_cells(thing_key, free, drawn + scenario.clutter)
        goals, clutter = jnp.concatenate([fixed, things[:drawn]]), things[drawn:]
        walls = walls.at[clutter[:, 0], clutter[:, 1]].set(grid.WALL)
        return Layout(
            grid=grid.with_numbered(walls, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(agent_key, walls == objects.EMPTY, scenario.agents),
        )


def cluttered(random_goal: bool = False, density: Probability = 0.15, **sizes) -> Scenario:
    """Returns the scenario: a green goal that ends an agent's episode, among random walls.

    Any field of `Scenario` can be set. Of several ``goals`` only the first is in the corner.

    Args:
      random_goal: whether the first goal is uniform over the free cells; else it is in the far corner.
      density: the fraction of the inner cells that are walls, 0 to 1, unless ``clutter`` is given.
      sizes: fields of `Scenario`.

    >>> cluttered(density=0.25, height=10, width=10).clutter
    16
    """
    sizes = {"height": 11, "width": 11, "goals": 1, "max_steps": 100, "reward_decay": True} | sizes
    sizes.setdefault("things", (grid.WALL, GOAL))
    sizes.setdefault("clutter", grid.share_of_inner(density, sizes["height"], sizes["width"]))
    return Scenario(layout=Cluttered(random_goal), name="cluttered", **sizes)
