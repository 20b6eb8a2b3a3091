"""The visibility room: an empty one with a wall across it that leaves a gap (MarlGrid's VisibilityTestEnv)."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario


@dataclasses.dataclass(frozen=True)
class Visibility:
    """The wall stands in the middle row and leaves two cells free at its right end.

    Agents start in different cells, uniformly over the free ones.
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
        """What keeps a scenario from being laid out, and what would do."""
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
    """An empty room with a wall across it that leaves a gap; nothing to be earned: for looking at what is seen.

    Any field of `Scenario` can be set, but there are no goals and no clutter.
    """
    sizes = {
        "height": 11,
        "width": 11,
        "goals": 0,
        "clutter": 0,
        "max_steps": 100,
        "reward_decay": True,
        "things": (grid.WALL,),
    } | sizes
    return Scenario(layout=Visibility(), name="visibility", **sizes)
