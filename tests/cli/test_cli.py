"""The command line: refusals, help, options of worlds, and verbs that need no training."""

import os
import re
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import jax
import numpy as np
import pytest

import jaxsocial
from jaxsocial.cli import doctor, main
from jaxsocial.cli.parsing import parse
from jaxsocial.config.presets import presets
from jaxsocial.env.registry import make_scenario, registered_scenarios
from jaxsocial.env.text.text_map import scenario_from_file
from tests import runs

ROOT = Path(jaxsocial.__file__).parents[1]


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("train --world.gaols 3", "Perhaps you meant --world.goals"),
        ("train --world.goals three", "It takes INT: Goals, or bonus tiles in the hidden cycle"),
        ("train --coefficients.learning-rate fast", "It takes FLOAT"),
        ("train --sizes.prediction nxet", "sizes.prediction='nxet': choose from none, frame, current_frame, symbols"),
        ("train --preset papre", "choose from quickstart"),
        ("train --world.view-offset 9", "choose 0 to 4"),
        ("train --world.agents 5", "name one for each"),
        ("train --partners expert wizard", "choose from expert"),
        ("train --preset laptop --network.channels 8 8 8 8 8", "use fewer"),
        ("train --preset laptop --sizes.prediction frame --network.channels 8 8 8 8 8", "use fewer"),
        ("train --network.encoder convs", "network.encoder='convs': choose from convolutions, tile_contrast, symbolic"),
        ("train --network.memory-type rnn", "network.memory_type='rnn': choose from lstm, gru, none"),
        ("train --world.clutter 60", "enlarge the world"),
        ("train --resume nowhere", "holds no run"),
        ("train --resume nowhere --seed 4", "leave it out"),
        ("train --out tests", "tests exists: choose another folder, or resume it (--resume tests)"),
        ("evaluate nowhere", "holds no run"),
        ("evaluate nowhere --episodes 0", "choose 1 or more"),
        ("train --partner-schedule.epsilon 2", "choose 0 to 1"),
        ("train --start-from nowhere", "holds no run"),
        ("train --partners run:nowhere@5 expert", "nowhere holds no run"),
        ("train --partners run:@5 expert", "names no run"),
        ("train --teacher oracle", "choose from expert"),
        ("render nowhere --out film.avi", ".gif or .png"),
        ("evaluate nowhere --levels 3", "holds no run"),
        ("train --rules.levels -1", "choose 0 or more"),
        ("train --scenario goal-cycle", "choose from"),
        ("train --scenario empty --scenario-file map.txt", "leave one of them out"),
        ("train --scenario-file map.txt", "map.txt is no file"),
        ("train --scenario visibility", "or other partners"),
        ("train --world.name maze", "train --help-all for every field"),
        ("train --world.inputs symbols", "which add them themselves: leave them out"),
        ("train --preset laptop --world.observation symbolic", 'network.encoder "symbolic"'),
        ("train --preset laptop-symbolic --world.observation rgb", 'choose world.observation "symbolic"'),
        ("train --coefficients.gamma 1.5", "coefficients.gamma=1.5: choose 0 to 1"),
        ("evaluate runs/first --out x", "Unrecognized options: --out x. See"),
        ("train --penalty 2", "Perhaps you meant --rules.penalty."),
        ("train --lr 1e-3", "Perhaps you meant --coefficients.learning-rate."),
        ("train --steps=4", "Perhaps you meant --stages.steps or --sizes.steps."),
        ("train --seed 2147483648", "seed=2147483648: choose 2147483647 or less"),
        ("train --seeds 2 --seed 2147483647", "the last seed is above 2147483647"),
        ("train --rules.first-level 3000000000", "rules.first_level=3000000000: choose 2147483647 or less"),
        ("train --sizes.worlds 1000000000000", "sizes.worlds=1000000000000: choose 2147483647 or less"),
        ("train --sizes.worlds 100000000", "choose 2147483647 or less for their product"),
        ("train --world.max-steps 1000000000", "max_steps=1000000000: choose 238609293 or less for 3 agents"),
        ("train --coefficients.kl-stop nan", "coefficients.kl_stop=nan: choose a number above 0"),
        ("train --rules.penalty -5", "rules.penalty=-5.0: choose 0 or more"),
        ("train --scenario os:getcwd", "annotate it, def getcwd(...) -> Scenario"),
        ("train --scenario nowhere:hall", "No module named 'nowhere'"),
        ("train --company.leave 0.1", "--company.leave is now called --partner-schedule.leave: write that"),
        ("play goal_cycle", "redirect neither"),
        ("draw goal_cycle --out world.bmp", "end the name in .png or .txt"),
        ("draw goal_cycle --tile 0", "choose 1 to 256"),
        ("draw goal_cycle --level -1", "choose 0 or more"),
        ("draw goal_cycle --level 3000000000", "--level=3000000000: choose 2147483647 or less"),
        ("draw goal_cycle --seed 3000000000", "--seed=3000000000: choose 2147483647 or less"),
        ("draw goal_cycle --world.penalty 1", "jaxsocial --help"),
        ("evaluate nowhere --first-level -1", "--first-level=-1: choose 0 or more"),
        ("reproduce figure4 --time-limit nan", "--time-limit=nan: choose 0 or more"),
        ("draw goal_cycle --out nosuch/w.png", "does not exist"),
        ("draw goal_cycle --out nosuch/w.txt", "nosuch/w.txt: No such file or directory"),
        ("draw --scenario-file ~/nowhere.txt", "home/nowhere.txt is no file"),
        ("train --scenario-file=~/nowhere.txt", "home/nowhere.txt is no file"),
        ("train --partners run:~/nowhere expert", "home/nowhere holds no run"),
        ("evaluate ~/nowhere", "home/nowhere holds no run"),
        ("sweep ~/nowhere.toml", "home/nowhere.toml is no file"),
        ("draw --seed 3 goal_cycle", "name the scenario first: jaxsocial draw goal_cycle"),
        ("dance", "jaxsocial --help"),
        ("", "Expected one of"),
    ],
)
def test_a_refusal_is_one_line_with_the_remedy(command, remedy, capsys, tmp_path, monkeypatch):
    if "--out tests" not in command:
        monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent / "home"))
    assert main.main(command.split()) == 2
    complaint = capsys.readouterr().err
    assert remedy in complaint
    assert complaint.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["scenarios", "completion bash"])
