"""The trained learners that come with the package: their folders, and a card for each (docs/pretrained.md)."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from jaxsocial.training.weights import WEIGHTS

PRETRAINED = "pretrained:"
"""Prefix of a learner that comes with the package. It names a partner, or stands for the folder of a run."""
PACKAGED = Path(__file__).parents[1] / "pretrained"
CARD = "card.json"


@dataclasses.dataclass(frozen=True)
class Card:
    """What is known of a learner of the package."""

    name: str
    about: str
    """How it was trained, and what it can and cannot do."""
    command: str
    """By which it was trained."""
    commit: str | None
    """Of the package when its training began."""
    seed: int
    chosen: str
    """How its seed was chosen."""
    steps: int
    """Learner steps."""
    episodes: int
    """That its returns are means over."""
    beside: tuple[str, ...]
    """The partners of ``returns["beside"]``."""
    returns: dict[str, dict[str, float]]
    """"beside" partners and "alone": mean, and low and high of a 95 % interval over episodes."""


def pretrained_names() -> tuple[str, ...]:
    """Returns the names of the learners that come with the package."""
    return tuple(sorted(path.parent.name for path in PACKAGED.glob(f"*/{WEIGHTS}")))


def run_folder(place: str | os.PathLike) -> Path:
    """Returns the folder of a run, or of a learner of the package that is named as ``pretrained:NAME``.

    Raises:
      ValueError: the package has no such learner.
    """
    text = os.fspath(place)
    if not text.startswith(PRETRAINED):
        return Path(text).expanduser()
    name, names = text.removeprefix(PRETRAINED), pretrained_names()
    if name not in names:
        raise ValueError(f"{text} does not come with the package: choose from {', '.join(names)}")
    return PACKAGED / name


def card_of(name: str) -> Card:
    """Returns the card of a learner of the package.

    Raises:
      ValueError: there is none of this name.
    """
    plain: dict[str, Any] = json.loads((run_folder(PRETRAINED + name) / CARD).read_text())
    plain["beside"] = tuple(plain["beside"])
    return Card(**plain)


def return_text(card: Card, place: str) -> str:
    """Returns a return with its interval, as tables show it.

    Args:
      card: of a learner.
      place: "beside" or "alone".
    """
    found = card.returns[place]
    return f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
