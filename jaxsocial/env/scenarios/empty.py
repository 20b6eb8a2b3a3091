"""Empty: a room with nothing but a goal in the far corner (MarlGrid's EmptyMultiGrid)."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario, problems_of_room

GOAL = objects.encode(objects.GOAL, "green")


@dataclasses.dataclass(frozen=True)
class Empty:
    """A layout: agents start in different cells, uniformly; one may be the goal's."""

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        walls = grid.walled(scenario.height, scenario.width)
        goals = jnp.array([[scenario.height - 2, scenario.width - 2]], jnp.int32)
        return Layout(
            grid=grid.with_numbered(walls, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(key, walls == objects.EMPTY, scenario.agents),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether the sizes fail a check, what to choose instead)."""
        yield from problems_of_room(scenario)
        yield (
            (scenario.goals, scenario.clutter) != (1, 0),
            f"goals={scenario.goals}, clutter={scenario.clutter}: empty has 1 goal and no clutter, choose these or the "
            "scenario cluttered",
        )


def empty(**sizes) -> Scenario:
    """Returns the scenario: a room with a green goal in the far corner that ends an agent's episode.

    Any field of `Scenario` can be set, but there is one goal and no clutter.
    """
    sizes = {"height": 9, "width": 9, "goals": 1, "clutter": 0, "max_steps": 100, "reward_decay": True} | sizes
    sizes.setdefault("things", (grid.WALL, GOAL))
    return Scenario(layout=Empty(), name="empty", **sizes)