def test_a_reader_that_has_enough_is_told_nothing(verb):
    command = f"{sys.executable} -m jaxsocial {verb} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def test_full_help_lists_every_field_with_its_meaning(capsys):
    with pytest.raises(SystemExit) as leaving:
        main.main(["train", "--help-all"])
    assert leaving.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for option, meaning in {
        "--world.view-offset INT": "Rows of the view behind the agent, 0 or more and below",
        "--rules.penalty FLOAT": "Penalty for entering any other goal, 0 or more.",
        "--coefficients.gae-lambda FLOAT": "Decay of advantage estimation, 0 to 1.",
        "--sizes.refresh-interval INT": "Minibatches between recomputations",
        "--network.memory INT": "Units of the memory, 1 to 65536.",
        "--seeds INT": "Number of seeds that train at once",
    }.items():
        assert f"{option} {meaning}" in text


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_help_is_short_and_names_the_full_help(verb, capsys):
    for flag in ("--help", "-h"):
        with pytest.raises(SystemExit) as leaving:
            main.main([verb, flag])
        assert leaving.value.code == 0
    text = capsys.readouterr().out
    assert text.count("\n") < 2 * 50
    assert text.count(f"every field: jaxsocial {verb} --help-all\n") == 2
    assert text.count("\n  --") == 2 * {"train": 10, "sweep": 7}[verb]
    example = re.search(r"example: jaxsocial (.*)", text)
    assert example is not None
    parse(example[1].split())


