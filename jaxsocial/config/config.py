"""The record of a run's options, checked as it is made, and its form in JSON."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool

from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.policy import ABSENT
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.penalty import PenaltyRamp, Stages
from jaxsocial.config.renamed import SCHEMA, upgraded
from jaxsocial.env.core import Env, make_env
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import make_world, settings
from jaxsocial.env.types import make_rules
from jaxsocial.env.values import (
    LARGEST,
    Count,
    Index,
    NotNegative,
    Positive,
    Probability,
    Steps,
    declared,
    fit_fields,
    fitting,
    is_record,
)
from jaxsocial.learning.settings import Coefficients, Sizes


@dataclasses.dataclass(frozen=True)
class RulesConfig:
    """The world's numbers, which are traced: another value needs no other program."""

    reward: float = 1.0
    """Reward for entering the next goal of the cycle, a finite number."""
    penalty: NotNegative = 1.5
    """Penalty for entering any other goal, 0 or more."""
    prestige_decay: Probability = 0.99
    """Factor on prestige after every step, 0 to 1."""
    prestige_scale: Positive = 4.0
    """Prestige (in rewards) at which an agent is 76 % blue, above 0."""
    first_level: Index = 0
    """The first of the fixed levels, 0 or more."""
    levels: Index = 0
    """Number of fixed levels, 0 or more; 0 draws a new level for every episode."""

    def __post_init__(self):
        fit_fields(self, "rules.")
        if self.first_level + self.levels - 1 > LARGEST[int]:
            raise ValueError(
                f"rules.first_level={self.first_level}, levels={self.levels}: the last level is above {LARGEST[int]}"
            )


