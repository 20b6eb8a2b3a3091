"""A figure from nothing to its table, stopped and begun again."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from jaxsocial.config.config import to_plain
from jaxsocial.reproduce import command, report, store, train
from jaxsocial.reproduce.command import FIGURES
from jaxsocial.reproduce.conditions import seed_batches
from jaxsocial.reproduce.scales import SCALES, make_scale
from jaxsocial.reproduce.store import folder_of, is_trained
from jaxsocial.training import checkpoint
from jaxsocial.training import folder as files
from jaxsocial.training.folder import config_of
from jaxsocial.training.stopping import Stopped
from tests import runs
from tests.reproduce.conftest import in_this_process, make, tiny_figure, tiny_scale


def without_times(made):
    """The records of a figure, without what differs when it is made again."""
    return {
        name: dataclasses.replace(
            record,
            seconds=0.0,
            provenance={},
            measurements={key: dataclasses.replace(one, provenance={}) for key, one in record.measurements.items()},
        )
        for name, record in made.records.items()
    }


def test_a_figure_leaves_records_a_table_pictures_and_an_episode(made):
    assert {path.name for path in made.folder.iterdir()} == {"results.md", "tiny.png", "tiny.pdf", "own.gif"}
    assert set(made.found.rows) == {"own", "own, alone", "expert", "dear", "expert alone"}
    assert set(made.records) == {"own", "dear", "expert"}
    assert [len(made.records[name].measurements) for name in ("own", "dear", "expert")] == [2, 1, 1]
    assert all(seconds > 0 for seconds in made.found.seconds.values())
    for path in made.places.records.iterdir():
        assert str(made.places.runs) not in path.read_text()
    assert "own: " in made.said
    assert "holds" in made.said


NOTHING_ELSE = store.measurement_key(tiny_figure(tiny_scale()).rows[0], tiny_scale().episodes)


def test_experts_train_first_and_equal_shapes_together(made):
    assert made.programs == [1, 2]
    expert, own, dear = made.figure.conditions()
    assert (expert.name, own.name, dear.name) == ("expert", "own", "dear")
    config = config_of(folder_of(own, made.places.runs))
    assert config.partners == (f"run:{folder_of(expert, made.places.runs)}#1",)
    assert config.world.agents == 2
    assert not list(made.places.runs.glob("together-*"))
    returns = made.found.rows["own"].values
    assert len(set(returns.tolist())) == 2
    assert made.records["dear"].measurements[NOTHING_ELSE].values("return") != returns.tolist()


@pytest.mark.slow
def test_learners_know_nothing_of_who_trains_along(made, tmp_path):
    own = made.figure.conditions()[1]
    places = command.Places(tmp_path, tmp_path)
    with jax.debug_key_reuse(False):
        train.train([*own.needs(), own], places.runs, in_this_process())
    folders = (folder_of(own, runs) for runs in (places.runs, made.places.runs))
    alone, along = (checkpoint.restore_parameters(folder, own.config)[0] for folder in folders)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4), alone, along)


def test_curves_are_those_of_training(made):
    assert [(point["step"], point["seed"]) for point in made.found.curves["own"]] == [
        (64 * number, seed) for number in (1, 2) for seed in (0, 1)
    ]
    prices = [{point["penalty"] for point in made.found.curves[name]} for name in ("own", "dear")]
    assert max(prices[0]) < max(prices[1])


@pytest.mark.slow
def test_stopped_after_every_chunk_it_has_the_same_result(made, tmp_path):
    stops = []
    while True:
        try:
            again = make(tmp_path, one_chunk=True)
            break
        except Stopped as stop:
            stops.append(str(stop))
    # Each of two groups has two chunks; the last one of a group is its end.
    assert len(stops) == 2
    assert stops[0].startswith("tiny: stopped and saved with 0 of 3 conditions trained; 0.0 M learner steps are left")
    assert "with 1 of 3" in stops[1]
    assert without_times(again) == without_times(made)


class Killed(BaseException):
    """Nothing is saved when it is raised."""


@pytest.mark.slow
def test_killed_at_any_moment_it_has_the_same_result(made, tmp_path, monkeypatch):
    calls, save = [], checkpoint.save

    def kill_sometimes(folder, members, iteration, config):
        calls.append((folder.name.partition("-")[0], iteration))
        if len(calls) in (1, 3):  # before the expert is saved, and before a group is
            raise Killed
        save(folder, members, iteration, config)
        if len(calls) in (2, 4):  # once the expert is saved, and once a group is and not yet its runs
            raise Killed

    monkeypatch.setattr(train.checkpoint, "save", kill_sometimes)
    for _ in range(4):
        with pytest.raises(Killed):
            make(tmp_path)
    again = make(tmp_path)
    assert calls == [*[("expert", 2)] * 2, *[("together", 2)] * 2, ("own", 2), ("dear", 2)]
    assert not list(again.places.runs.glob("together-*"))
    assert without_times(again) == without_times(made)


def test_what_is_recorded_is_not_trained_again(made, monkeypatch):
    monkeypatch.setattr(train, "train_group", lambda *arguments: pytest.fail("trained again"))
    monkeypatch.setattr(store, "episode_player", lambda *a: pytest.fail("measured again"))
    before = made.records
    again = make(made.places.runs.parent)
    assert again.records == before
    assert f"tiny: 5 of 5 rows are in {made.places.records}; --out FOLDER makes all anew" in again.said


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
    with pytest.raises(Stopped, match="with 0 of 3 conditions trained"):
        make(tmp_path, deadline=0.0)
    assert not list(tmp_path.glob("runs/*/checkpoints"))


def test_runs_that_are_only_prepared_still_train_together(made, tmp_path):
    _, *alike = [dataclasses.replace(c, partners=("expert",)) for c in made.figure.conditions()]
    for _ in range(2):
        (group,) = train.ready_groups(alike, tmp_path)
        assert len(train.group_of(group).configs) == 2
    assert [train.iterations_done(condition, tmp_path) for condition in alike] == [0, 0]


def copy_records(made, folder, conditions=("own", "dear", "expert"), change=lambda record: record):
    for name in conditions:
        store.write_record(change(made.records[name]), folder / "results" / "runs")


def test_what_other_machines_have_measured_is_not_trained_here(made, tmp_path):
    copy_records(made, tmp_path)
    again = make(tmp_path)
    assert again.programs == []
    assert again.found == made.found
    shutil.rmtree(again.places.records)
    copy_records(made, tmp_path, ("own", "expert"))
    with pytest.raises(Stopped, match="with 0 of 2 conditions trained"):  # an expert, and its learner
        make(tmp_path, deadline=0.0)
    found = make(tmp_path, partial=True).found
    assert set(found.rows) == {"own", "own, alone", "expert", "expert alone"}
    other = made.scale._replace(episodes=made.scale.episodes + 1)
    with pytest.raises(Stopped, match="with 0 of 3 conditions trained"):
        make(tmp_path, other, deadline=0.0)


@pytest.mark.slow
def test_part_of_a_training_is_measured_as_such(tmp_path):
    with pytest.raises(Stopped):
        make(tmp_path, one_chunk=True)
    scale, figure = tiny_scale(), tiny_figure(tiny_scale())
    assert train.left_to_train(figure.conditions(), tmp_path / "runs") == 64 * 2 * (3 * 2 - 1)
    with pytest.raises(ValueError, match="nothing of tiny is trained so far that it can be measured"):
        make(tmp_path / "elsewhere", scale, partial=True)
    assert set(make(tmp_path, scale, partial=True).found.rows) == {"expert alone"}  # which is all that has begun
    with pytest.raises(Stopped):
        make(tmp_path, one_chunk=True)
    found = make(tmp_path, scale, partial=True).found
    assert set(found.rows) == {"own", "own, alone", "expert", "dear", "expert alone"}
    assert (found.rows["own"].steps, found.rows["own"].planned_steps) == (64, 128)


def test_half_trained_records_are_left_out_beside_whole_ones(made, tmp_path):
    """The next seeds of a row are half trained; the records show them once nothing whole is there."""
    copy_records(made, tmp_path)
    later = tiny_figure(seed_batches(made.scale, 4)[1]).rows[0]

    def half(record):
        known = {key: dataclasses.replace(one, steps=64) for key, one in record.measurements.items()}
        name = store.run_name(later.condition)
        return dataclasses.replace(record, run=name, steps=64, seeds=[2, 3], measurements=known)

    copy_records(made, tmp_path, ("own",), half)
    found = make(tmp_path).found
    assert found == made.found
    for path in (tmp_path / "results" / "runs").glob(f"{made.records['own'].run}*"):
        path.unlink()
    found = make(tmp_path, partial=True).found
    assert found.rows["own"].seeds == [2, 3]
    assert not found.rows["own"].is_whole
    assert {point["seed"] for point in found.curves["own"]} == {0, 1}, "of the made-up record"


@pytest.mark.slow
def test_more_seeds_are_trained_beside_those_that_are_there(made, tmp_path):
    shutil.copytree(made.places.runs, tmp_path / "runs")
    shutil.copytree(made.places.results, tmp_path / "results")
    with pytest.raises(ValueError, match="--seeds 3: scale tiny trains 2 at once; give a multiple of that"):
        make(tmp_path, seeds=3)
    more = make(tmp_path, seeds=4)
    assert more.programs == [2]  # not the expert, and the new seeds of both conditions together
    # The expert's own row has no more seeds for it.
    assert more.found.rows["expert alone"] == made.found.rows["expert alone"]
    for name in set(made.found.rows) - {"expert alone"}:
        before, row = made.found.rows[name], more.found.rows[name]
        assert row.seeds == [0, 1, 2, 3]
        np.testing.assert_array_equal(row.values[:2], before.values)
        assert row.values[2:].tolist() != before.values.tolist() or name == "dear"
    assert {point["seed"] for point in more.found.curves["own"]} == {0, 1, 2, 3}
    # They stay where nobody asks for them, and the records do not change.
    written = {path: path.read_text() for path in more.places.records.iterdir()}
    assert len(written) == 5
    assert make(tmp_path).found == more.found
    assert {path: path.read_text() for path in more.places.records.iterdir()} == written
    assert make(tmp_path).programs == []


def measured_as(values, date=None):
    """Makes a record that says that the row "own" has these returns; of another training if a date is given."""

    def change(record):
        known = record.measurements[NOTHING_ELSE]
        known = dataclasses.replace(known, measures=known.measures | {"return": values})
        provenance = record.provenance | ({"date": date} if date else {})
        return dataclasses.replace(
            record, measurements=record.measurements | {NOTHING_ELSE: known}, provenance=provenance
        )

    return change


@pytest.mark.slow
def test_a_run_that_is_here_is_measured_here_in_all_rows_if_one_is_missing(made, tmp_path):
    """Otherwise rows of one run could be of two trainings."""
    shutil.copytree(made.places.runs, tmp_path / "runs")

    def lacking(record):
        record = measured_as([7.0, 8.0], "2000-01-01T00")(record)
        return dataclasses.replace(record, measurements={NOTHING_ELSE: record.measurements[NOTHING_ELSE]})

    copy_records(made, tmp_path, ("own",), lacking)
    again = make(tmp_path)
    assert again.found.rows == made.found.rows
    assert len(list(again.places.records.glob("own-*"))) == 2


def test_rows_of_a_run_are_of_one_training_of_it(made, tmp_path):
    """Otherwise learners would be compared with themselves as they are after another training."""
    copy_records(
        made,
        tmp_path,
        ("own",),
        lambda record: dataclasses.replace(record, measurements={NOTHING_ELSE: record.measurements[NOTHING_ELSE]}),
    )
    copy_records(made, tmp_path, ("own", "dear", "expert"), measured_as([7.0, 8.0], "2000-01-01T00"))
    again = make(tmp_path)
    assert again.found.rows["own"].learner == [7.0, 8.0], "the one that has a measurement more"
    assert again.found.rows["own, alone"] == made.found.rows["own, alone"]
    assert again.found.trained[again.records["own"].run]["date"] == "2000-01-01T00"


def make_waiting(scale):
    """The tiny figure, with a row whose learner is tested beside other experts."""
    figure, (player,) = tiny_figure(scale), make_other_expert(scale).experts
    own = dataclasses.replace(figure.rows[0], name="own beside others", partners=(player,), episode=False)
    return dataclasses.replace(figure, rows=(*figure.rows, own))


def test_a_row_waits_for_its_partners(made):
    *others, own = make_waiting(made.scale).rows
    assert all(store.can_be_measured(row, made.places.runs) for row in others)
    assert not store.can_be_measured(own, made.places.runs)
    assert not store.can_be_measured(own, made.places.runs, partial=True), "its learner is trained, and would count"


def test_what_was_not_measured_is_not_known(made, tmp_path):
    def lacking(record):
        goals = {"goals": [1.0, 1.0]}
        known = {key: dataclasses.replace(one, measures=goals) for key, one in record.measurements.items()}
        return dataclasses.replace(record, measurements=known)

    copy_records(made, tmp_path, ("own",), lacking)
    with pytest.raises(Stopped):
        make(tmp_path, deadline=0.0)
    with pytest.raises(command.NothingMeasured):
        make(tmp_path, partial=True)


def test_a_row_of_what_is_known_adds_nothing_else(made, tmp_path):
    shutil.copytree(made.places.runs, tmp_path / "runs")
    shutil.copytree(made.places.records, tmp_path / "results" / "runs")
    copy_records(
        made,
        tmp_path,
        ("own",),
        lambda record: dataclasses.replace(record, measurements={NOTHING_ELSE: record.measurements[NOTHING_ELSE]}),
    )
    again = make(tmp_path)
    assert again.programs == []
    assert without_times(again) == without_times(made)
    assert again.records["own"].measurements[NOTHING_ELSE] == made.records["own"].measurements[NOTHING_ELSE]


def test_an_episode_that_is_missing_is_written(made, tmp_path):
    shutil.copytree(made.places.runs, tmp_path / "runs")
    shutil.copytree(made.places.results, tmp_path / "results")
    episode = tmp_path / "results" / "tiny" / "own.gif"
    written = episode.read_bytes()
    episode.unlink()
    make(tmp_path)
    assert episode.read_bytes() == written


def test_tables_are_built_again_from_records_alone(made, tmp_path):
    copy_records(made, tmp_path)
    places = command.Places(tmp_path / "nowhere", tmp_path / "results")
    command.rebuild(tiny_figure, made.scale, places, command.Console(quiet=True))
    table, episode = (made.folder / "results.md").read_text(), "\n![own: an episode](own.gif)\n"
    assert table.endswith(episode)
    assert (places.results / "tiny" / "results.md").read_text() == table.removesuffix(episode)
    assert (places.results / "tiny" / "tiny.png").is_file()


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
        seeds = {"laptop": 10, "paper": 5}[scale]
        assert all(condition.config.seeds == seeds for condition in planned if condition.name != "expert")
        assert make_scale(scale).episodes >= 100


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_drawn(name, tmp_path):
    from tests.reproduce import made_up  # noqa: PLC0415

    figure = command.load(name, make_scale("paper"))
    rows = {
        row.name: made_up.finding([1.0, 2.0], [2.0, 3.0], condition=row.condition.name, of_partners=row.of_partners)
        for row in figure.rows
    }
    curves = {condition.name: made_up.curve([1, 2]) for condition in figure.conditions()}
    report.write(figure, made_up.findings(rows, curves), tmp_path)
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    # Missing rows keep nothing else from being shown.
    report.write(figure, made_up.findings(dict(list(rows.items())[:1]), curves), tmp_path)


def test_what_there_is_not_is_refused_in_a_line(capsys, monkeypatch, tmp_path):
    assert runs.command("reproduce", "figure3") == 2
    assert "figure 'figure3' is unknown: choose from figure4, figure5" in capsys.readouterr().err
    assert runs.command("reproduce") == 2
    assert "name a figure: figure4, " in capsys.readouterr().err
    assert runs.command("reproduce", "figure4", "--scale", "huge") == 2
    assert "scale 'huge' is unknown: choose from smoke, laptop, paper" in capsys.readouterr().err
    assert runs.command("reproduce", "figure4", "--report", "--out", str(tmp_path)) == 2
    assert "has no record for figure4: leave --report out" in capsys.readouterr().err
    monkeypatch.setattr(command, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    monkeypatch.chdir(tmp_path)
    assert runs.command("reproduce", "figure4") == 2
    assert "experiments/figure4.py is not here: run this in a clone" in capsys.readouterr().err


@pytest.mark.slow
def test_of_all_figures_those_are_reported_that_are_recorded(capsys, tmp_path):
    scale = make_scale("laptop")
    (row,) = [row for row in command.load("figure4", scale).rows if row.name == "imitation"]
    tested, run_name = store.how_tested(row, scale.episodes), store.run_name(row.condition)
    provenance = {"date": "2026-01-01T00", "git": "0", "devices": ["cpu:0"], "jax": "0"}
    steps = row.condition.config.iterations * row.condition.config.iteration_steps
    measures = {"return": [float(seed) for seed in range(10)]}
    measurement = store.Measurement(tested, steps, measures, {}, provenance)
    record = store.Record(
        run=run_name,
        condition="imitation",
        config=to_plain(store.resolved(row.condition, tmp_path)),
        provenance=provenance | {"versions": {"jax": "0"}, "python": "3"},
        seconds=1.0,
        steps=steps,
        planned_steps=steps,
        seeds=list(range(10)),
        curve=[],
        measurements={store.measurement_key(row, scale.episodes): measurement},
    )
    (tmp_path / "laptop" / "runs").mkdir(parents=True)
    store.write_record(record, tmp_path / "laptop" / "runs")
    assert runs.command("reproduce", "all", "--scale", "laptop", "--report", "--out", str(tmp_path)) == 0
    said = "".join(capsys.readouterr().out.split())
    assert (tmp_path / "laptop" / "figure4" / "results.md").is_file()
    assert "imitation:" in said
    assert said.count("hasnorecordfor") == len(FIGURES) - 1
    store.write_record(dataclasses.replace(record, last_good_steps=[0] * 10), tmp_path / "laptop" / "runs")
    one = ("reproduce", "figure4", "--scale", "laptop", "--report", "--out", str(tmp_path))
    assert runs.command(*one) == 1, "all have died"
    assert "imitation seed 9 after 0 steps" in (tmp_path / "laptop" / "figure4" / "results.md").read_text()


def test_two_commands_do_not_train_in_the_same_store(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    (tmp_path / "runs").mkdir()
    with files.locked(tmp_path / "runs", 0.0), pytest.raises(files.FolderInUse, match="is in use by another process"):
        make(tmp_path)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [files.LOCK]


@pytest.mark.slow
def test_the_smallest_scale_by_the_command(capsys, tmp_path):
    places = ("--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    assert runs.command("reproduce", "behaviour", "--scale", "smoke", *places) == 0
    assert "penalties: " in capsys.readouterr().out
    folder = tmp_path / "out" / "smoke" / "behaviour"
    names = {path.name for path in folder.iterdir()}
    assert names == {"results.md", "behaviour.png", "behaviour.pdf", "return.gif"}
    claims = (folder.parent / "claims.md").read_text()
    assert "| [behaviour](behaviour/results.md) | following | follows | " in claims
