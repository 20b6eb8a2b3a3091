"""Replays every recording in a folder; exits 1 if any differs."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.golden.recording import read
from tests.golden.replay import NOT_COMPARED, NotCoveredError, replay

OUTCOMES = ("matched", "mismatched", "not covered")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of recordings, NAME.npz beside NAME.json")
    parser.add_argument("--only", default="", help="only recordings whose names begin so")
    options = parser.parse_args()
    sidecars = sorted(options.folder.glob(f"{options.only}*.json"))
    if not sidecars:
        parser.error(f"{options.folder} holds no such recordings: give the folder of the NAME.json files")
    counts = Counter(_report(sidecar) for sidecar in sidecars)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
    return int(counts["matched"] < len(sidecars))


def _report(sidecar: Path) -> str:
    """Prints the line of one recording; returns what became of it."""
    recording = read(sidecar)
    length = recording.facts.get("n_steps", recording.facts.get("n_scenes", 0))
    try:
        mismatch = replay(recording)
    except NotCoveredError as reason:
        print(f"{recording.name}, {length} steps, not covered: {reason}", flush=True)
        return "not covered"
    left_out = [f" ({name} not compared: {why})" for name, why in NOT_COMPARED.items() if name in recording.arrays]
    print(f"{recording.name}, {length} steps, {mismatch or 'ok'}{''.join(left_out)}", flush=True)
    return "mismatched" if mismatch else "matched"


if __name__ == "__main__":
    sys.exit(main())
