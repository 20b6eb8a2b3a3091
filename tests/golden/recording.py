"""Recordings of the reference as our records."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsocial.env import objects
from jaxsocial.env.scenario import MAXIMUM_GOALS, Layout, Scenario, View
from jaxsocial.env.scenarios.goal_cycle import goal_cycle
from jaxsocial.env.types import Rules, State

COLOURS = len(objects.COLOURS)


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The layout of worlds that are never laid out; as it is given, so it stands."""

    def __call__(self, key, scenario: Scenario) -> Layout:
        raise NotImplementedError

    def problems(self, scenario: Scenario):
        return ()


class Recording(NamedTuple):
    name: str
    facts: dict
    """The sidecar."""
    arrays: dict[str, np.ndarray]

    @property
    def agents(self) -> list[dict]:
        return self.facts["agents"]

    @property
    def length(self) -> int:
        """States: one more than steps, or the number of scenes."""
        return len(self.arrays["agent_pos"])


def read(sidecar: Path) -> Recording:
    with np.load(sidecar.with_suffix(".npz"), allow_pickle=False) as arrays:
        return Recording(sidecar.stem, json.loads(sidecar.read_text()), dict(arrays))


def scenario_of(recording: Recording) -> Scenario:
    """The scenario of a recording; equal for recordings of one kind, so that they share a compilation."""
    world, agents = recording.facts["env"], recording.agents
    bonus = world["bonus"] or {"n_bonus": 0, "initial_reward": True, "reset_on_mistake": False}
    each_colour = "agent_color" in recording.arrays
    return Scenario(
        layout=Recorded(),
        height=world["height"],
        width=world["width"],
        goals=bonus["n_bonus"],
        clutter=0,
        things=_things(recording),
        agents=len(agents) * (COLOURS if each_colour else 1),
        views=tuple(_view(agent) for agent in agents for _ in range(COLOURS if each_colour else 1)),
        max_steps=world["max_steps"],
        initial_reward=bonus["initial_reward"],
        reset_on_mistake=bonus["reset_on_mistake"],
        reward_decay=world["reward_decay"],
        respawn=world["respawn"],
        spawn_delay=tuple(agent["spawn_delay"] for agent in agents) if _any(agents, "spawn_delay") else (),
        ghost=world["ghost_mode"],
        negative_prestige=_any(agents, "allow_negative_prestige"),
        inputs=("position", "heading") if "rich_position" in recording.arrays else (),
        colours=tuple(objects.COLOURS) * len(agents) if each_colour else tuple(agent["color"] for agent in agents),
    )


def _any(agents: list[dict], fact: str) -> bool:
    return any(agent[fact] for agent in agents)


def _view(agent: dict) -> View:
    return View(
        size=agent["view_size"],
        offset=agent["view_offset"],
        tile_pixels=agent["view_tile_size"],
        see_through_walls=agent["see_through_walls"],
        hidden=tuple(_NAMES.get(name, name.lower()) for name in agent["hide_item_types"]),
    )


_NAMES = {"BonusTile": "bonus", "EmptySpace": "space"}


def _things(recording: Recording) -> tuple[int, ...]:
    """What is in the grid or in anyone's hands; just the usual things where there are no others."""
    found = recording.arrays["grid"].reshape(-1, 3)
    if "carrying" in recording.arrays:
        found = np.concatenate([found, recording.arrays["carrying"].reshape(-1, 3)])
    codes = {code & 0xFF for code in np.unique(_code(found.astype(np.int32))).tolist()} - {objects.EMPTY}
    usual = goal_cycle().things
    return usual if codes <= set(usual) else tuple(sorted(codes))


def rules_of(recording: Recording) -> Rules:
    bonus = recording.facts["env"]["bonus"]
    agents = scenario_of(recording).agents
    repeat = agents // len(recording.agents)
    rewards = _tile_rewards(recording) + _goal_rewards(recording)
    return Rules(
        reward=jnp.array(rewards + [0.0] * (MAXIMUM_GOALS - len(rewards)), jnp.float32),
        penalty=jnp.float32(bonus["penalty"] if bonus else 0.0),
        prestige_decay=jnp.array([a["prestige_beta"] for a in recording.agents] * repeat, jnp.float32),
        prestige_scale=jnp.array([a["prestige_scale"] for a in recording.agents] * repeat, jnp.float32),
        present=jnp.ones(agents),
        first_level=jnp.int32(0),
        levels=jnp.int32(0),
    )


