"""Runs that several files of this folder use."""

from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

from jaxsocial import finish
from jaxsocial.agents.networks.network import Parameters
from jaxsocial.training import checkpoint, member
from tests import runs

PARTNERS = (
    *("--sizes.learners", "2", "--partners", "expert", "--seed", "3", "--world.max-steps", "6", "--world.goals", "8"),
    *("--partner-schedule.epsilon", "0.1", "--partner-schedule.leave", "0.2", "--partner-schedule.rejoin", "0.3"),
    *("--stages.penalties", "0.5", "1", "1.5", "--stages.steps", "64", "128", "--rules.penalty", "1.5"),
    *("--coefficients.learning-rate", "1e-3", "--total-steps", str(5 * runs.ITERATION), "--keep-every", "2"),
)
"""Two learners and an expert that leaves and rejoins, with penalties in stages; every second checkpoint is kept.

Episodes and iterations end at different times."""


class Recorded(NamedTuple):
    """A run, and what was recorded while it trained."""

    folder: Path
    parameters: dict[int, Parameters]
    """On the host, by iteration."""
    traces: int
    """How often its iterations were traced."""


@pytest.fixture(scope="session")
def partners_run(tmp_path_factory):
    """A run of `PARTNERS`, five iterations long, without evaluation."""
    folder, parameters, traces = tmp_path_factory.mktemp("runs") / "partners", {}, []

    def save(folder, members, iteration, config):
        parameters[iteration] = jax.tree.map(np.asarray, members.learner.parameters)
        saved(folder, members, iteration, config)

    def chunk(*arguments, **options):
        traces.append(options)
        return traced(*arguments, **options)

    saved, traced = checkpoint.save, member.chunk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", save)
        patch.setattr(member, "chunk", chunk)
        patch.setattr(finish, "measure", lambda *arguments: [])
        assert runs.train(folder, *PARTNERS) == 0
    return Recorded(folder, parameters, len(traces))
