"""The training loop, with a program that counts."""

import signal
import threading

import numpy as np
import pytest

from jaxsocial.training import loop
from jaxsocial.training.member import Member
from jaxsocial.training.program import Program
from jaxsocial.training.stopping import Stopped, stop_requests


class Counted:
    """Runs the loop with members that are their iteration, and keeps the order of events."""

    def __init__(self):
        self.events, self.calls, self.metrics = [], [], []

    def chunk(self, members, iterations):
        self.calls.append(iterations)
        counts = members.learner + 1 + np.arange(iterations)
        measured = {"count": np.broadcast_to(counts[None, :, None], (3, iterations, 2))}
        return members._replace(learner=members.learner + iterations), measured

    def record(self, chunk):
        assert chunk.members.learner == chunk.iteration
        self.events.append(("record", chunk.iteration))
        self.metrics.append(chunk.metrics["count"])

    def save(self, members, iteration):
        assert members.learner == iteration
        self.events.append(("save", iteration))

    def train(self, begin, end, chunk_iterations, stop=lambda: False, **options):
        nothing = dict.fromkeys(Program._fields)
        program = Program(**(nothing | {"chunk": self.chunk}))
        members = Member(begin, (), np.bool_(True))
        members = loop.train(
            program, members, begin, end, chunk_iterations, self.record, self.save, stop=stop, **options
        )
        return members.learner

    def saved(self):
        return [iteration for what, iteration in self.events if what == "save"]


@pytest.fixture
def counted():
    return Counted()


def test_a_chunk_is_recorded_before_it_is_saved(counted):
    assert counted.train(0, 4, 2, save_iterations=2) == 4
    assert counted.events == [("record", 2), ("save", 2), ("record", 4), ("save", 4)]


@pytest.mark.parametrize(("begin", "saved"), [(0, [4, 8, 11]), (3, [5, 9, 11]), (6, [8, 11])])
def test_a_run_that_was_stopped_saves_where_one_that_was_not_does(counted, begin, saved):
    assert counted.train(begin, 11, 2, save_iterations=4) == 11
    assert counted.saved() == saved


def test_saves_when_enough_seconds_have_passed(counted):
    counted.train(0, 6, 2, save_seconds=0)
    assert counted.saved() == [2, 4, 6]


def test_the_end_is_always_saved_and_once(counted):
    counted.train(0, 6, 4)
    assert counted.events == [("record", 4), ("record", 6), ("save", 6)]


def test_nothing_is_done_at_the_end(counted):
    assert counted.train(6, 6, 4) == 6
    assert counted.events == []


def test_a_stop_saves_first(counted):
    with pytest.raises(Stopped):
        counted.train(0, 8, 2, stop=lambda: len(counted.metrics) == 2)
    assert counted.events == [("record", 2), ("record", 4), ("save", 4)]


def test_a_stop_at_the_end_is_no_stop(counted):
    assert counted.train(0, 2, 2, stop=lambda: True) == 2
    assert counted.saved() == [2]


def test_metrics_of_several_calls_are_concatenated(counted):
    counted.train(4, 12, 5, call_iterations=2)
    assert counted.calls == [2, 2, 1, 2, 1]
    first, last = counted.metrics
    assert first.shape == (3, 5, 2)
    np.testing.assert_array_equal(first[0, :, 0], [5, 6, 7, 8, 9])
    np.testing.assert_array_equal(last[2, :, 1], [10, 11, 12])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop(number):
    # The tests themselves may run where it is ignored.
    before = signal.signal(number, signal.default_int_handler)
    try:
        with stop_requests() as stop:
            assert not stop()
            signal.raise_signal(number)
            assert stop()
        assert signal.getsignal(number) == signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_a_hangup_that_is_ignored_stays_ignored():
    # As nohup does.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requests() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_trains_without_signals():
    found = []

    def work():
        with stop_requests() as stop:
            found.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
