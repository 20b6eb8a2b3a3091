"""The progress display of training, figures and sweeps."""

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

POLL_SECONDS = 1.0


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


def _speed(steps: float) -> str:
    return f"{steps / 1e3:,.1f} k steps/s"


def _moves(console: Console) -> bool:
    """Returns whether lines can be drawn again."""
    return console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)


def working(console: Console, what: str) -> contextlib.AbstractContextManager:
    """Says what is being done: while it is done in a terminal, once elsewhere."""
    text = Text(what)  # square brackets are no markup
    if _moves(console):
        return console.status(text)
    console.print(text)
    return contextlib.nullcontext()


class ProgressDisplay(Progress):
    """Steps, speed, returns and remaining time: a line that changes in a terminal, a line a log point elsewhere."""

    def __init__(
        self, console: Console, total_steps: int, poll: Callable[[], Status] | None = None, done_steps: int = 0
    ):
        """Makes the display, which is a context manager.

        Args:
          console: where to show it.
          total_steps: learner steps at the end.
          poll: returns the status; called once a second. Without it call `show`.
          done_steps: learner steps at the beginning; those of ``poll`` if it is given.
        """
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[what]}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[steps]}"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("return {task.fields[returns]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        self._poll, self._total = poll, total_steps
        self._first = self._printed = done_steps if poll is None else poll().steps
        self._moves = _moves(console)
        self._began, self._ended = time.monotonic(), threading.Event()
        super().__init__(*columns, console=console, refresh_per_second=1 if poll else 10)
        self._line = self.add_task("", total=total_steps, what="compiling", steps="", speed="", returns="-")

    def __enter__(self) -> "ProgressDisplay":
        """Starts to show progress."""
        if self._moves:
            super().__enter__()
            return self
        self.console.print("compiling; a line follows for each log point")
        if self._poll is not None:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        """Stops to show it."""
        self._ended.set()
        if self._moves:
            super().__exit__(*error)
        elif self._poll is not None:
            self._print(self._poll())

    def _watch(self) -> None:
        while self._poll is not None and not self._ended.wait(POLL_SECONDS):
            self._print(self._poll())

    def _print(self, status: Status) -> None:
        """Prints a line if a log point was reached since the last one."""
        if status.steps == self._printed:
            return
        self._printed = status.steps
        self._first = min(self._first, status.steps)  # a run that continues goes back to its last checkpoint
        now = f"{datetime.datetime.now():%H:%M:%S}"
        steps = f"{short_count(status.steps)} of {short_count(self._total)} steps"
        parts = [f"{now} {status.what}: {steps}", *([_speed(status.speed)] if status.speed else [])]
        parts += [f"return {status.returns}"]
        if (gained := status.steps - self._first) > 0:
            seconds = (time.monotonic() - self._began) * (self._total - status.steps) / gained
            parts.append(f"{datetime.timedelta(seconds=round(seconds))} left")
        self.console.print(Text(", ".join(parts)), soft_wrap=True)

    def show(self, status: Status) -> None:
        """Shows a status."""
        if not self._moves:
            self._print(status)
        self.update(
            self._line,
            completed=status.steps,
            what=status.what,
            steps=f"{short_count(status.steps)} of {short_count(self._total)} steps",
            speed=_speed(status.speed) if status.speed else "",
            returns=status.returns,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Draws the line, with the status that ``poll`` returns."""
        # rich draws once in its own constructor, before the task exists.
        if self._poll is not None and self.tasks:
            self.show(self._poll())
        yield from super().get_renderables()
