"""Four rooms of this library beside those of xminigrid and navix: one agent, 19 x 19 cells, episodes of 100 steps.

Each library plays by its own vmapped step with its own automatic restart, in the same loop, and with the number of
worlds, of those given, at which it is fastest. The rivals lay out a new level in every world at every step and
choose by selection whether to keep it; so it is no matter to them when worlds restart, as it is to ours, which are
played staggered too.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jaxsocial
from benchmarks.play import Figure, Game, Program, compiled, measured, our_game

SIDE = 19
"""Cells on a side of the rivals' four rooms."""
EPISODE = 100
"""Steps in an episode of the rivals, by their defaults."""
NAVIX_TILE = 8
"""Pixels on a side of a cell in navix's pictures."""


class Contest(NamedTuple):
    rival: str
    ours: str


CONTESTS = (
    Contest("xminigrid symbolic", "jaxsocial symbolic"),
    Contest("xminigrid symbolic", "jaxsocial symbolic, staggered"),
    Contest("navix symbolic_first_person", "jaxsocial symbolic"),
    Contest("navix symbolic", "jaxsocial symbolic_world"),
    Contest("navix rgb_first_person", "jaxsocial rgb"),
    Contest("navix rgb_first_person", "jaxsocial rgb, staggered"),
    Contest("navix rgb_first_person", f"jaxsocial rgb, tile {NAVIX_TILE}"),
    Contest("navix rgb", "jaxsocial rgb"),
)


class Result(NamedTuple):
    rival: str
    ours: str
    ratio: float
    """Of agent-steps a second, ours over the rival's; of the medians."""
    processor_ratio: float
    """Of processor time an agent-step, the rival's over ours."""


def missing() -> list[str]:
    """Returns the rivals that are not installed."""
    return [name for name in ("xminigrid", "navix") if importlib.util.find_spec(name) is None]


def contest(worlds: Sequence[int], runs: int, steps: int, memory: float) -> tuple[list[Figure], list[Result]]:
    """Measures all contestants and their ratios. Programs that hold more than ``memory`` bytes are not run."""
    fastest = [_fastest(game, worlds, steps, memory) for game in contestants(steps)]
    figures = measured(fastest, runs)
    by_name = {figure.name: figure for figure in figures}
    met = [pair for pair in CONTESTS if pair.rival in by_name]
    return figures, [_result(by_name[pair.rival], by_name[pair.ours]) for pair in met]


def _result(rival: Figure, ours: Figure) -> Result:
    return Result(
        rival=rival.name,
        ours=ours.name,
        ratio=ours.agent_steps_per_second / rival.agent_steps_per_second,
        processor_ratio=rival.processor_nanoseconds / ours.processor_nanoseconds,
    )


def _fastest(game: Game, worlds: Sequence[int], steps: int, memory: float) -> Program:
    """Returns the program of the number of worlds with the most agent-steps a second, by one timed run of each."""
    rates: list[tuple[float, Program]] = []
    for number in worlds:
        program = compiled(game, number, steps)
        if not rates or program.memory_bytes < memory:
            rates.append((measured([program], runs=1)[0].agent_steps_per_second, program))
            print(f"  {game.name}, {number} worlds: {rates[-1][0]:,.0f}", flush=True)
    return max(rates, key=lambda pair: pair[0])[1]


def contestants(steps: int) -> list[Game]:
    builders: dict[str, Callable[[], list[Game]]] = {"xminigrid": _xminigrid, "navix": _navix}
    absent = missing()
    rivals = [game for name, build in builders.items() if name not in absent for game in build()]
    return rivals + _ours(steps)


def _ours(steps: int) -> list[Game]:
    def game(name, remark, staggered=False, **sizes):
        scenario = jaxsocial.make_scenario("four_rooms", height=SIDE, width=SIDE, agents=1, max_steps=EPISODE, **sizes)
        return our_game(scenario, steps, f"jaxsocial {name}", staggered)._replace(remark=remark)

    return [
        game("symbolic", "view 7, walls stop sight", observation="symbolic"),
        game("symbolic, staggered", "view 7, walls stop sight", staggered=True, observation="symbolic"),
        game("symbolic_world", "whole world", observation="symbolic_world"),
        game("rgb", "view 7, walls stop sight"),
        game("rgb, staggered", "view 7, walls stop sight", staggered=True),
        game(f"rgb, tile {NAVIX_TILE}", "view 7, walls stop sight", tile_pixels=NAVIX_TILE),
    ]


def _xminigrid() -> list[Game]:
    """Returns its four rooms as its own benchmark plays them: they restart in the step of an episode's end."""
    xminigrid = importlib.import_module("xminigrid")
    wrappers = importlib.import_module("xminigrid.wrappers")
    env, parameters = xminigrid.make("MiniGrid-FourRooms")
    env = wrappers.GymAutoResetWrapper(env)
    return [
        Game(
            name="xminigrid symbolic",
            reset=lambda key: env.reset(parameters, key),
            step=lambda key, world, action: env.step(parameters, world, action),
            actions=env.num_actions(parameters),
            action_shape=(),
            remark=f"view {parameters.view_size}, through walls",
        )
    ]


def _navix() -> list[Game]:
    """Returns its four rooms in all styles. They restart in the step after an episode's end."""
    navix = importlib.import_module("navix")
    remarks = {
        "symbolic": "whole world",
        "symbolic_first_person": "view 7, through walls",
        "rgb": "whole world",
        "rgb_first_person": "view 7, walls stop sight",
    }

    def game(style, remark):
        env = navix.make("Navix-FourRooms-v0", observation_fn=getattr(navix.observations, style))
        return Game(
            name=f"navix {style}",
            reset=env.reset,
            step=lambda key, world, action: env.step(world, action),
            actions=len(env.action_set),
            action_shape=(),
            remark=remark,
        )

    return [game(style, remark) for style, remark in remarks.items()]
