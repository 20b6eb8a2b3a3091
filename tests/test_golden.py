"""The recordings of the reference, step for step and pixel for pixel."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.golden.recording import read
from tests.golden.replay import replay

FOLDER = Path(__file__).parent / "golden" / "traces"
QUICK = ("paper_a1_oracle_1", "paper_a3_oracle_1", "rules_both_1", "rules_decay_reset_1", "noghost_cycle_1")
QUICK += ("crowd_5x5_colors_1", "crowd_corridor_1", "view_even_size_6_1", "view_wide_world_1", "static_maze_v7_o1")
QUICK += (
    "doors_2",
    "doors_crowd_1",
    "doors_shut_on_agent",
    "hide_Wall_Agent_1",
    "lava_no_respawn_1",
    "rich_inactive_1",
)
QUICK += ("spawn_delay_respawn_1", "view_each_agent_differs_1", "negprestige_rewards_1", "floor_and_space_1")
QUICK += ("prestige_b0.99_s1.0_1", "prestige_from_start_1", "vistest_1", "goals_1_1", "error_face_outside")


def _sidecars():
    for sidecar in sorted(FOLDER.glob("*.json")):
        marks = () if sidecar.stem in QUICK else (pytest.mark.slow,)
        yield pytest.param(sidecar, id=sidecar.stem, marks=marks)


@pytest.mark.parametrize("sidecar", list(_sidecars()))
def test_recording_is_replayed_exactly(sidecar):
    assert replay(read(sidecar)) is None


@pytest.mark.parametrize(
    ("array", "index"),
    [("obs", (40, 0, 10, 10, 1)), ("vis", (30, 0, 3, 3)), ("rewards", (20, 0)), ("agent_rank", (7, 0))],
)
def test_first_difference_is_named(array, index):
    recording = read(FOLDER / "paper_a1_random_1.json")
    changed = recording.arrays[array].copy()
    changed[index] = ~changed[index] if changed.dtype == bool else changed[index] + 1
    found = replay(recording._replace(arrays=recording.arrays | {array: changed}))
    assert found is not None
    assert (found.step, found.array, found.at) == (index[0], array, index[1:])


def test_command_counts_and_exits_with_1_on_a_mismatch(tmp_path):
    for name in ("error_face_outside.json", "error_face_outside.npz"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    assert _command(tmp_path) == (0, "1 matched, 0 mismatched, 0 not covered")
    with np.load(tmp_path / "error_face_outside.npz") as arrays:
        np.savez(tmp_path / "error_face_outside.npz", **{**arrays, "rewards": arrays["rewards"] + 1})
    assert _command(tmp_path) == (1, "0 matched, 1 mismatched, 0 not covered")


def test_command_owns_up_to_what_it_does_not_compare(tmp_path):
    (tmp_path / "new.json").write_bytes((FOLDER / "error_face_outside.json").read_bytes())
    with np.load(FOLDER / "error_face_outside.npz") as arrays:
        np.savez(tmp_path / "new.npz", **arrays, news=np.zeros(3))
    assert _command(tmp_path) == (1, "0 matched, 0 mismatched, 1 not covered")


def _command(folder):
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden", str(folder)], cwd=root, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()[-1]
