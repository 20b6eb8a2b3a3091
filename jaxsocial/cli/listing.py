"""The verbs presets and scenarios."""

from typing import Any

from rich.console import Console
from rich.table import Table

from jaxsocial.config import presets as own
from jaxsocial.env.registry import registered_scenarios
from jaxsocial.env.scenarios import marlgrid


def presets(chosen: Any, console: Console) -> int:
    """Lists all presets and explains their terms; returns the exit status."""
    table = Table("preset", "description", "learner steps per seed")
    for name, (config, about) in own.presets().items():
        table.add_row(name, about, f"{config.total_steps:,}")
    console.print(table)
    for term, meaning in own.TERMS.items():
        console.print(f"[bold]{term}[/bold]: {meaning}", highlight=False)
    console.print("Train one: jaxsocial train --preset NAME", highlight=False)
    return 0


def scenarios(chosen: Any, console: Console) -> int:
    """Lists all scenarios; returns the exit status."""
    table = Table("scenario", "description")
    for name, build in registered_scenarios().items():
        table.add_row(name, (build.__doc__ or "").strip().splitlines()[0])
    for name, (scenario, sizes) in marlgrid.WORLDS.items():
        table.add_row(name, f"MarlGrid's: {scenario}, {sizes['height']} x {sizes['width']}, agents: {sizes['agents']}")
    console.print(table)
    return 0
