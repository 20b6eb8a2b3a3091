"""Replays of recordings of the reference grid world: `python -m tests.golden FOLDER`."""
