"""Cluttered: a goal that ends the episode, among strewn walls (MarlGrid's ClutteredMultiGrid)."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario

GOAL = objects.encode(objects.GOAL, "green")


@dataclasses.dataclass(frozen=True)
class Cluttered:
    """Goals, then walls, then agents uniformly over the free cells; nothing promises that all can be reached.

    Agents start in different cells; a goal's cell is free to them.
    """

    random_goal: bool = False
    """Whether the first goal too is put anywhere; else it is in the far corner."""

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        thing_key, agent_key = jax.random.split(key)
        walls = grid.walled(scenario.height, scenario.width)
        fixed = self._fixed_goals(scenario)
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

    def _fixed_goals(self, scenario: Scenario) -> Int[Array, "fixed 2"]:
        corner = jnp.array([[scenario.height - 2, scenario.width - 2]])
        return corner[: 0 if self.random_goal else scenario.goals]


def cluttered(random_goal: bool = False, density: float = 0.15, **sizes) -> Scenario:
    """A green goal in the far corner, or anywhere, among strewn walls; it ends an agent's episode.

    Any field of `Scenario` can be set. Without ``clutter`` the share ``density`` of the inner cells are walls. Of
    several ``goals`` only the first is in the corner.
    """
    sizes = {
        "height": 11,
        "width": 11,
        "goals": 1,
        "max_steps": 100,
        "reward_decay": True,
        "things": (grid.WALL, GOAL),
    } | sizes
    sizes.setdefault("clutter", grid.share_of_inner(density, sizes["height"], sizes["width"]))
    return Scenario(layout=Cluttered(random_goal), name="cluttered", **sizes)
