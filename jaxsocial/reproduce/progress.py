"""How far a figure is, and how long the rest will take."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxsocial.reproduce import train
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.store import is_trained
from jaxsocial.train import metrics
from jaxsocial.train.run import report_bad


def display(console: Console) -> Progress:
    """A line for a figure: what trains, what it gets, and when all is trained."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:.0f} %"),
        TextColumn("{task.fields[what]}"),
        TextColumn("return {task.fields[reward]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
    )


class _Running(NamedTuple):
    """How a group is doing."""

    reward: str
    speed: float
    """Learner steps a second."""
    healthy: np.ndarray


class Watch:
    """Shows how far a figure is, and knows how long the rest will take."""

    def __init__(
        self, figure: str, conditions: Sequence[Condition], store: Path, bar: Progress, stop: Callable[[], bool]
    ):
        self._figure, self._conditions, self._store, self._stop, self._bar = figure, conditions, store, stop, bar
        self._running: dict[tuple[str, ...], _Running] = {}
        self._speed = 0.0
        whole = sum(c.config.seeds * c.config.iterations * c.config.iteration_steps for c in conditions)
        left = train.left_to_train(conditions, store)
        self._task = bar.add_task(figure, total=whole, completed=whole - left, what="compiling", reward="-")

    def __call__(self, group: train.Group, chunk: train.Chunk | None) -> bool:
        names = group.names
        if chunk is None:
            self._running[names] = _Running("-", 0.0, np.ones(sum(config.seeds for config in group.configs), bool))
            self._show()
            return self._stop()
        healthy = np.asarray(chunk.members.healthy)
        self._report_bad(group, self._running[names].healthy, healthy, chunk.iteration)
        returns = [metrics.learner_return(row) for row in chunk.rows]
        shown = " ".join(f"{value:.1f}" for value in returns[:5])
        self._running[names] = _Running(shown, chunk.speed, healthy)
        self._speed = sum(running.speed for running in self._running.values())
        config = group.configs[0]
        if chunk.iteration == config.iterations:
            del self._running[names]
        self._show(advance=group.steps * config.chunk_iterations // config.iterations)
        return self._stop()

    def _show(self, advance: int = 0) -> None:
        rewards = " | ".join(running.reward for running in self._running.values())
        what = " | ".join(_without_hashes(names) for names in self._running)
        self._bar.update(self._task, advance=advance, what=what, reward=rewards)

    def _report_bad(self, group: train.Group, before: np.ndarray, healthy: np.ndarray, iteration: int) -> None:
        first = 0
        for config in group.configs:
            own = slice(first, first + config.seeds)
            report_bad(self._bar.console, config, before[own], healthy[own], iteration)
            first += config.seeds

    def what_is_left(self) -> str:
        """For a person who stopped it, or whose time was up."""
        left = train.left_to_train(self._conditions, self._store)
        trained = sum(is_trained(condition, self._store) for condition in self._conditions)
        time_left = f", about {left / self._speed / 3600:.1f} h at the last speed" if self._speed else ""
        return (
            f"{self._figure}: stopped and saved with {trained} of {len(self._conditions)} conditions trained; "
            f"{left / 1e6:,.1f} M learner steps are left{time_left}. The same command goes on"
        )


def _without_hashes(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(name.rpartition("-")[0] for name in names))
