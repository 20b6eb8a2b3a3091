"""Damaged, copied and contested run folders: each is noticed in one line, and the checkpoint before is used."""

import dataclasses
import json
import random
import shutil
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from rich.console import Console

from jaxsocial import finish
from jaxsocial.env.settings import changed
from jaxsocial.learning.update import Learner
from jaxsocial.training import checkpoint, metrics, pretrained, run
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import FolderInUse, config_of, existing_run, new_run
from jaxsocial.training.member import Member
from tests import runs

LAST, BEFORE = 5, 4
"""Iterations of the last checkpoints of `partners_run`."""
QUIET = Console(quiet=True)


@pytest.fixture
def damaged(partners_run, tmp_path):
    """A copy of a run with the checkpoints 2, 4 and 5, to be damaged."""
    return shutil.copytree(partners_run.folder, tmp_path / "damaged")


def flip(path: Path, place: int, bits: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= bits
    path.write_bytes(data)


def last_whole(folder: Path) -> tuple[int | None, list[str]]:
    """The iteration that a run would resume from, and what is said."""
    said: list[str] = []
    return checkpoint.last_whole(folder, config_of(folder), said.append), said


def files_of(folder: Path, iteration: int) -> list[Path]:
    return [path for path in sorted((folder / "checkpoints" / str(iteration)).rglob("*")) if path.is_file()]


# Checkpoints


def test_a_checkpoint_says_what_it_holds(damaged):
    assert last_whole(damaged) == (LAST, [])
    place = damaged / "checkpoints" / str(LAST)
    record = json.loads((place / "saved.json").read_text())
    assert record["iteration"] == LAST
    assert record["configs"] == [json.loads((damaged / "config.json").read_text())]
    names = {str(path.relative_to(place)) for path in files_of(damaged, LAST)}
    assert record["files"].keys() == names - {"saved.json"}


@pytest.mark.parametrize("what", ["flipped", "emptied", "cut", "deleted"])
def test_a_damaged_file_is_named_and_the_checkpoint_before_is_used(damaged, what):
    place, drawn = damaged / "checkpoints" / str(LAST), random.Random(0)
    for path in files_of(damaged, LAST):
        data, name = path.read_bytes(), str(path.relative_to(place))
        if not data or (name, what) == ("saved.json", "deleted"):  # without it, it looks like one of an earlier version
            continue
        if what == "flipped":
            flip(path, drawn.randrange(len(data)), 1 << drawn.randrange(8))
        elif what == "deleted":
            path.unlink()
        else:
            path.write_bytes(b"" if what == "emptied" else data[: len(data) // 2])
        used, said = last_whole(damaged)
        # A flipped digest does not fit the file that it is of; in a name, the file of that name is missing.
        assert used == BEFORE, name
        assert len(said) == 1
        assert said[0].startswith(f"checkpoint {LAST} is damaged (")
        assert said[0].endswith(f"): resuming from {BEFORE}")
        assert name in said[0] or name == "saved.json"
        path.write_bytes(data)
    assert last_whole(damaged) == (LAST, [])


def test_items_of_another_checkpoint_are_noticed(damaged):
    for item in ("parameters", "optimiser", "rest"):
        place = damaged / "checkpoints" / str(LAST) / item
        shutil.move(place, damaged / "own")
        shutil.copytree(damaged / "checkpoints" / str(BEFORE) / item, place)
        used, said = last_whole(damaged)
        assert used == BEFORE
        assert f"damaged ({item}/" in said[0]
        shutil.rmtree(place)
        shutil.move(damaged / "own", place)


def test_a_checkpoint_of_another_iteration_is_noticed(damaged):
    shutil.copytree(damaged / "checkpoints" / str(BEFORE), damaged / "checkpoints" / "6")
    said = f"checkpoint 6 is damaged (it is that of iteration {BEFORE}): resuming from {LAST}"
    assert last_whole(damaged) == (LAST, [said])


def test_a_config_that_says_another_seed_is_noticed(damaged):
    path = damaged / "config.json"
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(ValueError, match=r"saved with another seed than the config has\), and there is no other"):
        last_whole(damaged)
    with pytest.raises(ValueError, match="saved with another seed than the config has"):
        pretrained.load_policy(damaged)


def test_a_policy_of_a_damaged_checkpoint_is_refused_with_the_others_named(damaged):
    flip(files_of(damaged, LAST)[-1], 0)
    steps = runs.ITERATION
    for steps_given in (None, LAST * steps):
        with pytest.raises(ValueError, match=rf"@{LAST * steps} of .* is damaged \(.*\): .* name .*@{BEFORE * steps}"):
            pretrained.load_policy(damaged, steps=steps_given)
    assert pretrained.load_policy(damaged, steps=BEFORE * steps)


def test_a_run_without_a_whole_checkpoint_is_refused_in_one_line(damaged):
    for iteration in (2, 4, 5):
        (damaged / "checkpoints" / str(iteration) / "parameters" / "_METADATA").unlink()
    with pytest.raises(ValueError, match=r"checkpoint 5 is damaged .*and there is no other: restore") as refusal:
        run.resume(damaged, QUIET)
    assert "\n" not in str(refusal.value)


def test_a_checkpoint_without_digests_that_cannot_be_read_is_one_line(damaged):
    # As earlier versions wrote them.
    place = damaged / "checkpoints" / str(LAST)
    (place / "saved.json").unlink()
    assert pretrained.load_policy(damaged)
    for break_it in (
        lambda: (place / "parameters" / "_METADATA").write_text(""),
        lambda: (place / "parameters" / "manifest.ocdbt").unlink(),
        lambda: shutil.rmtree(place / "parameters"),
    ):
        break_it()
        with pytest.raises(ValueError, match=r"5/parameters cannot be read .*: restore it, or delete") as refusal:
            pretrained.load_policy(damaged)
        assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_a_run_with_a_damaged_checkpoint_resumes_exactly(finished_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(finish, "measure", lambda *arguments: [])
    folder = shutil.copytree(finished_run, tmp_path / "again")
    flip(next(path for path in files_of(folder, 4) if path.stat().st_size > 1000), 500)
    assert runs.command("train", "--resume", str(folder)) == 0
    assert "checkpoint 4 is damaged" in capsys.readouterr().out
    assert last_whole(folder) == (4, [])
    own, whole = (checkpoint.restore_parameters(each, config_of(each))[0] for each in (folder, finished_run))
    jax.tree.map(np.testing.assert_array_equal, own, whole)
    assert (folder / "metrics.jsonl").read_text() == (finished_run / "metrics.jsonl").read_text()


def members_at(iteration: int) -> Member:
    count = np.full((1,), iteration)
    return Member(Learner(count, {"a": count}, {"b": count}, count, count), (), np.ones(1, bool))  # pyright: ignore


@pytest.mark.parametrize("name", ["[red]y.png", "a*b", "what?", "a\\b", "50%", "we#1", "a b", "ü", "{x}", "~x", "a\nb"])
def test_a_checkpoint_can_be_read_again_whatever_its_folder_is_named(name, partners_run, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    checkpoint.save(folder, members_at(6), 6, config_of(partners_run.folder))
    chex.assert_trees_all_equal(checkpoint.restore(folder, 6, members_at(0)), members_at(6))


def test_some_checkpoints_of_a_run_that_became_longer_are_kept_for_good(partners_run, tmp_path):
    lengths = {"log_steps": 20 * runs.ITERATION, "checkpoint_steps": 40 * runs.ITERATION, "total_steps": 12800}
    config = dataclasses.replace(config_of(partners_run.folder), **lengths)
    assert (config.checkpoint_iterations, config.keep_every) == (40, 2)
    for iteration in (10, 50, 90, 130, 170):  # the run was first 10 iterations long
        (tmp_path / "checkpoints" / str(iteration)).mkdir(parents=True)
    checkpoint.save(tmp_path, members_at(180), 180, config)
    there = sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert there == [90, 170, 180]  # the first after 80 and after 160, and the last two


def test_a_save_replaces_what_a_killed_one_left_and_later_checkpoints(partners_run, tmp_path):
    config = dataclasses.replace(config_of(partners_run.folder), keep_every=0)
    for iteration in (4, 8):
        checkpoint.save(tmp_path, members_at(iteration), iteration, config)
    for left in ("9.new", "9.new.orbax-checkpoint-tmp"):
        (tmp_path / "checkpoints" / left).mkdir()
    (tmp_path / "checkpoints" / "notes.txt").write_text("mine")
    checkpoint.save(tmp_path, members_at(6), 6, config)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["4", "6", "notes.txt"]
    found = checkpoint.restore(tmp_path, 6, members_at(0))
    chex.assert_trees_all_equal(found, members_at(6))


# Metrics


def changed_lines(path: Path, change) -> None:
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], 4),
        (lambda lines: [*lines[:2], *lines[4:]], 3),
        (lambda lines: [*lines[:4], *lines[3:]], 5),
        (lambda lines: [*lines[:4], *lines[2:]], 5),
        (lambda lines: lines[:-1], 10),
        (lambda lines: [], 1),
        (lambda lines: [line.replace('"seed": 3', '"seed": 7') for line in lines], 1),
        (lambda lines: [*lines[:5], lines[5][:40], *lines[6:]], 6),
        (lambda lines: [*lines[:5], "", *lines[5:]], 6),
        (lambda lines: [*lines[:5], "\0" * 40, *lines[6:]], 6),
        (lambda lines: [*lines[:5], "[1]", *lines[6:]], 6),
        (lambda lines: [*lines[:6], lines[6].replace('"step": 256', '"step": null'), *lines[7:]], 7),
    ],
)
def test_damaged_metrics_are_refused_with_file_and_line(damaged, change, line):
    # Two learners, five log points.
    changed_lines(damaged / "metrics.jsonl", change)
    with pytest.raises(ValueError, match=rf"metrics.jsonl, line {line}: expected the row of seed 3") as refusal:
        run.resume(damaged, QUIET)
    assert "\n" not in str(refusal.value)


def test_what_follows_the_checkpoint_in_the_metrics_is_dropped_whatever_it_is(damaged):
    path = damaged / "metrics.jsonl"
    whole = metrics.read(path)
    with path.open("a") as file:
        file.write('{"step": 384, "seed": 3, "learner": 0}\n\0\0\0{"st')
    assert metrics.rows_until(path, config_of(damaged), LAST) == whole
    assert metrics.rows_until(path, config_of(damaged), BEFORE) == whole[: 2 * BEFORE]
    changed_lines(path, lambda lines: lines)
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 12 is damaged"):
        metrics.read(path)


@pytest.mark.slow
def test_the_metrics_of_a_run_that_became_longer_are_whole(finished_run, tmp_path):
    lengths = {"log_steps": 20 * runs.ITERATION, "total_steps": 12800}
    config = dataclasses.replace(config_of(finished_run), seed=0, seeds=1, **lengths)
    steps = [640, 1920, 3200, 4480]  # the first run ended before its first log point
    metrics.append(tmp_path / "metrics.jsonl", [{"step": step, "seed": 0, "learner": 0} for step in steps])
    found = metrics.rows_until(tmp_path / "metrics.jsonl", config, 50)
    assert [row["step"] for row in found] == steps[:3]


# Folders


@pytest.fixture
def compiles_nothing(monkeypatch):
    monkeypatch.setattr(run, "make_program", lambda config: pytest.fail("made a program first"))


def test_one_process_trains_a_run(damaged, tmp_path, compiles_nothing):
    config = config_of(damaged)
    with existing_run(damaged), pytest.raises(FolderInUse, match="is in use by another process"):
        run.resume(damaged, QUIET, total_steps=640)
    new = tmp_path / "new"
    with new_run(new, print), pytest.raises(FolderInUse, match="is in use by another process"):
        run.train(config, new, QUIET)


def test_runs_begun_in_the_same_second_have_folders_of_their_own(damaged, tmp_path):
    found = [run.new_folder(tmp_path / "runs", config_of(damaged)) for _ in range(4)]
    assert len(set(found)) == 4
    assert all(path.is_dir() for path in found)


def test_a_run_that_was_killed_before_its_config_was_written_begins_anew(tmp_path):
    folder = tmp_path / "killed"
    folder.mkdir()
    for left in ("lock", "run.json", "config.json.new"):
        (folder / left).write_text("")
    with pytest.raises(ValueError, match="holds no run that has begun: begin it again by --out"):
        config_of(folder)
    said: list[str] = []
    with new_run(folder, said.append):
        (folder / "config.json").write_text("{}")
    assert said == [f"{folder} holds a run that was killed before it began: beginning anew"]
    with pytest.raises(ValueError, match="exists: choose another folder, or resume it"), new_run(folder, print):
        pass
    assert (folder / "config.json").exists()


def test_a_folder_of_something_else_stays_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists: choose another folder"), new_run(tmp_path, print):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_refused_run_leaves_the_folder_that_was_there_and_nothing_else(tmp_path):
    there, new = tmp_path / "there", tmp_path / "new" / "run"
    there.mkdir()
    for folder in (there, new):
        with pytest.raises(RuntimeError), new_run(folder, print):
            raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert not list(there.iterdir())


def test_folders_that_cannot_be_written_are_refused_first(damaged, tmp_path, compiles_nothing, monkeypatch):
    config = config_of(damaged)
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone" / "further")
    for path in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / "dangling", Path("/proc/run")):
        with pytest.raises(ValueError, match=r"cannot be written .*: choose another folder, or make it writable"):
            run.train(config, path, QUIET)
        with pytest.raises(ValueError, match=r"cannot be written .*: choose a folder by --out"):
            run.new_folder(path, config)
    (damaged / "lock").unlink()
    (damaged / "lock").mkdir()  # opened for writing, it fails as in a folder that cannot be written
    with pytest.raises(ValueError, match=r"damaged cannot be written \(Is a directory\)"):
        run.resume(damaged, QUIET)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": "x"}', "\0"])
def test_a_damaged_config_is_named(damaged, text):
    (damaged / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"damaged/config\.json: .*Restore the file") as refusal:
        config_of(damaged)
    assert "\n" not in str(refusal.value)


def test_a_partner_that_has_moved_is_found_beside_the_run_or_named(damaged, tmp_path):
    partner = f"run:{damaged}@128#3.1"
    own = config_of(damaged)
    config = dataclasses.replace(own, world=changed(own.world, agents=4), partners=(partner, "expert"))
    with new_run(tmp_path / "follower", print):
        run.write_config(config, tmp_path / "follower" / "config.json")
    assert config_of(tmp_path / "follower") == config
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("damaged", "follower"):
        shutil.move(tmp_path / name, moved / name)
    found = config_of(moved / "follower")
    assert found.partners == (f"run:{moved}/damaged@128#3.1", "expert")
    assert make_agent_setup(found)
    shutil.rmtree(moved / "damaged")
    with pytest.raises(ValueError, match=r"partner run:.*@128#3\.1: .* holds no run: .* If it was moved, put it"):
        make_agent_setup(config_of(moved / "follower"))