@dataclasses.dataclass(frozen=True)
class Config:
    """The options of a run.

    Raises:
      ValueError: a number outside its range, or parts that do not fit together, with the value and the remedy.
    """

    world: Scenario
    """The world, its sizes and switches."""
    rules: RulesConfig = RulesConfig()
    """The world's rewards, prestige and levels."""
    penalty_ramp: PenaltyRamp = PenaltyRamp()
    """How the penalty grows over training."""
    stages: Stages = Stages()
    """Penalties in stages; each stage ends when the learner reaches a return."""
    partners: tuple[str, ...] = ("expert", "expert")
    """The agents beside the learners, one per seat: expert, searching_expert, waiting_expert, anti_expert, random,
    absent, or a trained one. A trained one is run:FOLDER, with @STEPS for an earlier checkpoint, #SEED for another of
    its seeds, #each for the same seed as each of this run's, and #SEED.LEARNER for another of its learners."""
    partner_schedule: PartnerSchedule = PartnerSchedule()
    """Partners' random actions, worlds without partners, and partners that leave and rejoin."""
    teacher: str = ""
    """The agent to imitate, named like a partner. It acts in the learner's seat; the learner is trained to predict its
    actions."""
    start_from: str = ""
    """Folder of a run whose networks are the initial ones; with @STEPS for an earlier checkpoint."""
    keep_optimiser: bool = False
    """Whether to load the optimiser's state of ``start_from`` too."""
    network: NetworkSizes = NetworkSizes()
    """The layers of the learner's network."""
    sizes: Sizes = Sizes()
    """The static sizes of one iteration."""
    coefficients: Coefficients = Coefficients()
    """The traced numbers of learning."""
    total_steps: Steps = 375_000_000
    """Learner steps of each seed over all worlds, 1 or more; rounded up to whole log points."""
    seed: Index = 0
    """The first seed, 0 or more."""
    seeds: Count = 1
    """Number of seeds that train at once, 1 or more: seed, seed + 1, ..."""
    log_steps: Steps = 200_000
    """Learner steps between two lines of metrics, 1 or more. They run as one compiled call."""
    checkpoint_steps: Steps = 2_000_000
    """Learner steps between two checkpoints, 1 or more."""
    keep_every: Index = 0
    """Keeps one of so many checkpoints for good, for use as run:FOLDER@STEPS, 0 or more; 0 keeps the last two only."""
    evaluation_episodes: Count = 256
    """Episodes that the trained and the untrained learner are evaluated over, 1 or more."""
    preset: str = "paper"
    """The preset to begin from: see `jaxsocial presets`. Every other option changes one field of it."""

    def __post_init__(self):
        fit_fields(self)
        if self.seed + self.seeds - 1 > LARGEST[int]:
            raise ValueError(f"seed={self.seed}, seeds={self.seeds}: the last seed is above {LARGEST[int]}")
        seats = self.world.agents - self.sizes.learners
        if seats < 0:
            raise ValueError(f"sizes.learners={self.sizes.learners}: choose world.agents={self.world.agents} or fewer")
        if len(self.partners) != seats:
            raise ValueError(
                f"partners={self.partners} are {len(self.partners)}, but world.agents={self.world.agents}, "
                f"sizes.learners={self.sizes.learners} leaves {seats} seats beside the learner: name one for each"
            )
        self.partner_schedule.check(seats)
        self.penalty_ramp.check()
        self.stages.check(self.rules.penalty)

    @property
    def taken_seats(self) -> Bool[np.ndarray, " A"]:
        """Returns which seats are taken: those of the learners and of partners that are not absent."""
        return np.array([True] * self.sizes.learners + [name != ABSENT for name in self.partners])

    @property
    def partner_seats(self) -> tuple[int, ...]:
        """Returns the seats of partners that are not absent."""
        return tuple(np.flatnonzero(self.taken_seats)[self.sizes.learners :].tolist())

    def make_env(self) -> Env:
        """Returns the environment of this config: its world, under its rules with the full penalty.

        >>> from jaxsocial.config.presets import preset
        >>> preset("quickstart").make_env().rules.prestige_scale
        Array(1., dtype=float32)
        """
        present = self.taken_seats.astype(float).tolist()
        return make_env(self.world, make_rules(self.world, **dataclasses.asdict(self.rules), present=present))

    @property
    def iteration_steps(self) -> int:
        """Returns the learner steps in one iteration, over all worlds."""
        return self.sizes.iteration_steps

    @property
    def chunk_iterations(self) -> int:
        """Returns the iterations in one compiled call.

        >>> from jaxsocial.config.presets import preset
        >>> paper = preset("paper")
        >>> paper.iteration_steps, paper.chunk_iterations, paper.iterations
        (32000, 6, 11724)
        """
        # A run shorter than a log point is one chunk: it still writes a line.
        needed = -(-self.total_steps // self.iteration_steps)
        return min(max(1, self.log_steps // self.iteration_steps), needed)

    @property
    def checkpoint_iterations(self) -> int:
        """Returns the iterations between two checkpoints, a multiple of `chunk_iterations`."""
        chunk_steps = self.chunk_iterations * self.iteration_steps
        return max(1, round(self.checkpoint_steps / chunk_steps)) * self.chunk_iterations

    @property
    def iterations(self) -> int:
        """Returns the iterations of the whole run, a multiple of `chunk_iterations`."""
        # A last chunk of another length would be compiled anew.
        chunk_steps = self.chunk_iterations * self.iteration_steps
        return -(-self.total_steps // chunk_steps) * self.chunk_iterations


def to_plain(record) -> Any:
    """Returns a config, or a part of it, as JSON holds it. Settings of a layout are among those of its world.

    >>> to_plain(PenaltyRamp(ramp_end=10.0))
    {'initial_fraction': 1.0, 'ramp_start': 0.0, 'ramp_end': 10.0}
    """
    if isinstance(record, Scenario):
        return {name: to_plain(value) for name, value in settings(record).items()}
    if hasattr(record, "_asdict"):
        return {name: to_plain(value) for name, value in record._asdict().items()}
    if dataclasses.is_dataclass(record):
        # Only the whole config carries the version: parts are read as parts of it.
        schema = {"schema": SCHEMA} if isinstance(record, Config) else {}
        return schema | {f.name: to_plain(getattr(record, f.name)) for f in dataclasses.fields(record)}
    return [to_plain(part) for part in record] if isinstance(record, tuple) else record


def from_plain(plain: dict[str, Any]) -> Config:
    """Returns the config that `to_plain` wrote, also in an earlier version.

    Raises:
      ValueError: a field that is missing or unknown, or a value that does not fit.
    """
    # Runs of earlier versions stay usable: their names are translated first.
    plain = upgraded(plain)
    for part in (name for name, kind in declared(Config).items() if is_record(kind)):
        if not isinstance(plain.get(part), dict):
            raise ValueError(f"the config has no table {part}: use the version of jaxsocial that wrote it")
    if not isinstance(plain["world"].get("name"), str):
        raise ValueError("world.name is missing or no text: use the version of jaxsocial that wrote it")
    return fitting(plain | {"world": make_world(**plain["world"])}, Config, "")
