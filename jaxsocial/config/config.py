"""What a run is made of."""

import dataclasses
from typing import Any

from jaxsocial.agents.networks.network import NetworkSizes
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.penalty import PenaltyRamp, Stages
from jaxsocial.config.renamed import SCHEMA, upgraded
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import make_world, settings
from jaxsocial.learning.settings import Coefficients, Sizes


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
    stages: Stages = Stages()
    """Penalties one after another, each until the learner does well."""
    partners: tuple[str, ...] = ("expert", "expert")
    """Who sits beside the learners, one a seat: expert, searching_expert, anti_expert, random, absent, or a trained
    one: run:FOLDER, with @STEPS for an earlier checkpoint, #SEED for another of its seeds, #SEED.LEARNER for another
    learner of its worlds."""
    partner_schedule: PartnerSchedule = PartnerSchedule()
    """How partners err, where they are missing, how they come and go."""
    teacher: str = ""
    """Whom to imitate, named like a partner: it acts in the learner's seat, and the learner learns to do as it does."""
    start_from: str = ""
    """The folder of a run whose networks these learners begin with, with @STEPS for an earlier checkpoint."""
    keep_optimiser: bool = False
    """Whether the optimiser's state comes along with ``start_from``, or begins anew."""
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
    keep_every: int = 0
    """Every so many checkpoints one is kept for good, to sit beside others as run:FOLDER@STEPS; 0 for none."""
    evaluation_episodes: int = 256
    """Episodes that the finished learner, and an untrained one, are measured over."""
    preset: str = "paper"
    """The preset to begin from: see `jaxsocial presets`. Every other option changes one field of it."""

    def __post_init__(self):
        for name in ("total_steps", "seeds", "log_steps", "checkpoint_steps", "evaluation_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: choose 1 or more")
        if self.keep_every < 0:
            raise ValueError(f"keep_every={self.keep_every}: choose 0 or more")
        left = self.world.agents - self.sizes.learners
        if len(self.partners) != left:
            raise ValueError(
                f"partners={self.partners} are {len(self.partners)}, but world.agents={self.world.agents} leaves "
                f"{left} seats beside the learner: name one for each"
            )
        problem = self.partner_schedule.problem(left) or self.stages.problem(self.rules.penalty)
        if problem:
            raise ValueError(problem)
        if self.rules.prestige_scale <= 0:
            raise ValueError(f"rules.prestige_scale={self.rules.prestige_scale}: choose a number above 0")
        for name in ("first_level", "levels"):
            if getattr(self.rules, name) < 0:
                raise ValueError(f"rules.{name}={getattr(self.rules, name)}: choose 0 or more")
        ramp = self.penalty_ramp
        if not 0 <= ramp.initial_fraction <= 1:
            raise ValueError(f"penalty_ramp.initial_fraction={ramp.initial_fraction}: choose 0 to 1, 1 for no ramp")
        if not 0 <= ramp.ramp_start <= ramp.ramp_end:
            raise ValueError(
                f"penalty_ramp.ramp_start={ramp.ramp_start}, ramp_end={ramp.ramp_end}: "
                "choose 0 or more, and ramp_end no smaller than ramp_start"
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
    def checkpoint_iterations(self) -> int:
        """Iterations between two checkpoints: whole chunks."""
        chunk_steps = self.chunk_iterations * self.iteration_steps
        return max(1, round(self.checkpoint_steps / chunk_steps)) * self.chunk_iterations

    @property
    def iterations(self) -> int:
        """Iterations in the whole run: whole chunks, since a last one of another length would be compiled anew."""
        chunk_steps = self.chunk_iterations * self.iteration_steps
        return -(-self.total_steps // chunk_steps) * self.chunk_iterations


def to_plain(record) -> Any:
    """A config, or a part of it, as what JSON can hold; the settings of a world's layout stand beside the world's."""
    if isinstance(record, Scenario):
        return {name: to_plain(value) for name, value in settings(record).items()}
    if isinstance(record, Config):
        return {"schema": SCHEMA} | _fields(record)
    if dataclasses.is_dataclass(record):
        return _fields(record)
    if hasattr(record, "_asdict"):
        return {name: to_plain(value) for name, value in record._asdict().items()}
    return [to_plain(part) for part in record] if isinstance(record, tuple) else record


def _fields(record) -> dict[str, Any]:
    return {f.name: to_plain(getattr(record, f.name)) for f in dataclasses.fields(record)}


def from_plain(plain: dict[str, Any]) -> Config:
    """The inverse of `to_plain`.

    Raises:
      ValueError: a field that does not exist, or a value that does not fit.
    """
    plain = upgraded(plain)
    parts = {
        "world": make_world,
        "rules": RuleNumbers,
        "penalty_ramp": PenaltyRamp,
        "stages": Stages,
        "partner_schedule": PartnerSchedule,
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
