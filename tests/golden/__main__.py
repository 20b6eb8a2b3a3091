"""Replays every recording in a folder; exits 1 if any differs."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.golden.recording import read, why_not_covered
from tests.golden.replay import length_of, replay


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of recordings, NAME.npz beside NAME.json")
    folder = parser.parse_args().folder
    sidecars = sorted(folder.glob("*.json"))
    if not sidecars:
        parser.error(f"{folder} holds no recordings: give the folder of the NAME.json files")
    counts = Counter(_report(sidecar) for sidecar in sidecars)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in ("matched", "mismatched", "not covered")))
    return int(counts["mismatched"] > 0)


def _report(sidecar: Path) -> str:
    """Prints the line of one recording; returns what became of it."""
    recording = read(sidecar)
    beginning = f"{recording.name}, {length_of(recording)} steps, "
    reason = why_not_covered(recording)
    if reason:
        print(f"{beginning}not covered: {reason}", flush=True)
        return "not covered"
    mismatch = replay(recording)
    print(f"{beginning}{mismatch or 'ok'}", flush=True)
    return "mismatched" if mismatch else "matched"


if __name__ == "__main__":
    sys.exit(main())
