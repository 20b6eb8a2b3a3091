"""The command line's options: one record a verb."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxsocial.config.config import Config
from jaxsocial.env.scenario import Scenario
from jaxsocial.sweep.backends.local import Options as LocalOptions
from jaxsocial.sweep.backends.ray import Options as RayOptions
from jaxsocial.sweep.backends.slurm import Options as SlurmOptions
from jaxsocial.train.distributed import Hosts

World = Annotated[Scenario, tyro.conf.arg(name="")]


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Trains a learner and leaves a run folder: config, metrics, checkpoints, evaluation, curve and GIF."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    scenario: str | None = None
    """Another world for the preset, with its agents, views and actions: see `jaxsocial scenarios`."""
    scenario_file: Path | None = None
    """The same from a file that holds a map in characters."""
    out: Path | None = None
    """The run's folder; must not exist yet. Without it one is made under runs/."""
    resume: Path | None = None
    """Go on with the run in this folder; takes no other option but --total-steps and those of hosts."""
    hosts: Annotated[Hosts, tyro.conf.arg(name="")] = Hosts()


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Returns, goals and penalties of everyone in a run, over whole episodes, with 95 % intervals."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    episodes: int = 256
    """Episodes a seed."""
    alone: bool = False
    """Take the partners away."""
    probes: tuple[str, ...] = ()
    """Measure social learning with these probes: partners, alone, half, random, anti_expert, or all. Saved in the
    run's folder as probes.json."""
    partners: tuple[str, ...] | None = None
    """Others beside the learner, as many as you like; those of the run if not given."""
    first_level: int | None = None
    """The first of the fixed levels to play, such as the first that was not trained on; as trained if not given."""
    levels: int | None = None
    """How many fixed levels, 0 for a fresh one every time; as trained if not given."""


@dataclasses.dataclass(frozen=True)
class RenderOptions:
    """An episode of a run as a picture: the whole world, and what each agent sees."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    out: Path = Path("episode.gif")
    """A .gif of the whole episode, or a .png of its last moment."""
    seed: int | None = None
    """Which trained seed plays; the run's first if not given."""
    episode: int = 0
    """Which episode: a number that its random draws begin from."""


@dataclasses.dataclass(frozen=True)
class PlayOptions:
    """A game in the terminal: you in the learner's seat, scripted or trained partners in the others."""

    world: World
    scenario: tyro.conf.Positional[str | None] = None
    """The world, named before all options: see `jaxsocial scenarios`; goal_cycle if there is neither it nor a file."""
    scenario_file: Path | None = None
    """A file that holds a map in characters."""
    partners: tuple[str, ...] = ()
    """Who sits beside you, one a seat or one for all: expert, searching_expert, random, or run:FOLDER for a trained
    one. Without it experts, or where there are no goals random players."""
    seed: int = 0
    """What the game's random draws begin from."""
    level: int | None = None
    """Play this fixed level in every episode."""


@dataclasses.dataclass(frozen=True)
class DrawOptions:
    """A fresh world as a picture, what agents see highlighted, or as a map in characters."""

    world: World
    scenario: tyro.conf.Positional[str | None] = None
    """The world, named before all options: see `jaxsocial scenarios`; goal_cycle if there is neither it nor a file."""
    scenario_file: Path | None = None
    """A file that holds a map in characters."""
    out: Path = Path("world.png")
    """A .png, or a .txt that --scenario-file reads."""
    tile: int = 32
    """Pixels on a side of a cell."""
    seed: int = 0
    """What the world's random draws begin from."""
    level: int | None = None
    """Draw this fixed level."""


@dataclasses.dataclass(frozen=True)
class ReproduceOptions:
    """A figure of the paper by one command: trains what is missing, measures it, and writes a table and pictures."""

    figures: tyro.conf.Positional[tuple[str, ...]]
    """Among figure4, figure5, figure6, figure7, penalty, behaviour, or all of these."""
    scale: str = "laptop"
    """smoke: minutes, proves that every step runs; laptop: hours on two cores; paper: the paper's sizes."""
    seeds: int | None = None
    """A multiple of the scale's own (5; smoke: 2): trains more, beside those that are there."""
    time_limit: float | None = None
    """Minutes after which to stop, saved; the same command goes on."""
    partial: bool = False
    """Train nothing, and measure also what is not yet trained to its end."""
    report: bool = False
    """Train and measure nothing: build tables and pictures again from results.json."""
    runs: Path = Path("runs/reproduce")
    """Where trained conditions go, shared by all figures of a scale."""
    out: Path = Path("experiments/results")
    """Where results go: a folder a scale, in it one a figure."""


@dataclasses.dataclass(frozen=True)
class PresetsOptions:
    """Lists the presets: whole configs to begin from."""


@dataclasses.dataclass(frozen=True)
class ScenariosOptions:
    """Lists the scenarios: kinds of worlds."""


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """Trains many settings, those of equal shapes in one program, and leaves one table of them."""

    file: tyro.conf.Positional[Path | None] = None
    """A TOML file that declares the sweep (docs/sweeps.md)."""
    out: Path | None = None
    """The sweep's folder; must not exist yet. Without it one is made under runs/."""
    resume: Path | None = None
    """Go on with the sweep in this folder; takes the place of the file."""
    dry_run: bool = False
    """Compile, time and print the plan, and stop."""
    memory_gib: float | None = None
    """What programs may use of each device, in GiB; what is free if not given."""
    processes: int | None = None
    """Items at once, each in a process of its own; one for each GPU of this machine, or one, if not given."""
    backend: Literal["local", "ray", "slurm"] = "local"
    """Where items run: on this machine, on a Ray cluster, as an array of SLURM jobs."""
    local: LocalOptions = LocalOptions()
    ray: RayOptions = RayOptions()
    slurm: SlurmOptions = SlurmOptions()


@dataclasses.dataclass(frozen=True)
class SweepReportOptions:
    """Ranks the settings of a sweep, also of one that still runs, and draws what they came to."""

    sweep: tyro.conf.Positional[Path]
    """The sweep's folder."""
    measure: str | None = None
    """The column to rank by; that of the sweep if not given."""
