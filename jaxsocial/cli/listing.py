"""The verbs presets, scenarios, pretrained and completion."""

from typing import Any

from rich.console import Console
from rich.text import Text

from jaxsocial.cli.parsing import parse
from jaxsocial.config import presets as own
from jaxsocial.env.registry import registered_scenarios
from jaxsocial.env.scenarios import marlgrid
from jaxsocial.training.packaged import card_of, pretrained_names, return_text
from jaxsocial.training.tables import Table


def presets(chosen: Any, console: Console) -> int:
    """Lists all presets and explains their terms; returns the exit status."""
    rows = [(name, about, f"{config.total_steps:,}") for name, (config, about) in own.presets().items()]
    console.print(Table("", ("preset", "description", "learner steps per seed"), rows, texts=2))
    for term, meaning in own.TERMS.items():
        console.print(Text(f"{term}: {meaning}"))
    console.print("Train one: jaxsocial train --preset NAME", highlight=False)
    return 0


def scenarios(chosen: Any, console: Console) -> int:
    """Lists all scenarios; returns the exit status."""
    rows = [(name, (build.__doc__ or "").strip().splitlines()[0]) for name, build in registered_scenarios().items()]
    rows += [
        (name, f"MarlGrid's: {scenario}, {sizes['height']} x {sizes['width']}, agents: {sizes['agents']}")
        for name, (scenario, sizes) in marlgrid.WORLDS.items()
    ]
    console.print(Table("", ("scenario", "description"), rows, texts=2))
    return 0


def pretrained(chosen: Any, console: Console) -> int:
    """Lists the learners that come with the package; returns the exit status."""
    cards = [card_of(name) for name in pretrained_names()]
    rows = [(card.name, card.about, *(return_text(card, place) for place in ("beside", "alone"))) for card in cards]
    console.print(Table("", ("learner", "description", "return beside partners", "alone"), rows, texts=2))
    console.print("Use one: jaxsocial evaluate pretrained:NAME, or --partners pretrained:NAME", highlight=False)
    return 0


def completion(chosen: Any, console: Console) -> int:
    """Prints a shell's script for completion, as tyro makes it; returns the exit status."""
    try:
        parse(["--tyro-print-completion", chosen.shell])
    except SystemExit as printed:
        return int(printed.code or 0)
    return 0
