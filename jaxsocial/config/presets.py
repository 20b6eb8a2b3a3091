"""The presets: the only place where defaults of whole runs are chosen."""

import dataclasses

from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.config.config import Config, RulesConfig
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.penalty import PenaltyRamp, Stages
from jaxsocial.env.registry import make_scenario
from jaxsocial.learning.settings import Coefficients, Sizes

TERMS = {
    "expert": "a partner that enters the goals in order: one that knows it from the start, or one that searches for it",
    "SociAPL": "the paper's learner: recurrent PPO with an auxiliary loss, which predicts what it observes next (the "
    "frame in the paper, the view's symbols at scale laptop), trained beside experts",
    "vanilla": "the same learner without the auxiliary loss",
    "autoencoder": "the same learner with another auxiliary loss, which reconstructs the current frame",
    "solo": "the learner is alone in its world",
    "mixed": "the learner is alone in three worlds of four, and beside experts in the others",
    "imitation": "behaviour cloning: an expert acts in the learner's seat, and the learner fits its actions",
}
"""The terms of the presets' descriptions."""


def _laptop() -> Config:
    """Returns SociAPL in a small room: three goals, the full penalty, and experts that search for the goal order.

    docs/notebook/small-room.md says how its settings were found.
    """
    return Config(
        world=make_scenario(
            "goal_cycle",
            height=7,
            width=7,
            goals=3,
            clutter=0,
            agents=3,
            view_size=5,
            view_offset=1,
            max_steps=96,
            actions=3,
        ),
        rules=RulesConfig(penalty=2.0, prestige_scale=1.0),
        partners=("searching_expert", "searching_expert"),
        network=NetworkSizes(channels=(16,), dense=64, memory=64, heads=(64,)),
        # Sixteen worlds, so that an update sees four episodes: with 128 worlds no RGB learner left the local optimum.
        sizes=Sizes(
            worlds=16,
            steps=96,
            minibatches=12,
            segments=4,
            segment_length=96,
            refresh_interval=12,
            prediction="symbols",
        ),
        coefficients=Coefficients(
            learning_rate=7e-4,
            gamma=0.99,
            gae_lambda=0.95,
            value_weight=0.1,
            entropy_weight=0.02,
            kl_stop=1.0,
            kl_restore=1.0,
            prediction_weight=3.0,
        ),
        total_steps=3_000_000,
    )


def alone(config: Config) -> Config:
    """Returns the same config without partners."""
    return dataclasses.replace(config, world=dataclasses.replace(config.world, agents=1), partners=())


def predicting(config: Config, target: str) -> Config:
    """Returns the same config with another prediction target."""
    return dataclasses.replace(config, sizes=dataclasses.replace(config.sizes, prediction=target))


def symbolic(config: Config) -> Config:
    """Returns the same config with symbols as observation, and symbols predicted where frames are.

    The weight of symbols in place of frames is a choice, from docs/notebook/symbols.md.
    """
    target = {"frame": "symbols", "current_frame": "current_symbols"}.get(config.sizes.prediction)
    if target is not None:
        config = predicting(config, target)
        config = dataclasses.replace(config, coefficients=config.coefficients._replace(prediction_weight=0.1))
    return dataclasses.replace(
        config,
        world=dataclasses.replace(config.world, observation="symbolic"),
        network=dataclasses.replace(config.network, encoder="symbolic"),
    )


def mixed(config: Config) -> Config:
    """Returns a config to continue a run: 96 of 128 worlds without experts, full penalty (PROTOCOL: Conditions)."""
    return dataclasses.replace(config, partner_schedule=PartnerSchedule(solo=(0.75,)), penalty_ramp=PenaltyRamp())


def imitating(config: Config, segment_length: int = 10) -> Config:
    """Returns a config for behaviour cloning of an expert alone; learning rate and segments are the paper's."""
    sizes = dataclasses.replace(config.sizes, segment_length=segment_length, prediction="none")
    coefficients = config.coefficients._replace(learning_rate=3e-4)
    return dataclasses.replace(alone(config), sizes=sizes, coefficients=coefficients, teacher="expert")


def presets() -> dict[str, tuple[Config, str]]:
    """Returns all presets: name to (config, description)."""
    paper, laptop = Config(world=make_scenario("goal_cycle")), _laptop()
    # So many steps take two minutes on two CPU cores (docs/quickstart.md).
    quickstart = dataclasses.replace(symbolic(laptop), total_steps=2_595_840)
    solo_vanilla = predicting(alone(paper), "none")
    # The paper names the stages' penalties. The returns are a choice: about half of what a perfect learner gets (26).
    stages = Stages(penalties=(0.25, 0.5, 1.0, 1.5), returns=(12.0, 12.0, 12.0))
    made = {
        "quickstart": (
            quickstart,
            "SociAPL in a small room seen as symbols, beside two experts; two minutes on two CPU cores",
        ),
        "quickstart-solo": (alone(quickstart), "the same learner and number of steps, solo"),
        "laptop": (
            laptop,
            "SociAPL in the quickstart's room seen as pictures: it predicts symbols; four minutes per seed and core",
        ),
        "laptop-symbolic": (symbolic(laptop), "the same, with symbols as observation and as prediction"),
        "paper": (paper, "SociAPL at the paper's sizes: two experts, 1.5 million episodes"),
        "paper-symbolic": (
            symbolic(paper),
            "SociAPL at the paper's sizes, with symbols as observation and as prediction",
        ),
        "paper-solo": (alone(paper), "the paper's learner with next-frame prediction, solo"),
        "paper-solo-vanilla": (solo_vanilla, "vanilla at the paper's sizes, solo"),
        "paper-vanilla": (predicting(paper, "none"), "vanilla at the paper's sizes, beside two experts"),
        "paper-autoencoder": (
            predicting(paper, "current_frame"),
            "autoencoder at the paper's sizes, beside two experts",
        ),
        "paper-mixed": (mixed(paper), "mixed: SociAPL that continues an earlier run, which --start-from names"),
        "paper-imitation": (imitating(paper), "imitation of an expert at the paper's sizes, solo"),
        "expert": (
            dataclasses.replace(solo_vanilla, stages=stages),
            "vanilla, solo, under a penalty that grows in four stages: a trained expert for other runs",
        ),
    }
    return {name: (dataclasses.replace(config, preset=name), about) for name, (config, about) in made.items()}


def preset(name: str) -> Config:
    """Returns the preset of that name.

    Raises:
      ValueError: an unknown name, with the known ones.

    >>> preset("quickstart").total_steps
    2595840
    """
    known = presets()
    if name not in known:
        raise ValueError(f"preset {name!r} is unknown: choose from {', '.join(known)}")
    return known[name][0]