def test_short_help_has_the_preset_s_defaults_and_meanings(capsys):
    with pytest.raises(SystemExit):
        main.main(["train", "--preset", "paper", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--preset (default: paper) The preset to begin from" in text
    assert "--total-steps (default: 375000000) Learner steps of each seed" in text
    assert "--rules.penalty (default: 1.5) Penalty for entering any other goal" in text
    assert "--resume Continues the run in this folder." in text


def test_the_version_is_the_package_s(capsys):
    with pytest.raises(SystemExit) as leaving:
        main.main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out == f"jaxsocial {jaxsocial.__version__}\n"


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "jaxsocial", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == f"jaxsocial {jaxsocial.__version__}\n"


def test_a_resumed_run_takes_a_new_length_only():
    assert parse(["train", "--resume", "run"]).longer is None
    assert parse(["train", "--resume=run", "--total-steps=128", "--hosts", "1"]).longer == 128
    assert parse(["train", "--resume", "run", "--total_steps", "128"]).longer == 128
    assert parse(["train", "--total-steps", "128"]).longer is None
    with pytest.raises(ValueError, match="--seed cannot change a run that has begun"):
        parse(["train", "--resume", "run", "--seed=4"])


def test_play_and_draw_accept_further_inputs(tmp_path):
    assert parse(["play", "goal_cycle", "--inputs", "reward", "position"]).world.inputs == ("reward", "position")
    out = str(tmp_path / "world.txt")
    assert main.main(["draw", "goal_cycle", "--inputs", "reward", "--out", out]) == 0


def test_a_scenario_replaces_the_preset_s_world_and_keeps_its_agents(capsys):
    preset = parse(["train"]).config
    world = parse(["train", "--scenario", "maze", "--world.view-size", "9"]).config.world
    assert (world.name, world.height, world.max_steps) == ("maze", 19, 100)
    assert (world.view_size, world.view_offset, world.actions) == (9, preset.world.view_offset, 3)
    assert world.agents == 3
    assert parse(["train", "--scenario", "door_key"]).config.world.actions == 7


def test_a_scenario_s_own_settings_are_options():
    world = parse(["train", "--scenario=maze", "--world.extra-connections", "0.5"]).config.world
    kept = {"agents": 3, "view_size": 5, "view_offset": 1, "actions": 3, "observation": "symbolic"}
    assert world == make_scenario("maze", extra_connections=0.5, **kept)
    assert parse(["draw", "maze", "--extra-connections", "0.5", "--agents", "2"]).world == make_scenario(
        "maze", extra_connections=0.5, agents=2
    )


def test_sizes_that_are_not_given_follow_from_the_others():
    assert parse(["draw", "cluttered", "--height", "21"]).world == make_scenario("cluttered", height=21)
    # The quickstart sets it.
    assert parse(["train", "--world.height", "21"]).config.world.clutter == 0


def test_a_map_replaces_the_preset_s_world(tmp_path):
    (tmp_path / "map.txt").write_text("#####\n#>0.#\n#.1<#\n#####\n")
    chosen = parse(["train", "--scenario-file", str(tmp_path / "map.txt"), "--world.max-steps", "20"])
    world = chosen.config.world
    assert (world.name, world.agents, world.goals, world.actions, world.max_steps) == ("text", 3, 2, 3, 20)
    assert parse(["draw", "--scenario-file", str(tmp_path / "map.txt")]).world == scenario_from_file(
        tmp_path / "map.txt"
    )
    with pytest.raises(ValueError, match="height=9: the map has 4"):
        parse(["train", "--scenario-file", str(tmp_path / "map.txt"), "--world.height", "9"])


def test_help_omits_fields_that_the_command_line_cannot_set(capsys):
    with pytest.raises(SystemExit):
        main.main(["draw", "--help"])
    shown = capsys.readouterr().out
    assert "--height" in shown
    assert not any(f"--{hidden}" in shown for hidden in ("layout", "name", "things", "views", "text"))


def test_a_drawn_world_is_the_level_s_and_a_map_of_it_can_be_drawn_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = ["--height", "6", "--width", "7", "--goals", "2", "--level", "3", "--tile", "8"]
    assert main.main(["draw", "goal_cycle", *sizes, "--out", "world.txt"]) == 0
    assert main.main(["draw", "goal_cycle", *sizes, "--seed", "5"]) == 0
    assert main.main(["draw", "--scenario-file", "world.txt", "--tile", "8", "--out", "again.png"]) == 0
    picture, again = imageio.imread("world.png"), imageio.imread("again.png")
    assert picture.shape == (48, 56, 3)
    np.testing.assert_array_equal(picture, again)
    assert capsys.readouterr().out.splitlines()[0] == "wrote world.txt"


def test_names_of_files_are_printed_as_they_are(tmp_path, monkeypatch, capsys):
    """Square brackets are no markup."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "[").mkdir()
    for name in ("[red]y.txt", "[/x].txt"):
        assert main.main(["draw", "empty", "--out", name]) == 0
        assert capsys.readouterr().out == f"wrote {name}\n"


def test_a_missing_device_is_named_in_one_line():
    command = [sys.executable, "-m", "jaxsocial", "draw", "empty", "--out", "/dev/null.png"]
    environment = os.environ | {"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("jaxsocial: no device of JAX_PLATFORMS=cuda is here")
    assert "Traceback" not in done.stderr


def test_a_shell_completes_verbs_options_and_choices(tmp_path):
    """Bash itself completes with the script."""
    done = subprocess.run([sys.executable, "-m", "jaxsocial", "completion"], capture_output=True, text=True, check=True)
    script = tmp_path / "completion.bash"
    script.write_text(done.stdout)

    def completed(*words):
        line = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        line += "$(complete -p jaxsocial | sed 's/.*-F //; s/ .*//'); printf '%s\\n' ${COMPREPLY[@]}"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout.split()

    assert completed("jaxsocial", "sweep-") == ["sweep-report"]
    assert "--coefficients.learning-rate" in completed("jaxsocial", "train", "--coefficients.l")
    assert completed("jaxsocial", "export", "run", "--to", "cs") == ["csv"]


def test_presets_and_scenarios_are_listed(capsys):
    assert main.main(["presets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in presets())
    for term in ("expert", "SociAPL", "vanilla", "autoencoder", "solo", "mixed", "imitation"):
        assert f"\n{term}: " in listed
    assert main.main(["scenarios"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in registered_scenarios())


def test_evaluate_prints_all_agents(finished_run, capsys):
    assert runs.command("evaluate", str(finished_run), "--episodes", "8") == 0
    together = capsys.readouterr().out
    assert "learner" in together
    assert "expert" in together
    assert "levels" not in together
    levels = ["--first-level", "100", "--levels", "20"]
    assert runs.command("evaluate", str(finished_run), "--episodes", "8", "--alone", *levels) == 0
    alone = capsys.readouterr().out
    assert "expert" not in alone
    assert "levels 100 to 119" in " ".join(alone.split())


def test_doctor_tells_what_is_there_and_what_does_not_work(capsys, monkeypatch):
    assert main.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert f"jax {jax.__version__}" in said
    assert "a world was compiled and played" in said
    monkeypatch.setattr(doctor, "provenance", lambda: 1 / 0)
    assert main.main(["doctor"]) == 1
    assert "versions: DOES NOT WORK: ZeroDivisionError" in capsys.readouterr().out
