"""What docs/reliability.md reports: kills at random moments, and random flips of bytes."""

import dataclasses
import random
import shutil
import subprocess
import sys
import time

import chex
import pytest

from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of
from tests import runs

KILLS, ITERATIONS = 20, 150
FLIPS = {"checkpoints": 150, "config.json": 50}
MOST_POINTS = 5
"""Log points that a process reaches before it is killed, at most; some are killed before their first."""


@pytest.mark.slow
def test_a_run_killed_at_random_moments_equals_one_that_was_not(tmp_path):
    killed, whole, drawn = tmp_path / "killed", tmp_path / "whole", random.Random(0)
    options = (*runs.TINY, "--total-steps", str(ITERATIONS * runs.ITERATION))

    def begin(folder):
        # A run that was killed before its config was written is begun again.
        own = ("--resume", str(folder)) if (folder / "config.json").exists() else ("--out", str(folder), *options)
        return subprocess.Popen([sys.executable, "-m", "jaxsocial", "train", *own], stdout=log, stderr=log)

    def lines():
        path = killed / "metrics.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    with (tmp_path / "log.txt").open("w") as log:
        for _ in range(KILLS):
            process, changed, wait = begin(killed), lines(), 8.0
            for _ in range(drawn.randint(0, MOST_POINTS)):
                before, since = changed, time.monotonic()
                while (changed := lines()) == before:
                    assert process.poll() is None, (tmp_path / "log.txt").read_text()
                    time.sleep(0.01)
                wait = time.monotonic() - since  # until the next log point, about
            time.sleep(drawn.uniform(0, min(wait, 8.0)))
            assert process.poll() is None, "ended before it was killed: train for longer"
            process.kill()
            process.wait()
        assert [begin(folder).wait() for folder in (killed, whole)] == [0, 0], (tmp_path / "log.txt").read_text()
    own, other = (checkpoint.restore_parameters(folder, config_of(folder))[0] for folder in (killed, whole))
    chex.assert_trees_all_equal(own, other)
    for name in ("metrics.jsonl", "evaluation.json", "config.json"):
        assert (killed / name).read_text() == (whole / name).read_text()


@pytest.mark.slow
def test_every_flipped_byte_is_noticed_or_harmless(partners_run, tmp_path):
    folder, drawn, counts = shutil.copytree(partners_run.folder, tmp_path / "run"), random.Random(0), {}
    config = config_of(folder)
    known = {it: checkpoint.restore_parameters(folder, config, it * runs.ITERATION)[0] for it in (2, 4, 5)}

    def outcome() -> str:
        said: list[str] = []
        try:
            found = config_of(folder)
            checkpoint.last_whole(folder, found, said.append)
            for iteration, parameters in known.items():
                own = checkpoint.restore_parameters(folder, found, iteration * runs.ITERATION)[0]
                chex.assert_trees_all_equal(own, parameters)
        except ValueError as error:
            if "\n" in str(error):
                raise
            return "noticed, the checkpoint before is used" if said else "refused in one line"
        assert not said
        if found != config:
            assert dataclasses.replace(found, total_steps=config.total_steps) == config
            return "another length of the run"
        return "harmless"

    for part, flips in FLIPS.items():
        files = [path for path in sorted((folder / part).rglob("*")) if path.is_file() and path.stat().st_size]
        for _ in range(flips):
            path = drawn.choice(files or [folder / part])
            data = path.read_bytes()
            place = drawn.randrange(len(data))
            flipped = data[place] ^ (1 << drawn.randrange(8))
            path.write_bytes(data[:place] + bytes([flipped]) + data[place + 1 :])
            key = part, outcome()
            counts[key] = counts.get(key, 0) + 1
            path.write_bytes(data)
    print(counts)
    assert counts.get(("checkpoints", "another length of the run"), 0) == 0
