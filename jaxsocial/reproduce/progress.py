"""How far a figure is, and how long the rest will take."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxsocial.reproduce import training
from jaxsocial.reproduce.figures import Condition
from jaxsocial.reproduce.store import is_trained
from jaxsocial.run import metrics
from jaxsocial.run.chunks import Chunk
from jaxsocial.run.train import report_bad


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


class Watch:
    """Shows how far a figure is, and knows how long the rest will take."""

    def __init__(
        self, figure: str, conditions: Sequence[Condition], store: Path, bar: Progress, stop: Callable[[], bool]
    ):
        self._figure, self._conditions, self._store, self._stop, self._bar = figure, conditions, store, stop, bar
        self._speed, self._healthy = 0.0, np.ones(0, bool)
        whole = sum(c.config.seeds * c.config.iterations * c.config.iteration_steps for c in conditions)
        left = training.left_to_train(conditions, store)
        self._task = bar.add_task(figure, total=whole, completed=whole - left, what="compiling", reward="-")

    def __call__(self, group: training.Group, chunk: Chunk | None) -> bool:
        if chunk is None:
            self._healthy = np.ones(sum(config.seeds for config in group.configs), bool)
            what = ", ".join(name.rpartition("-")[0] for name in group.names)
            self._bar.update(self._task, what=what, reward="-")
            return self._stop()
        self._speed, healthy = chunk.speed, np.asarray(chunk.members.healthy)
        self._report_bad(group, healthy, chunk.iteration)
        returns = [metrics.learner_return(row) for row in chunk.rows]
        steps = group.steps * group.configs[0].chunk_iterations // group.configs[0].iterations
        self._bar.update(self._task, advance=steps, reward=" ".join(f"{value:.1f}" for value in returns[:5]))
        return self._stop()

    def _report_bad(self, group: training.Group, healthy: np.ndarray, iteration: int) -> None:
        first = 0
        for config in group.configs:
            own = slice(first, first + config.seeds)
            report_bad(self._bar.console, config, self._healthy[own], healthy[own], iteration)
            first += config.seeds
        self._healthy = healthy

    def what_is_left(self) -> str:
        """For a person who stopped it, or whose time was up."""
        left = training.left_to_train(self._conditions, self._store)
        trained = sum(is_trained(condition, self._store) for condition in self._conditions)
        time_left = f", about {left / self._speed / 3600:.1f} h at the last speed" if self._speed else ""
        return (
            f"{self._figure}: stopped and saved with {trained} of {len(self._conditions)} conditions trained; "
            f"{left / 1e6:,.1f} M learner steps are left{time_left}. The same command goes on"
        )
