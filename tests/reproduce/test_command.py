"""A figure from nothing to its table, stopped and begun again."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from jaxsocial.reproduce import command, findings, progress, train
from jaxsocial.reproduce.command import FIGURES
from jaxsocial.reproduce.gathering import gather
from jaxsocial.reproduce.origins import origins
from jaxsocial.reproduce.scales import SCALES, make_scale
from jaxsocial.reproduce.store import folder_of, is_trained
from jaxsocial.train import checkpoint
from jaxsocial.train import folder as files
from jaxsocial.train.folder import config_of
from tests.reproduce.conftest import make, run, tiny_figure, tiny_scale

TIMES = ("seconds", "trained", "circumstances")


def without_times(path):
    """results.json but for times."""
    plain = json.loads((path / "results.json").read_text())
    return {name: value for name, value in plain.items() if name not in TIMES}


def test_a_figure_leaves_numbers_a_table_pictures_and_an_episode(made):
    names = {path.name for path in made.places.results.iterdir()}
    assert names == {"results.json", "results.md", "tiny.png", "tiny.pdf", "own.gif"}
    assert set(made.found.rows) == {"own", "own, alone", "expert", "dear", "expert alone"}
    assert made.found.seconds.keys() == made.found.configs.keys()
    assert all(seconds > 0 for seconds in made.found.seconds.values())
    assert str(made.places.runs) not in (made.places.results / "results.json").read_text()
    assert "own: " in made.said
    assert "holds" in made.said


def test_experts_train_first_and_equal_shapes_together(made):
    assert made.programs == [1, 2]
    expert, own, dear = made.figure.conditions()
    assert (expert.name, own.name, dear.name) == ("expert", "own", "dear")
    config = config_of(folder_of(own, made.places.runs))
    assert config.partners == (f"run:{folder_of(expert, made.places.runs)}#1",)
    assert config.world.agents == 2
    assert not list(made.places.runs.glob("together-*"))
    returns = made.found.rows["own"].values("return")
    assert len(set(returns.tolist())) == 2
    assert made.found.rows["dear"].values("return").tolist() != returns.tolist()


@pytest.mark.slow
def test_learners_know_nothing_of_who_trains_along(made, tmp_path):
    own = made.figure.conditions()[1]
    places = command.Places(tmp_path, tmp_path)
    with jax.debug_key_reuse(False):
        train.train([*own.needs(), own], places.runs, lambda *_: False)
    folders = (folder_of(own, runs) for runs in (places.runs, made.places.runs))
    alone, along = (checkpoint.restore_parameters(folder, own.config)[0] for folder in folders)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4), alone, along)


def test_curves_are_those_of_training(made):
    assert [(point["step"], point["seed"]) for point in made.found.curves["own"]] == [
        (64 * number, seed) for number in (1, 2) for seed in (0, 1)
    ]
    prices = [{point["penalty"] for point in made.found.curves[name]} for name in ("own", "dear")]
    assert max(prices[0]) < max(prices[1])


def test_stopped_after_every_chunk_it_comes_to_the_same(made, tmp_path):
    stops = []
    while True:
        try:
            again = make(tmp_path, one_chunk=True)
            break
        except command.Unfinished as stop:
            stops.append(str(stop))
    # Two chunks of each of two groups; the last of a group is its end.
    assert len(stops) == 2
    assert stops[0].startswith("tiny: stopped and saved with 0 of 3 conditions trained; 0.0 M learner steps are left")
    assert "with 1 of 3" in stops[-1]
    assert without_times(again.places.results) == without_times(made.places.results)


class Killed(BaseException):
    """Nothing is saved on its account."""


@pytest.mark.slow
def test_killed_at_any_moment_it_comes_to_the_same(made, tmp_path, monkeypatch):
    calls, watch = [], progress.Watch.__call__

    def kill_sometimes(self, group, chunk):
        calls.append(chunk.iteration if chunk else 0)
        if len(calls) in (2, 5, 8):
            raise Killed
        return watch(self, group, chunk)

    monkeypatch.setattr(progress.Watch, "__call__", kill_sometimes)
    for _ in range(3):
        with pytest.raises(Killed):
            make(tmp_path)
    again = make(tmp_path)
    # Iterations done. Killed with a chunk not saved; with the expert trained; with a group trained and not shared out.
    assert calls == [0, 1, 0, 1, 2, 0, 1, 2, 0]
    assert without_times(again.places.results) == without_times(made.places.results)


def test_what_is_there_is_not_trained_again(made, monkeypatch):
    monkeypatch.setattr(train, "_train", lambda *arguments: pytest.fail("trained again"))
    monkeypatch.setattr("jaxsocial.reproduce.measuring.episode_player", lambda *a: pytest.fail("measured again"))
    before = without_times(made.places.results)
    again = make(made.places.runs.parent)
    assert without_times(made.places.results) == before
    assert "tiny: 5 rows (2 seeds) are taken from results.json, nothing is trained; --out FOLDER" in again.said


def test_what_does_not_matter_to_training_finds_what_is_there(made):
    figure = tiny_figure(tiny_scale(preset="paper", evaluation_episodes=3))
    assert all(is_trained(condition, made.places.runs) for condition in figure.conditions())


@pytest.mark.parametrize("change", [{"total_steps": 3 * 64}, {"seed": 7}, {"seeds": 3}])
def test_a_changed_config_trains_anew(made, change):
    for condition in tiny_figure(tiny_scale(**change)).conditions():
        assert not is_trained(condition, made.places.runs)
        assert train.iterations_done(condition, made.places.runs) == 0


def test_with_another_expert_its_learners_train_anew_too(made):
    scale = make_other_expert(made.scale)
    assert [is_trained(condition, made.places.runs) for condition in tiny_figure(scale).conditions()] == [False] * 3


def make_other_expert(scale):
    """The same scale, but for the expert's rewards."""
    (player,) = scale.experts
    rules = dataclasses.replace(player.condition.config.rules, reward=2.0)
    other = dataclasses.replace(player.condition, config=dataclasses.replace(player.condition.config, rules=rules))
    return scale._replace(experts=(player._replace(condition=other),))


