"""A sweep's file: the settings that it declares, and the errors of a wrong one before anything runs."""

import math
import shutil
from pathlib import Path

import pytest

from jaxsocial.config.fields import flat
from jaxsocial.config.presets import preset
from jaxsocial.sweep.members import entries, groups, member_config
from jaxsocial.sweep.spec import make_sweep, read_sweep
from jaxsocial.training import checkpoint, folder

VERSION_1 = Path(__file__).parents[1] / "training" / "version_1"


def written(tmp_path, text: str):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return path


def test_a_file_declares_every_combination_of_its_axes(tmp_path):
    text = """
        preset = "quickstart"
        seed = 7
        seeds = 3
        evaluations = 4
        [fixed]
        total_steps = 1e5
        world.goals = 3
        [grid]
        coefficients.learning_rate = { log = [1e-4, 1e-2, 3] }
        "rules.penalty" = [0.5, 1]
        [[list]]
        network.memory = 32
        network.heads = [16, 8]
        [[list]]
        network.memory = 64
        [halving]
        steps = [2e4, 6e4]
        keep = 0.25
    """
    sweep = read_sweep(written(tmp_path, text))
    assert len(sweep.settings) == 3 * 2 * 2
    rates = [setting.coefficients.learning_rate for setting in sweep.settings]
    assert rates == pytest.approx([rate for rate in (1e-4, 1e-3, 1e-2) for _ in range(4)])
    assert [setting.rules.penalty for setting in sweep.settings[:4]] == [0.5, 0.5, 1.0, 1.0]
    assert [setting.network.heads for setting in sweep.settings[:2]] == [(16, 8), preset("quickstart").network.heads]
    assert {(s.total_steps, s.world.goals, s.seed, s.seeds) for s in sweep.settings} == {(100_000, 3, 7, 3)}
    assert (sweep.halving.steps, sweep.halving.keep, sweep.evaluations) == ((2e4, 6e4), 0.25, 4)


def drawn(seed: int = 0, **more):
    fields = {
        "coefficients.gamma": {"uniform": [0.9, 1.0]},
        "coefficients.learning_rate": {"log_uniform": [1e-5, 1e-1]},
    }
    fields |= {"network.memory": {"integers": [8, 9]}, "sizes.prediction": {"choice": ["none", "frame"]}}
    return make_sweep({"draw": {"count": 200, "seed": seed, "fields": fields | more}}).settings


def test_draws_follow_their_distributions_and_depend_on_the_seed():
    made = drawn()
    gamma = [setting.coefficients.gamma for setting in made]
    assert min(gamma) >= 0.9
    assert max(gamma) < 1.0
    assert sum(gamma) / len(gamma) == pytest.approx(0.95, abs=0.01)
    logs = [math.log10(setting.coefficients.learning_rate) for setting in made]
    assert sum(logs) / len(logs) == pytest.approx(-3, abs=0.3)
    assert {(s.network.memory, s.sizes.prediction) for s in made} == {
        (8, "none"),
        (8, "frame"),
        (9, "none"),
        (9, "frame"),
    }
    assert [s.coefficients.gamma for s in drawn(1)] != gamma


def test_draws_of_a_field_do_not_depend_on_other_fields():
    assert [s.coefficients.gamma for s in drawn(**{"coefficients.clip": {"uniform": [0.1, 0.3]}})] == [
        s.coefficients.gamma for s in drawn()
    ]


def test_settings_that_differ_in_traced_numbers_share_a_program():
    grid = {"coefficients.learning_rate": [1e-4, 1e-3], "network.memory": [8, 16], "partner_schedule.leave": [0.0, 0.1]}
    settings = make_sweep({"grid": grid, "seeds": 2}).settings
    # The memory is static, and so is whether partners can drop out.
    assert [len(group) for group in groups(settings, range(8))] == [2, 2, 2, 2]
    assert groups(settings, [0, 4, 7]) == [[0, 4], [7]]
    members = entries(settings, [7])
    assert [tuple(member) for member in members] == [(7, 0), (7, 1)]
    alone = member_config(members[1], settings)
    assert (alone.seed, alone.seeds, alone.network.memory) == (1, 1, 16)


