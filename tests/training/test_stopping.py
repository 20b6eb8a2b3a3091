"""Ctrl-C while the main thread is in one long call, as in a compilation."""

import signal
import subprocess
import sys
import time

import pytest

from jaxsocial.training.stopping import NOTICE

BUSY = """
import hashlib, time
from jaxsocial.training.stopping import interrupts_answered, stop_requests
began = time.perf_counter()
hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)
rounds = int(100_000 * {seconds} / (time.perf_counter() - began))
with interrupts_answered(), stop_requests() as stop:
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", min(rounds, 2**31 - 1))
    print("asked" if stop() else "not asked", flush=True)
"""


def busy(seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(seconds=seconds)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == f"jaxsocial: {NOTICE}\n"
    return process


def test_the_first_is_answered_at_once_and_work_ends_by_itself():
    said, complaint = busy(3).communicate(timeout=60)
    assert (said, complaint) == ("asked\n", "")


def test_the_second_ends_the_process_at_once():
    process, began = busy(1_000), time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130
    assert time.monotonic() - began < 20


def test_an_interrupt_that_a_callback_of_the_garbage_collector_swallows_ends_the_process():
    program = """
import gc
from jaxsocial.training.stopping import interrupts_answered

def callback(phase, info):
    raise KeyboardInterrupt

with interrupts_answered():
    gc.callbacks.append(callback)
    gc.collect()
    print("went on")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.slow
def test_a_command_that_compiles_answers_and_leaves(tmp_path):
    arguments = ["train", "--preset", "paper", "--out", str(tmp_path / "run")]
    process = subprocess.Popen([sys.executable, "-m", "jaxsocial", *arguments], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not (tmp_path / "run" / "config.json").is_file():
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == f"jaxsocial: {NOTICE}\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
