"""Progress where output is no terminal: a line a log point, with the time that is left."""

import io
import re
import time

from rich.console import Console

from jaxsocial.training import progress
from jaxsocial.training.progress import ProgressDisplay, Status, working


def test_a_log_point_is_a_line():
    output = io.StringIO()
    with ProgressDisplay(Console(file=output, width=50), 1000, done_steps=100) as display:
        for steps in (200, 200, 1000):
            display.show(Status(steps, "[/x]", "1.00 2.00", 5000.0))
    begun, first, last = output.getvalue().splitlines()
    assert " ".join(begun.split()).startswith("compiling")
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d \[/x\]: 200 of 1,000 steps, 5.0 k steps/s, return 1.00 2.00, 0:00:0\d left", first
    )
    assert "1,000 of 1,000 steps" in last
    assert last.endswith("0:00:00 left")


def test_progress_that_is_polled_is_printed_when_it_is_made(monkeypatch):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)
    output, polled = io.StringIO(), iter([*[64] * 9, *[128] * 9])
    with ProgressDisplay(Console(file=output), 256, poll=lambda: Status(next(polled, 192), "one | two")):
        while "192" not in output.getvalue():
            time.sleep(0.01)
    lines = output.getvalue().splitlines()[1:]
    assert [line.split(" | two: ")[1].split()[0] for line in lines] == ["128", "192"]


def test_time_is_estimated_though_a_run_goes_back_to_its_checkpoint():
    output = io.StringIO()
    with ProgressDisplay(Console(file=output), 1000, done_steps=500) as display:
        display.show(Status(100))
        display.show(Status(200))
    assert output.getvalue().splitlines()[-1].endswith(" left")


def test_what_is_done_without_steps_is_said_once():
    output = io.StringIO()
    with working(Console(file=output), "measuring [/x]"):
        assert output.getvalue() == "measuring [/x]\n"
    assert output.getvalue() == "measuring [/x]\n"
