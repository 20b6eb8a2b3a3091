"""Goal Cycle: identical goals to be entered in a hidden cyclic order, among strewn walls (PROTOCOL: World)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxsocial import cells, grid
from jaxsocial.world import Layout, Scenario


def layout(key: Key[Array, ""], scenario: Scenario) -> Layout:
    """Goals, clutter and agents uniformly over the free cells; nothing promises that all can be reached.

    Agents start in different cells; a goal's cell is free to them.
    """
    thing_key, agent_key = jax.random.split(key)
    wall = cells.encode(cells.WALL, "worst")
    bare = jnp.zeros((scenario.height, scenario.width), jnp.int32)
    walls = grid.with_border(bare, wall)
    things = grid.distinct_cells(thing_key, walls == cells.EMPTY, scenario.goals + scenario.clutter)
    goals, clutter = things[: scenario.goals], things[scenario.goals :]
    walls = walls.at[clutter[:, 0], clutter[:, 1]].set(wall)
    first_goal = cells.encode(cells.BONUS, "yellow", state=0)
    numbers = first_goal + (jnp.arange(scenario.goals) << 8)
    return Layout(
        grid=walls.at[goals[:, 0], goals[:, 1]].set(numbers),
        goals=goals,
        position=grid.distinct_cells(agent_key, walls == cells.EMPTY, scenario.agents),
    )


def goal_cycle(**sizes) -> Scenario:
    """Identical goals in a hidden cyclic order, the wrong ones costly: the paper's world.

    Any field of `Scenario` can be set. Without ``clutter`` 15 % of the inner cells are walls.
    """
    height, width = sizes.get("height", 13), sizes.get("width", 13)
    sizes.setdefault("clutter", int(0.15 * (height - 2) * (width - 2)))
    return Scenario(layout=layout, name="goal_cycle", **sizes)
