"""What docs/reliability.md reports: kills at random moments, and random flips of bytes."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import psutil
import pytest

import jaxsocial
from jaxsocial.cli.parsing import parse
from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of
from tests import runs

KILLS, ITERATIONS, CHUNKS, INTERRUPTS = 20, 150, 2000, 10
ROOT = Path(__file__).parents[2]
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
def test_a_long_run_does_not_grow(tmp_path):
    """Memory after 2,000 chunks is that after 1,000: compilation and the pools of the first checkpoints are filled."""
    resident, process = {}, psutil.Process()

    def measure(rows):
        resident[rows[-1]["step"] // runs.ITERATION] = process.memory_info().rss

    options = ("--total-steps", str(CHUNKS * runs.ITERATION), "--checkpoint-steps", str(50 * runs.ITERATION))
    config = parse(["train", *runs.TINY, *options]).config
    with jax.debug_key_reuse(False):
        jaxsocial.train(config, tmp_path / "long", [measure])
    assert len(resident) == CHUNKS
    growth, before = (resident[CHUNKS] / resident[CHUNKS // part] - 1 for part in (2, 4))
    print(f"{growth:.2%} of {resident[CHUNKS] >> 20} MiB since the middle, {before:.2%} since the first quarter")
    assert growth < 0.01


@pytest.mark.slow
def test_ctrl_c_twice_at_random_moments_leaves_cleanly(tmp_path):
    drawn = random.Random(0)
    for number in range(INTERRUPTS):
        folder = tmp_path / str(number)
        arguments = ["reproduce", "figure4", "--scale", "smoke", "--runs", folder / "runs", "--out", folder / "out"]
        process = subprocess.Popen(
            [sys.executable, "-m", "jaxsocial", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(drawn.uniform(5, 30))
        process.send_signal(signal.SIGINT)
        time.sleep(drawn.uniform(0.1, 2))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "Traceback" not in said


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
