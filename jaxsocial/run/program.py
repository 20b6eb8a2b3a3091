"""Configs made into functions, each compiled once: begin, and a chunk of iterations.

Members of a program, each a seed of a setting, train side by side under `jax.vmap`. Several devices share them, or
where there are fewer members than devices the worlds of each (`jax.shard_map`); one device runs the same code.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Key

from jaxsocial.agents.network import Parameters
from jaxsocial.agents.policy import Policy
from jaxsocial.agents.seats import Seated, seat_partners
from jaxsocial.env import make_env
from jaxsocial.learning import sharing
from jaxsocial.learning.rollout import Parts
from jaxsocial.learning.update import Learner, Metrics, new_learner, one_iteration
from jaxsocial.run.checkpoint import config_of, network_of
from jaxsocial.run.company import partner_noise
from jaxsocial.run.config import Config
from jaxsocial.run.curriculum import Progress, advanced, first_progress
from jaxsocial.run.devices import MEMBERS, WORLDS, devices_for, put
from jaxsocial.run.numbers import Numbers, numbers_of, training_rules, without_numbers
from jaxsocial.run.trained import begin_with, frozen_player, source_of
from jaxsocial.scenario import Scenario
from jaxsocial.world import Rules

FROZEN = "run:"
"""Marks a partner that is the folder of an earlier run."""


class Member(NamedTuple):
    """One seed of one setting: all that changes in a run."""

    learner: Learner
    progress: Progress
    healthy: Bool[Array, ""]
    """False once a number went bad; the rest stays as it was before that iteration."""


class Program(NamedTuple):
    """The compiled side of a run. Members are the first axis of everything."""

    begin: Callable[[], Member]
    """As a run begins: untrained, or with the networks that it goes on from."""
    untrained: Callable[[], Member]
    chunk: Callable[[Member, int], tuple[Member, Metrics]]
    """(members, iterations) -> members, metrics of shape (members, iterations, learners)."""
    place: Callable[[Member], Member]
    """Puts members, restored from disk, on the devices that they belong to."""
    parts: Parts


def seed_keys(config: Config) -> Key[Array, " seeds"]:
    """One key a seed. A seed's key does not depend on which others train beside it."""
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))


def make_parts(config: Config) -> Parts:
    """The environment, network and partners of a config.

    Raises:
      ValueError: partners that are unknown or do not fit, or layers that the view has no room for.
    """
    teachers = (config.teacher,) * config.sizes.learners if config.teacher else ()
    partners = seated(teachers + config.partners, config.world, config.sizes.learners - len(teachers))
    partners = partners._replace(
        parameters=partners.parameters._replace(epsilon=player_noise(numbers_of(config), config))
    )
    return Parts(make_env(config.world), network_of(config), partners, config.sizes, imitates=bool(teachers))


def seated(names: tuple[str, ...], scenario: Scenario, first_seat: int = 1) -> Policy:
    """The players of these names, those of earlier runs loaded.

    Raises:
      ValueError: players that are unknown or do not fit.
    """
    frozen = {name: frozen_player(name.removeprefix(FROZEN)) for name in names if name.startswith(FROZEN)}
    return seat_partners(names, scenario, frozen, first_seat)


