"""Goal Cycle: identical goals to be entered in a hidden cyclic order, among strewn walls (PROTOCOL: World)."""

import dataclasses

import jax
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario


@dataclasses.dataclass(frozen=True)
class GoalCycle:
    """Goals, clutter and agents uniformly over the free cells; nothing promises that all can be reached.

    Agents start in different cells; a goal's cell is free to them.
    """

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        thing_key, agent_key = jax.random.split(key)
        walls = grid.walled(scenario.height, scenario.width)
        things = grid.distinct_cells(thing_key, walls == objects.EMPTY, scenario.goals + scenario.clutter)
        goals, clutter = things[: scenario.goals], things[scenario.goals :]
        walls = walls.at[clutter[:, 0], clutter[:, 1]].set(grid.WALL)
        return Layout(
            grid=grid.with_numbered(walls, goals, objects.encode(objects.BONUS, "yellow")),
            goals=goals,
            position=grid.distinct_cells(agent_key, walls == objects.EMPTY, scenario.agents),
        )


def goal_cycle(density: float = 0.15, **sizes) -> Scenario:
    """Identical goals in a hidden cyclic order, the wrong ones costly: the paper's world.

    Any field of `Scenario` can be set. Without ``clutter`` the share ``density`` of the inner cells are walls.
    """
    height, width = sizes.setdefault("height", 13), sizes.setdefault("width", 13)
    sizes.setdefault("things", (grid.WALL, objects.encode(objects.BONUS, "yellow")))
    sizes.setdefault("clutter", grid.share_of_inner(density, height, width))
    return Scenario(layout=GoalCycle(), name="goal_cycle", **sizes)
