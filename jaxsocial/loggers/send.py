"""Sends runs and sweeps to trackers, while they train or later, each point once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxsocial.loggers.destinations import DESTINATIONS, Destination, imported
from jaxsocial.loggers.series import Series, series_of
from jaxsocial.sweep.command import SWEEP
from jaxsocial.training.folder import CONFIG, write_at_once

SENT = "sent.json"
PROJECT = "jaxsocial"


def check(names: Sequence[str]) -> None:
    """Checks that trackers are known and installed, before hours of training.

    Raises:
      ValueError: one is not.
    """
    for name in names:
        if name not in DESTINATIONS:
            raise ValueError(f"{name!r} is no tracker: choose from {', '.join(DESTINATIONS)}")
        imported(DESTINATIONS[name].library)


class Sender:
    """Sends what is new in a folder at each call.

    What was sent is noted in the folder (`SENT`), so that a resumed run, or a second command, sends no point twice.
    """

    def __init__(self, folder: Path, names: Sequence[str], project: str = PROJECT):
        """Makes the sender of a folder.

        Args:
          folder: of a run or a sweep; it may not exist yet.
          names: among `DESTINATIONS`.
          project: the name under which trackers gather runs.

        Raises:
          ValueError: an unknown name, or its library is not installed.
        """
        check(names)
        self._folder, self._names, self._project = folder, tuple(names), project
        self._open: dict[tuple[str, str], Destination] = {}

    def __call__(self, rows: Any = None) -> None:
        """Sends what is new. It can be a callback of `jaxsocial.train`, which gives the rows of a chunk."""
        self._send(series_of(self._folder))

    def close(self) -> bool:
        """Sends what is new, results and pictures once, and ends. A folder without a run sends nothing.

        Returns:
          Whether this sender has sent anything.
        """
        if not any((self._folder / name).is_file() for name in (CONFIG, SWEEP)):
            return False
        every = series_of(self._folder)
        self._send(every)
        sent = self._sent()
        for one in every:
            for name in self._names:
                last = sent[name].get(one.name, -1)
                done = sent[name].get(f"{one.name} results", -1) >= last
                if (name, one.name) in self._open or (one.results and not done):
                    self._destination(name, one).close(one if not done else one._replace(results={}, pictures={}))
                if one.results:
                    sent[name][f"{one.name} results"] = last
        self._note(sent)
        any_sent = bool(self._open)
        self._open.clear()
        return any_sent

    def _send(self, every: Sequence[Series]) -> None:
        sent = self._sent()
        for one in every:
            for name in self._names:
                last = sent.setdefault(name, {}).get(one.name, -1)
                for step, values in one.points:
                    if step > last:
                        self._destination(name, one).numbers(step, values)
                        sent[name][one.name] = step
        for destination in self._open.values():
            destination.flush()
        self._note(sent)

    def _note(self, sent: dict[str, dict[str, int]]) -> None:
        write_at_once(self._folder / SENT, json.dumps(sent, indent=2) + "\n")

    def _sent(self) -> dict[str, dict[str, int]]:
        path = self._folder / SENT
        return json.loads(path.read_text()) if path.is_file() else {}

    def _destination(self, name: str, series: Series) -> Destination:
        key = name, series.name
        if key not in self._open:
            self._open[key] = DESTINATIONS[name](series, self._folder, self._project)
        return self._open[key]
