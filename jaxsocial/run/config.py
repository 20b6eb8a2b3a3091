"""What a run is made of, and the presets: the only place where defaults of whole runs are chosen."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxsocial.agents.network import NetworkSizes
from jaxsocial.learning.settings import Coefficients, Sizes
from jaxsocial.registry import make_scenario
from jaxsocial.run.curriculum import PenaltyRamp
from jaxsocial.run.worlds import make_world, settings
from jaxsocial.scenario import Scenario
from jaxsocial.world import Rules, make_rules


@dataclasses.dataclass(frozen=True)
class RuleNumbers:
    """The world's numbers that may change without compiling again."""

    reward: float = 1.0
    """Pay for entering the next goal of the cycle."""
    penalty: float = 1.5
    """Price of entering any other goal."""
    prestige_decay: float = 0.99
    """Factor on prestige after every step, 0 to 1."""
    prestige_scale: float = 4.0
    """Prestige (in rewards) at which an agent is 76 % blue, above 0."""
    first_level: int = 0
    """The first of the fixed levels, where there are any."""
    levels: int = 0
    """How many fixed levels episodes begin from; 0 for a fresh one every time."""


@dataclasses.dataclass(frozen=True)
class Config:
    """A run. Raises ValueError, with the cure, where its parts do not fit together."""

    world: Scenario
    """The world, its sizes and switches."""
    rules: RuleNumbers = RuleNumbers()
    """The world's rewards and prestige."""
    penalty_ramp: PenaltyRamp = PenaltyRamp()
    """How the penalty grows over training."""
    partners: tuple[str, ...] = ("expert", "expert")
    """Who sits beside the learner, one a seat: expert, searching_expert, random, or run:FOLDER for a trained one."""
    solo_worlds: int = 0
    """In how many of the worlds the learner is alone."""
    network: NetworkSizes = NetworkSizes()
    """The learner's layers."""
    sizes: Sizes = Sizes()
    """What is played and learned from in one iteration."""
    coefficients: Coefficients = Coefficients()
    """The numbers of learning."""
    total_steps: int = 375_000_000
    """Learner steps of each seed, all worlds together; rounded up to whole log points."""
    seed: int = 0
    """The first seed."""
    seeds: int = 1
    """How many seeds train at once: seed, seed + 1, ..."""
    log_steps: int = 200_000
    """Learner steps between two lines of metrics; nothing touches the host in between."""
    checkpoint_steps: int = 2_000_000
    """Learner steps between two checkpoints."""
    evaluation_episodes: int = 256
    """Episodes that the finished learner, and an untrained one, are measured over."""
    preset: str = "paper"
    """The preset to begin from: see `jaxsocial presets`. Every other option changes one field of it."""

    def __post_init__(self):
        for name in ("total_steps", "seeds", "log_steps", "checkpoint_steps", "evaluation_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: choose 1 or more")
        if not 0 <= self.solo_worlds <= self.sizes.worlds:
            raise ValueError(f"solo_worlds={self.solo_worlds}: choose 0 to {self.sizes.worlds}, the worlds there are")
        if len(self.partners) != self.world.agents - 1:
            raise ValueError(
                f"partners={self.partners} are {len(self.partners)}, but world.agents={self.world.agents} leaves "
                f"{self.world.agents - 1} seats beside the learner: name one for each"
            )
        if self.rules.prestige_scale <= 0:
            raise ValueError(f"rules.prestige_scale={self.rules.prestige_scale}: choose a number above 0")
        for name in ("first_level", "levels"):
            if getattr(self.rules, name) < 0:
                raise ValueError(f"rules.{name}={getattr(self.rules, name)}: choose 0 or more")
        ramp = self.penalty_ramp
        if not 0 <= ramp.first_share <= 1:
            raise ValueError(f"penalty_ramp.first_share={ramp.first_share}: choose 0 to 1, 1 for no ramp")
        if not 0 <= ramp.hold_steps <= ramp.full_steps:
            raise ValueError(
                f"penalty_ramp.hold_steps={ramp.hold_steps}, full_steps={ramp.full_steps}: "
                "choose 0 or more, and full_steps no smaller than hold_steps"
            )

    @property
    def iteration_steps(self) -> int:
        """Learner steps in one iteration."""
        return self.sizes.iteration_steps

    @property
    def chunk_iterations(self) -> int:
        """Iterations in one compiled call."""
        needed = -(-self.total_steps // self.iteration_steps)
        return min(max(1, self.log_steps // self.iteration_steps), needed)

    @property
    def iterations(self) -> int:
        """Iterations in the whole run: whole chunks, since a last one of another length would be compiled anew."""
        chunk_steps = self.chunk_iterations * self.iteration_steps
        return -(-self.total_steps // chunk_steps) * self.chunk_iterations


def world_rules(config: Config) -> Rules:
    """Rules for every world of a batch, worlds as the first axis: the solo worlds come first."""
    rules = make_rules(config.world, **dataclasses.asdict(config.rules))
    worlds = config.sizes.worlds
    batch: Rules = jax.tree.map(lambda x: jnp.broadcast_to(x, (worlds, *x.shape)), rules)
    social = jnp.arange(worlds) >= config.solo_worlds
    others = jnp.arange(config.world.agents) > 0
    return batch._replace(present=batch.present & (social[:, None] | ~others))


def to_plain(record) -> Any:
    """A config, or a part of it, as what JSON can hold; the settings of a world's layout stand beside the world's."""
    if isinstance(record, Scenario):
        return {name: to_plain(value) for name, value in settings(record).items()}
    if dataclasses.is_dataclass(record):
        return {f.name: to_plain(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if hasattr(record, "_asdict"):
        return {name: to_plain(value) for name, value in record._asdict().items()}
    return [to_plain(part) for part in record] if isinstance(record, tuple) else record


def from_plain(plain: dict[str, Any]) -> Config:
    """The inverse of `to_plain`.

    Raises:
      ValueError: a field that does not exist, or a value that does not fit.
    """
    parts = {
        "world": make_world,
        "rules": RuleNumbers,
        "penalty_ramp": PenaltyRamp,
        "network": NetworkSizes,
        "sizes": Sizes,
        "coefficients": Coefficients,
    }
    try:
        made: dict[str, Any] = {name: build(**_with_tuples(plain[name])) for name, build in parts.items()}
        return Config(**(_with_tuples(plain) | made))
    except (KeyError, TypeError) as error:
        raise ValueError(f"this config was not written by this version of jaxsocial: {error}") from None


def _with_tuples(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


def write_config(config: Config, path: Path) -> None:
    path.write_text(json.dumps(to_plain(config), indent=2) + "\n")


def read_config(path: Path) -> Config:
    return from_plain(json.loads(path.read_text()))


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
        penalty_ramp=PenaltyRamp(first_share=0.15, hold_steps=900_000, full_steps=5_600_000),
        network=NetworkSizes(channels=(16,), dense=64, memory=64, heads=(64,), encoder="contrasts"),
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


def _alone(config: Config) -> Config:
    return dataclasses.replace(config, world=dataclasses.replace(config.world, agents=1), partners=())


def _predicting(config: Config, target) -> Config:
    return dataclasses.replace(config, sizes=dataclasses.replace(config.sizes, prediction=target))


def _presets() -> dict[str, tuple[Config, str]]:
    paper = Config(world=make_scenario("goal_cycle"))
    quickstart = _small()
    return {
        "quickstart": (quickstart, "a small room with two experts who know the order; minutes on two CPU cores"),
        "quickstart-solo": (_alone(quickstart), "the same learner, as long, alone"),
        "paper": (paper, "the paper's SociAPL: two experts, next frame predicted, 1.5 M episodes"),
        "paper-solo": (_alone(paper), "alone, next frame predicted"),
        "paper-vanilla": (_predicting(paper, "none"), "two experts, nothing predicted"),
        "paper-autoencoder": (_predicting(paper, "current"), "two experts, the current frame reconstructed"),
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
