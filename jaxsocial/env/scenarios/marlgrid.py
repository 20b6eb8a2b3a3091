"""The environments that MarlGrid registers, by its names.

Unless given, tiles have 8 pixels, views 7 cells with no row behind the agent, and episodes 100 steps.
"""

from typing import Any

COLOURS = ("red", "blue", "purple", "orange", "olive", "pink")
"""Of the agents, in their order."""
_COMMON = {"tile_pixels": 8, "view_size": 7, "view_offset": 0, "max_steps": 100}


def _square(side: int, agents: int, **others) -> dict[str, Any]:
    return _COMMON | {"height": side, "width": side, "agents": agents} | others


WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    # MarlGrid makes it 11 x 11 in spite of its name.
    "MarlGrid-1AgentCluttered15x15-v0": ("cluttered", _square(11, 1, view_size=5, clutter=30)),
    "MarlGrid-3AgentCluttered11x11-v0": ("cluttered", _square(11, 3, density=0.15)),
    "MarlGrid-3AgentCluttered15x15-v0": ("cluttered", _square(15, 3, density=0.15)),
    "MarlGrid-2AgentEmpty9x9-v0": ("empty", _square(9, 2)),
    "MarlGrid-3AgentEmpty9x9-v0": ("empty", _square(9, 3)),
    "MarlGrid-4AgentEmpty9x9-v0": ("empty", _square(9, 4)),
    "Goalcycle-demo-solo-v0": ("goal_cycle", _square(13, 1, view_offset=1, density=0.1, goals=3)),
}
"""From a name to its scenario and sizes."""
PENALTIES = {"Goalcycle-demo-solo-v0": 0.0}
"""Of environments whose penalty is not the paper's."""


def scenario_and_sizes(name: str, sizes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the scenario of one of these names and its sizes, with ``sizes`` replaced.

    >>> scenario_and_sizes("MarlGrid-2AgentEmpty9x9-v0", {"height": 7})[1]["colours"]
    ('red', 'blue')
    """
    scenario, defaults = WORLDS[name]
    chosen = defaults | sizes
    return scenario, {"colours": COLOURS[: chosen["agents"]]} | chosen