def make_program(configs: Config | Sequence[Config], devices: Sequence[Any] | None = None) -> Program:
    """Everything a run computes; compiles at the first call of each function.

    Args:
      configs: one, or several that differ in nothing but numbers and seeds; each has as many members as seeds.
      devices: what to compute on; all there are if not given. As many are used as can share evenly.

    Raises:
      ValueError: configs that cannot train side by side, or see `make_parts`.
    """
    configs = (configs,) if isinstance(configs, Config) else tuple(configs)
    config = configs[0]
    for other in configs[1:]:
        _check_alike(config, other)
    mesh = devices_for(sum(c.seeds for c in configs), config, jax.devices() if devices is None else devices)
    parts = make_parts(config)._replace(axis=WORLDS if mesh.shape[WORLDS] > 1 else None)
    fixed = _Fixed(config, parts, config.sizes.worlds // mesh.shape[WORLDS])
    each, where = PartitionSpec(MEMBERS), _layout()
    keys = put(jnp.concatenate([seed_keys(c) for c in configs]), each, mesh)
    numbers = put(_numbers_of_members(configs), each, mesh)
    # A frozen network was read onto one device.
    players = put(parts.partners.parameters, PartitionSpec(), mesh)
    spread = functools.partial(jax.shard_map, mesh=mesh, out_specs=where, check_vma=False)

    @jax.jit
    def begin(keys, numbers):
        return spread(functools.partial(_begin, fixed=fixed), in_specs=(each, each))(keys, numbers)

    @functools.partial(jax.jit, static_argnums=3, donate_argnums=0)
    def chunk(members, numbers, players, iterations: int):
        run = functools.partial(_chunk, iterations=iterations, fixed=fixed)
        specs = (where, each, PartitionSpec())
        return spread(run, in_specs=specs, out_specs=(where, each))(members, numbers, players)

    place = functools.partial(put, layout=where, mesh=mesh)

    def untrained():
        return begin(keys, numbers)

    def first_members():
        if not config.start_from:
            return untrained()
        config_of(source_of(config.start_from).folder)  # refused before anything compiles
        return place(begin_with(config.start_from, untrained(), config.keep_optimiser))

    return Program(
        begin=first_members,
        untrained=untrained,
        chunk=lambda members, iterations: chunk(members, numbers, players, iterations),
        place=place,
        parts=parts,
    )


class _Fixed(NamedTuple):
    """What the compiled functions close over."""

    config: Config
    parts: Parts
    worlds: int
    """How many worlds of a member lie on a device."""


def _check_alike(config: Config, other: Config) -> None:
    mine, theirs = without_numbers(config), without_numbers(other)
    for field in dataclasses.fields(Config):
        name = field.name
        if name not in ("seed", "seeds", "preset") and getattr(mine, name) != getattr(theirs, name):
            raise ValueError(
                f"{name}={getattr(config, name)} and {getattr(other, name)}: settings that train side by side differ "
                "in numbers only; make a program of each"
            )


def _numbers_of_members(configs: Sequence[Config]) -> Numbers:
    """The numbers of every member, members as the first axis."""
    with_dropout = any(config.company.leave > 0 for config in configs)
    each = [numbers_of(config, with_dropout) for config in configs for _ in range(config.seeds)]
    return jax.tree.map(lambda *x: jnp.stack(x), *each)


def _layout() -> Member:
    """Along which axes of devices the parts of members lie."""
    each, worlds = PartitionSpec(MEMBERS), PartitionSpec(MEMBERS, WORLDS)
    learner = Learner(key=each, parameters=each, optimiser_state=each, play=worlds, iteration=each)  # pyright: ignore
    return Member(learner, each, each)  # pyright: ignore


def _begin(keys, numbers: Numbers, fixed: _Fixed) -> Member:
    return jax.vmap(lambda key, own: _new_member(key, own, fixed))(keys, numbers)


def _new_member(key, numbers: Numbers, fixed: _Fixed) -> Member:
    progress = first_progress()
    rules = _rules_now(numbers, jnp.float32(0.0), progress, fixed)
    learner = new_learner(key, rules, numbers.coefficients, fixed.parts)
    return Member(learner, progress, jnp.bool_(True))


def _chunk(members: Member, numbers: Numbers, players: Seated, iterations: int, fixed: _Fixed):
    return jax.vmap(lambda member, own: _iterations(member, own, players, iterations, fixed))(members, numbers)


def _rules_now(numbers: Numbers, steps, progress: Progress, fixed: _Fixed) -> Rules:
    here = sharing.world_numbers(fixed.worlds, fixed.parts.axis)
    return training_rules(numbers, steps, progress, fixed.config, here)


def _iterations(
    member: Member, numbers: Numbers, players: Seated, count: int, fixed: _Fixed
) -> tuple[Member, dict[str, Float[Array, "iterations L"]]]:
    """Iterations of one member, each under the rules then in force."""
    noise = player_noise(numbers, fixed.config)

    def one(member: Member, _):
        # In floats: 32-bit integers end at 2.1 billion steps.
        steps = member.learner.iteration * jnp.float32(fixed.config.iteration_steps)
        rules = _rules_now(numbers, steps, member.progress, fixed)
        learner, metrics = one_iteration(
            member.learner, players._replace(epsilon=noise), rules, numbers.coefficients, fixed.parts
        )
        progress = advanced(member.progress, numbers.stages, _mean_return(metrics), fixed.config.iteration_steps)
        member = _unless_bad(member, Member(learner, progress, _all_finite(learner.parameters, metrics["loss"])))
        facts = {"penalty": rules.penalty.mean(), "stage": member.progress.stage, "healthy": member.healthy}
        return member, metrics | {name: jnp.broadcast_to(fact, metrics["loss"].shape) for name, fact in facts.items()}

    return jax.lax.scan(one, member, None, count)


def player_noise(numbers: Numbers, config: Config) -> Float[Array, " seats"]:
    """How often each seat that does not learn errs; a teacher never does."""
    teachers = jnp.zeros(config.sizes.learners if config.teacher else 0)
    return jnp.concatenate([teachers, partner_noise(numbers.company, len(config.partners))])


def _mean_return(metrics: Metrics) -> Float[Array, ""]:
    """The learners' return, in company where they were in any."""
    social, solo = metrics["social_return"], metrics["solo_return"]
    return jnp.where(jnp.isnan(social), solo, social).mean()


def _all_finite(parameters: Parameters, loss: Float[Array, " L"]) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in (*jax.tree.leaves(parameters), loss)]).all()


def _unless_bad(before: Member, after: Member) -> Member:
    """The new one; where numbers went bad, now or earlier, the old one, marked."""
    healthy = before.healthy & after.healthy
    kept: Any = jax.tree.map(lambda new, old: jnp.where(healthy, new, old), after, before)
    return kept._replace(healthy=healthy)
