"""The presets: the only place where defaults of whole runs are chosen."""

import dataclasses

from jaxsocial.agents.networks.network import NetworkSizes
from jaxsocial.config.config import Config, RuleNumbers
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.penalty import PenaltyRamp, Stages
from jaxsocial.env.registry import make_scenario
from jaxsocial.learning.losses import Target
from jaxsocial.learning.settings import Coefficients, Sizes


def _small() -> Config:
    """Minutes on two cores: a small open room, four goals, short episodes, a light network.

    How these settings were found, and what each is for, is in docs/quickstart.md.
    """
    world = make_scenario(
        "goal_cycle",
        height=9,
        width=9,
        goals=4,
        clutter=0,
        agents=3,
        view_offset=3,
        max_steps=64,
        actions=3,
    )
    return Config(
        world=world,
        rules=RuleNumbers(prestige_scale=1.0),
        penalty_ramp=PenaltyRamp(initial_fraction=0.15, ramp_start=900_000, ramp_end=5_600_000),
        network=NetworkSizes(channels=(16,), dense=64, memory=64, heads=(64,), encoder="tile_contrast"),
        sizes=Sizes(
            worlds=64,
            steps=64,
            minibatches=12,
            segments=16,
            segment_length=64,
            refresh_interval=12,
            prediction="none",
        ),
        coefficients=Coefficients(
            learning_rate=5e-4,
            gamma=0.99,
            gae_lambda=0.95,
            value_weight=0.5,
            entropy_weight=0.02,
            kl_stop=1.0,
            kl_restore=1.0,
        ),
        total_steps=5_700_000,
    )


def _laptop(quickstart: Config) -> Config:
    """The quickstart's world with the paper's encoder, one layer of it, and the next frame predicted.

    How these settings were found, and what they do not show, is in docs/notebook/laptop-scale.md.
    """
    return dataclasses.replace(
        predicting(quickstart, "next"),
        penalty_ramp=PenaltyRamp(initial_fraction=0.15, ramp_start=2_000_000, ramp_end=6_000_000),
        network=NetworkSizes(channels=(16,), dense=96, memory=96, heads=(64,)),
        coefficients=quickstart.coefficients._replace(prediction_weight=1.0),
        total_steps=7_800_000,
    )


def alone(config: Config) -> Config:
    """The same learner without anyone beside it."""
    return dataclasses.replace(config, world=dataclasses.replace(config.world, agents=1), partners=())


def predicting(config: Config, target: Target) -> Config:
    """The same learner with another frame to predict, or none."""
    return dataclasses.replace(config, sizes=dataclasses.replace(config.sizes, prediction=target))


def mixed(config: Config) -> Config:
    """96 of 128 worlds without experts, at the whole penalty, to go on from what was learned (PROTOCOL: Conditions)."""
    return dataclasses.replace(config, partner_schedule=PartnerSchedule(solo=(0.75,)), penalty_ramp=PenaltyRamp())


def imitating(config: Config) -> Config:
    """An expert acts, alone in its world, and the learner fits what it does: learning rate 3e-4, segments of 10."""
    sizes = dataclasses.replace(config.sizes, segment_length=10, prediction="none")
    coefficients = config.coefficients._replace(learning_rate=3e-4)
    return dataclasses.replace(alone(config), sizes=sizes, coefficients=coefficients, teacher="expert")


def _expert(config: Config) -> Config:
    """The paper's stages; the returns that end them are a choice, about half of what knowing the order earns (26)."""
    stages = Stages(penalties=(0.25, 0.5, 1.0, 1.5), returns=(12.0, 12.0, 12.0))
    return dataclasses.replace(predicting(alone(config), "none"), stages=stages)


def _presets() -> dict[str, tuple[Config, str]]:
    paper = Config(world=make_scenario("goal_cycle"))
    quickstart = _small()
    return {
        "quickstart": (quickstart, "a small room with two experts who know the order; minutes on two CPU cores"),
        "quickstart-solo": (alone(quickstart), "the same learner, as long, alone"),
        "laptop": (
            _laptop(quickstart),
            "the same room, the paper's encoder, next frame predicted; a quarter of an hour a seed",
        ),
        "paper": (paper, "the paper's SociAPL: two experts, next frame predicted, 1.5 M episodes"),
        "paper-solo": (alone(paper), "alone, next frame predicted"),
        "paper-solo-vanilla": (predicting(alone(paper), "none"), "alone, nothing predicted"),
        "paper-vanilla": (predicting(paper, "none"), "two experts, nothing predicted"),
        "paper-autoencoder": (predicting(paper, "current"), "two experts, the current frame reconstructed"),
        "paper-mixed": (mixed(paper), "SociAPL goes on, three worlds of four without experts; give --start-from"),
        "paper-imitation": (imitating(paper), "behaviour cloning on what an expert sees and does, alone"),
        "expert": (_expert(paper), "alone, under penalties that rise as it gets better: an expert for other runs"),
    }


def presets() -> dict[str, tuple[Config, str]]:
    """All presets: name to (config, one line on what it is)."""
    return {name: (dataclasses.replace(config, preset=name), about) for name, (config, about) in _presets().items()}


def preset(name: str) -> Config:
    """The preset of that name.

    Raises:
      ValueError: there is none, with the names there are.
    """
    known = presets()
    if name not in known:
        raise ValueError(f"preset {name!r} is unknown: choose from {', '.join(known)}")
    return known[name][0]