def test_the_table_has_every_field_by_its_name():
    fields = flat(preset("quickstart"))
    assert fields["network.channels"] == "16"
    assert fields["partners"] == "searching_expert, searching_expert"
    assert fields["coefficients.learning_rate"] == 7e-4
    assert fields["world.goals"] == 3
    assert "seed" not in fields


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("grid = ", "is no TOML"),
        ("presets = 'paper'", "choose from preset, scenario"),
        ("preset = 'papre'", "choose from quickstart"),
        ("seeds = 'three'", "give a whole number"),
        ("seeds = 0", "choose 1 or more"),
        ("save_seconds = 'often'", "give a number"),
        ("evaluations = 0", "choose 1 or more"),
        ("[grid]\ncoefficients.learnin_rate = [1]", "perhaps you meant coefficients.learning_rate"),
        ("[grid]\nlearning_rate = [1]", "perhaps you meant coefficients.learning_rate"),
        ("[grid]\nworld.layout = ['maze']", "does not exist"),
        ("[grid]\nnowhere.near = [1]", "lists every field"),
        ("[grid]\nseed = [1, 2]", "the file's own `seed`"),
        ("[grid]\ncoefficients.learning_rate = ['fast']", "give a number"),
        ("[grid]\nnetwork.memory = [16.5]", "give a whole number"),
        ("[grid]\nnetwork.memory = [true]", "give a whole number"),
        ("[grid]\nnetwork.channels = [16]", "a list, each of it a whole number"),
        ("[grid]\nsizes.prediction = ['nxet']", "sizes.prediction='nxet': choose from none, frame"),
        ("[grid]\ncoefficients.learning_rate = []", "is empty: give at least one value"),
        ("[grid]\ncoefficients.learning_rate = 0.1", "[fixed]"),
        ("[grid]\ncoefficients.learning_rate = { log = [1, 2] }", "[first, last, how many]"),
        ("[fixed]\nworld.clutter = 80", "enlarge the world"),
        ("[grid]\nworld.goals = [3, 60]", "cannot be built"),
        ("[grid]\nsizes.minibatches = [7]", "choose a divisor"),
        ("list = []", "[[list]]"),
        ("[draw]\ncount = 3", "nothing to draw"),
        ("[draw]\ncount = 3\n[draw.fields]\nrules.penalty = { log_uniform = [0, 1] }", "low above 0"),
        ("[draw]\ncount = 3\n[draw.fields]\nrules.penalty = { choice = [] }", "one value or more"),
        ("[grid]\nrules.penalty = [1]\n[[list]]\nrules.penalty = 2", "more than one of grid, list and draw"),
        ("measure = 'evaluaton.return'", "choose from return, evaluation.return, evaluation.goals"),
        ("measure = 'imitation_loss'", "will be no column"),
        ("preset = ['paper']", "preset = ['paper'] is of the wrong type: give a text"),
        ("scenario = ['maze']", "scenario = ['maze'] is of the wrong type"),
        ("[[grid]]\nrules.penalty = [1]", "write its fields below [grid]"),
        ("[[fixed]]\nrules.penalty = 1", "write its fields below [fixed]"),
        ("grid = 5", "grid = 5 is no table"),
        ("list = [1, 2]", "list = 1 is no table"),
        ("draw = 3", "draw = 3 is no table"),
        ("draw.fields = 3", "draw.fields = 3 is no table"),
        ("draw.count = true", "draw.count = True is of the wrong type"),
        ("draw.count = 2\ndraw.seed = 'a'", "draw.seed = 'a' is of the wrong type"),
        ("draw.count = 2\ndraw.seed = -1", "choose 0 or more"),
        ("draw.count = 2\ndraw.fields.rules.penalty = {uniform = ['a', 'b']}", "uniform = [low, high]"),
        ("draw.count = 2\ndraw.fields.rules.penalty = {uniform = [0, inf]}", "uniform = [low, high]"),
        ("draw.count = 2\ndraw.fields.network.memory = {integers = [true, 5]}", "integers = [low, high]"),
        ("halving = 3", "halving = 3 is no table"),
        ("halving.steps = [inf]", "finite"),
        ("[grid]\nrules.penalty = {linear = 5}", "[first, last, how many]"),
        ("[grid]\nrules.penalty = {linear = [0, 1, 2.5]}", "[first, last, how many]"),
        ("[grid]\nrules.penalty = {linear = [0, nan, 2]}", "[first, last, how many]"),
        ("[grid]\nrules.penalty = {linear = [0, 1, -2]}", "is empty"),
        ("[grid]\nrules.penalty = {linear = [0, 1, 2], log = [1, 2, 3]}", "[first, last, how many]"),
        ("[grid]\nrules.penalty = {log = [0, 1, 2]}", "log with both above 0"),
        ("[grid]\nrules.penalty = {linear = [2026-01-01, 1, 3]}", "[first, last, how many]"),
        ("[grid]\nrules.penalty = {}", "grid.rules.penalty is an empty table"),
        ("[grid]\nrules.penalty = [2026-01-01]", "give a number"),
        ("[fixed]\ntotal_steps = inf", "total_steps = inf is of the wrong type: give a whole number"),
        ("[fixed]\nnetwork.channels = [nan]", "a list, each of it a whole number"),
        ("[fixed]\nrules.penalty = 1" + "0" * 400, "a finite number"),
        ("seed = 2026-01-01", "give a whole number"),
        ("save_seconds = nan", "save_seconds"),
        ("save_seconds = inf", "a finite number"),
        ("[halving]\nstep = [3]", "choose from steps, keep"),
        ("[halving]\nsteps = [3, 2]", "choose increasing numbers"),
        ("[halving]\nsteps = [3]\nkeep = 1.0", "below 1"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_with_the_remedy(text, remedy, tmp_path):
    with pytest.raises(ValueError, match=r".") as refusal:
        read_sweep(written(tmp_path, text))
    assert remedy in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "sweep.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"sweep.toml is no TOML"):
        read_sweep(tmp_path / "sweep.toml")


def test_equal_settings_are_trained_once():
    """Values that differ in the file may be equal in a config, and draws of few choices repeat."""
    grid = {"coefficients.learning_rate": [1e-3, 1, 1.0, 0.001], "network.memory": [8, 16]}
    sweep = make_sweep({"grid": grid})
    assert [(s.coefficients.learning_rate, s.network.memory) for s in sweep.settings] == [
        *((0.001, 8), (0.001, 16)),
        *((1.0, 8), (1.0, 16)),
    ]
    assert sweep.repeated == 4
    drawn = make_sweep({"draw": {"count": 20, "fields": {"network.memory": {"choice": [8, 16]}}}})
    assert (len(drawn.settings), drawn.repeated) == (2, 18)


def test_runs_that_settings_name_are_absolute_and_pinned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(VERSION_1, tmp_path / "base")
    fixed = {"teacher": "run:~/base", "start_from": "base"}
    (setting,) = make_sweep({"fixed": fixed, "list": [{"partners": ["run:base#3", "expert"]}]}).settings
    named = f"{tmp_path}/base@{checkpoint.latest(VERSION_1) * folder.config_of(VERSION_1).iteration_steps}"
    assert (setting.partners, setting.teacher) == ((f"run:{named}#3.0", "expert"), f"run:{named}")
    assert setting.start_from == named


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path, "seeds = 3").rename(tmp_path / "own.toml")
    assert read_sweep(Path("~/own.toml")).settings[0].seeds == 3


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no file"):
        read_sweep(tmp_path / "nowhere.toml")
