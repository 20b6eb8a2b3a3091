"""The visibility room: empty, with a wall across it that leaves a gap (MarlGrid's VisibilityTestEnv)."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario


@dataclasses.dataclass(frozen=True)
class Visibility:
    """A layout: a wall in the middle row that leaves two cells free at its right end.

    Agents start in different cells, uniform over the free ones.
    """

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        height, width = scenario.height, scenario.width
        across = grid.in_box((height, width), (height // 2, 0, height // 2, width - 4))
        walls = jnp.where(across, grid.WALL, grid.walled(height, width))
        return Layout(
            grid=walls,
            goals=jnp.zeros((0, 2), jnp.int32),
            position=grid.distinct_cells(key, walls == objects.EMPTY, scenario.agents),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether the sizes fail a check, what to choose instead)."""
        height, width = scenario.height, scenario.width
        free = (height - 2) * (width - 2) - (width - 4)
        yield min(height, width) < 5, f"height={height}, width={width}: the wall across needs 5 rows and 5 columns"
        yield (
            (scenario.goals, scenario.clutter) != (0, 0),
            f"goals={scenario.goals}, clutter={scenario.clutter}: the visibility room has none, choose 0 of both",
        )
        yield (
            scenario.agents > free,
            f"agents={scenario.agents} do not fit on the {free} free cells: enlarge the world, or use fewer",
        )


def visibility(**sizes) -> Scenario:
    """Returns the scenario: a room with a wall across it, and no rewards; for inspecting what agents see.

    Any field of `Scenario` can be set, but there are no goals and no clutter.
    """
    sizes = {"height": 11, "width": 11, "goals": 0, "clutter": 0, "max_steps": 100, "reward_decay": True} | sizes
    sizes.setdefault("things", (grid.WALL,))
    return Scenario(layout=Visibility(), name="visibility", **sizes)
