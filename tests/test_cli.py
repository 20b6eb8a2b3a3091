import pytest

from jaxsocial import cli
from jaxsocial.run.config import presets
from tests.run import runs


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        ("train --world.gaols 3", "Perhaps you meant --world.goals"),
        ("train --world.goals three", "It takes INT: Goals in the hidden cycle"),
        ("train --coefficients.learning-rate fast", "It takes FLOAT"),
        ("train --sizes.prediction nxet", "Expected one of ('none', 'next', 'current')"),
        ("train --preset papre", "choose from quickstart"),
        ("train --world.view-offset 9", "choose 0 to 6"),
        ("train --world.agents 5", "name one for each"),
        ("train --partners expert wizard", "choose from expert"),
        ("train --network.channels 8 8 8 8 8", "use fewer"),
        ("train --world.clutter 60", "enlarge the world"),
        ("train --resume nowhere", "holds no run"),
        ("train --resume nowhere --seed 4", "leave it out"),
        ("train --out tests", "choose another --out"),
        ("evaluate nowhere", "holds no run"),
        ("evaluate nowhere --episodes 0", "choose 1 or more"),
        ("render nowhere --out film.avi", ".gif or .png"),
        ("dance", "jaxsocial --help"),
        ("", "Expected one of"),
    ],
)
def test_a_refusal_is_one_line_with_the_cure(command, cure, capsys, tmp_path, monkeypatch):
    if "--out tests" not in command:
        monkeypatch.chdir(tmp_path)
    assert cli.main(command.split()) == 2
    complaint = capsys.readouterr().err
    assert cure in complaint
    assert complaint.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_lists_every_field_with_its_meaning(capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main(["train", "--help"])
    assert leaving.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for option, meaning in {
        "--world.view-offset INT": "Rows of the view behind the agent.",
        "--rules.penalty FLOAT": "Price of entering any other goal.",
        "--coefficients.gae-lambda FLOAT": "Decay of advantage estimation, 0 to 1.",
        "--sizes.refresh-interval INT": "Minibatches between recomputations",
        "--network.memory INT": "Units of the LSTM.",
        "--seeds INT": "How many seeds train at once",
    }.items():
        assert f"{option} {meaning}" in text


def test_presets_and_scenarios_are_listed(capsys):
    assert cli.main(["presets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in presets())
    assert cli.main(["scenarios"]) == 0
    assert "goal_cycle" in capsys.readouterr().out


def test_evaluate_prints_everyone(finished_run, capsys):
    assert runs.command("evaluate", str(finished_run), "--episodes", "8") == 0
    together = capsys.readouterr().out
    assert "learner" in together
    assert "expert" in together
    assert runs.command("evaluate", str(finished_run), "--episodes", "8", "--alone") == 0
    assert "expert" not in capsys.readouterr().out
