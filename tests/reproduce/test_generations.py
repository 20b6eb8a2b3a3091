"""Generations: what a file may declare, how lineages are chained, and what is said of them."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure as Picture

from jaxsocial.env.settings import changed
from jaxsocial.reproduce import generations, store, train
from jaxsocial.reproduce.figures import TrainedPlayer
from jaxsocial.training.folder import config_of
from jaxsocial.training.pretrained import EACH
from tests import runs
from tests.reproduce.conftest import in_this_process, tiny_config
from tests.reproduce.made_up import finding, findings

FILE = """
preset = "quickstart"
seeds = 2
episodes = 8

[fixed]
world = { height = 6, width = 7, goals = 2, max_steps = 8, view_size = 3, view_offset = 1 }
sizes = { worlds = 8, steps = 8, minibatches = 2, segments = 4, segment_length = 4, refresh_interval = 1 }
network = { dense = 8, memory = 8, heads = [8] }
partners = ["expert", "random"]
total_steps = 64
log_steps = 64

[generations]
number = 2
oldest = 1
"""


def declared(**changes) -> generations.Generations:
    config = tiny_config()
    base = dataclasses.replace(config, world=changed(config.world, agents=3), partners=("expert", "random"))
    return generations.Generations(base, **changes)


def test_each_generation_learns_beside_the_one_before():
    first, second, third = generations.lineages(declared(number=3))
    assert first.partners == ()
    assert second.partners == (TrainedPlayer(first, None),) * 2
    assert third.partners == (TrainedPlayer(second, None),) * 2
    assert [condition.config.seed for condition in (first, second, third)] == [0, 1000, 2000]


def test_the_first_partners_keep_the_last_seats():
    first, second = generations.lineages(declared(number=2, oldest=1))
    assert second.partners == (TrainedPlayer(first, None), "random")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("generations = 3", "generations = 3 is no table"),
        ("[generations]\nnumber = 1", "number=1: choose 2 or more"),
        ("[generations]\nnumber = 2.5", r"generations.number"),
        ("[generations]\noldest = 2", "oldest=2: the learner has 2 partners"),
        ("preset = 'quickstart-solo'", "oldest=0: the learner has 0 partners"),
        ("[generations]\nfirst = 2", "generations.first is unknown here: choose from number, oldest"),
        ("[grid]\nseed = [1]", "'grid' is unknown here: choose from preset"),
        ("seeds = 2000", "seeds=2000: choose 1000 or fewer"),
        ("preset = 3", "preset"),
        ("[", "is no TOML"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(text, remedy, tmp_path, capsys):
    path = tmp_path / "generations.toml"
    path.write_text(text)
    assert runs.command("generations", str(path)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    with pytest.raises(ValueError, match=remedy):
        generations.read_generations(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two tiny generations, made by the command."""
    folder = tmp_path_factory.mktemp("generations")
    (folder / "file.toml").write_text(FILE)
    command = ("generations", str(folder / "file.toml"), "--runs", str(folder / "runs"), "--out", str(folder / "out"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "make_executor", in_this_process)
        assert runs.command(*command) == 0
    return folder, command


def test_generations_leave_a_table_a_picture_and_records(made):
    folder, _ = made
    shown = folder / "out" / "generations"
    assert {path.name for path in shown.iterdir()} == {"results.md", "generations.png", "generations.pdf"}
    text = (shown / "results.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| generation ")]
    assert [line.split(" | ")[0] for line in table[:3]] == ["| generation", *(f"| generation {n}" for n in (1, 2))]
    assert "jaxsocial generations" in text
    assert str(folder / "runs") not in "".join(path.read_text() for path in (folder / "out" / "runs").iterdir())
    records = {record.condition: record for record in store.read_records(folder / "out" / "runs")}
    assert set(records) == {"generation 1", "generation 2", generations.ONE_LEARNER}
    assert records[generations.ONE_LEARNER].planned_steps == records["generation 1"].planned_steps
    # Beside its partners, alone, until they leave, and for later ones beside the first partners.
    assert [len(records[f"generation {n}"].measurements) for n in (1, 2)] == [3, 4]


def test_a_seed_s_partner_is_of_its_own_lineage(made):
    folder, _ = made
    (path,) = (folder / "runs").glob("generation-2-*")
    (before,) = (folder / "runs").glob("generation-1-*")
    assert config_of(path).partners == (f"run:{before}#{EACH}", "random")


def test_the_same_command_trains_nothing_twice(made, capsys, monkeypatch):
    folder, command = made
    written = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")}
    monkeypatch.setattr(train, "make_executor", None)
    assert runs.command(*command) == 0
    assert runs.command(*command, "--report") == 0
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")} == written
    assert "rows are in" in capsys.readouterr().out


def generation(returns, half, alone, partners):
    rows = {"": finding(returns), generations.HALF: finding(half), generations.ALONE: finding(alone)}
    rows |= {generations.PARTNERS: finding(partners, partners, of_partners=True), generations.LED: finding([0.5] * 2)}
    return {f"generation 1{row}": found for row, found in rows.items()}


def test_transmission_is_that_of_bhoopchand():
    made_up = findings(generation([20.0, 3.0], [10.0, 3.0], [2.0, 3.0], [25.0, -1.0]))
    # As in the example of `cultural_transmission`; partners that earn nothing transmit nothing.
    np.testing.assert_allclose(generations.transmissions(made_up, "generation 1"), [0.52, np.nan])
    (line,) = generations.summary(made_up, ["generation 1", "generation 2"]).splitlines()[2:]
    assert line.endswith("| 0.52 [0.52, 0.52] |")


def test_a_picture_of_half_the_generations_is_drawn():
    figure = generations.figure(declared(), generations.scale_of(declared()))
    figure.draw(findings(generation([20.0, 3.0], [10.0, 3.0], [2.0, 3.0], [25.0, -1.0])), picture := Picture())
    left, right = picture.axes
    assert left.get_xticks().tolist() == [1]
    assert right.get_ylabel() == "cultural transmission"
