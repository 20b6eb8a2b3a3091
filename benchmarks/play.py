"""Worlds that play at random in one compiled loop, of this library or another, and figures of it."""

import dataclasses
import functools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import jaxsocial
from benchmarks.machine import Clock, Seconds, timed


class World(Protocol):
    """One world after a step, as the loop carries it."""

    @property
    def state(self) -> Any: ...
    @property
    def observation(self) -> Any: ...
    @property
    def reward(self) -> Any: ...


class Game(NamedTuple):
    """One world of a library: `reset(key)` and `step(key, world, actions)` both give a `World`."""

    name: str
    reset: Callable[..., Any]
    step: Callable[..., Any]
    actions: int
    action_shape: tuple[int, ...]
    """(agents,), or () where a world has the one agent."""
    remark: str = ""
    """What is observed of the world."""

    @property
    def agents(self) -> int:
        return math.prod(self.action_shape)


class Program(NamedTuple):
    game: Game
    worlds: int
    steps: int
    run: jax.stages.Compiled
    compile_seconds: Seconds
    memory_bytes: int
    """Held at once, all worlds together."""


class Figure(NamedTuple):
    name: str
    remark: str
    agents: int
    worlds: int
    steps: int
    observation: str
    """Shape and type, of all agents of one world."""
    observation_bytes: int
    """Of one world, as the next."""
    state_bytes: int
    memory_bytes: int
    """As in `Program`."""
    compile_seconds: float
    compile_processor_seconds: float
    run_seconds: list[float]
    processor_seconds: list[float]
    """Of the same runs, all threads together."""
    agent_steps_per_second: float
    """Of the median run."""
    processor_nanoseconds: float
    """An agent-step, of the median run by processor time."""
    bytes_per_second: float
    """Observations written, and states read and written: the least that must be moved."""


class _OurWorld(NamedTuple):
    state: jaxsocial.State
    observation: Any
    reward: jax.Array


def our_game(scenario: jaxsocial.Scenario, steps: int, name: str = "", staggered: bool = False) -> Game:
    """Returns a scenario of ours. No episode is longer than ``steps``, so that every world restarts in a run.

    Worlds' clocks run together, or from where chance puts them if ``staggered``: then some world restarts in most
    steps, as where reaching a goal ends an episode.
    """
    episode = min(scenario.max_steps, steps)
    env = jaxsocial.make_env(dataclasses.replace(scenario, max_steps=episode))

    def reset(key):
        reset_key, clock_key = jax.random.split(key)
        state, timestep = env.reset(reset_key)
        if staggered:
            state = state._replace(clock=jax.random.randint(clock_key, (), 0, episode))
        return _OurWorld(state, timestep.observation, timestep.reward)

    def step(key, world, actions):
        state, timestep = env.step(key, world.state, actions)
        return _OurWorld(state, timestep.observation, timestep.reward)

    return Game(name or scenario.name, reset, step, scenario.actions, (scenario.agents,))


def play(game: Game, worlds: int, steps: int, key):
    """Plays at random; returns the worlds as they are in the end and the sum of all rewards.

    Observations are carried through the loop and come out of it: every one must be made.
    """
    reset_key, play_key = jax.random.split(key)

    def one_step(carried, key):
        now, total = carried
        action_key, step_key = jax.random.split(key)
        # Half as many random numbers as by `jax.random.randint`: the loop's own work must be small beside the world's.
        bits = jax.random.bits(action_key, (worlds, *game.action_shape))
        actions = (bits % game.actions).astype(jnp.int32)
        now = jax.vmap(game.step)(jax.random.split(step_key, worlds), now, actions)
        return (now, total + now.reward), None

    first = jax.vmap(game.reset)(jax.random.split(reset_key, worlds))
    none = jnp.zeros(first.reward.shape, jnp.float32)  # some libraries begin with integers
    final, total = jax.lax.scan(one_step, (first, none), jax.random.split(play_key, steps))[0]
    return final, total.sum()


def compiled(game: Game, worlds: int, steps: int) -> Program:
    """Compiles a game, and says so, since it takes seconds. Worlds are split among devices where they can be."""
    print(f"  compiling {game.name}, {game.agents} x {worlds}", flush=True)
    clock = Clock()
    devices = np.array(jax.devices() if worlds % len(jax.devices()) == 0 else jax.devices()[:1])

    def play_own(keys):
        final, total = play(game, worlds // len(devices), steps, keys[0])
        return final, total[None]

    def run(key):
        spread = functools.partial(jax.shard_map, mesh=Mesh(devices, "worlds"), check_vma=False)
        split = spread(play_own, in_specs=P("worlds"), out_specs=P("worlds"))
        return split(jax.random.split(key, len(devices)))

    run = jax.jit(run).lower(jax.random.key(0)).compile()
    held: Any = run.memory_analysis()
    memory = held.temp_size_in_bytes + held.argument_size_in_bytes + held.output_size_in_bytes
    return Program(game, worlds, steps, run, clock.seconds(), memory)


def measured(programs: Sequence[Program], runs: int) -> list[Figure]:
    """Measures all programs, which run in turns, so that a change of the machine's load meets them alike.

    One run of each is not counted.
    """
    seconds: list[list[Seconds]] = [[] for _ in programs]
    for run in range(runs + 1):
        for program, its_seconds in zip(programs, seconds, strict=True):
            its_seconds.append(timed(program.run, jax.random.key(run)))
    return [_figure(program, its_seconds[1:]) for program, its_seconds in zip(programs, seconds, strict=True)]


def _figure(program: Program, seconds: list[Seconds]) -> Figure:
    game, worlds, steps = program.game, program.worlds, program.steps
    world = jax.eval_shape(game.reset, jax.random.key(0))
    observation_bytes, state_bytes = _bytes(world.observation), _bytes(world.state)
    wall, processor = map(list, zip(*seconds, strict=True))
    world_steps_per_second = worlds * steps / statistics.median(wall)
    return Figure(
        name=game.name,
        remark=game.remark,
        agents=game.agents,
        worlds=worlds,
        steps=steps,
        observation=", ".join(f"{x.shape} {x.dtype}" for x in jax.tree.leaves(world.observation)),
        observation_bytes=observation_bytes,
        state_bytes=state_bytes,
        memory_bytes=program.memory_bytes,
        compile_seconds=program.compile_seconds.wall,
        compile_processor_seconds=program.compile_seconds.processor,
        run_seconds=wall,
        processor_seconds=processor,
        agent_steps_per_second=game.agents * world_steps_per_second,
        processor_nanoseconds=1e9 * statistics.median(processor) / (game.agents * worlds * steps),
        bytes_per_second=(observation_bytes + 2 * state_bytes) * world_steps_per_second,
    )


def _bytes(tree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
