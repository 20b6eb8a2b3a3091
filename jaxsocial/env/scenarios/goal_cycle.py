"""Goal Cycle: identical goals with a hidden cyclic order, among random walls (docs/protocol.md, "World")."""

import dataclasses

import jax
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario
from jaxsocial.env.values import Probability


@dataclasses.dataclass(frozen=True)
class GoalCycle:
    """A layout: goals, walls and agents, uniform over the free cells. Some cells may be unreachable.

    Agents start in different cells, which may be a goal's.
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


def goal_cycle(density: Probability = 0.15, **sizes) -> Scenario:
    """Returns the paper's scenario: identical goals in a hidden cyclic order, with a penalty for wrong ones.

    Any field of `Scenario` can be set. Without ``clutter`` the fraction ``density`` (0 to 1) of the inner cells are
    walls.

    >>> goal_cycle(height=9, width=9, goals=4).clutter
    7
    """
    height, width = sizes.setdefault("height", 13), sizes.setdefault("width", 13)
    sizes.setdefault("things", (grid.WALL, objects.encode(objects.BONUS, "yellow")))
    sizes.setdefault("clutter", grid.share_of_inner(density, height, width))
    return Scenario(layout=GoalCycle(), name="goal_cycle", **sizes)