def test_when_time_is_up_nothing_is_begun(tmp_path):
    with pytest.raises(command.Unfinished, match="with 0 of 3 conditions trained"):
        make(tmp_path, deadline=0.0)
    assert not list(tmp_path.glob("runs/*/checkpoints"))


def test_those_that_have_only_been_prepared_train_together_all_the_same(made, tmp_path):
    _, *alike = [dataclasses.replace(c, partners=("expert",)) for c in made.figure.conditions()]
    for condition in alike:
        train._prepare(condition, tmp_path)
        assert train.iterations_done(condition, tmp_path) == 0
    group = train._next_group(alike, tmp_path, busy=())
    assert len(group.names) == 2
    assert train._next_group(alike, tmp_path, group.names) is None


def test_what_other_machines_have_measured_is_not_trained_here(made, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    findings.write(made.found, results)
    again = make(tmp_path)
    assert again.programs == []
    assert again.found == made.found
    rows = {name: row for name, row in made.found.rows.items() if name != "dear"}
    findings.write(dataclasses.replace(made.found, rows=rows), results)
    with pytest.raises(command.Unfinished, match="with 0 of 2 conditions trained"):  # an expert, and the dear one
        make(tmp_path, deadline=0.0)
    assert set(findings.read(results).rows) == {"own", "own, alone", "expert", "expert alone"}
    other = made.scale._replace(episodes=made.scale.episodes + 1)
    with pytest.raises(command.Unfinished, match="with 0 of 3 conditions trained"):
        make(tmp_path, other, deadline=0.0)


@pytest.mark.slow
def test_part_of_a_training_is_measured_as_such(tmp_path):
    with pytest.raises(command.Unfinished):
        make(tmp_path, one_chunk=True)
    scale, figure = tiny_scale(), tiny_figure(tiny_scale())
    assert train.left_to_train(figure.conditions(), tmp_path / "runs") == 64 * 2 * (3 * 2 - 1)
    with pytest.raises(ValueError, match="nothing of tiny has come so far that it could be measured"):
        make(tmp_path / "elsewhere", scale, partial=True)
    assert set(make(tmp_path, scale, partial=True).found.rows) == {"expert alone"}  # which is all that has begun
    with pytest.raises(command.Unfinished):
        make(tmp_path, one_chunk=True)
    found = make(tmp_path, scale, partial=True).found
    assert set(found.rows) == {"own", "own, alone", "expert", "dear", "expert alone"}
    assert (found.rows["own"].steps, found.rows["own"].planned_steps) == (64, 128)


def test_more_seeds_are_trained_beside_those_that_are_there(made, tmp_path):
    shutil.copytree(made.places.runs, tmp_path / "runs")
    shutil.copytree(made.places.results, tmp_path / "results")
    with pytest.raises(ValueError, match="--seeds 3: scale tiny trains 2 at once; give a multiple of that"):
        make(tmp_path, seeds=3)
    more = make(tmp_path, seeds=4)
    assert more.programs == [2]  # not the expert, and the new seeds of both prices together
    # What is measured by itself has no more seeds for it.
    assert more.found.rows["expert alone"] == made.found.rows["expert alone"]
    for name in set(made.found.rows) - {"expert alone"}:
        before, row = made.found.rows[name], more.found.rows[name]
        assert row.seeds == [0, 1, 2, 3]
        assert row.parts[0] == before.parts[0]
        assert row.parts[1].measures != before.parts[0].measures
    assert {point["seed"] for point in more.found.curves["own"]} == {0, 1, 2, 3}
    # They stay where nobody asks for them, and nowhere else.
    written = (tmp_path / "results" / "results.json").read_text()
    assert make(tmp_path).found == more.found
    assert (tmp_path / "results" / "results.json").read_text() == written
    assert make(tmp_path).programs == []


def test_what_another_figure_has_measured_is_taken_over(made, tmp_path):
    rows = {name: row for name, row in made.found.rows.items() if name != "dear"}
    curves = made.found.curves | {"what this figure lacks": []}
    write_results(tmp_path / "figure4", dataclasses.replace(made.found, figure="figure4", rows=rows, curves=curves))
    again = make(tmp_path, partial=True)
    assert again.programs == []
    assert again.found.rows == rows
    runs = {part.run for row in rows.values() for part in row.parts}
    for name in ("configs", "seconds", "trained"):
        whole = getattr(made.found, name)
        assert getattr(again.found, name) == {run: whole[run] for run in runs}
    assert again.found.curves == {name: made.found.curves[name] for name in ("own", "expert")}
    assert again.found.provenance == made.found.provenance


def write_results(folder, found):
    folder.mkdir(exist_ok=True)
    findings.write(found, folder)


def with_own(found, **changes):
    """The findings, with something else in what is known of the row "own", and so of its partners' row."""
    (part,) = found.rows["own"].parts
    changed = [dataclasses.replace(part, **changes)]
    rows = {name: dataclasses.replace(found.rows[name], parts=changed) for name in ("own", "expert")}
    return dataclasses.replace(found, rows=found.rows | rows)


def test_its_own_numbers_come_before_those_of_other_figures(made, tmp_path):
    mine = with_own(made.found, measures={"return": [7.0, 8.0]})
    write_results(tmp_path / "results", mine)
    write_results(tmp_path / "figure4", made.found)
    assert make(tmp_path).found.rows == mine.rows


def test_what_another_figure_has_whole_comes_before_a_part_of_it(made, tmp_path):
    cut = with_own(made.found, steps=64)
    rows, curves = {"own": cut.rows["own"]}, {"own": made.found.curves["own"][:2]}
    write_results(tmp_path / "results", dataclasses.replace(cut, rows=rows, curves=curves))
    write_results(tmp_path / "figure4", made.found)
    assert make(tmp_path).found == made.found


def test_a_run_that_is_here_is_measured_here_in_all_rows(made, tmp_path):
    """Else rows of one run could be those of two trainings."""
    shutil.copytree(made.places.runs, tmp_path / "runs")
    elsewhere = with_own(made.found, measures={"return": [7.0, 8.0]})
    rows = {name: row for name, row in elsewhere.rows.items() if name != "own, alone"}
    write_results(tmp_path / "figure4", dataclasses.replace(elsewhere, rows=rows))
    assert make(tmp_path).found.rows == made.found.rows


def trained_again(found, run):
    """The findings, as if this run's had been trained on another day."""
    return dataclasses.replace(found, trained=found.trained | {run: found.trained[run] | {"date": "2000-01-01T00"}})


def test_rows_of_a_run_are_taken_from_one_training_of_it(made, tmp_path):
    """Else learners would be compared with themselves as they came out another time."""
    (part,) = made.found.rows["own"].parts
    first = {name: row for name, row in made.found.rows.items() if name in ("own", "expert")}
    write_results(tmp_path / "figure4", dataclasses.replace(made.found, rows=first))
    second = trained_again(with_own(made.found, measures={"return": [7.0, 8.0]}), part.run)
    write_results(tmp_path / "figure7", second)
    again = make(tmp_path, partial=True)
    assert again.found.rows == second.rows, "that has a row more"
    assert again.found.trained == second.trained
    # Those that a figure has itself stay, where others have no more.
    write_results(tmp_path / "results", made.found)
    assert make(tmp_path, partial=True).found == made.found


def test_a_row_waits_for_its_partners(made, tmp_path):
    (player,) = make_other_expert(made.scale).experts
    shutil.copytree(made.places.runs, tmp_path / "runs")

    def with_others(scale):
        figure = tiny_figure(scale)
        own = dataclasses.replace(figure.rows[0], name="own beside others", partners=(player,), episode=False)
        return dataclasses.replace(figure, rows=(*figure.rows, own))

    where = origins(with_others, made.scale, None, [], tmp_path / "runs")
    assert [row.name for row in where.trained] == [row.name for row in made.figure.rows]
    assert [row.name for row in where.missing] == ["own beside others"]
    assert not where.begun, "its learner is trained, and measured it would count as whole"


def test_what_is_half_trained_is_left_out_beside_what_is_whole(made, tmp_path):
    (part,) = made.found.rows["own"].parts
    half = dataclasses.replace(part, run="own-half", key="half", steps=64, seeds=[2, 3])
    row, found = made.figure.rows[0], made.found
    gathered = gather(made.figure, made.scale, [(row, part)], [(row, half)], dict.fromkeys([part.run], found), tmp_path)
    assert gathered.rows["own"].parts == [part]
    assert list(gathered.seconds) == list(gathered.configs) == list(gathered.trained) == [part.run]
    assert {point["seed"] for point in gathered.curves["own"]} == {0, 1}


def test_what_was_not_measured_is_not_known(made, tmp_path):
    lacking = with_own(made.found, measures={"goals": [1.0, 1.0]})
    write_results(tmp_path / "results", lacking)
    with pytest.raises(command.Unfinished):
        make(tmp_path, deadline=0.0)
    assert not {"own", "expert"} & findings.read(tmp_path / "results").rows.keys()


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", '{"rows": {"own": {"seeds": [0]}}}'])
def test_results_that_cannot_be_read_are_named(tmp_path, text):
    (tmp_path / "figure4").mkdir()
    (tmp_path / "figure4" / "results.json").write_text(text)
    with pytest.raises(ValueError, match=r"figure4/results\.json is not as this version writes it"):
        make(tmp_path)


def test_a_row_of_what_is_known_adds_nothing_else(made, tmp_path):
    shutil.copytree(made.places.runs, tmp_path / "runs")
    (tmp_path / "results").mkdir()
    rows = {name: row for name, row in made.found.rows.items() if name != "own, alone"}
    findings.write(dataclasses.replace(made.found, rows=rows), tmp_path / "results")
    again = make(tmp_path)
    assert again.programs == []
    assert without_times(tmp_path / "results") == without_times(made.places.results)


def test_an_episode_that_was_not_written_yet_is_made_up_for(made, tmp_path):
    shutil.copytree(made.places.runs, tmp_path / "runs")
    shutil.copytree(made.places.results, tmp_path / "results")
    episode = tmp_path / "results" / "own.gif"
    written = episode.read_bytes()
    episode.unlink()
    make(tmp_path)
    assert episode.read_bytes() == written


def test_tables_are_built_again_from_numbers_alone(made, tmp_path):
    results = tmp_path / "tiny"
    results.mkdir()
    findings.write(made.found, results)
    command.rebuild(made.figure, command.Places(tmp_path / "nowhere", results), command.Console(quiet=True))
    table, episode = (made.places.results / "results.md").read_text(), "\n![own: an episode](own.gif)\n"
    assert table.endswith(episode)
    assert (results / "results.md").read_text() == table.removesuffix(episode)
    assert (results / "tiny.png").is_file()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_planned_at_every_scale(name, scale, tmp_path):
    figure = command.load(name, make_scale(scale))
    planned = figure.conditions()
    assert figure.name == name
    assert len({folder_of(condition, tmp_path) for condition in planned}) == len(planned)
    assert len({condition.name for condition in planned}) == len(planned)
    assert train.left_to_train(planned, tmp_path) > 0
    if scale != "smoke":
        assert all(condition.config.seeds == 5 for condition in planned if condition.name != "expert")
        assert make_scale(scale).episodes >= 100


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_drawn(name, tmp_path):
    from tests.reproduce import made_up  # noqa: PLC0415

    figure = command.load(name, make_scale("paper"))
    rows = {row.name: made_up.finding([1.0, 2.0], [2.0, 3.0], measure=row.measure) for row in figure.rows}
    curves = {condition.name: made_up.curve([1, 2]) for condition in figure.conditions()}
    findings.write(made_up.findings(rows, curves), tmp_path)
    command.rebuild(figure, command.Places(tmp_path, tmp_path), command.Console(quiet=True))
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    # What is still missing keeps nothing else from being shown.
    findings.write(made_up.findings(dict(list(rows.items())[:1]), curves), tmp_path)
    command.rebuild(figure, command.Places(tmp_path, tmp_path), command.Console(quiet=True))


def test_what_there_is_not_is_refused_in_a_line(capsys, monkeypatch, tmp_path):
    assert run("reproduce", "figure3") == 2
    assert "figure 'figure3' is unknown: choose from figure4, figure5" in capsys.readouterr().err
    assert run("reproduce") == 2
    assert "name a figure: figure4, " in capsys.readouterr().err
    assert run("reproduce", "figure4", "--scale", "huge") == 2
    assert "scale 'huge' is unknown: choose from smoke, laptop, paper" in capsys.readouterr().err
    assert run("reproduce", "figure4", "--report", "--out", str(tmp_path)) == 2
    assert "results.json does not exist: leave --report out" in capsys.readouterr().err
    monkeypatch.setattr(command, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    monkeypatch.chdir(tmp_path)
    assert run("reproduce", "figure4") == 2
    assert "experiments/figure4.py is not here: run this in a clone" in capsys.readouterr().err


def test_of_all_figures_those_are_reported_that_are_there(capsys, tmp_path):
    from tests.reproduce import made_up  # noqa: PLC0415

    last = tmp_path / "laptop" / FIGURES[-1]
    last.mkdir(parents=True)
    findings.write(made_up.findings({"penalties": made_up.finding([1.0], [2.0], measure="penalties")}), last)
    assert run("reproduce", "all", "--scale", "laptop", "--report", "--out", str(tmp_path)) == 0
    said = "".join(capsys.readouterr().out.split())
    assert (last / "results.md").is_file()
    assert "penalties:" in said
    assert said.count("results.jsondoesnotexist") == len(FIGURES) - 1


def test_two_commands_do_not_train_in_the_same_store(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    (tmp_path / "runs").mkdir()
    with files.locked(tmp_path / "runs", 0.0), pytest.raises(files.FolderInUse, match="is in use by another process"):
        make(tmp_path)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [files.LOCK]


def test_the_smallest_scale_by_the_command(capsys, tmp_path):
    places = ("--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    assert run("reproduce", "behaviour", "--scale", "smoke", *places) == 0
    assert "penalties: " in capsys.readouterr().out
    folder = tmp_path / "out" / "smoke" / "behaviour"
    names = {path.name for path in folder.iterdir()}
    assert names == {"results.json", "results.md", "behaviour.png", "behaviour.pdf", "return.gif"}
    claims = (folder.parent / "claims.md").read_text()
    assert "| [behaviour](behaviour/results.md) | following | follows | " in claims
