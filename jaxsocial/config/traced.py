"""The traced side of a config: every number that a sweep may vary, as arguments of the compiled program."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsocial.config.config import Config, RulesConfig
from jaxsocial.config.partners import PartnerSchedule, dropout_of, partner_noise, rules_of_worlds
from jaxsocial.config.penalty import PenaltyRamp, Progress, Stages, current_penalty
from jaxsocial.env.types import Rules, make_rules
from jaxsocial.learning.settings import Coefficients


class TracedConfig(NamedTuple):
    """The numbers of one config. Configs that differ in these alone train together in one program."""

    rules: Rules
    """The rules of one world with all its agents."""
    coefficients: Coefficients
    penalty_ramp: PenaltyRamp
    stages: Stages
    partner_schedule: PartnerSchedule


def traced_config(config: Config, with_dropout: bool | None = None) -> TracedConfig:
    """Returns the numbers of a config as arrays.

    >>> from jaxsocial.config.presets import preset
    >>> traced_config(preset("paper")).rules.penalty
    Array(1.5, dtype=float32)

    Args:
      config: the config.
      with_dropout: whether to compile dropout; if None, only if the config's partners can leave.
    """
    partner_schedule = config.partner_schedule.traced()
    # None is part of the pytree: a program without dropout has no operations for it.
    dropout = None
    if config.partner_schedule.leave > 0 if with_dropout is None else with_dropout:
        dropout = dropout_of(partner_schedule, config.sizes.learners, config.world.agents)
    rules = make_rules(config.world, **dataclasses.asdict(config.rules), dropout=dropout)
    return TracedConfig(
        rules, config.coefficients.traced(), config.penalty_ramp.traced(), config.stages.traced(), partner_schedule
    )


def static_config(config: Config) -> Config:
    """Returns the static side of a config: equal for configs that can train together in one program.

    >>> from jaxsocial.config.presets import preset
    >>> paper = preset("paper")
    >>> other = dataclasses.replace(paper, rules=RulesConfig(penalty=0.5), seed=3)
    >>> static_config(other) == static_config(paper)
    True
    """
    partner_schedule, stages = config.partner_schedule, config.stages
    return dataclasses.replace(
        config,
        rules=RulesConfig(penalty=0.0),  # that of the last stage, as a config demands
        coefficients=Coefficients(),
        penalty_ramp=PenaltyRamp(),
        # Lists keep their lengths, which are shapes.
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


def training_rules(
    traced: TracedConfig, steps: Float[Array, ""], progress: Progress, config: Config, worlds: Int[Array, " N"]
) -> Rules:
    """Computes the rules of some worlds in one iteration of training.

    Args:
      traced: the numbers of the config.
      steps: learner steps before the iteration.
      progress: the current stage.
      config: the config; its static side is used.
      worlds: the indices of the worlds.
    """
    penalty = current_penalty(traced.rules.penalty, steps, traced.penalty_ramp, traced.stages, progress)
    return rules_of_worlds(
        traced.rules._replace(penalty=penalty),
        traced.partner_schedule,
        steps,
        config.taken_seats,
        config.sizes.learners,
        worlds,
        config.sizes.worlds,
    )


def evaluation_rules(config: Config, worlds: int, alone: bool = False) -> Rules:
    """Computes the rules for evaluation: the full penalty, no dropout, and partners in all worlds or in none.

    Args:
      config: the config.
      worlds: the number of worlds.
      alone: whether to leave the partners out.
    """
    partner_schedule = config.partner_schedule._replace(
        solo=(1.0 if alone else 0.0,), solo_steps=(0.0,), solo_drawn=False, leave=0.0
    )
    rules = traced_config(dataclasses.replace(config, partner_schedule=partner_schedule)).rules
    # Results of different schedules are compared, so evaluation must not depend on the schedule.
    seated, learners = config.taken_seats, config.sizes.learners
    return rules_of_worlds(
        rules, partner_schedule.traced(), jnp.float32(0.0), seated, learners, jnp.arange(worlds), worlds
    )


def player_noise(traced: TracedConfig, config: Config) -> Float[Array, " seats"]:
    """Returns the probability of a random action for each seat that does not learn; 0 for teachers."""
    teachers = jnp.zeros(config.sizes.learners if config.teacher else 0, jnp.float32)
    return jnp.concatenate([teachers, partner_noise(traced.partner_schedule, len(config.partners))])
