"""The command line's options: one record per verb."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxsocial.config.config import Config
from jaxsocial.env.scenario import Scenario, TilePixels
from jaxsocial.env.values import Count, Index, NotNegative, Positive
from jaxsocial.sweep.backends.local import Options as LocalOptions
from jaxsocial.sweep.backends.ray import Options as RayOptions
from jaxsocial.sweep.backends.slurm import Options as SlurmOptions
from jaxsocial.training.distributed import Hosts

World = Annotated[Scenario, tyro.conf.arg(name="")]

Tracker = Literal["tensorboard", "wandb", "trackio"]


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Trains learners and writes a run folder: config, metrics, checkpoints, evaluation, curve and GIF."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    scenario: str | None = None
    """Replaces the preset's world; agents, views and actions stay. See `jaxsocial scenarios`; your own is
    module:function."""
    scenario_file: Path | None = None
    """Replaces the preset's world by a map in characters."""
    log: tuple[Tracker, ...] = ()
    """Sends metrics to trackers while it trains: tensorboard, wandb, trackio (docs/tracking.md)."""
    out: Path | None = None
    """The run's folder, which must not exist; by default a new one under runs/."""
    resume: Path | None = None
    """Continues the run in this folder. Of other options it takes --total-steps, --log, --when-disk-full and those of
    hosts."""
    when_disk_full: Literal["stop", "continue"] = "stop"
    """Whether training ends when the disk is full, or goes on and saves once there is space."""
    hosts: Annotated[Hosts, tyro.conf.arg(name="")] = Hosts()
    longer: tyro.conf.Suppress[int | None] = None
    """New length of the resumed run: what --total-steps gives beside --resume."""


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """Sends the metrics of a run or a sweep to trackers of experiments; what was sent before is left out."""

    run: tyro.conf.Positional[Path]
    """The folder of the run or the sweep."""
    to: tuple[Tracker, ...] = ("tensorboard",)
    """Among tensorboard, wandb and trackio."""
    project: str = "jaxsocial"
    """The name under which trackers gather runs."""


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Writes the metrics of a run or a sweep as a file of another program, or the networks of a run alone."""

    run: tyro.conf.Positional[Path]
    """The folder of the run or the sweep. For --to policy, with #SEED, and of a run with @STEPS for an earlier
    checkpoint."""
    to: Literal["csv", "parquet", "marl-eval", "policy"] = "csv"
    """The format; marl-eval is the JSON that marl-eval reads, and policy a small folder that can be used as a run's."""
    out: Path | None = None
    """The file, or the policy's folder; by default metrics.csv, metrics.parquet, metrics.json or policy in the
    folder."""
    setting: Index | None = None
    """For --to policy of a sweep: the number of the setting, 0 or more; by default the best."""


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Prints returns, goals and penalties of all agents of a run, over whole episodes, with 95 % intervals."""

    run: tyro.conf.Positional[Path]
    """The run's folder; with @STEPS for an earlier checkpoint."""
    episodes: Count = 256
    """Episodes per seed, 1 or more."""
    alone: bool = False
    """Leave the partners out."""
    probes: tuple[str, ...] = ()
    """Measure social learning with these probes: partners, alone, half, random, anti_expert, expert_and_random,
    expert_and_anti_expert, no_prestige, swapped_prestige, frozen_prestige, gone_after_round, moved_after_round,
    reversed_order, or all. hidden_state, which all does not include, decodes from the recurrent state. Saved in the
    run's folder as probes.json and probes.png."""
    against: tuple[str, ...] = ()
    """Measure the learners beside each of these partners in turn: players as in --partners, or held-out, a fixed set
    of 12 that nobody is trained with. Saved in the run's folder as cross_play.json."""
    partners: tuple[str, ...] | None = None
    """Other partners, of any number; by default those of the run."""
    first_level: Index | None = None
    """The first of the fixed levels, 0 or more, such as the first that was not trained on; by default that of the
    run."""
    levels: Index | None = None
    """Number of fixed levels, 0 for a new one per episode; by default that of the run."""


