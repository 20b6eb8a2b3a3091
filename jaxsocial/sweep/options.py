"""The command line's options for sweeps: one record a verb."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxsocial.sweep.backends.local import Options as LocalOptions
from jaxsocial.sweep.backends.ray import Options as RayOptions
from jaxsocial.sweep.backends.slurm import Options as SlurmOptions


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


VERBS: tuple[Any, ...] = (
    Annotated[SweepOptions, tyro.conf.subcommand("sweep")],
    Annotated[SweepReportOptions, tyro.conf.subcommand("sweep-report")],
)
