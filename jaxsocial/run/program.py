"""A config made into functions, each compiled once: begin, a chunk of iterations, and evaluation episodes."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxsocial.agents.network import Parameters
from jaxsocial.agents.policy import Policy
from jaxsocial.agents.seats import seat_partners
from jaxsocial.env import make_env
from jaxsocial.learning.rollout import Outcome, rollout, start
from jaxsocial.learning.settings import Coefficients
from jaxsocial.learning.update import Learner, Metrics, Parts, new_learner, one_iteration
from jaxsocial.run.checkpoint import frozen_player, network_of
from jaxsocial.run.config import Config, world_rules
from jaxsocial.run.curriculum import PenaltyRamp, rules_in_force
from jaxsocial.scenario import Scenario
from jaxsocial.world import Rules

FROZEN = "run:"
"""Marks a partner that is the folder of an earlier run."""


class Program(NamedTuple):
    """The compiled side of a run. Seeds are the first axis of every learner."""

    begin: Callable[[], Learner]
    chunk: Callable[[Learner, int], tuple[Learner, Metrics]]
    """(learner, iterations) -> learner, metrics of shape (seeds, iterations)."""
    parts: Parts


def seed_keys(config: Config) -> Key[Array, " seeds"]:
    """One key a seed. A seed's key does not depend on which others train beside it."""
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))


def make_parts(config: Config) -> Parts:
    """The environment, network and partners of a config.

    Raises:
      ValueError: partners that are unknown or do not fit, or layers that the view has no room for.
    """
    partners = seated(config.partners, config.world)
    return Parts(make_env(config.world), network_of(config), partners, config.sizes)


def seated(names: tuple[str, ...], scenario: Scenario) -> Policy:
    """The partners of these names, those of earlier runs loaded.

    Raises:
      ValueError: partners that are unknown or do not fit.
    """
    frozen = {name: frozen_player(name.removeprefix(FROZEN)) for name in names if name.startswith(FROZEN)}
    return seat_partners(names, scenario, frozen)


def make_program(config: Config) -> Program:
    """Everything a run computes; compiles at the first call of each function."""
    parts = make_parts(config)
    rules = world_rules(config)
    coefficients, ramp = config.coefficients.traced(), config.penalty_ramp.traced()

    @jax.jit
    def begin(keys, rules: Rules, coefficients: Coefficients) -> Learner:
        return jax.vmap(lambda key: new_learner(key, rules, coefficients, parts))(keys)

    @functools.partial(jax.jit, static_argnums=1, donate_argnums=0)
    def chunk(learner, iterations: int, rules: Rules, ramp: PenaltyRamp, coefficients: Coefficients):
        return jax.vmap(lambda one: _iterations(one, iterations, rules, ramp, coefficients, parts))(learner)

    return Program(
        begin=lambda: begin(seed_keys(config), rules, coefficients),
        chunk=lambda learner, iterations: chunk(learner, iterations, rules, ramp, coefficients),
        parts=parts,
    )


def _iterations(
    learner: Learner, count: int, rules: Rules, ramp: PenaltyRamp, coefficients: Coefficients, parts: Parts
) -> tuple[Learner, dict[str, Float[Array, " iterations"]]]:
    """Iterations of one seed, each under the penalty then in force."""

    def one(learner: Learner, _):
        # In floats: 32-bit integers end at 2.1 billion steps.
        in_force = rules_in_force(learner.iteration * jnp.float32(parts.sizes.iteration_steps), rules, ramp)
        learner, metrics = one_iteration(learner, in_force, coefficients, parts)
        return learner, metrics | {"penalty": in_force.penalty.mean()}

    return jax.lax.scan(one, learner, None, count)


def play_episodes(key: Key[Array, ""], parameters: Parameters, rules: Rules, parts: Parts) -> Outcome:
    """One whole episode in each world of ``rules``; outcome over time, worlds and agents."""
    start_key, play_key = jax.random.split(key)
    play = start(start_key, parts.env, rules, parts.network, parts.partners)
    steps = parts.env.scenario.max_steps
    return rollout(play_key, play, parameters, rules, parts.env, parts.network, parts.partners, steps)[2]
