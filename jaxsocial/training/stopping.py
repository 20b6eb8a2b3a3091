"""Requests to stop, which are read between chunks of training."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

NOTICE = "stopping after this compilation or log point; Ctrl-C again to leave now"
NOTICE_SECONDS, LEAVE_SECONDS = 0.5, 3.0
"""How long the main thread has to end by itself after the first and the second Ctrl-C."""
INTERRUPTED = 130
"""The exit status of a process that was interrupted."""


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


@contextlib.contextmanager
def interrupts_answered() -> Iterator[None]:
    """Answers Ctrl-C at once, also while the main thread compiles, where Python runs no handler of signals.

    At the first it says what follows. At the second it ends the process, unless the main thread does so itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return
    received, written = os.pipe()
    os.set_blocking(written, False)
    ended = threading.Event()
    unraisable = sys.unraisablehook

    def swallowed(problem: "sys.UnraisableHookArgs") -> None:
        # Raised in a callback of the garbage collector, of which jax has one, it would only be printed.
        if problem.exc_type is KeyboardInterrupt:
            leave()
        unraisable(problem)

    before, sys.unraisablehook = signal.set_wakeup_fd(written, warn_on_full_buffer=False), swallowed
    threading.Thread(target=_answer, args=(received, ended), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sys.unraisablehook = unraisable
        ended.set()
        os.close(written)


def _answer(received: int, ended: threading.Event) -> None:
    """Reads the numbers of signals, as they arrive, until the other end is closed."""
    interrupts = 0
    with open(received, "rb", buffering=0) as signals:
        while number := signals.read(1):
            interrupts += number[0] == signal.SIGINT
            if number[0] == signal.SIGINT and not ended.wait(NOTICE_SECONDS if interrupts == 1 else LEAVE_SECONDS):
                if interrupts > 1:
                    leave()
                print(f"jaxsocial: {NOTICE}", file=sys.stderr, flush=True)


def leave() -> None:
    """Ends this process without unwinding: a computation may still run, and use what Python would take down."""
    sys.stdout.flush()
    os._exit(INTERRUPTED)
