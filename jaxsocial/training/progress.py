"""The progress display of training, figures and sweeps."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


class Status(NamedTuple):
    """The progress of training."""

    steps: int
    """Learner steps done, of all seeds that are counted."""
    what: str = ""
    """What trains, or its state."""
    returns: str = "-"
    """The latest returns."""
    speed: float = 0.0
    """Learner steps per second; 0 if unknown."""


def short_count(number: int) -> str:
    """Returns a count for people, in millions from 100,000 on.

    >>> short_count(7_864_320), short_count(1024)
    ('7.9 M', '1,024')
    """
    return f"{number / 1e6:.1f} M" if number >= 100_000 else f"{number:,}"


class ProgressDisplay(Progress):
    """A line in the terminal: steps, speed, returns and remaining time."""

    def __init__(self, console: Console, total_steps: int, poll: Callable[[], Status] | None = None):
        """Makes the display, which is a context manager.

        Args:
          console: where to show it.
          total_steps: learner steps at the end.
          poll: returns the status; called once a second when the line is drawn. Without it call `show`.
        """
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[what]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[steps]}"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("return {task.fields[returns]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        self._poll, self._total = poll, total_steps
        super().__init__(*columns, console=console, refresh_per_second=1 if poll else 10)
        self._line = self.add_task("", total=total_steps, what="compiling", steps="", speed="", returns="-")

    def show(self, status: Status) -> None:
        """Shows a status."""
        self.update(
            self._line,
            completed=status.steps,
            what=status.what,
            steps=f"{short_count(status.steps)} of {short_count(self._total)} steps",
            speed=f"{status.speed / 1e3:,.1f} k steps/s" if status.speed else "",
            returns=status.returns,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Draws the line, with the status that ``poll`` returns."""
        # rich draws once in its own constructor, before the task exists.
        if self._poll is not None and self.tasks:
            self.show(self._poll())
        yield from super().get_renderables()
