"""The traced side of a config: every number that a sweep may vary, as the program takes it."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsocial.agents.seating import ABSENT
from jaxsocial.config.config import Config, RuleNumbers
from jaxsocial.config.partners import Company, dropout_of, partner_noise, rules_of_worlds
from jaxsocial.config.penalty import PenaltyRamp, Progress, Stages, penalty_in_force
from jaxsocial.env.types import Rules, make_rules
from jaxsocial.learning.settings import Coefficients


class Numbers(NamedTuple):
    """One setting. Settings whose configs differ in nothing else train side by side in one program."""

    rules: Rules
    """Of one world with all its agents."""
    coefficients: Coefficients
    penalty_ramp: PenaltyRamp
    stages: Stages
    company: Company


def numbers_of(config: Config, with_dropout: bool | None = None) -> Numbers:
    """The numbers of a config as arrays.

    Args:
      config: the setting.
      with_dropout: whether the program can have partners come and go; if not given, where the config has them do so.
    """
    company = config.company.traced()
    dropout = None
    if config.company.leave > 0 if with_dropout is None else with_dropout:
        dropout = dropout_of(company, config.sizes.learners, config.world.agents)
    rules = make_rules(config.world, **dataclasses.asdict(config.rules))._replace(dropout=dropout)
    return Numbers(rules, config.coefficients.traced(), config.penalty_ramp.traced(), config.stages.traced(), company)


def without_numbers(config: Config) -> Config:
    """The static side of a config: equal for settings that can train side by side."""
    company, stages = config.company, config.stages
    return dataclasses.replace(
        config,
        rules=RuleNumbers(penalty=0.0),
        coefficients=Coefficients(),
        penalty_ramp=PenaltyRamp(),
        stages=Stages(penalties=(0.0,) * len(stages.penalties), steps=(1.0,) * (len(stages.penalties) - 1)),
        company=Company(
            epsilon=(0.0,) * len(company.epsilon),
            solo=(0.0,) * len(company.solo),
            solo_steps=tuple(map(float, range(len(company.solo)))),
        ),
        seed=0,
    )


def taken_seats(config: Config) -> Bool[np.ndarray, " A"]:
    """Which seats are taken: the learners', and those of partners that are not absent."""
    return np.array([True] * config.sizes.learners + [name != ABSENT for name in config.partners])


def training_rules(
    numbers: Numbers, steps: Float[Array, ""], progress: Progress, config: Config, worlds: Int[Array, " N"]
) -> Rules:
    """The rules of these worlds, by their numbers, in an iteration that begins after so many learner steps."""
    penalty = penalty_in_force(numbers.rules.penalty, steps, numbers.penalty_ramp, numbers.stages, progress)
    return rules_of_worlds(
        numbers.rules._replace(penalty=penalty),
        numbers.company,
        steps,
        taken_seats(config),
        config.sizes.learners,
        worlds,
        config.sizes.worlds,
    )


def evaluation_rules(config: Config, worlds: int, alone: bool = False) -> Rules:
    """The rules of worlds for evaluation: the whole penalty, and partners in all of them throughout, or in none."""
    company = config.company._replace(solo=(1.0 if alone else 0.0,), solo_steps=(0.0,), solo_drawn=False, leave=0.0)
    rules = numbers_of(dataclasses.replace(config, company=company)).rules
    seated, learners = taken_seats(config), config.sizes.learners
    return rules_of_worlds(rules, company.traced(), jnp.float32(0.0), seated, learners, jnp.arange(worlds), worlds)


def player_noise(numbers: Numbers, config: Config) -> Float[Array, " seats"]:
    """How often each seat that does not learn errs; a teacher never does."""
    teachers = jnp.zeros(config.sizes.learners if config.teacher else 0)
    return jnp.concatenate([teachers, partner_noise(numbers.company, len(config.partners))])
