"""Door and key: a locked door in a wall, its key on the agents' side, a goal on the other (MiniGrid's DoorKey)."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario

GOAL = objects.encode(objects.GOAL, "green")
DOOR = objects.encode(objects.DOOR, "yellow", objects.LOCKED)
KEY = objects.encode(objects.KEY, "yellow")


@dataclasses.dataclass(frozen=True)
class DoorKey:
    """The wall stands in any column that leaves one free on either side, the door in any inner row but the last.

    The key and the agents are uniform over the left side, in different cells; the goal is in the far corner.
    """

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        height, width = scenario.height, scenario.width
        column_key, row_key, key_key, agent_key = jax.random.split(key, 4)
        column = jax.random.randint(column_key, (), 2, width - 2)
        door_row = jax.random.randint(row_key, (), 1, height - 2)
        walls = jnp.where(jnp.arange(width) == column, grid.WALL, grid.walled(height, width))
        left = jnp.stack([1, 1, height - 2, column - 1])
        beside = grid.in_box((height, width), left)
        where = grid.distinct_cells(key_key, beside, 1)[0]
        things = walls.at[door_row, column].set(DOOR).at[where[0], where[1]].set(KEY)
        goals = jnp.array([[height - 2, width - 2]])
        return Layout(
            grid=grid.with_numbered(things, goals, GOAL),
            goals=goals,
            position=grid.distinct_cells(agent_key, beside & (things == objects.EMPTY), scenario.agents),
            spawn=jnp.tile(left, (scenario.agents, 1)),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """What keeps a scenario from being laid out, and what would do."""
        height, width = scenario.height, scenario.width
        yield height < 4 or width < 5, f"height={height}, width={width}: door_key needs 4 rows and 5 columns at least"
        yield (
            (scenario.goals, scenario.clutter) != (1, 0),
            f"goals={scenario.goals}, clutter={scenario.clutter}: door_key has 1 goal and no clutter, choose these",
        )
        yield (
            scenario.agents > height - 3,
            f"agents={scenario.agents}: beside the key there may be room for {height - 3} only, "
            f"choose height={scenario.agents + 3} or more, or fewer agents",
        )
        yield scenario.actions != 7, f"actions={scenario.actions}: keys are picked up and doors opened, choose 7"


def door_key(**sizes) -> Scenario:
    """A yellow key, the locked door it opens, and behind it a green goal that ends an agent's episode.

    Any field of `Scenario` can be set, but there is one goal and no clutter.
    """
    sizes = {
        "height": 8,
        "width": 8,
        "goals": 1,
        "clutter": 0,
        "max_steps": 100,
        "reward_decay": True,
        "things": (grid.WALL, GOAL, DOOR, KEY),
    } | sizes
    return Scenario(layout=DoorKey(), name="door_key", **sizes)