@dataclasses.dataclass(frozen=True)
class CrossPlayOptions:
    """Measures the learners of several runs beside each other's: a matrix of returns, with a picture."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Folders of runs, with @STEPS for an earlier checkpoint, and learners of the package as pretrained:NAME. All seeds
    of a run learn; as partners, copies of its first seed play."""
    episodes: Count = 256
    """Episodes per seed, 1 or more."""
    out: Path = Path("cross-play")
    """A folder for matrix.json and matrix.png."""


@dataclasses.dataclass(frozen=True)
class RenderOptions:
    """Draws an episode of a run or of a sweep's setting, or writes a page that replays several (docs/replay.md)."""

    run: tyro.conf.Positional[Path]
    """The run's folder, with @STEPS for an earlier checkpoint; or that of a sweep."""
    other: tyro.conf.Positional[Path | None] = None
    """Another run, which the page shows beside it; with @STEPS or #SEED."""
    out: Path = Path("episode.gif")
    """A .html page of several episodes, a .gif of one, or a .png of its last step."""
    seed: Index | None = None
    """The trained seed that plays; by default the first."""
    setting: Index | None = None
    """Of a sweep: the number of the setting, 0 or more; by default the best."""
    episode: Index = 0
    """Seed of the episode, 0 or more; on a page, of the first."""
    episodes: Count | None = None
    """Number of episodes of a page, 1 or more; 20 by default."""
    alone: bool = False
    """Show the same levels without partners beside it, on a page."""


@dataclasses.dataclass(frozen=True)
class PlayOptions:
    """Starts a game in the terminal: you in the learner's seat, scripted or trained partners beside you."""

    world: World
    scenario: tyro.conf.Positional[str | None] = None
    """The world, named before all options: see `jaxsocial scenarios`. By default goal_cycle."""
    scenario_file: Path | None = None
    """A file that holds a map in characters."""
    partners: tuple[str, ...] = ()
    """The agents beside you, one per seat or one for all: expert, searching_expert, random, or run:FOLDER. By default
    experts, or random players in worlds without goals."""
    seed: Index = 0
    """Seed of the game, 0 or more."""
    level: Index | None = None
    """Play this fixed level, 0 or more, in every episode."""


@dataclasses.dataclass(frozen=True)
class DrawOptions:
    """Draws a new world, with the agents' views highlighted, or writes it as a map in characters."""

    world: World
    scenario: tyro.conf.Positional[str | None] = None
    """The world, named before all options: see `jaxsocial scenarios`. By default goal_cycle."""
    scenario_file: Path | None = None
    """A file that holds a map in characters."""
    out: Path = Path("world.png")
    """A .png, or a .txt that --scenario-file reads."""
    tile: TilePixels = 32
    """Pixels on a side of a cell, 1 to 256."""
    seed: Index = 0
    """Seed of the world, 0 or more."""
    level: Index | None = None
    """Draw this fixed level, 0 or more."""


@dataclasses.dataclass(frozen=True)
class ReproduceOptions:
    """Reproduces figures of the paper: trains what is missing, measures it, and writes tables and pictures."""

    figures: tyro.conf.Positional[tuple[str, ...]]
    """Among figure4, figure5, figure6, figure7, penalty, behaviour, experts, alone, or all of these."""
    scale: str = "laptop"
    """smoke: minutes, runs every step; laptop: hours on two cores; paper: the paper's sizes."""
    seeds: Count | None = None
    """A multiple of the scale's number of seeds (5; laptop: 10; smoke: 2). Trains the missing ones."""
    time_limit: NotNegative | None = None
    """Minutes, 0 or more, after which to save and stop; the same command continues."""
    partial: bool = False
    """Train nothing, and measure unfinished runs too."""
    report: bool = False
    """Train and measure nothing: write tables and pictures again from the records."""
    runs: Path = Path("runs/reproduce")
    """Folder of trained conditions, shared by all figures of a scale."""
    out: Path = Path("experiments/results")
    """Folder of results: one folder per scale, in it one per figure and one of the records of runs."""


@dataclasses.dataclass(frozen=True)
class GenerationsOptions:
    """Trains generations: learners whose partners are the learners before them (docs/generations.md)."""

    file: tyro.conf.Positional[Path]
    """A TOML file that declares them."""
    time_limit: NotNegative | None = None
    """Minutes, 0 or more, after which to save and stop; the same command continues."""
    partial: bool = False
    """Train nothing, and measure what is trained so far."""
    report: bool = False
    """Train and measure nothing: write table and picture again from the records."""
    runs: Path = Path("runs/generations")
    """Folder of the trained generations."""
    out: Path = Path("generations")
    """Folder of the results: table, picture, and one record of each run."""


