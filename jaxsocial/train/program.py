"""Configs made into functions, each compiled once: begin, and a chunk of iterations.

Members of a program, each a seed of a setting, train side by side under `jax.vmap`. Several devices share them, or
where there are fewer members than devices the worlds of each (`jax.shard_map`); one device runs the same code.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Key

from jaxsocial.agents.seating import Seated
from jaxsocial.config.config import Config
from jaxsocial.config.traced import TracedConfig, program_key, traced_config
from jaxsocial.learning.rollout import AgentSetup
from jaxsocial.learning.update import Learner, Metrics
from jaxsocial.train import member
from jaxsocial.train.build import make_agent_setup
from jaxsocial.train.devices import MEMBERS, WORLDS, devices_for, put, shapes_on
from jaxsocial.train.folder import config_of
from jaxsocial.train.member import Member, MemberSetup
from jaxsocial.train.pretrained import begin_with, source_of


class Program(NamedTuple):
    """The compiled side of a run. Members are the first axis of everything."""

    begin: Callable[[], Member]
    """As a run begins: untrained, or with the networks that it goes on from."""
    untrained: Callable[[], Member]
    chunk: Callable[[Member, int], tuple[Member, Metrics]]
    """(members, iterations) -> members, metrics of shape (members, iterations, learners)."""
    place: Callable[[Member], Member]
    """Puts members, restored from disk, on the devices that they belong to."""
    memory: Callable[[int], int]
    """(iterations) -> bytes that a chunk of these members takes on each device, by the compiler's account. The chunk is
    compiled for it, and not again when it is called."""
    others: "Callable[[Sequence[Config]], Program]"
    """(configs) -> the same compiled functions for as many other members. What shapes are made of must be equal, and
    whether partners come and go."""
    setup: AgentSetup


def seed_keys(config: Config) -> Key[Array, " seeds"]:
    """One key a seed. A seed's key does not depend on which others train beside it."""
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))


def make_program(configs: Config | Sequence[Config], devices: Sequence[Any] | None = None) -> Program:
    """Everything a run computes; compiles at the first call of each function.

    Args:
      configs: one, or several that differ in nothing but numbers and seeds; each has as many members as seeds.
      devices: what to compute on; all there are if not given. As many are used as can share evenly.

    Raises:
      ValueError: configs that cannot train side by side, or see `make_agent_setup`.
    """
    configs = (configs,) if isinstance(configs, Config) else tuple(configs)
    config = configs[0]
    _check_alike(config, configs)
    mesh = devices_for(sum(c.seeds for c in configs), config, jax.devices() if devices is None else devices)
    setup = make_agent_setup(config)._replace(axis=WORLDS if mesh.shape[WORLDS] > 1 else None)
    member_setup = MemberSetup(config, setup, config.sizes.worlds // mesh.shape[WORLDS])
    each, where = PartitionSpec(MEMBERS), _layout()
    spread = functools.partial(jax.shard_map, mesh=mesh, out_specs=where, check_vma=False)

    @jax.jit
    def begin(keys, traced):
        return spread(functools.partial(member.begin, member_setup=member_setup), in_specs=(each, each))(keys, traced)

    @functools.partial(jax.jit, static_argnums=3, donate_argnums=0)
    def chunk(members, traced, players, iterations: int):
        run = functools.partial(member.chunk, iterations=iterations, member_setup=member_setup)
        specs = (where, each, PartitionSpec())
        return spread(run, in_specs=specs, out_specs=(where, each))(members, traced, players)

    # A frozen network was read onto one device.
    players: Any = put(setup.partners.parameters, PartitionSpec(), mesh)
    return _program_of(configs, _Compiled(setup, mesh, players, begin, chunk))


class _Compiled(NamedTuple):
    """What members of equal shapes share: functions that are compiled once for all of them."""

    setup: AgentSetup
    mesh: Mesh
    players: Seated
    begin: Any
    chunk: Any


def _program_of(configs: Sequence[Config], compiled: _Compiled) -> Program:
    config, each = configs[0], PartitionSpec(MEMBERS)
    keys = put(jnp.concatenate([seed_keys(c) for c in configs]), each, compiled.mesh)
    traced = put(_stacked_configs(configs), each, compiled.mesh)
    place = functools.partial(put, layout=_layout(), mesh=compiled.mesh)

    def untrained():
        return compiled.begin(keys, traced)

    def first_members():
        if not config.start_from:
            return untrained()
        config_of(source_of(config.start_from).folder)  # refused before anything compiles
        return place(begin_with(config.start_from, untrained(), configs, config.keep_optimiser))

    def memory(iterations: int) -> int:
        members = shapes_on(jax.eval_shape(untrained), _layout(), compiled.mesh)
        made = compiled.chunk.lower(members, traced, compiled.players, iterations).compile().memory_analysis()
        held = made.argument_size_in_bytes + made.output_size_in_bytes - made.alias_size_in_bytes
        return held + made.temp_size_in_bytes

    def others(configs: Sequence[Config]) -> Program:
        _check_alike(config, configs)
        return _program_of(configs, compiled)

    return Program(
        begin=first_members,
        untrained=untrained,
        chunk=lambda members, iterations: compiled.chunk(members, traced, compiled.players, iterations),
        place=place,
        memory=memory,
        others=others,
        setup=compiled.setup,
    )


def _check_alike(config: Config, others: Sequence[Config]) -> None:
    # Members with and without dropout may share a program, which is then compiled with it.
    key, _ = program_key(config)
    for other in others:
        for name, mine in vars(key).items():
            if mine != getattr(program_key(other)[0], name):
                raise ValueError(
                    f"{name}={getattr(config, name)} and {getattr(other, name)}: settings that train side by side "
                    "differ in numbers only; make a program of each"
                )


def _stacked_configs(configs: Sequence[Config]) -> TracedConfig:
    """The numbers of every member, members as the first axis."""
    with_dropout = any(config.partner_schedule.leave > 0 for config in configs)
    each = [traced_config(config, with_dropout) for config in configs for _ in range(config.seeds)]
    return jax.tree.map(lambda *x: jnp.stack(x), *each)


def _layout() -> Member:
    """Along which axes of devices the parts of members lie."""
    each, worlds = PartitionSpec(MEMBERS), PartitionSpec(MEMBERS, WORLDS)
    learner = Learner(key=each, parameters=each, optimiser_state=each, rollout_state=worlds, iteration=each)  # pyright: ignore
    return Member(learner, each, each)  # pyright: ignore
