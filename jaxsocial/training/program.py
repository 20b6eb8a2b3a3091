"""Compiled functions from configs: begin, and train for a chunk of iterations. Each is compiled once.

The members of a program, each one seed of one config, train under `jax.vmap`. Several devices share the members, or
with fewer members than devices, the worlds of each (`jax.shard_map`). One device runs the same code.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Key

from jaxsocial.agents.networks.blocks import traced_for
from jaxsocial.agents.seating import Seated, with_own
from jaxsocial.config.config import Config
from jaxsocial.config.traced import program_key, traced_config
from jaxsocial.learning.minibatch import Metrics
from jaxsocial.learning.rollout import AgentSetup
from jaxsocial.learning.update import Learner
from jaxsocial.training import member
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.devices import MEMBERS, WORLDS, devices_for, put
from jaxsocial.training.folder import config_of
from jaxsocial.training.member import Member, MemberSetup
from jaxsocial.training.pretrained import begin_with, own_partners, source_of


class Program(NamedTuple):
    """The compiled side of a run. Members are the first axis of everything."""

    begin: Callable[[], Member]
    """Returns the initial members: untrained, or with the networks of ``start_from``."""
    untrained: Callable[[], Member]
    chunk: Callable[[Member, int], tuple[Member, Metrics]]
    """(members, iterations) -> members, metrics of shape (members, iterations, learners)."""
    place: Callable[[Member], Member]
    """Puts members that were loaded on their devices."""
    compiled_begin: Callable[[], jax.stages.Compiled]
    """Compiles ``untrained`` for its devices, which need not be here."""
    compiled_chunk: Callable[[int], jax.stages.Compiled]
    """(iterations) -> a chunk, compiled likewise. It is not compiled again when ``chunk`` is called."""
    memory: Callable[[int], int]
    """(iterations) -> bytes of ``compiled_chunk`` on each device, as the compiler reports."""
    others: "Callable[[Sequence[Config]], Program]"
    """(configs) -> the same compiled functions for as many other members. Their static configs must be equal, and
    whether partners can leave."""
    setup: AgentSetup
    local_devices: int
    """Number of this host's devices that it runs on."""


def seed_keys(config: Config) -> Key[Array, " seeds"]:
    """Returns one key per seed. A seed's key does not depend on the other seeds."""
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds, dtype=jnp.int32))


def check_nans_allowed() -> None:
    """Checks that jax does not stop at NaN, which means over no episodes are.

    Raises:
      ValueError: ``jax_debug_nans`` is on.
    """
    # jax declares its options at run time.
    config: Any = jax.config
    if config.jax_debug_nans:
        raise ValueError(
            "jax_debug_nans is on, and metrics over no episodes are NaN: turn it off (JAX_DEBUG_NANS=0) for training, "
            "which itself reports and undoes updates that are not finite; worlds and networks alone work with it"
        )


