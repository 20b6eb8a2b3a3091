"""Probes of social learning: the command, and measures of recorded episodes."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.config import presets
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.env.observations import pixels
from jaxsocial.env.registry import make_scenario
from jaxsocial.evaluate import probes
from jaxsocial.evaluate.episodes import Episodes, turn_of
from jaxsocial.evaluate.statistics import Score, mean_over_seeds
from jaxsocial.training.folder import config_of
from tests import runs

ALL = [
    *("partners", "alone", "half", "random", "anti_expert"),
    *("expert_and_random", "expert_and_anti_expert", "no_prestige", "swapped_prestige", "frozen_prestige"),
    *("gone_after_round", "moved_after_round", "reversed_order"),
]


def finite_or_null(score):
    return all(value is None or math.isfinite(value) for value in score.values())


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def taken(path):
    """Returns the content of a file, and deletes it and the picture beside it: other tests read the folder too."""
    found = json.loads(path.read_text())
    path.unlink()
    path.with_suffix(".png").unlink()
    return found


def test_probes_are_shown_and_saved(finished_run, capsys):
    assert runs.command("evaluate", str(finished_run), "--probes", "partners", "alone", "--episodes", "16") == 0
    shown = said(capsys)
    assert "16 episodes of 2 seeds" in shown
    assert all(f" {name} " in shown for name in ("partners", "alone"))
    assert "cultural transmission" not in shown  # one of the three probes is missing
    found = taken(finished_run / "probes.json")
    assert found["cultural_transmission"] == {}
    assert [(p["learner"], p["probe"], p["seeds"], p["episodes"]) for p in found["probes"]] == [
        ("learner", "partners", 2, 16),
        ("learner", "alone", 2, 16),
    ]
    assert all(finite_or_null(score) for probe in found["probes"] for score in probe["scores"].values())
    # The same worlds as in the run's own evaluation.
    results = json.loads((finished_run / "evaluation.json").read_text())
    own = np.mean([r["return"]["mean"] for r in results if r["player"] == "learner"])
    assert found["probes"][0]["scores"]["return"]["mean"] == pytest.approx(own)
    assert found["probes"][1]["scores"]["following"]["mean"] in (0, None)
    assert found["probes"][1]["scores"]["prediction_error_with_others"]["mean"] is None


@pytest.mark.slow
def test_all_probes(finished_run, capsys):
    assert runs.command("evaluate", str(finished_run), "--probes", "all", "--episodes", "16") == 0
    shown = said(capsys)
    found = taken(finished_run / "probes.json")
    assert [probe["probe"] for probe in found["probes"]] == ALL
    assert all(name in shown for name in ALL)
    assert all(finite_or_null(score) for probe in found["probes"] for score in probe["scores"].values())
    assert "cultural transmission, learner: " in shown
    assert finite_or_null(found["cultural_transmission"]["learner"])


@pytest.mark.slow
def test_other_partners_replace_those_of_a_run(finished_run, capsys):
    partners = ["--partners", "anti_expert", "random", f"run:{finished_run}#4"]
    assert runs.command("evaluate", str(finished_run), "--episodes", "4", *partners) == 0
    shown = said(capsys)
    assert all(name in shown for name in ("learner", "anti_expert", "random"))
    assert "expert │ 3" not in shown.replace("anti_expert │ 3", "")
    assert runs.command("evaluate", str(finished_run), "--episodes", "4", "--partners") == 0
    assert "expert" not in said(capsys)


@pytest.mark.slow
def test_a_learner_trained_alone_is_probed_beside_partners(tmp_path, capsys):
    folder = tmp_path / "alone"
    assert runs.train(folder, "--preset", "quickstart-solo", "--total-steps", "64") == 0
    assert runs.command("evaluate", str(folder), "--probes", "all", "--episodes", "4") == 0
    assert [p["probe"] for p in json.loads((folder / "probes.json").read_text())["probes"]] == ["alone"]
    beside = ["--probes", "partners", "half", "alone", "--partners", "expert"]
    assert runs.command("evaluate", str(folder), "--episodes", "4", *beside) == 0
    assert set(json.loads((folder / "probes.json").read_text())["cultural_transmission"]) == {"learner"}
    capsys.readouterr()
    assert runs.command("evaluate", str(folder), "--probes", "half") == 2
    assert "probe half needs partners, and the run has none: name them as partners" in capsys.readouterr().err


def test_an_unknown_probe_is_refused_with_the_known_ones(finished_run, capsys):
    assert runs.command("evaluate", str(finished_run), "--probes", "compnay") == 2
    assert f"probe compnay: choose from {', '.join(ALL)}, hidden_state, all" in capsys.readouterr().err
    assert not (finished_run / "probes.json").exists()


def test_an_old_name_is_refused_with_the_new_one():
    with pytest.raises(ValueError, match="probe company: this probe has a new name, choose partners"):
        probes.chosen_probes(("alone", "company"), presets.preset("quickstart"))


def test_without_partners_only_alone_is_probed():
    config = presets.preset("quickstart-solo")
    assert probes.chosen_probes(("all",), config) == ("alone",)
    for name in ("partners", "half", "random", "anti_expert", "no_prestige"):
        with pytest.raises(ValueError, match=f"probe {name} needs partners, and the run has none"):
            probes.chosen_probes(("alone", name), config)
    assert list(probes.chosen_probes(("all",), presets.preset("quickstart"))) == ALL
    one = dataclasses.replace(presets.preset("quickstart"), partners=("expert", "absent"))
    assert list(probes.chosen_probes(("all",), one)) == [
        name for name in ALL if not name.startswith("expert_and") and not name.startswith(("swapped", "frozen"))
    ]
    with pytest.raises(ValueError, match="probe expert_and_random needs two partners, and the run has 1"):
        probes.chosen_probes(("expert_and_random",), one)
    maze = dataclasses.replace(presets.preset("quickstart"), world=make_scenario("maze", agents=3))
    assert list(probes.chosen_probes(("all",), maze)) == ALL[:-3]
    with pytest.raises(ValueError, match="reversed_order needs goals with an order, which maze has not"):
        probes.chosen_probes(("reversed_order",), maze)


def test_probes_of_the_first_seats_need_partners_there():
    late = dataclasses.replace(presets.preset("quickstart"), partners=("absent", "expert"))
    assert "gone_after_round" in probes.chosen_probes(("all",), late)
    assert "moved_after_round" not in probes.chosen_probes(("all",), late)
    with pytest.raises(ValueError, match="moved_after_round needs partners in the first seats: name absent ones last"):
        probes.chosen_probes(("moved_after_round",), late)


@pytest.mark.parametrize(("names", "remedy"), [(("hidden_state",), "Run.decode"), (("alone", "all"), "without others")])
def test_what_is_no_probe_by_itself_is_refused_with_what_to_do(names, remedy):
    with pytest.raises(ValueError, match=remedy):
        probes.chosen_probes(names, presets.preset("quickstart"))


# Measures of recorded episodes: nothing is played

CONFIG = dataclasses.replace(presets.preset("quickstart"), seeds=2, partners=("expert", "absent"))
SHAPE = (2, 6, 4, 3)
"""Seeds, episodes, steps, agents."""


def recorded(learner, expert):
    """Returns episodes with these rewards in the first step, one for each seed; the third seat is empty."""
    reward = np.zeros(SHAPE, np.float32)
    reward[:, :, 0, 0] = np.asarray(learner)[:, None]
    reward[:, :, 0, 1] = np.asarray(expert)[:, None]
    goal = np.where(reward != 0, 0, -1)
    present = np.ones(SHAPE, bool)
    present[..., 2] = False
    error = np.full((*SHAPE[:3], 1), 0.25)
    in_view = np.zeros(error.shape, bool)
    error[:, :, 0], in_view[:, :, 0] = 0.75, True
    return Episodes(reward, goal, reward > 0, present, error, in_view)


def played(monkeypatch, by_kind):
    """Returns the probes of these recordings: with partners, with partners gone midway, alone."""

    def episode_player(config, episodes, alone, gone_from, foresight, program):
        assert foresight
        assert program == "program"
        kind = "alone" if alone else "partners" if gone_from is None else "half"
        assert gone_from in (None, config.world.max_steps // 2)
        return lambda parameters: by_kind[kind]

    monkeypatch.setattr(probes, "episode_player", episode_player)
    # All three have the same partners: one program.
    monkeypatch.setattr(probes, "probe_program", lambda *arguments: ["program"].pop())
    return probes.probe(CONFIG, {}, ("partners", "half", "alone"), SHAPE[1])


def test_transmission_is_the_gain_in_return_from_partners(monkeypatch):
    results, transmission = played(
        monkeypatch,
        {"partners": recorded([5, 7], [10, 10]), "half": recorded([3, 5], [9, 9]), "alone": recorded([1, 1], [0, 0])},
    )
    # There is one expert: the empty seat does not count.
    assert transmission["learner"].mean == pytest.approx(0.5 * (6 - 1) / 10 + 0.5 * (4 - 1) / 10)
    assert [result.scores["return"].mean for result in results] == [6, 4, 1]
    assert results[0].scores["prediction_error_with_others"].mean == pytest.approx(0.75)
    assert results[0].scores["prediction_error_without_others"].mean == pytest.approx(0.25)
    assert json.loads(json.dumps(probes.plain(results, transmission)))["probes"][2]["scores"]["return"]["mean"] == 1


@pytest.mark.parametrize("expert", [[0, 0], [-3, 2]])
def test_partners_that_earn_nothing_have_no_transmission(monkeypatch, expert):
    together, alone = recorded([5, 7], expert), recorded([1, 1], [0, 0])
    results, transmission = played(monkeypatch, {"partners": together, "half": together, "alone": alone})
    assert transmission == {}
    assert len(results) == 3


def test_one_episode_gives_no_transmission(monkeypatch):
    one = Episodes(*(None if field is None else field[:1, :1] for field in recorded([5, 7], [10, 10])))
    results, transmission = played(monkeypatch, {"partners": one, "half": one, "alone": one})
    assert transmission == {}
    assert results[0].scores["return"] == (5, 5, 5)


def test_unknown_values_are_null_in_json_and_a_dash_in_the_table(finished_run):
    config = config_of(finished_run)
    nobody = recorded([0, 0], [0, 0])
    nobody = nobody._replace(prediction_error=np.full_like(nobody.prediction_error, np.nan))
    scores = {name: mean_over_seeds(values) for name, values in probes.measured(nobody, config, 0).items()}
    result = probes.Probed("learner", "partners", 2, 6, scores)
    plain = probes.plain([result], {})["probes"][0]["scores"]
    assert plain["lag"] == {"mean": None, "low": None, "high": None}
    assert plain["prediction_error_with_others"]["mean"] is None
    assert plain["penalties"] == {"mean": 0, "low": 0, "high": 0}
    first, second = probes.tables([result], "")
    assert first.rows == [("partners", "0.00", "0.0, 0.0", "0.00", "0.00", "-", "-", "-")]
    # What is known nowhere has no column.
    assert (second.headings, second.rows) == (("", "cycles"), [("partners", "0.00")])


@pytest.mark.parametrize(("error", "shown"), [(0.0123, "0.0123"), (0.5178, "0.518"), (2.0, "2")])
def test_errors_of_any_scale_are_shown_as_they_are(error, shown):
    score = Score(error, error, error)
    scores = dict.fromkeys(("return", *probes.SHOWN, *probes.ERRORS), score)
    _, table = probes.tables([probes.Probed("learner", "partners", 2, 6, scores)], "")
    assert table.rows == [("partners", shown, shown)]


# Which way round?


@pytest.mark.parametrize(
    ("goals", "turn"),
    [
        ([[0, 0], [0, 5], [5, 5]], 1),
        ([[5, 5], [0, 5], [0, 0]], -1),
        ([[0, 5], [5, 5], [0, 0]], 1),
        ([[1, 1], [2, 2], [3, 3]], 0),
    ],
)
def test_an_order_of_three_goals_goes_one_way_round_or_the_other(goals, turn):
    assert turn_of(jnp.array(goals)) == turn


def test_returns_are_told_apart_by_the_way_round():
    found = two_kinds(1)
    turn = np.where(np.arange(30) % 3 == 0, 1, np.where(np.arange(30) % 3 == 1, -1, 0))
    found = found._replace(turn=np.broadcast_to(turn[None, :, None], (2, 30, 60)))
    values = probes.measured(found, CONFIG, 0)
    clockwise, other = (values[name] for name in probes.TURNS)
    assert np.isfinite(clockwise).all(0).tolist() == (turn == 1).tolist()
    np.testing.assert_array_equal(other[:, turn == -1], values["return"][:, turn == -1])
    assert not set(probes.TURNS) & set(probes.measured(found._replace(turn=None), CONFIG, 0))


# Whom does it follow?


def two_kinds(leader):
    """Returns episodes of a learner that enters each goal two steps after one of two partners."""
    rng, goal = np.random.default_rng(0), np.full((2, 30, 60, 3), -1)
    for seed, episode, seat in np.ndindex(2, 30, 3):
        # Three steps apart, so that the partner is never a goal ahead.
        entries = np.sort(rng.choice(np.arange(0, 57, 3), 12, replace=False))
        goal[seed, episode, entries, seat] = np.arange(12) % 3
    goal[..., 0] = -1
    goal[:, :, 2:, 0] = goal[:, :, :-2, leader]
    return Episodes((goal >= 0).astype(np.float32), goal, goal >= 0, np.ones(goal.shape, bool))


@pytest.mark.parametrize(("leader", "first", "second"), [(1, "expert", "random"), (2, "random", "expert")])
def test_a_follower_of_one_kind_is_told_from_one_of_the_other(leader, first, second):
    config = dataclasses.replace(presets.preset("quickstart"), seeds=2, partners=("expert", "random"))
    found = probes.followed(two_kinds(leader), config, 0)
    assert set(found) == {"following_expert", "following_random"}
    assert found[f"following_{first}"].mean() == 1
    assert found[f"following_{second}"].mean() < 0.7
    assert probes.followed(two_kinds(leader), presets.preset("quickstart"), 0) == {}


def test_the_players_of_a_probe_take_the_seats_of_partners_in_turn():
    config = dataclasses.replace(CONFIG, partners=("expert", "expert"))
    mixed = probes.probed_config(config, "expert_and_anti_expert")
    assert mixed.partners == ("expert", "anti_expert")
    assert probes.probed_config(CONFIG, "random").partners == ("random", "absent")
    assert probes.probed_config(config, "half") == config


def test_only_the_run_s_own_partners_keep_the_noise_of_training():
    config = dataclasses.replace(CONFIG, partners=("expert", "expert"), partner_schedule=PartnerSchedule((0.3, 0.1)))
    for name in probes.PROBES:
        noise = probes.probed_config(config, name).partner_schedule.epsilon
        assert noise == ((0.0,) if name in probes.REPLACED else (0.3, 0.1)), name


def test_without_prestige_all_agents_look_alike():
    config = probes.probed_config(presets.preset("laptop"), "no_prestige")
    env = config.make_env()
    state, _ = env.reset(jax.random.key(0))
    rich = state._replace(prestige=jnp.array([0.0, 1.0, 50.0]))
    assert len({tuple(colour) for colour in pixels.tint(rich, env.rules, env.scenario).tolist()}) == 1
    shown = presets.preset("laptop").make_env().rules
    assert len({tuple(colour) for colour in pixels.tint(rich, shown, env.scenario).tolist()}) > 1


def test_what_each_kind_led_is_in_the_table():
    config = dataclasses.replace(presets.preset("quickstart"), seeds=2, partners=("expert", "random"))
    found = two_kinds(1)
    values = probes.measured(found, config, 0) | probes.followed(found, config, 0)
    scores = {name: mean_over_seeds(each) for name, each in values.items()}
    scores |= dict.fromkeys(probes.ERRORS, Score(1.0, 1.0, 1.0))
    alone = {name: score for name, score in scores.items() if not name.startswith("following_r")}
    both = [probes.Probed("learner", name, 2, 30, own) for name, own in (("mixed", scores), ("other", alone))]
    first, second = probes.tables(both, "")
    assert [row[0] for row in first.rows] == [row[0] for row in second.rows] == ["mixed", "other"]
    columns = dict(zip(second.headings, zip(*second.rows, strict=True), strict=True))
    assert columns["led by expert"][0] == "1.00"
    assert columns["led by random"][1] == "-"
    assert "goals after" not in columns
