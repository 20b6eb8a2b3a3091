"""A game in the terminal: what keys do, what the screen shows, and one whole game on a pseudo-terminal."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time

import jax
import pytest
from rich.console import Console

import jaxsocial
from jaxsocial.cli import play as command
from jaxsocial.config.presets import preset
from jaxsocial.env import objects, render
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.play import terminal
from jaxsocial.play.game import Session, make_setup, press
from jaxsocial.play.screen import Screen, frame, status
from jaxsocial.training.folder import write_config

ROOM = """
######
#>.k0#
#^..1#
######
"""
WHITE = "2;255;255;255m"
SCREEN = Screen(80, 24, render.true_colour, pictures=True)


@pytest.fixture(scope="module")
def setup():
    scenario = scenario_from_text(ROOM, max_steps=6)
    return make_setup(scenario, jaxsocial.make_rules(scenario))


@pytest.fixture
def start(setup):
    return Session(setup.begin(jax.random.key(0)))


def pressed(keys, session, setup):
    # Tests continue from one game twice, which its key forbids.
    session = session._replace(game=session.game._replace(key=jax.random.clone(session.game.key)))
    for key in keys:
        session = press(key, session, setup)
    return session


def test_keys_move_the_person_s_agent_and_partners_move_themselves(start, setup):
    after = pressed(["up", "d", "w", "a"], start, setup).game
    assert after.state.position[0].tolist() == [2, 2]
    assert int(after.state.heading[0]) == objects.RIGHT
    assert int(after.state.clock) == 4
    assert after.state.position[1].tolist() != start.game.state.position[1].tolist()


def test_keys_handle_things(start, setup):
    holding = pressed(["w", "p"], start, setup)
    assert "you carry: yellow key" in status(holding, setup, SCREEN)[1]
    assert "carry" not in status(pressed(["x"], holding, setup), setup, SCREEN)[1]


def test_returns_add_up_and_the_last_reward_is_shown(setup, start):
    fast = pressed(["d", "w", "a", "w", "w", "w"], start, setup)
    assert fast.game.returns[0] == 1.0
    assert "you +1.00 (+1.00)" in status(fast, setup, SCREEN)[1]


def test_r_begins_another_episode_after_the_end(setup, start):
    over = pressed(["."] * 6, start, setup)
    assert "the episode is over" in status(over, setup, SCREEN)[0]
    still = pressed("w", over, setup)
    assert still.note == "the episode is over: r begins another"
    assert int(still.game.state.clock) == 6
    again = pressed("r", still, setup)
    assert int(again.game.state.clock) == 0
    assert again.game.returns.tolist() == [0.0, 0.0]
    assert not (jax.random.key_data(again.game.key) == jax.random.key_data(start.game.key)).all()


def test_a_person_whose_agent_has_finished_is_told_so():
    scenario = scenario_from_text("####\n#>G#\n#A.#\n####")
    setup = make_setup(scenario, jaxsocial.make_rules(scenario), ("random",))
    ended = press("w", Session(setup.begin(jax.random.key(0))), setup)
    assert status(ended, setup, SCREEN)[1].startswith("you +1.00 (+1.00)")
    assert status(ended, setup, SCREEN)[1].endswith("your end: keys that act let the others go on")


def test_keys_without_a_meaning_say_so(setup, start):
    assert press("j", start, setup).note == "'j' does nothing"
    assert press("j", start, setup).game is start.game
    scenario = scenario_from_text(ROOM, actions=3)
    few = make_setup(scenario, jaxsocial.make_rules(scenario))
    assert press("p", start, few).note == "'pick up' is left out of this world"
    assert not any("pick up" in line for line in status(start, few, SCREEN))


def test_only_q_leaves(setup, start):
    assert press("q", start, setup).left
    assert not any(press(key, start, setup).left for key in ["v", "t", "j"])


@pytest.mark.parametrize(("goals", "partner"), [("0", "expert"), (".", "random")])
def test_partners_are_experts_where_there_are_goals(goals, partner):
    scenario = scenario_from_text(f"#####\n#A{goals}A#\n#...#\n#####", agents=3)
    assert make_setup(scenario, jaxsocial.make_rules(scenario)).names == ("you", partner, partner)


def test_one_partner_name_stands_for_all_and_unknown_names_are_refused():
    scenario = scenario_from_text(ROOM, agents=3)
    rules = jaxsocial.make_rules(scenario)
    assert make_setup(scenario, rules, ("random",)).names == ("you", "random", "random")
    with pytest.raises(ValueError, match="'wizard' is unknown, choose from expert"):
        make_setup(scenario, rules, ("wizard", "expert"))


def test_a_picture_is_as_large_as_fits_and_marks_the_person_s_agent(setup, start):
    shown = frame(start, setup, SCREEN).split("\n")
    below = len(status(start, setup, SCREEN))
    tile = min(80 // 6, 2 * (24 - below) // 4)
    assert len(shown) == 4 * tile // 2 + below == 24
    assert all(line.count("▀") == 6 * tile for line in shown[: 4 * tile // 2])
    # Of the corners of the person's cell, the second row and column of cells, those in front of it.
    top, bottom = tile // 2, (2 * tile - 1) // 2
    assert [n for n, line in enumerate(shown) if WHITE in line] == [top, bottom]
    turned = frame(pressed("d", start, setup), setup, SCREEN).split("\n")
    assert [n for n, line in enumerate(turned) if WHITE in line] == [bottom]


def test_v_shows_the_agent_s_view_in_place_of_the_world(setup, start):
    own = press("v", start, setup)
    below = status(own, setup, SCREEN)
    assert "your view" in below[0]
    tile = 2 * (40 - len(below)) // setup.scenario.view_size
    shown = frame(own, setup, SCREEN._replace(rows=40)).split("\n")
    assert shown[0].count("▀") == 7 * tile
    assert not any(WHITE in line for line in shown)


def test_maps_replace_pictures_on_request_or_where_pictures_do_not_fit(setup, start):
    for session, screen in (
        (press("t", start, setup), SCREEN),
        (start, SCREEN._replace(pictures=False, colours=render.no_colour)),
        (start, SCREEN._replace(rows=9)),
    ):
        shown = re.sub(r"\x1b\[[0-9;]*m", "", frame(session, setup, screen))
        assert shown.startswith("######\n#>.k*#\n#^..*#\n######\n")
    own = frame(pressed("tv", start, setup), setup, SCREEN)
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", own).split("\n")[0]) == 7


def test_beside_a_trained_partner_the_rules_are_those_of_its_run(tmp_path):
    config = preset("quickstart")
    write_config(config, tmp_path / "config.json")
    rules = command.rules_of_game(config.world, 5, ("expert", f"run:{tmp_path}@640#3"))
    assert (rules.penalty, rules.prestige_scale, rules.first_level, rules.levels) == (2.0, 1.0, 5, 1)
    assert command.rules_of_game(config.world, None, ("expert",)).prestige_scale == 4.0


def test_a_terminal_that_is_too_small_is_refused_with_the_needed_size(setup, start):
    with pytest.raises(ValueError, match=r"needs a terminal of 6 columns and \d+ rows, this one has 80 and 6: enlarge"):
        frame(start, setup, SCREEN._replace(rows=6))


def test_no_line_is_wider_than_the_terminal(setup, start):
    narrow = SCREEN._replace(columns=24)
    assert all(len(line) <= 24 for line in status(start, setup, narrow))
    assert "p: pick up" in " ".join(status(start, setup, narrow))


def test_terminal_codes_are_read_as_keys():
    assert terminal.keys_in("w\x1b[A\x1bOD \x1b[3~Q.\x1b") == ["w", "up", "left", " ", "q", "."]


@pytest.mark.parametrize(("platform", "remedy"), [("win32", "on Windows use WSL"), ("linux", "redirect neither")])
def test_anything_but_a_terminal_is_refused_with_the_remedy(platform, remedy, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(ValueError, match=remedy):
        terminal.refuse_unfit(Console())


class Pseudoterminal:
    """The command line in a pseudo-terminal of 80 x 24 characters, and its output since the last `until`."""

    def __init__(self, *arguments, **variables):
        self.ours, theirs = os.openpty()
        self.before, self.theirs, self.shown = termios.tcgetattr(theirs), theirs, b""
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        settings = {"TERM": "xterm-256color", "PYTHONUTF8": "1", "JAX_PLATFORMS": "cpu"} | variables
        inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "COLORTERM")}
        command = [sys.executable, "-m", "jaxsocial", *arguments]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=inherited | settings)

    def until(self, words, seconds=180):
        """Waits for these words; returns what was shown up to and including them."""
        end = time.monotonic() + seconds
        while words.encode() not in self.shown:
            assert time.monotonic() < end, self.shown[-3000:]
            if select.select([self.ours], [], [], 1)[0]:
                self.shown += os.read(self.ours, 1 << 16)
        shown, _, self.shown = self.shown.partition(words.encode())
        return shown.decode() + words

    def press(self, keys):
        os.write(self.ours, keys.encode())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


def test_a_whole_game_on_a_terminal(tmp_path):
    (tmp_path / "room.txt").write_text(ROOM)
    options = ["--scenario-file", str(tmp_path / "room.txt"), "--max-steps", "4", "--partners", "random"]
    with Pseudoterminal("play", *options, COLORTERM="truecolor") as game:
        game.until("compiling")
        first = game.until("q: quit")
        assert "step 0 of 4" in first
        assert "\x1b[38;2;255;255;63m" in first  # the goals, lit
        game.press("w\x1b[A")
        game.until("step 2 of 4")
        game.press("pp")
        game.until("the episode is over")
        game.press("rv")
        game.until("step 0 of 4   your view")
        game.press("q")
        game.until("text, step 0: you +0.00, random +0.00")
        assert game.process.wait(60) == 0
        assert termios.tcgetattr(game.theirs) == game.before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "note"),
    [
        ({}, "256 colours: set COLORTERM=truecolor for all"),
        ({"NO_COLOR": "1"}, "no colours: unset NO_COLOR"),
        (
            {"COLORTERM": "truecolor", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
            "no Unicode: choose a UTF-8 locale",
        ),
        ({"TERM": "dumb"}, "cannot move the cursor where TERM=dumb"),
    ],
)
def test_a_limited_terminal_says_what_it_lacks(variables, note):
    with Pseudoterminal("play", "goal_cycle", **variables) as game:
        game.until(note)
        game.press("q")
        assert game.process.wait(60) == (2 if "TERM" in variables else 0)
