"""Tables: nothing is cut, in a terminal or a file."""

import io

import pytest
from rich.console import Console

from jaxsocial.training.tables import Table

HEADINGS = ("who", "seed", "return [95 %]")
LONG = "run:/" + 9 * "folders/" + "[/x]@128"


ROWS = [(LONG, "3", "1.00 [0.22, 3.44]"), ("[red]you", "4", "2.00 [0.22, 3.44]")]


def printed(width, headings=HEADINGS):
    output = io.StringIO()
    Console(file=output, width=width).print(Table("two [players]", headings, ROWS))
    return output.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_texts_are_wrapped_and_numbers_are_not(width):
    title, headings, *first, second = printed(width)
    assert max(map(len, (headings, *first, second))) <= width
    assert title == "two [players]"
    assert headings.split() == ["who", "seed", "return", "[95", "%]"]
    assert first[0].endswith("3  1.00 [0.22, 3.44]")
    assert "".join(line[: headings.index("seed")].strip() for line in first) == LONG
    assert second.split() == ["[red]you", "4", "2.00", "[0.22,", "3.44]"]


def test_rows_are_blocks_where_columns_do_not_fit():
    assert printed(36)[-4:] == ["", "who: [red]you", "seed: 4", "return [95 %]: 2.00 [0.22, 3.44]"]
    unnamed = printed(30, ("", "counter- clockwise", "return"))
    assert unnamed[-3:] == ["[red]you", "counterclockwise: 4", "return: 2.00 [0.22, 3.44]"]
