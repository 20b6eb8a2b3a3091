"""How fast worlds play through the bridges to JAX libraries, beside the same worlds without a bridge.

    pip install -e '.[jaxmarl,gymnax,stoa]'
    python -m benchmarks.bridges --out bridges.json

The paper's world in RGB, random actions, all programs in turns in one run. JaxMARL's bridge has three agents, the
others have one.
"""

import argparse
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxsocial
from benchmarks.machine import machine
from benchmarks.play import Figure, Game, compiled, measured, our_game
from benchmarks.table import Column, print_table


class World(NamedTuple):
    """One world of a bridge after a step."""

    state: Any
    observation: Any
    reward: jax.Array


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=250, help="steps a world; an episode is no longer")
    parser.add_argument("--runs", type=int, default=9, help="timed runs, after one that is not counted")
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    options = parser.parse_args(arguments)
    facts = machine("benchmarks.bridges")
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    bridges = {name: game for name, make in BRIDGES.items() if (game := _game(name, make, options.steps))}
    native = {game.agents: our_game(_scenario(game.agents, options.steps), options.steps) for game in bridges.values()}
    programs = [compiled(game, options.worlds, options.steps) for game in (*native.values(), *bridges.values())]
    figures = measured(programs, options.runs)
    base = {figure.agents: figure for figure in figures[: len(native)]}

    def share(figure: Figure) -> float:
        return figure.agent_steps_per_second / base[figure.agents].agent_steps_per_second

    share_column: Column = "of native", lambda figure: f"{share(figure):.1%}"
    print_table(figures, [*COLUMNS, share_column])
    if options.out:
        rows = [figure._asdict() | {"of_native": share(figure)} for figure in figures]
        options.out.write_text(json.dumps(facts | {"figures": rows}, indent=2) + "\n")


def _scenario(agents: int, steps: int) -> jaxsocial.Scenario:
    return jaxsocial.make_scenario("goal_cycle", agents=agents, max_steps=steps)


def _game(name: str, make: Callable[[int], Game], steps: int) -> Game | None:
    try:
        return make(steps)
    except ImportError as missing:
        print(f"{name} is left out: {missing}")
        return None


def _jaxmarl(steps: int) -> Game:
    bridge = importlib.import_module("jaxsocial.bridges.jaxmarl")
    env = bridge.ParallelEnv(jaxsocial.make_env(_scenario(3, steps)))

    def reset(key):
        observation, state = env.reset(key)
        return World(state, observation, jnp.zeros(env.num_agents))

    def step(key, world, actions):
        given = dict(zip(env.agents, actions, strict=True))
        observation, state, rewards, _, _ = env.step(key, world.state, given)
        return World(state, observation, jnp.stack([rewards[name] for name in env.agents]))

    return Game("jaxmarl", reset, step, env.action_space(env.agents[0]).n, (env.num_agents,))


def _gymnax(steps: int) -> Game:
    bridge = importlib.import_module("jaxsocial.bridges.gymnax")
    env = bridge.LearnerEnv(jaxsocial.make_env(_scenario(1, steps)))
    params = env.default_params

    def reset(key):
        observation, state = env.reset(key, params)
        return World(state, observation, jnp.float32(0))

    def step(key, world, actions):
        observation, state, reward, *_ = env.step(key, world.state, actions, params)
        return World(state, observation, reward)

    return Game("gymnax", reset, step, env.num_actions, ())


def _stoa(steps: int) -> Game:
    bridge = importlib.import_module("jaxsocial.bridges.stoa")
    env = bridge.LearnerEnv(jaxsocial.make_env(_scenario(1, steps)))

    def reset(key):
        state, timestep = env.reset(key)
        return World(state, timestep.observation, timestep.reward)

    def step(key, world, actions):
        # The state has its own key.
        state, timestep = env.step(world.state, actions)
        return World(state, timestep.observation, timestep.reward)

    return Game("stoa", reset, step, int(env.action_space().num_values), ())


BRIDGES: dict[str, Callable[[int], Game]] = {"jaxmarl": _jaxmarl, "gymnax": _gymnax, "stoa": _stoa}
COLUMNS: list[Column] = [
    ("", lambda figure: figure.name),
    ("agents", lambda figure: str(figure.agents)),
    ("worlds", lambda figure: f"{figure.worlds:,}"),
    ("processor ns", lambda figure: f"{figure.processor_nanoseconds:,.0f}"),
    ("agent-steps/s", lambda figure: f"{figure.agent_steps_per_second:,.0f}"),
]


if __name__ == "__main__":
    main()
