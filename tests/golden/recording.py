"""Recordings of the reference as our records, and which of them Goal Cycle can express."""

import json
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsocial import cells
from jaxsocial.scenarios import goal_cycle
from jaxsocial.world import Rules, Scenario, State

KINDS = {4: "Goal", 5: "Floor", 6: "EmptySpace", 7: "Lava", 9: "Key", 10: "Ball", 11: "Door", 12: "Box"}
"""What the reference has and we have not, by its number of the type."""
LOOKS = {cells.EMPTY: 0, cells.WALL: cells.COLOUR_NAMES.index("worst"), cells.BONUS: cells.COLOUR_NAMES.index("yellow")}
"""The one colour in which each of our kinds is drawn."""


class Recording(NamedTuple):
    name: str
    facts: dict
    """The sidecar."""
    arrays: dict[str, np.ndarray]

    @property
    def agents(self) -> list[dict]:
        return self.facts["agents"]


def read(sidecar: Path) -> Recording:
    with np.load(sidecar.with_suffix(".npz"), allow_pickle=False) as arrays:
        return Recording(sidecar.stem, json.loads(sidecar.read_text()), dict(arrays))


def why_not_covered(recording: Recording) -> str | None:
    """The first thing in a recording that our world cannot express; None if there is none."""
    if recording.facts["kind"] == "tiles":
        return "holds kinds that are not built yet"
    return next((reason for found, reason in _obstacles(recording) if found), None)


def _obstacles(recording: Recording):
    agents, grid = recording.agents, recording.arrays["grid"]
    strange = set(np.unique(grid[..., 0]).tolist()) - set(LOOKS)
    yield strange, "holds kinds that are not built yet: " + ", ".join(KINDS[kind] for kind in sorted(strange))
    repainted = any((grid[grid[..., 0] == kind][:, 1] != colour).any() for kind, colour in LOOKS.items())
    yield repainted, "walls or goals of other colours are not built yet"
    yield any(agent["hide_item_types"] for agent in agents), "hidden item types are not built yet"
    yield any(agent["spawn_delay"] for agent in agents), "a spawn delay is not built yet"
    yield any(agent["allow_negative_prestige"] for agent in agents), "negative prestige is not built yet"
    yield len({_view(agent) for agent in agents}) > 1, "views that differ between agents are not built yet"
    scene_colours = recording.arrays.get("agent_color", np.zeros((1, 1)))
    yield (scene_colours != scene_colours[0]).any(), "agents whose colours change between scenes are not built yet"
    rich = any(agent["observation_style"] == "rich" for agent in agents)
    yield rich, "rich observations are not built yet: rich_reward, rich_position, rich_orientation"
    yield recording.arrays.get("agent_finished", np.zeros(1)).any(), "agents that finish are not built yet"


def _view(agent: dict) -> tuple:
    return tuple(agent[name] for name in ("view_size", "view_offset", "view_tile_size", "see_through_walls"))


def scenario_of(recording: Recording) -> Scenario:
    """The scenario of a recording. Clutter is 0: nothing is laid out, and more recordings share a compilation."""
    world, agents = recording.facts["env"], recording.agents
    view_size, view_offset, tile_pixels, see_through_walls = _view(agents[0])
    bonus = world["bonus"] or {"n_bonus": 0, "initial_reward": True, "reset_on_mistake": False}
    return goal_cycle.goal_cycle(
        height=world["height"],
        width=world["width"],
        goals=bonus["n_bonus"],
        clutter=0,
        agents=len(agents),
        view_size=view_size,
        view_offset=view_offset,
        tile_pixels=tile_pixels,
        max_steps=world["max_steps"],
        initial_reward=bonus["initial_reward"],
        reset_on_mistake=bonus["reset_on_mistake"],
        reward_decay=world["reward_decay"],
        see_through_walls=see_through_walls,
        ghost=world["ghost_mode"],
        colours=_colours(recording),
    )


def _colours(recording: Recording) -> tuple[str, ...]:
    """Those of the first scene where every scene has its own; `why_not_covered` sees to it that they agree."""
    if "agent_color" in recording.arrays:
        return tuple(cells.COLOUR_NAMES[number] for number in recording.arrays["agent_color"][0])
    return tuple(agent["color"] for agent in recording.agents)


def rules_of(recording: Recording) -> Rules:
    bonus = recording.facts["env"]["bonus"] or {"reward": 0.0, "penalty": 0.0}
    return Rules(
        reward=jnp.float32(bonus["reward"]),
        penalty=jnp.float32(bonus["penalty"]),
        prestige_decay=jnp.array([agent["prestige_beta"] for agent in recording.agents], jnp.float32),
        prestige_scale=jnp.array([agent["prestige_scale"] for agent in recording.agents], jnp.float32),
        present=jnp.ones(len(recording.agents), bool),
    )


def state_of(recording: Recording, number: int, goals: int) -> State:
    """The recorded state before step ``number``, or the scene of that number; NumPy, for there may be many."""
    arrays = recording.arrays
    agents = len(recording.agents)
    thing = arrays["grid"][number].astype(np.int32).swapaxes(0, 1)
    last_goal = arrays["bonus_state"][number] if "bonus_state" in arrays else np.full(agents, -1)
    return State(
        grid=thing[..., 0] | thing[..., 1] << 4 | thing[..., 2] << 8,
        goals=np.zeros((goals, 2), np.int32),
        position=arrays["agent_pos"][number][:, ::-1].astype(np.int32),
        heading=arrays["agent_dir"][number].astype(np.int32),
        active=arrays["agent_active"][number],
        arrival=arrays["agent_rank"][number].astype(np.int32),
        prestige=arrays["prestige"][number].astype(np.float32),
        last_goal=last_goal.astype(np.int32),
        clock=np.int32(number),
    )
