"""Trackers of experiments: TensorBoard, Weights & Biases, Trackio. Each needs its library.

By default all of them write on this machine, and nothing leaves it.

A destination receives one series, in the order of its steps.
"""

import abc
import hashlib
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as imageio

from jaxsocial.loggers.series import Series


class Destination(abc.ABC):
    """Where one series goes."""

    library: str
    """What has to be installed."""

    @abc.abstractmethod
    def __init__(self, series: Series, folder: Path, project: str):
        """Opens the destination of one series.

        Args:
          series: the series; its points are added later.
          folder: of the run or the sweep.
          project: the name under which trackers gather runs.
        """

    @abc.abstractmethod
    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Adds metrics at a learner step."""

    def flush(self) -> None:  # noqa: B027, most trackers keep nothing
        """Hands on what is kept in this process, so that it can be noted as sent."""

    @abc.abstractmethod
    def close(self, series: Series) -> None:
        """Adds results and pictures, and ends."""


class TensorBoard(Destination):
    """Event files in the run's folder, beneath ``tensorboard/`` (`pip install 'jaxsocial[tensorboard]'`)."""

    library = "tensorboardX"

    def __init__(self, series: Series, folder: Path, project: str):
        """Opens the files of one series."""
        self._writer = imported(self.library).SummaryWriter(str(folder / "tensorboard" / series.name))
        self._writer.add_text("config", "\n".join(f"    {name}: {value}" for name, value in series.config.items()))

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Adds metrics at a learner step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Writes what is kept in this process."""
        self._writer.flush()

    def close(self, series: Series) -> None:
        """Adds the config beside the results, and the learning curve."""
        last = series.points[-1][0] if series.points else 0
        for name, path in series.pictures.items():
            if path.suffix == ".png":
                self._writer.add_image(name, imageio.imread(path)[..., :3], last, dataformats="HWC")
        if series.results:
            config = {name: value for name, value in series.config.items() if isinstance(value, int | float | str)}
            self._writer.add_hparams(config, series.results, name="config")
        self._writer.close()


class Wandb(Destination):
    """Weights & Biases (`pip install 'jaxsocial[wandb]'`). Offline unless WANDB_MODE says otherwise."""

    library = "wandb"

    def __init__(self, series: Series, folder: Path, project: str):
        """Begins or continues the run of one series; its identifier follows from the folder and the series."""
        self._run = self._begin(series, folder, project)

    def _begin(self, series: Series, folder: Path, project: str) -> Any:
        identifier = hashlib.sha256(f"{folder.resolve()} {series.name}".encode()).hexdigest()[:16]
        return imported(self.library).init(
            project=project,
            name=f"{folder.resolve().name} {series.name}",
            group=series.group,
            config=series.config,
            id=identifier,
            resume="allow",
            dir=str(folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="create_new",
        )

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Adds metrics at a learner step."""
        self._run.log(dict(values), step=step)

    def close(self, series: Series) -> None:
        """Adds results and pictures, and ends the run."""
        library = imported(self.library)
        pictures = {
            name: library.Video(str(path)) if path.suffix == ".gif" else library.Image(str(path))
            for name, path in series.pictures.items()
        }
        if series.results or pictures:
            self._run.log(series.results | pictures, step=series.points[-1][0] if series.points else 0)
        self._run.finish()


class Trackio(Wandb):
    """Trackio, which keeps everything on this machine (`pip install 'jaxsocial[trackio]'`)."""

    library = "trackio"

    def _begin(self, series: Series, folder: Path, project: str) -> Any:
        name = f"{folder.resolve().name} {series.name}"
        return imported(self.library).init(
            project=project, name=name, group=series.group, config=series.config, resume="allow", embed=False
        )


DESTINATIONS: dict[str, type[Destination]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "trackio": Trackio,
}


def imported(name: str) -> Any:
    """Returns a library.

    Raises:
      ValueError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        extra = "tensorboard" if name == "tensorboardX" else name
        raise ValueError(f"{name} is not installed: pip install 'jaxsocial[{extra}]'") from None
