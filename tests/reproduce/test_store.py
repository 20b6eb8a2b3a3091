"""Records: one file a run, found by what differs from the defaults."""

import dataclasses
import json
from pathlib import Path

import pytest

from jaxsocial.config import config as config_module
from jaxsocial.config import fields
from jaxsocial.config.config import from_plain, to_plain
from jaxsocial.reproduce import command, store
from jaxsocial.reproduce.scales import make_scale
from tests.reproduce.conftest import tiny_figure, tiny_scale

COMMITTED = Path(__file__).parents[2] / "docs" / "notebook" / "first-laptop" / "runs"
"""Records of a scale that is no more."""


def measurement(measures, partners=None, **changes):
    made = {"tested": {"episodes": 100}, "steps": 128, "measures": measures, "partners": partners or {}}
    return store.Measurement(**made | {"provenance": {"date": "2026-01-01T00"}} | changes)


def record(run="own-0", date="2026-01-01T00", **changes):
    made = {"condition": "own", "config": {}, "provenance": {"date": date}, "seconds": 1.0, "steps": 128}
    made |= {"planned_steps": 128, "seeds": [0, 1], "curve": [], "measurements": {}}
    return store.Record(run=run, **made | changes)


def test_a_ratio_is_of_two_measures_and_undefined_where_one_is():
    numbers = measurement({"penalties": [1.0, 2.0, None, 0.0], "goals": [2.0, 0.0, 1.0, 4.0]})
    assert numbers.values("penalties_per_goal") == [0.5, None, None, 0.0]
    assert numbers.values("penalties_per_goal", of_partners=True) == [None] * 4
    assert numbers.values("lag") == [None] * 4


def test_a_record_is_read_as_it_was_written(tmp_path):
    point = {"step": 64, "seed": 0, "penalty": 1.5, "return": None}
    first = record(curve=[point, point], measurements={"key": measurement({"return": [1.0, None]})})
    store.write_record(first, tmp_path)
    assert store.read_records(tmp_path) == [first]
    assert [path.name for path in tmp_path.iterdir()] == ["own-0.json"]
    assert json.loads((tmp_path / "own-0.json").read_text())["measurements"]["key"]["measures"]["return"] == [1.0, None]


def test_two_trainings_of_one_run_are_two_files(tmp_path):
    first, second = record(), record(date="2026-01-02T00")
    for one in (first, second, dataclasses.replace(first, seconds=2.0), dataclasses.replace(second, seconds=3.0)):
        store.write_record(one, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own-0-2.json", "own-0.json"]
    assert [one.seconds for one in store.read_records(tmp_path)] == [2.0, 3.0]


def test_measurements_of_another_process_are_kept(tmp_path):
    mine, theirs, new = (measurement({"return": [value, 0.0]}) for value in (1.0, 2.0, 3.0))
    before_training_ended = measurement({"return": [9.0, 9.0]}, steps=64)
    store.write_record(record(measurements={"a": mine, "b": theirs, "c": before_training_ended}), tmp_path)
    store.write_record(record(measurements={"a": new, "d": mine}), tmp_path)
    assert store.read_records(tmp_path)[0].measurements == {"a": new, "b": theirs, "d": mine}


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", "[]", '{"schema": 1, "run": "own-0"}', '{"schema": 2}'])
def test_a_record_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / "own-0.json").write_text(text)
    with pytest.raises(ValueError, match=r"own-0\.json is no record of this version .*: restore it, or delete it"):
        store.read_records(tmp_path)


def test_rows_of_a_run_are_taken_from_the_training_with_most_of_their_measurements():
    row = tiny_figure(tiny_scale()).rows[0]
    needs = {"own-0": {"a": [row], "b": [row]}, "other-0": {"a": [row]}}
    known = measurement({"return": [1.0, 2.0]})
    few, many = (record(measurements=dict.fromkeys(keys, known)) for keys in ("a", "ab"))
    again = dataclasses.replace(few, seconds=9.0)
    assert store.best_records([few, many], needs) == {"own-0": many}
    assert store.best_records([few, again], needs)["own-0"] is few, "the first at a tie"
    half = dataclasses.replace(many, steps=64)
    assert store.best_records([half, few], needs) == {"own-0": few}, "whole before half trained"
    lacking = record(measurements=dict.fromkeys("ab", measurement({"goals": [1.0, 2.0]})))
    assert store.best_records([lacking, few], needs) == {"own-0": few}, "what lacks the row's measure does not count"
    older = record(measurements=dict.fromkeys("ab", dataclasses.replace(known, steps=64)))
    assert store.best_records([older, few], needs) == {"own-0": few}, "measured before the training ended"


def test_every_committed_record_is_found_by_its_config():
    """Names, keys and hashes have not changed since these were written."""
    records = store.read_records(COMMITTED)
    assert len(records) == 24
    for found in records:
        assert found.run.rpartition("-")[2] == fields.config_hash(from_plain(found.config), store.NOT_LEARNED_FROM)
        assert all(key == fields.digest(one.tested) for key, one in found.measurements.items())
    assert sum(len(found.measurements) for found in records) == 64


def test_a_new_option_with_a_neutral_default_changes_no_name(monkeypatch):
    """The test adds a field to every part of a config, worlds among them."""
    figure = command.load("figure6", make_scale("laptop"))
    names = [(store.run_name(row.condition), store.measurement_key(row, 100)) for row in figure.rows]

    def with_option(record):
        plain = to_plain(record)
        return plain | {"new_option": 0} if isinstance(plain, dict) else plain

    monkeypatch.setattr(fields, "to_plain", with_option)
    monkeypatch.setattr(config_module, "to_plain", with_option)
    monkeypatch.setattr(fields, "_defaults", fields._defaults.__wrapped__)  # it keeps what it has made
    plain = fields.to_plain(figure.rows[0].condition.config)
    assert "new_option" in plain.keys() & plain["world"].keys() & plain["network"].keys(), "the test adds it"
    assert names == [(store.run_name(row.condition), store.measurement_key(row, 100)) for row in figure.rows]


def test_a_measurement_is_found_by_how_its_test_differs_from_training():
    row = tiny_figure(tiny_scale()).rows[0]
    assert store.how_tested(row, 100) == {"episodes": 100}
    changes = [{"alone": True}, {"partners": ("expert",)}, {"partners": ()}, {"world": row.condition.config.world}]
    keys = {store.measurement_key(dataclasses.replace(row, **change), 100) for change in ({}, *changes)}
    assert len(keys | {store.measurement_key(row, 101)}) == 6
    same = [dataclasses.replace(row, **change) for change in ({"name": "it"}, {"of_partners": True}, {"paper": "it"})]
    assert {store.measurement_key(one, 100) for one in same} == {store.measurement_key(row, 100)}
