"""Decoders of the recurrent state, on made-up states of which it is known what they hold."""

import json

import jax
import matplotlib.image
import numpy as np
import pytest

from jaxsocial.env import objects
from jaxsocial.evaluate import decoding, probe_picture
from jaxsocial.evaluate.decoding import AHEAD, Decoded, Watched, decoded, in_own_frame, next_goal, others_ahead
from jaxsocial.evaluate.probes import Probed
from jaxsocial.evaluate.statistics import Score
from tests import runs

EPISODES, STEPS = 40, 30


def made_up(seed=0, units=6):
    """Two agents that jump anywhere at each step, and a state of noise."""
    rng = np.random.default_rng(seed)
    shape = EPISODES, STEPS
    goals = np.broadcast_to(rng.integers(0, 9, (EPISODES, 1, 3, 2)), (*shape, 3, 2))
    entered = np.where(rng.random((*shape, 2)) < 0.2, rng.integers(0, 3, (*shape, 2)), -1)
    return Watched(
        hidden=rng.normal(size=(*shape, 1, units)),
        position=rng.integers(0, 9, (*shape, 2, 2)),
        heading=rng.integers(0, 4, (*shape, 2)),
        goals=goals,
        entered=entered,
        present=np.ones((*shape, 2), bool),
    )


def test_places_are_told_as_the_agent_sees_them():
    seen = made_up()
    position, heading = np.zeros((1, 4, 1, 2), int), np.arange(4)[None, :, None]
    seen = seen._replace(position=position, heading=heading)
    # Two rows below and one column to the right of an agent that looks right, down, left and up.
    found = in_own_frame(seen, 0, np.broadcast_to([2, 1], (1, 4, 2)))
    assert (objects.RIGHT, objects.UP) == (0, 3)
    np.testing.assert_array_equal(found[0], [[1, 2], [2, -1], [-1, -2], [-2, 1]])


def test_the_next_goal_is_that_of_the_next_entry():
    seen = made_up()
    entered = np.full((EPISODES, STEPS, 2), -1)
    entered[:, 3, 0], entered[:, 10, 0] = 2, 1
    place, valid = next_goal(seen._replace(entered=entered), 0)
    assert valid.sum(1).tolist() == [11] * EPISODES
    for step, goal in ((0, 2), (3, 2), (4, 1), (10, 1)):
        np.testing.assert_array_equal(place[:, step], in_own_frame(seen, 0, seen.goals[:, :, goal])[:, step])


def test_others_are_where_they_will_be():
    seen = made_up()
    place, valid = others_ahead(seen, 0, np.array([1]))
    later = np.roll(seen.position[:, :, 1], -AHEAD, axis=1)
    np.testing.assert_array_equal(place[:, :-AHEAD], in_own_frame(seen, 0, later)[:, :-AHEAD])
    assert valid[:, :-AHEAD].all()
    assert not valid[:, -AHEAD:].any()


@pytest.mark.parametrize("what", ["next_goal", "others_ahead"])
def test_what_a_state_holds_is_decoded_and_nothing_else(what):
    seen = made_up()
    place, valid = next_goal(seen, 0) if what == "next_goal" else others_ahead(seen, 0, np.array([1]))
    mixing = np.random.default_rng(1).normal(size=(2, 4))
    holds = np.concatenate([place @ mixing, seen.hidden[:, :, 0]], axis=-1)
    score, shuffled = decoded(holds, place, valid)
    assert score > 0.99
    assert shuffled < 0.1
    score, shuffled = decoded(seen.hidden[:, :, 0], place, valid)
    assert score < 0.1
    assert shuffled < 0.1


def test_skill_is_told_from_a_state_that_knows_it():
    seen = made_up()
    third = np.random.default_rng(2).integers(0, 9, (EPISODES, STEPS, 1, 2))
    present = np.ones((EPISODES, STEPS, 3), bool)
    seen = seen._replace(position=np.concatenate([seen.position, third], axis=2), present=present)
    label, valid = decoding.nearest_is(seen, 0, 1, 2)
    away = np.abs(seen.position[:, :, 1:] - seen.position[:, :, :1]).max(-1)
    assert (label[valid][:, 0] > 0).tolist() == (away[valid][:, 0] < away[valid][:, 1]).tolist()
    assert (away[~valid][:, 0] == away[~valid][:, 1]).all()
    score, shuffled = decoded(seen.hidden[:, :, 0], label, valid, of_signs=True)
    assert (score, shuffled) == pytest.approx((0.5, 0.5), abs=0.08)
    score, shuffled = decoded(seen.hidden[:, :, 0] + 3 * label, label, valid, of_signs=True)
    assert score > 0.95
    assert shuffled == pytest.approx(0.5, abs=0.08)


def test_without_steps_that_count_there_is_no_score():
    seen = made_up()
    assert np.isnan(
        decoded(seen.hidden[:, :, 0], 1.0 * seen.position[:, :, 1], np.zeros((EPISODES, STEPS), bool))
    ).all()


def test_a_picture_shows_probes_and_decoders(tmp_path):
    scores = {name: Score(0.5, 0.4, 0.7) for name in ("return", "following", "following_by_chance")}
    undefined = dict.fromkeys(scores, Score(np.nan, np.nan, np.nan))
    results = [Probed("learner", name, 2, 8, own) for name, own in (("partners", scores), ("alone", undefined))]
    found = [Decoded("learner", what, Score(0.8, 0.7, 0.9), Score(0.0, -0.1, 0.1)) for what in decoding.DECODED]
    sizes = []
    for name, parts in (("all", (results, found)), ("probes", (results, [])), ("decoders", ([], found))):
        probe_picture.draw(tmp_path / f"{name}.png", *parts, "a run")
        sizes.append(matplotlib.image.imread(tmp_path / f"{name}.png").shape[1])
    assert sizes[0] > max(sizes[1:])


@pytest.mark.slow
def test_decoders_are_a_probe(finished_run, capsys):
    options = ("--probes", "hidden_state", "alone", "--episodes", "8")
    assert runs.command("evaluate", str(finished_run), *options) == 0
    assert "where its partners are 5 steps later" in " ".join(capsys.readouterr().out.split())
    found = json.loads((finished_run / "probes.json").read_text())["hidden_state"]
    assert [one["what"] for one in found] == list(decoding.DECODED)
    assert (finished_run / "probes.png").is_file()
    for path in (finished_run / "probes.json", finished_run / "probes.png"):
        path.unlink()
    assert runs.command("evaluate", str(finished_run), *options[:2], "--episodes", "2") == 2
    assert "choose 4 or more" in capsys.readouterr().err


@pytest.mark.slow
def test_a_learner_without_memory_is_not_decoded(tmp_path, capsys):
    folder = tmp_path / "run"
    assert runs.train(folder, "--network.memory-type", "none", "--total-steps", "64") == 0
    with jax.debug_key_reuse(False):
        assert runs.command("evaluate", str(folder), "--probes", "hidden_state", "--episodes", "4") == 2
    assert "has no recurrent state, leave the probe out" in capsys.readouterr().err
