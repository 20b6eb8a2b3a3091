"""Door and key: a locked door in a wall, its key on the agents' side, a goal on the other (MiniGrid's DoorKey)."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario

GOAL = objects.encode(objects.GOAL, "green")
DOOR = objects.encode(objects.DOOR, "yellow", objects.LOCKED)
KEY = objects.encode(objects.KEY, "yellow")


@dataclasses.dataclass(frozen=True)
class DoorKey:
    """A layout: a wall in a random column, with a free column on each side; a door in any inner row but the last.

    The key and the agents are uniform over the left side, in different cells. The goal is in the far corner.
    """

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        height, width = scenario.height, scenario.width
        column_key, row_key, key_key, agent_key = jax.random.split(key, 4)
        column = jax.random.randint(column_key, (), 2, width - 2, jnp.int32)
        # As in MiniGrid, whose upper bound is exclusive too: never the last inner row.
        door_row = jax.random.randint(row_key, (), 1, height - 2, jnp.int32)
        walls = jnp.where(np.arange(width) == column, grid.WALL, grid.walled(height, width))
        left = jnp.stack([1, 1, height - 2, column - 1])
        left_side = grid.in_box((height, width), left)
        cell = grid.distinct_cells(key_key, left_side, 1)[0]
        things = walls.at[door_row, column].set(DOOR).at[cell[0], cell[1]].set(KEY)
        goals = jnp.array([[height - 2, width - 2]], jnp.int32)
        return Layout(
            grid=grid.with_numbered(things, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(agent_key, left_side & (things == objects.EMPTY), scenario.agents),
            spawn=jnp.tile(left, (scenario.agents, 1)),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether the sizes fail a check, what to choose instead)."""
        height, width = scenario.height, scenario.width
        yield height < 4 or width < 5, f"height={height}, width={width}: door_key needs at least 4 rows and 5 columns"
        yield (
            (scenario.goals, scenario.clutter) != (1, 0),
            f"goals={scenario.goals}, clutter={scenario.clutter}: door_key has 1 goal and no clutter, choose these",
        )
        yield (
            scenario.agents > height - 3,
            f"agents={scenario.agents}: left of the wall there may be only {height - 3} cells without the key, "
            f"choose height={scenario.agents + 3} or more, or fewer agents",
        )
        yield scenario.actions != 7, f"actions={scenario.actions}: the key and the door need their actions, choose 7"


def door_key(**sizes) -> Scenario:
    """Returns the scenario: a yellow key, a locked door, and behind it a green goal that ends an agent's episode.

    Any field of `Scenario` can be set, but there is one goal and no clutter.
    """
    sizes = {"height": 8, "width": 8, "goals": 1, "clutter": 0, "max_steps": 100, "reward_decay": True} | sizes
    sizes.setdefault("things", (grid.WALL, GOAL, DOOR, KEY))
    return Scenario(layout=DoorKey(), name="door_key", **sizes)