def _tile_rewards(recording: Recording) -> list[float]:
    """The reward of each bonus tile, by its number."""
    thing, worth = recording.arrays["grid"][0], recording.arrays.get("cell_reward")
    if worth is None:
        return []
    bonus = thing[..., 0] == objects.BONUS
    return worth[bonus][np.argsort(thing[bonus][:, 2])].tolist()


def _goal_rewards(recording: Recording) -> list[float]:
    """The different rewards of goals: in ours a goal's number says which of them it pays; tiles come before."""
    if "cell_reward" not in recording.arrays:
        return []
    goals = recording.arrays["grid"][0, ..., 0] == objects.GOAL
    return np.unique(recording.arrays["cell_reward"][goals]).tolist()


def states_of(recording: Recording) -> State:
    """All recorded states, or scenes, as NumPy arrays with their number as the first axis."""
    arrays, count = recording.arrays, recording.length
    agents = arrays["agent_pos"].shape[1]
    nothing = np.zeros((count, agents, 3), np.uint8)
    by_agent = {
        "position": arrays["agent_pos"][..., ::-1].astype(np.int32),
        "heading": arrays["agent_dir"].astype(np.int32),
        "active": arrays["agent_active"],
        "finished": arrays.get("agent_finished", np.zeros((count, agents), bool)),
        "arrival": arrays["agent_rank"].astype(np.int32),
        "carrying": _code(arrays.get("carrying", nothing).astype(np.int32)),
        "prestige": arrays["prestige"].astype(np.float32),
        "last_goal": arrays.get("bonus_state", np.full((count, agents), -1)).astype(np.int32),
    }
    by_agent = {name: to_seats(values, recording) for name, values in by_agent.items()}
    seats = by_agent["heading"].shape[1]
    return State(
        grid=_grid(recording),
        goals=np.zeros((count, scenario_of(recording).goals, 2), np.int32),
        spawn=np.zeros((count, seats, 4), np.int32),
        away=np.zeros((count, seats), bool),
        clock=np.arange(count, dtype=np.int32),
        **by_agent,
    )


def _grid(recording: Recording) -> np.ndarray:
    codes = _code(recording.arrays["grid"].astype(np.int32)).swapaxes(1, 2)
    for number, reward in enumerate(_goal_rewards(recording), len(_tile_rewards(recording))):
        pays = (recording.arrays["cell_reward"] == reward).swapaxes(0, 1) & (objects.kind_of(codes) == objects.GOAL)
        codes = np.where(pays, codes | number << 8, codes)
    return codes


def _code(thing: np.ndarray) -> np.ndarray:
    return thing[..., 0] | thing[..., 1] << 4 | thing[..., 2] << 8


def to_seats(values: np.ndarray, recording: Recording) -> np.ndarray:
    """Values of agents (number, A, ...) as those of our seats.

    Where every scene gives its agents other colours there is a seat for each agent and colour, since in ours colours
    are static; the seats that a scene does not use are not in the world.
    """
    if "agent_color" not in recording.arrays:
        return values
    count, agents = values.shape[:2]
    unused = -1 if values.dtype == np.int32 else 0
    spread = np.full((count, agents * COLOURS, *values.shape[2:]), unused, values.dtype)
    spread[_seats(recording)] = values
    return spread


def from_seats(values: np.ndarray, recording: Recording) -> np.ndarray:
    """The inverse of `to_seats`."""
    return values[_seats(recording)] if "agent_color" in recording.arrays else values


def _seats(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    colour = recording.arrays["agent_color"].astype(np.int32)
    count, agents = colour.shape
    return np.arange(count)[:, None], np.arange(agents) * COLOURS + colour
