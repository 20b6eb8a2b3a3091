"""Scenarios drawn in characters; `jaxsocial.env.text.maps` defines them."""

import dataclasses
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxsocial.env import grid, objects
from jaxsocial.env.scenario import Layout, Scenario
from jaxsocial.env.text.maps import ANY_HEADING, Map, read

NAME = "text"


@dataclasses.dataclass(frozen=True)
class TextMap:
    """The layout of a map: always the same, except for agents without a start."""

    text: str
    """The map and its legend."""

    def __call__(self, key: Key[Array, ""], scenario: Scenario) -> Layout:
        """Lays out the map: starts go to the first agents, and they respawn there.

        The other agents start anywhere on free floor, and respawn anywhere.
        """
        drawn = read(self.text)
        starts = drawn.starts[: scenario.agents]
        others = scenario.agents - len(starts)
        anywhere = grid.distinct_cells(key, jnp.asarray(_free(drawn)), others)
        height, width = drawn.grid.shape
        everywhere = np.broadcast_to(np.array([0, 0, height - 1, width - 1], np.int32), (others, 4))
        headings = np.full(scenario.agents, ANY_HEADING, np.int32)
        headings[: len(starts)] = drawn.headings[: scenario.agents]
        return Layout(
            grid=jnp.asarray(drawn.grid),
            goals=jnp.asarray(drawn.goals),
            position=jnp.concatenate([starts, anywhere]),
            spawn=jnp.asarray(np.concatenate([np.tile(starts, 2), everywhere])),
            heading=jnp.asarray(headings),
        )

    def problems(self, scenario: Scenario) -> Iterator[tuple[bool, str]]:
        """Yields (whether a size differs from the map's, what to choose instead)."""
        drawn = read(self.text)
        height, width = drawn.grid.shape
        for name, drawn_size in (("height", height), ("width", width), ("goals", len(drawn.goals)), ("clutter", 0)):
            given = getattr(scenario, name)
            yield given != drawn_size, f"{name}={given}: the map has {drawn_size}, leave it out or change the map"
        capacity = len(drawn.starts) + int(_free(drawn).sum())
        yield (
            scenario.agents > capacity,
            f"agents={scenario.agents}: the map has {len(drawn.starts)} starts and room for {capacity} agents in all, "
            "use fewer or enlarge it",
        )


def scenario_from_text(text: str, **sizes) -> Scenario:
    """Returns the scenario of a map, with the characters and legend of `jaxsocial.env.text.maps`.

    Any field of `Scenario` can be set that the map leaves open. Without ``agents`` there is one for each start;
    agents without a start are put on free floor. Bonus tiles make the goal cycle; goals beside them end an agent's
    episode and are not counted among `Scenario.goals`.

    >>> scenario = scenario_from_text('''
    ...     #######
    ...     #>..0.#
    ...     #<..1.#
    ...     #######
    ... ''', max_steps=20)
    >>> scenario.height, scenario.width, scenario.agents, scenario.goals
    (4, 7, 2, 2)

    Raises:
      ValueError: a map or legend that cannot be read, with line, column and remedy; sizes that contradict it.
    """
    text = text.removeprefix("\ufeff")  # a mark that some editors begin a file with
    drawn = read(text)
    height, width = drawn.grid.shape
    found: dict[str, Any] = {"name": NAME, "height": height, "width": width, "goals": len(drawn.goals), "clutter": 0}
    found |= {"agents": max(len(drawn.starts), 1), "things": drawn.things}
    return Scenario(layout=TextMap(textwrap.dedent(text).strip("\n")), **(found | sizes))


def scenario_from_file(path: str | Path, **sizes) -> Scenario:
    """Returns the scenario of a file: see `scenario_from_text`.

    Raises:
      ValueError: also if there is no such file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"{path} is no file: name one that holds a map in characters")
    return scenario_from_text(path.read_text(encoding="utf-8"), **sizes)


def _free(drawn: Map):
    """Returns the cells for agents without a start: floor that holds nothing and is no start."""
    free = np.isin(objects.kind_of(drawn.grid), (objects.EMPTY, objects.FLOOR))
    free[tuple(drawn.starts.T)] = False
    return free
