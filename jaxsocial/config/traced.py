"""The traced side of a config: every number that a sweep may vary, as the program takes it."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.agents.seating import ABSENT
from jaxsocial.config.config import Config, RuleNumbers
from jaxsocial.config.partners import PartnerSchedule, dropout_of, partner_noise, rules_of_worlds
from jaxsocial.config.penalty import PenaltyRamp, Progress, Stages, penalty_in_force
from jaxsocial.env.types import Rules, make_rules
from jaxsocial.learning.settings import Coefficients


class TracedConfig(NamedTuple):
    """One setting. Settings whose configs differ in nothing else train side by side in one program."""

    rules: Rules
    """Of one world with all its agents."""
    coefficients: Coefficients
    penalty_ramp: PenaltyRamp
    stages: Stages
    partner_schedule: PartnerSchedule


def traced_config(config: Config, with_dropout: bool | None = None) -> TracedConfig:
    """The numbers of a config as arrays.

    Args:
      config: the setting.
      with_dropout: whether the program can have partners come and go; if not given, where the config has them do so.
    """
    partner_schedule = config.partner_schedule.traced()
    dropout = None
    if config.partner_schedule.leave > 0 if with_dropout is None else with_dropout:
        dropout = dropout_of(partner_schedule, config.sizes.learners, config.world.agents)
    rules = make_rules(config.world, **dataclasses.asdict(config.rules))._replace(dropout=dropout)
    return TracedConfig(
        rules, config.coefficients.traced(), config.penalty_ramp.traced(), config.stages.traced(), partner_schedule
    )


def static_config(config: Config) -> Config:
    """The static side of a config: equal for settings that can train side by side."""
    partner_schedule, stages = config.partner_schedule, config.stages
    return dataclasses.replace(
        config,
        rules=RuleNumbers(penalty=0.0),
        coefficients=Coefficients(),
        penalty_ramp=PenaltyRamp(),
        stages=Stages(penalties=(0.0,) * len(stages.penalties), steps=(1.0,) * (len(stages.penalties) - 1)),
        partner_schedule=PartnerSchedule(
            epsilon=(0.0,) * len(partner_schedule.epsilon),
            solo=(0.0,) * len(partner_schedule.solo),
            solo_steps=tuple(map(float, range(len(partner_schedule.solo)))),
        ),
        seed=0,
    )


def program_key(config: Config) -> tuple[Config, bool]:
    """Returns what a config's program is compiled for: its static side, and whether partners drop out.

    The seeds do not count: their number is a batch size. Everything else that is static does, also the log points,
    since members of a program share them.

    >>> from jaxsocial.config.presets import preset
    >>> config = preset("quickstart")
    >>> program_key(config) == program_key(dataclasses.replace(config, seed=3, seeds=2))
    True
    """
    return dataclasses.replace(static_config(config), seeds=1, preset=""), config.partner_schedule.leave > 0


def same_program(config: Config, other: Config) -> bool:
    """Returns whether two configs compile to one program."""
    return program_key(config) == program_key(other)


def taken_seats(config: Config) -> Bool[np.ndarray, " A"]:
    """Which seats are taken: the learners', and those of partners that are not absent."""
    return np.array([True] * config.sizes.learners + [name != ABSENT for name in config.partners])


def training_rules(
    traced: TracedConfig, steps: Float[Array, ""], progress: Progress, config: Config, worlds: Int[Array, " N"]
) -> Rules:
    """The rules of these worlds, by their numbers, in an iteration that begins after so many learner steps."""
    penalty = penalty_in_force(traced.rules.penalty, steps, traced.penalty_ramp, traced.stages, progress)
    return rules_of_worlds(
        traced.rules._replace(penalty=penalty),
        traced.partner_schedule,
        steps,
        taken_seats(config),
        config.sizes.learners,
        worlds,
        config.sizes.worlds,
    )


def evaluation_rules(config: Config, worlds: int, alone: bool = False) -> Rules:
    """The rules of worlds for evaluation: the whole penalty, and partners in all of them throughout, or in none."""
    partner_schedule = config.partner_schedule._replace(
        solo=(1.0 if alone else 0.0,), solo_steps=(0.0,), solo_drawn=False, leave=0.0
    )
    rules = traced_config(dataclasses.replace(config, partner_schedule=partner_schedule)).rules
    seated, learners = taken_seats(config), config.sizes.learners
    return rules_of_worlds(
        rules, partner_schedule.traced(), jnp.float32(0.0), seated, learners, jnp.arange(worlds), worlds
    )


def player_noise(traced: TracedConfig, config: Config) -> Float[Array, " seats"]:
    """How often each seat that does not learn errs; a teacher never does."""
    teachers = jnp.zeros(config.sizes.learners if config.teacher else 0)
    return jnp.concatenate([teachers, partner_noise(traced.partner_schedule, len(config.partners))])
