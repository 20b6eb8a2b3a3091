"""How far a sweep's items are, read off the names of what they have written, wherever they run."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxsocial.sweep.table import TABLE
from jaxsocial.sweep.work import read_settings, read_task

PART = re.compile(r"(?P<item>[^.]+)\.batch-(?P<first>\d+)-(?P<last>\d+)\.(?P<step>\d+)\.parquet")


def steps_done(sweep: Path, items: Sequence[str]) -> int:
    """Learner steps that the members of these items have taken, those of earlier rungs among them."""
    newest: dict[tuple[str, str, str], int] = {}
    for path in (sweep / TABLE).glob("*.parquet"):
        found = PART.fullmatch(path.name)
        if found and found["item"] in items:
            key = found["item"], found["first"], found["last"]
            newest[key] = max(newest.get(key, 0), int(found["step"]))
    return sum(step * (int(last) - int(first)) for (_, first, last), step in newest.items())


def steps_in_all(sweep: Path, items: Sequence[Path]) -> int:
    """Learner steps that they will have taken at their end."""
    settings, total = read_settings(sweep), 0
    for item in items:
        task = read_task(item)
        total += len(task.entries) * task.end * settings[task.entries[0].setting].iteration_steps
    return total


class _Display(Progress):
    """Looks at the folder whenever it is drawn."""

    sweep: Path
    items: Sequence[str]

    def get_renderables(self) -> Iterable[RenderableType]:
        for task in self.tasks:
            self.update(task.id, completed=steps_done(self.sweep, self.items))
        yield from super().get_renderables()


@contextlib.contextmanager
def display(console: Console, sweep: Path, items: Sequence[Path]) -> Iterator[None]:
    """A line that shows how far these items are, while inside."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    bar = _Display(*columns, console=console, refresh_per_second=1)
    bar.sweep, bar.items = sweep, [item.name for item in items]
    bar.add_task(f"{len(items)} items", total=steps_in_all(sweep, items))
    with bar:
        yield
