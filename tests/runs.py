"""Runs that are small enough for tests, and files of them."""

import json
import shlex
from pathlib import Path

import jax

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.cli.main import main
from jaxsocial.training import checkpoint
from jaxsocial.training.folder import config_of

TINY = shlex.split("""
    --world.height 6 --world.width 7 --world.goals 2 --world.max-steps 8 --world.view-size 3 --world.view-offset 1
    --sizes.worlds 8 --sizes.steps 8 --sizes.minibatches 2 --sizes.segments 4 --sizes.segment-length 4
    --sizes.refresh-interval 1 --network.channels 4 --network.dense 8 --network.memory 8 --network.heads 8
    --sizes.prediction none --log-steps 64 --checkpoint-steps 64 --evaluation-episodes 16
""")
ITERATION = 64
"""Learner steps in one iteration of a tiny run."""


def command(*arguments: str) -> int:
    """Runs one command; returns its exit status. Skips the check of key reuse, which misjudges scans under vmap."""
    with jax.debug_key_reuse(False):
        return main(list(arguments))


def train(folder: Path, *options: str) -> int:
    """Trains a tiny run into a folder; returns the command's exit status."""
    return command("train", "--out", str(folder), *TINY, *options)


def parameters_of(folder: Path) -> Parameters:
    """Returns the latest parameters of a run, of all seeds and learners."""
    return checkpoint.restore_parameters(folder, config_of(folder))[0]


def toml(value) -> str:
    """Returns a value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)
