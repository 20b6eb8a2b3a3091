"""Tables for terminals and files, readable at 80 columns: nothing is cut."""

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions
from rich.table import Table as RichTable
from rich.text import Text

NARROWEST = 20
"""Columns to which texts are wrapped at most."""
GAP = 2


def counted(number: int, what: str) -> str:
    """Returns a number of things in words.

    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{number:,} {what}" + ("s" if number != 1 else "")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table for `rich.console.Console.print`. Cells are printed as they are: square brackets are no markup.

    Where it is too narrow for the columns side by side, every row becomes a block of lines.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    """How many columns, the first ones, are texts: aligned at the left, and wrapped. The others are never wrapped."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable | Text]:
        """Draws the table."""
        least, headings = [], []
        for index, (heading, *cells) in enumerate(zip(self.headings, *self.rows, strict=True)):
            width = max(map(len, cells), default=0)
            width = min(width, NARROWEST) if index < self.texts else width
            # Headings are wrapped, so that they are no wider than what stands below them.
            headings.append(textwrap.fill(heading, max(1, width), break_long_words=False))
            least.append(max(width, *map(len, headings[-1].split("\n"))))
        if self.title:
            yield Text(self.title, "italic")
        if sum(least) + GAP * (len(least) - 1) > options.max_width:
            for row in self.rows:
                # Here no heading is broken at "- ", and a column without one names the row.
                lines = [
                    f"{name.replace('- ', '')}: {cell}" if name else cell
                    for name, cell in zip(self.headings, row, strict=True)
                ]
                yield Text("\n".join(["", *lines]))
            return
        drawn = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
        for index, (heading, width) in enumerate(zip(headings, least, strict=True)):
            text = index < self.texts
            drawn.add_column(
                Text(heading),
                justify="left" if text else "right",
                vertical="top",
                min_width=width,
                no_wrap=not text,
                overflow="fold",
            )
        for row in self.rows:
            drawn.add_row(*map(Text, row))
        yield drawn