@dataclasses.dataclass(frozen=True)
class PresetsOptions:
    """Lists the presets: whole configs to begin from."""


@dataclasses.dataclass(frozen=True)
class PretrainedOptions:
    """Lists the trained learners that come with the package, and what they earn (docs/pretrained.md)."""


@dataclasses.dataclass(frozen=True)
class TourOptions:
    """Opens a page of episodes of the learners that come with the package: the first thing to look at."""

    out: Path = Path("tour.html")
    """The page; it loads nothing else, and works offline."""
    show: bool = True
    """Whether to open it in a browser."""


@dataclasses.dataclass(frozen=True)
class DoctorOptions:
    """Prints versions, devices and folders for a bug report, and plays a world; status 1 if something fails."""


@dataclasses.dataclass(frozen=True)
class ScenariosOptions:
    """Lists the scenarios: kinds of worlds."""


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """Trains many settings, those of equal shapes in one program, and writes one table of all."""

    file: tyro.conf.Positional[Path | None] = None
    """A TOML file that declares the sweep (docs/sweeps.md)."""
    out: Path | None = None
    """The sweep's folder, which must not exist; by default a new one under runs/."""
    resume: Path | None = None
    """Continues the sweep in this folder; replaces the file."""
    extend: Path | None = None
    """Adds to the sweep in this folder what the file declares in addition: settings, seeds, steps."""
    dry_run: bool = False
    """Compile, time and print the plan, then stop."""
    target: Literal["h100", "h200", "a100", "v5e", "v6e"] | None = None
    """With --dry-run: plan for an accelerator that this machine need not have."""
    memory_gib: Positive | None = None
    """Memory in GiB, a number above 0, that programs may use on each device; by default what is free."""
    processes: Count | None = None
    """Number of items at once, 1 or more, each in its own process; by default one per GPU of this machine, or one."""
    backend: Literal["local", "ray", "slurm"] = "local"
    """Where items run: on this machine, on a Ray cluster, or as an array of SLURM jobs."""
    local: LocalOptions = LocalOptions()
    ray: RayOptions = RayOptions()
    slurm: SlurmOptions = SlurmOptions()


@dataclasses.dataclass(frozen=True)
class SweepReportOptions:
    """Ranks the settings of a sweep, finished or not, and draws their results."""

    sweep: tyro.conf.Positional[Path]
    """The sweep's folder."""
    measure: str | None = None
    """The column to rank by; by default that of the sweep."""


@dataclasses.dataclass(frozen=True)
class CompletionOptions:
    """Prints a script that lets a shell complete verbs, options and choices: eval "$(jaxsocial completion bash)"."""

    shell: tyro.conf.Positional[Literal["bash", "zsh"]] = "bash"
    """The shell."""


VERBS: dict[str, tuple[type, str]] = {
    "train": (TrainOptions, "train:train"),
    "evaluate": (EvaluateOptions, "evaluate:evaluate"),
    "cross-play": (CrossPlayOptions, "cross_play:cross_play"),
    "render": (RenderOptions, "evaluate:render"),
    "tour": (TourOptions, "evaluate:tour"),
    "pretrained": (PretrainedOptions, "listing:pretrained"),
    "play": (PlayOptions, "play:play"),
    "draw": (DrawOptions, "play:draw"),
    "reproduce": (ReproduceOptions, "reproduce:reproduce"),
    "generations": (GenerationsOptions, "generations:generations"),
    "presets": (PresetsOptions, "listing:presets"),
    "sweep": (SweepOptions, "sweep:sweep"),
    "sweep-report": (SweepReportOptions, "sweep:report"),
    "log": (LogOptions, "log:log"),
    "doctor": (DoctorOptions, "doctor:doctor"),
    "export": (ExportOptions, "log:export"),
    "scenarios": (ScenariosOptions, "listing:scenarios"),
    "completion": (CompletionOptions, "listing:completion"),
}
"""Verb to (record of its options, "module:function" of `jaxsocial.cli` that runs it)."""
