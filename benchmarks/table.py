"""Tables in plain text, as wide as they need be: they are read in files too."""

from collections.abc import Callable, Sequence
from typing import Any

Column = tuple[str, Callable[[Any], str]]
"""A heading and the text of a row."""


def print_table(rows: Sequence[Any], columns: Sequence[Column]) -> None:
    texts = [[heading for heading, _ in columns]] + [[text(row) for _, text in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for line in texts:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))
    print(flush=True)
