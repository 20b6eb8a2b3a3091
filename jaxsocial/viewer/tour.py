"""The tour: a replay page of the learners that come with the package. Their episodes are recorded in advance."""

import json
from collections.abc import Sequence

from jaxsocial.training.packaged import PACKAGED, PRETRAINED, card_of, run_folder
from jaxsocial.training.pretrained import Source
from jaxsocial.viewer.page import Comparison, composed, plain_comparison, side_recorder

RECORDED = PACKAGED / "tour.json"


def tour() -> str:
    """Returns the page as text: a menu of learners, each beside its partners and alone, on the same levels."""
    return composed("jaxsocial: a tour", "A tour", json.loads(RECORDED.read_text(encoding="utf-8")))


def record(names: Sequence[str], numbers: Sequence[int]) -> None:
    """Plays and records the episodes of the tour, and writes them into the package.

    Args:
      names: of learners of the package, in the order of the menu.
      numbers: of the episodes of each.
    """
    comparisons = []
    for card in map(card_of, names):
        source = Source(run_folder(PRETRAINED + card.name))
        sides = [side_recorder(source, card.beside)(numbers), side_recorder(source)(numbers, alone=True)]
        comparisons.append(plain_comparison(Comparison(card.name, card.about, sides)))
    RECORDED.write_text(json.dumps(comparisons, separators=(",", ":")) + "\n", encoding="utf-8")
