"""Requests to stop, which are read between chunks of training."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class Stopped(Exception):  # noqa: N818, a request, not an error
    """Work was asked to stop before its end, and is saved. The message says how to continue."""


class StoppedByCallback(Stopped):
    """A callback asked training to stop."""


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turns SIGINT, SIGTERM and SIGHUP into a request that the caller reads; a second SIGINT raises KeyboardInterrupt.

    Only the main thread receives signals; in another one nothing is ever requested.

    >>> with stop_requests() as stop:
    ...     print(stop(), signal.raise_signal(signal.SIGTERM), stop())
    False None True
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def ask(number, frame):
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    # Under nohup, SIGHUP is ignored and stays so.
    hangup = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, *hangup)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