def make_program(configs: Config | Sequence[Config], devices: Sequence[Any] | None = None) -> Program:
    """Makes the functions of a run. Each compiles at its first call.

    Args:
      configs: one config, or several with equal static sides; each has as many members as seeds.
      devices: the devices to use, all by default. As many are used as can share evenly. For devices that are only
        described (`jax.experimental.topologies`) a chunk can be compiled, and not called.

    Raises:
      ValueError: configs that cannot train together, or see `make_agent_setup` and `check_nans_allowed`.
    """
    check_nans_allowed()
    configs = (configs,) if isinstance(configs, Config) else tuple(configs)
    config = configs[0]
    _check_alike(config, configs)
    mesh = devices_for(sum(c.seeds for c in configs), config, jax.devices() if devices is None else devices)
    agents = make_agent_setup(config)._replace(axis=WORLDS if mesh.shape[WORLDS] > 1 else None)
    setup = MemberSetup(config, agents, config.sizes.worlds // mesh.shape[WORLDS])
    each, specs = PartitionSpec(MEMBERS), _member_specs()
    sharded = functools.partial(jax.shard_map, mesh=mesh, out_specs=specs, check_vma=False)

    platform = mesh.devices.flat[0].platform

    @jax.jit
    def begin(keys, traced):
        with traced_for(platform):
            return sharded(functools.partial(member.begin, setup=setup), in_specs=(each, each))(keys, traced)

    # Members are donated: without it their worlds and weights would be in memory twice.
    @functools.partial(jax.jit, static_argnums=4, donate_argnums=0)
    def chunk(members, traced, own_players, players, iterations: int):
        run = functools.partial(member.chunk, iterations=iterations, setup=setup)
        in_specs = (specs, each, each, PartitionSpec())
        with traced_for(platform):
            return sharded(run, in_specs=in_specs, out_specs=(specs, each))(members, traced, own_players, players)

    # A frozen network was loaded onto one device. Those that differ between members are given apart.
    apart = own_partners(agents.partners.parameters.parameters, configs)
    players: Any = put(with_own(agents.partners.parameters, dict.fromkeys(apart)), PartitionSpec(), mesh)
    return _program_of(configs, _Compiled(agents, mesh, players, begin, chunk))


class _Compiled(NamedTuple):
    """What programs of equal static configs share."""

    setup: AgentSetup
    mesh: Mesh
    players: Seated
    begin: Any
    chunk: Any


def _program_of(configs: Sequence[Config], compiled: _Compiled) -> Program:
    config, each = configs[0], PartitionSpec(MEMBERS)
    keys = put(jnp.concatenate([seed_keys(c) for c in configs]), each, compiled.mesh)
    with_dropout = any(c.partner_schedule.leave > 0 for c in configs)
    numbers = [traced_config(c, with_dropout) for c in configs for _ in range(c.seeds)]
    traced: Any = put(jax.tree.map(lambda *x: jnp.stack(x), *numbers), each, compiled.mesh)
    place = functools.partial(put, specs=_member_specs(), mesh=compiled.mesh)
    own_players: Any = put(own_partners(compiled.setup.partners.parameters.parameters, configs), each, compiled.mesh)

    def untrained():
        return compiled.begin(keys, traced)

    def first_members():
        if not config.start_from:
            return untrained()
        try:  # refuses a missing run before anything compiles
            config_of(source_of(config.start_from).folder)
        except ValueError as error:
            raise ValueError(f"start_from={config.start_from}: {error}") from None
        return place(begin_with(config.start_from, untrained(), configs, config.keep_optimiser))

    def compiled_begin() -> jax.stages.Compiled:
        return compiled.begin.lower(keys, traced).compile()

    def compiled_chunk(iterations: int) -> jax.stages.Compiled:
        members = place(jax.eval_shape(untrained))
        return compiled.chunk.lower(members, traced, own_players, compiled.players, iterations).compile()

    def memory(iterations: int) -> int:
        made: Any = compiled_chunk(iterations).memory_analysis()
        held = made.argument_size_in_bytes + made.output_size_in_bytes - made.alias_size_in_bytes
        return held + made.temp_size_in_bytes

    def others(configs: Sequence[Config]) -> Program:
        _check_alike(config, configs)
        return _program_of(configs, compiled)

    return Program(
        begin=first_members,
        untrained=untrained,
        chunk=lambda members, iterations: compiled.chunk(members, traced, own_players, compiled.players, iterations),
        place=place,
        compiled_begin=compiled_begin,
        compiled_chunk=compiled_chunk,
        memory=memory,
        others=others,
        setup=compiled.setup,
        local_devices=sum(device.process_index == jax.process_index() for device in compiled.mesh.devices.flat),
    )


def _check_alike(config: Config, others: Sequence[Config]) -> None:
    # Members with and without dropout may share a program, which is then compiled with dropout.
    static, _ = program_key(config)
    for other in others:
        for name, value in vars(program_key(other)[0]).items():
            if value != getattr(static, name):
                raise ValueError(
                    f"{name}={getattr(config, name)} and {getattr(other, name)}: settings that train side by side "
                    "differ in numbers only; make a program of each"
                )


def _member_specs() -> Member:
    """Returns the mesh axes that each part of members is sharded along."""
    each, worlds = PartitionSpec(MEMBERS), PartitionSpec(MEMBERS, WORLDS)
    learner = Learner(key=each, parameters=each, optimiser_state=each, rollout_state=worlds, iteration=each)  # pyright: ignore
    return Member(learner, each, each)  # pyright: ignore
