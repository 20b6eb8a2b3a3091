"""The worlds that MarlGrid registers, by the names it gives them.

All have tiles of 8 pixels, views of 7 cells with nothing behind the agent, and 100 steps, unless they say otherwise.
"""

from typing import Any

COLOURS = ("red", "blue", "purple", "orange", "olive", "pink")
"""Of agents, in turn."""
_COMMON = {"tile_pixels": 8, "view_size": 7, "view_offset": 0, "max_steps": 100}


def _square(side: int, agents: int, **others) -> dict[str, Any]:
    return _COMMON | {"height": side, "width": side, "agents": agents} | others


WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    # 11 x 11, whatever its name says.
    "MarlGrid-1AgentCluttered15x15-v0": ("cluttered", _square(11, 1, view_size=5, clutter=30)),
    "MarlGrid-3AgentCluttered11x11-v0": ("cluttered", _square(11, 3, density=0.15)),
    "MarlGrid-3AgentCluttered15x15-v0": ("cluttered", _square(15, 3, density=0.15)),
    "MarlGrid-2AgentEmpty9x9-v0": ("empty", _square(9, 2)),
    "MarlGrid-3AgentEmpty9x9-v0": ("empty", _square(9, 3)),
    "MarlGrid-4AgentEmpty9x9-v0": ("empty", _square(9, 4)),
    "Goalcycle-demo-solo-v0": ("goal_cycle", _square(13, 1, view_offset=1, density=0.1, goals=3)),
}
"""Name to the scenario and the sizes it is made with."""
PENALTIES = {"Goalcycle-demo-solo-v0": 0.0}
"""Where the penalty is not the paper's."""


def scenario_and_sizes(name: str, sizes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What to make for one of these names, with some sizes chosen otherwise."""
    scenario, given = WORLDS[name]
    chosen = given | sizes
    return scenario, {"colours": COLOURS[: chosen["agents"]]} | chosen
