"""Four rooms: two crossing walls with four gaps, agents in the first corner, a goal near another corner."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario

GOAL = objects.encode(objects.GOAL, "yellow")


@dataclasses.dataclass(frozen=True)
class FourRooms:
    """A layout, that of the paper's authors (docs/protocol.md, "Worlds for transfer").

    Goals are in different cells, uniform over nine: those diagonal to a crossing or corner of walls, without those
    in the first inner row or column. Agents are uniform over a box in the first corner.
    """

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        height, width = scenario.height, scenario.width
        goal_key, agent_key = jax.random.split(key)
        corners = np.zeros((height, width), bool)
        rows, columns = (np.array([size // 2 - 1, size // 2 + 1, size - 2]) for size in (height, width))
        corners[rows[:, None], columns] = True
        goals = grid.distinct_cells(goal_key, jnp.asarray(corners), scenario.goals)
        walls = jnp.where(_walls(height, width), jnp.int32(grid.WALL), objects.EMPTY)
        box = np.array([1, 1, height // 4 - 1, width // 4 - 1], np.int32)
        return Layout(
            grid=grid.with_numbered(walls, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(agent_key, grid.in_box((height, width), box), scenario.agents),
            spawn=jnp.tile(box, (scenario.agents, 1)),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether the sizes fail a check, what to choose instead)."""
        height, width = scenario.height, scenario.width
        rows, columns = height // 4 - 1, width // 4 - 1
        yield min(height, width) < 8, f"height={height}, width={width}: four_rooms needs at least 8 rows and 8 columns"
        yield (
            not 1 <= scenario.goals <= 9 or scenario.clutter > 0,
            f"goals={scenario.goals}, clutter={scenario.clutter}: choose 1 to 9 goals and no clutter",
        )
        yield (
            scenario.agents > rows * columns,
            f"agents={scenario.agents} do not fit where they start, {rows} x {columns} cells in the first corner: "
            "12 x 12 takes 4, 16 x 16 takes 9; or use fewer",
        )


def _walls(height: int, width: int) -> Bool[np.ndarray, "{height} {width}"]:
    walls = np.zeros((height, width), bool)
    walls[[0, height // 2, -1], :] = True
    walls[:, [0, width // 2, -1]] = True
    walls[height // 2, [width // 4, (3 * width - 1) // 4]] = False
    walls[[height // 4, (3 * height - 1) // 4], width // 2] = False
    return walls


def four_rooms(**sizes) -> Scenario:
    """Returns the scenario: four rooms joined by gaps, and a yellow goal that ends an agent's episode.

    Any field of `Scenario` can be set, but there is no clutter.
    """
    sizes = {"height": 17, "width": 17, "goals": 1, "clutter": 0, "max_steps": 100, "reward_decay": True} | sizes
    sizes.setdefault("things", (grid.WALL, GOAL))
    return Scenario(layout=FourRooms(), name="four_rooms", **sizes)
