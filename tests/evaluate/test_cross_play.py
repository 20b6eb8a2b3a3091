"""Learners beside partners that they were not trained with: the held-out set, other runs, and the matrix of several."""

import json
import re

import jax
import numpy as np
import pytest
from matplotlib.figure import Figure as Picture

import jaxsocial
from jaxsocial.agents.policy import ABSENT
from jaxsocial.agents.seating import PLAYERS
from jaxsocial.config.presets import presets
from jaxsocial.evaluate import cross_play
from jaxsocial.evaluate.cross_play import HELD_OUT, MEASURES, SHARE, CrossPlayed, PartnerSet, best_returns
from jaxsocial.evaluate.statistics import Score
from jaxsocial.training import checkpoint
from tests import runs

EPISODES = 16


@pytest.fixture(scope="module")
def played(finished_run):
    """Three partners, of which the first two differ in noise only, some that do not fit, and the number of programs."""
    sets = [
        PartnerSet("experts", ("expert",)),
        PartnerSet("noise", ("expert",), 1.0),
        PartnerSet("alone", (ABSENT,)),
        PartnerSet("nobody", ("run:nowhere",)),
        PartnerSet("three", ("expert", "random", "random")),
    ]
    made = []

    def counted(*arguments):
        found = player(*arguments)
        made.append(arguments)
        return found

    player = cross_play.episode_player
    with pytest.MonkeyPatch.context() as patch, jax.debug_key_reuse(False):
        patch.setattr(cross_play, "episode_player", counted)
        return *jaxsocial.Run.load(finished_run).cross_play(sets, EPISODES), len(made)


def test_each_set_has_a_row_of_all_seeds(played):
    results, _, programs = played
    assert [(one.learner, one.partners, one.seeds, one.episodes) for one in results] == [
        ("learner", name, 2, EPISODES) for name in ("experts", "noise", "alone")
    ]
    assert all(set(one.scores) == {*MEASURES, SHARE} for one in results)
    # Noise compiles nothing.
    assert programs == 2


def test_the_return_is_that_of_an_evaluation_beside_the_same_partners(played, finished_run):
    with jax.debug_key_reuse(False):
        evaluated = jaxsocial.Run.load(finished_run).evaluate(EPISODES, partners=("expert", "expert"))
    own = [one.return_.mean for one in evaluated if one.player == "learner"]
    assert played[0][0].scores["return"].mean == pytest.approx(np.mean(own))


def test_returns_are_shares_of_what_an_expert_in_the_seat_earns(played, finished_run):
    run = jaxsocial.Run.load(finished_run)
    parameters, _ = checkpoint.restore_parameters(finished_run, run.config)
    with jax.debug_key_reuse(False):
        best = best_returns(run.config, parameters, EPISODES)
        beside = run.evaluate(256, partners=("expert", "expert"))
        experts = [one.return_.mean for one in beside if one.player == "expert"]
    # The same player in another seat and other episodes.
    assert best.mean() == pytest.approx(np.mean(experts), rel=0.25)
    share = played[0][0].scores[SHARE].mean
    assert share == pytest.approx(played[0][0].scores["return"].mean / best.mean(), abs=0.05)


def test_nobody_leads_where_nobody_is(played):
    following = [one.scores["following"].mean for one in played[0]]
    assert not following[2] > 0


def test_partners_that_do_not_fit_are_left_out_with_the_reason(played):
    other, three = played[1]
    assert other.startswith("nobody: partner run:nowhere: nowhere holds no run")
    assert three == "three: they need 3 seats, and there are 2"


def test_a_world_without_seats_is_refused():
    with pytest.raises(ValueError, match="has no seat for partners: choose a run that was trained beside some"):
        cross_play.cross_play(jaxsocial.preset("quickstart-solo"), {}, HELD_OUT, 1)


def test_the_held_out_set_is_of_twelve_that_no_preset_trains_with():
    assert len(HELD_OUT) == len({one.name for one in HELD_OUT}) == 12
    assert {p for one in HELD_OUT for p in one.players if ":" not in p} <= set(PLAYERS)
    seats = {((one.players * 2)[:2], one.epsilon) for one in HELD_OUT}
    trained = {(config.partners[:2], config.partner_schedule.epsilon[0]) for config, _ in presets().values()}
    assert seats & trained == set()


def test_the_option_prints_a_table_and_writes_a_file(finished_run, capsys):
    assert runs.command("evaluate", str(finished_run), "--against", "expert", "--episodes", "2") == 0
    assert "partners" in capsys.readouterr().out
    path = finished_run / "cross_play.json"
    (row,) = json.loads(path.read_text())
    path.unlink()
    assert (row["partners"], row["episodes"]) == ("expert", 2)
    assert runs.command("evaluate", str(finished_run), "--against", "expert", "--alone") == 2
    assert "leave other options but --episodes out" in capsys.readouterr().err
    assert runs.command("evaluate", str(finished_run), "--probes", "half", "--alone") == 2
    assert "name the probe alone" in capsys.readouterr().err


def test_two_runs_are_a_matrix_of_four(finished_run, tmp_path, capsys):
    out, names = tmp_path / "matrix", (str(finished_run), f"{finished_run}@256")
    assert runs.command("cross-play", *names, "--episodes", "2", "--out", str(out)) == 0
    assert {path.name for path in out.iterdir()} == {"matrix.json", "matrix.png"}
    found = json.loads((out / "matrix.json").read_text())
    assert list(found) == list(names)
    # The same networks beside the same networks.
    returns = [[one["scores"]["return"]["mean"] for one in found[name]] for name in names]
    assert len({value for row in returns for value in row}) == 1
    assert runs.command("cross-play", names[0]) == 2
    assert "name two runs or more" in capsys.readouterr().err
    assert runs.command("cross-play", f"{names[0]}#3", names[0]) == 2
    assert "leave #3 out" in capsys.readouterr().err


def test_a_row_of_the_matrix_is_a_learner_and_a_column_its_partners(finished_run, tmp_path, monkeypatch, capsys):
    names, pictures = [str(finished_run), f"{finished_run}@256"], []

    def play(self, sets, episodes, steps):
        """Makes up returns: 10 for the second learner, and 1 for its second partners."""
        value = 10.0 * (steps is not None)
        results = []
        for one in sets:
            mean = value + (one.players == (f"run:{names[1]}",))
            for learner, found in (("learner 0", mean), ("learner 1", -9.0)):
                results.append(CrossPlayed(learner, one.name, 2, episodes, {"return": Score(found, found, found)}))
        return results, []

    monkeypatch.setattr(jaxsocial.Run, "cross_play", play)
    monkeypatch.setattr(Picture, "savefig", lambda self, *_, **__: pictures.append(self))
    assert runs.command("cross-play", *names, "--episodes", "2", "--out", str(tmp_path)) == 0
    found = json.loads((tmp_path / "matrix.json").read_text())
    cells = {(row, one["partners"]): one["scores"]["return"]["mean"] for row in names for one in found[row][::2]}
    returns = [[0.0, 1.0], [10.0, 11.0]]
    assert cells == {(names[row], names[column]): returns[row][column] for row, column in np.ndindex(2, 2)}
    assert re.findall(r"\d+\.\d\d", capsys.readouterr().out) == ["0.00", "1.00", "10.00", "11.00"]
    axes = pictures[0].axes[0]
    drawn = {text.get_position(): text.get_text() for text in axes.texts}
    assert drawn == {(column, row): f"{returns[row][column]:.1f}" for row, column in np.ndindex(2, 2)}
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("learner", "partners")
    assert [label.get_text() for label in axes.get_yticklabels()] == names
