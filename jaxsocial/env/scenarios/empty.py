"""Empty: a bare room with a goal in the far corner (MarlGrid's EmptyMultiGrid)."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario, problems_of_room

GOAL = objects.encode(objects.GOAL, "green")


@dataclasses.dataclass(frozen=True)
class Empty:
    """Agents start in different cells, uniformly; the goal's cell is free to them."""

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        walls = grid.walled(scenario.height, scenario.width)
        goals = jnp.array([[scenario.height - 2, scenario.width - 2]])
        return Layout(
            grid=grid.with_numbered(walls, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(key, walls == objects.EMPTY, scenario.agents),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """What keeps a scenario from being laid out, and what would do."""
        yield from problems_of_room(scenario)
        yield (
            (scenario.goals, scenario.clutter) != (1, 0),
            f"goals={scenario.goals}, clutter={scenario.clutter}: empty has 1 goal and no clutter, choose these or the "
            "scenario cluttered",
        )


def empty(**sizes) -> Scenario:
    """A bare room with a green goal in the far corner; it ends an agent's episode.

    Any field of `Scenario` can be set, but there is one goal and no clutter.
    """
    sizes = {
        "height": 9,
        "width": 9,
        "goals": 1,
        "clutter": 0,
        "max_steps": 100,
        "reward_decay": True,
        "things": (grid.WALL, GOAL),
    } | sizes
    return Scenario(layout=Empty(), name="empty", **sizes)
