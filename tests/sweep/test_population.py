"""Population-based training: who is replaced by whom, with which numbers, and after a kill."""

import dataclasses
import io

import jax
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from jaxsocial.sweep import command, population, rungs, table, work
from jaxsocial.sweep.extension import extended
from jaxsocial.sweep.population import Copy, Exchange
from tests.sweep.tiny import GRID, TINY, here, tiny

POPULATION = {"population": {"every": 128, "replaced": 0.25}}


def small(**changes):
    return tiny(**{"seeds": 1, "fixed": TINY | {"total_steps": 256}} | POPULATION | changes)


@pytest.mark.parametrize(
    ("tables", "remedy"),
    [
        ({"population": {}}, "population.every is missing"),
        ({"population": {"every": 128, "replaced": 0.7}}, "replaced=0.7: choose above 0 and at most 0.5"),
        ({"population": {"every": 128, "factor": 1.0}}, "factor=1.0: choose above 1"),
        ({"population": {"every": 1000}}, "every=1000: settings train for 256 steps; choose fewer"),
        ({"population": {"every": 100}}, "every=100: exchanges are at log points, which are 128 steps apart"),
        ({"population": {"every": 128, "best": 1}}, "population.best is unknown here"),
        ({"halving": {"steps": [128]}}, "both population and halving"),
        ({"grid": {"rules.penalty": [1.0]}}, "a population has two settings or more"),
        ({"grid": {"total_steps": [256, 512]}, "fixed": {**TINY, "total_steps": 256}}, "total_steps differs"),
    ],
)
def test_what_is_no_population_is_refused(tables, remedy):
    with pytest.raises(ValueError, match=remedy):
        small(**tables)


def test_a_population_cannot_be_extended():
    with pytest.raises(ValueError, match="it cannot be extended, begin another sweep"):
        extended(small(), small(seeds=2))


def made_up(returns):
    return pd.DataFrame(
        [
            {"setting": setting, "seed": 0, "learner": 0, "step": 128, "evaluation.return": value, "healthy": 1.0}
            for setting, value in returns.items()
        ]
    )


def test_the_worst_settings_are_replaced_by_copies_of_the_best(tmp_path, monkeypatch):
    sweep = small(population={"every": 128, "replaced": 0.5, "factor": 2.0})
    monkeypatch.setattr(table, "read", lambda folder: made_up({0: 1.0, 1: 5.0, 2: np.nan, 3: 4.0}))
    sweep, exchange = population.exchanged(tmp_path, sweep, 0, range(4))
    assert exchange.alive == [1, 3, 4, 5]
    assert [copy.setting for copy in exchange.copies] == [4, 5]
    for copy in exchange.copies:
        assert copy.parent in (1, 3)
        assert set(copy.values) == set(GRID)
        parent, own = sweep.settings[copy.parent], sweep.settings[copy.setting]
        for ratio in (
            own.coefficients.learning_rate / parent.coefficients.learning_rate,
            own.rules.penalty / parent.rules.penalty,
        ):
            assert ratio == pytest.approx(2.0) or ratio == pytest.approx(0.5)
        assert dataclasses.replace(own, rules=parent.rules, coefficients=parent.coefficients) == parent
    # What was decided stays, whatever the table says later.
    monkeypatch.setattr(table, "read", lambda folder: made_up({0: 9.0, 1: 5.0, 2: 9.0, 3: 4.0}))
    assert population.exchanged(tmp_path, sweep, 0, range(4)) == (sweep, exchange)
    assert work.read_settings(tmp_path) == list(sweep.settings)
    assert population.lineage(tmp_path, 5) == [exchange.copies[1].parent, 5]


def test_as_many_settings_are_replaced_as_the_file_s_decimal_says(tmp_path, monkeypatch):
    grid = {"rules.penalty": np.linspace(0.5, 1.5, 25).tolist()}
    sweep = small(grid=grid, population={"every": 128, "replaced": 0.28})
    monkeypatch.setattr(table, "read", lambda folder: made_up({n: float(n) for n in range(25)}))
    _, exchange = population.exchanged(tmp_path, sweep, 0, range(25))
    assert len(exchange.copies) == 7


def test_settings_of_other_programs_are_populations_of_their_own(tmp_path, monkeypatch):
    grid = {"rules.penalty": [0.5, 1.0, 1.5, 2.0], "network.memory": [4, 8]}
    sweep = small(grid=grid, population={"every": 128, "replaced": 0.25})
    sizes = [config.network.memory for config in sweep.settings]
    monkeypatch.setattr(table, "read", lambda folder: made_up({n: float(n) for n in range(8)}))
    sweep, exchange = population.exchanged(tmp_path, sweep, 0, range(8))
    assert sorted(sizes[copy.parent] for copy in exchange.copies) == [4, 8]
    assert sorted(sweep.settings[number].network.memory for number in exchange.alive) == [4] * 4 + [8] * 4


def test_a_number_at_the_end_of_its_range_stays():
    sweep = small(grid={"coefficients.gamma": [0.9, 0.99], "rules.penalty": [0.5, 1.0]})
    names = population.varied_numbers(sweep.settings)
    assert set(names) == {"coefficients.gamma", "rules.penalty"}
    seen = [population.changed_numbers(sweep.settings[3], names, 1.2, np.random.default_rng(n)) for n in range(20)]
    assert {tuple(sorted(values)) for values in seen} == {("coefficients.gamma", "rules.penalty"), ("rules.penalty",)}
    assert all(values.get("coefficients.gamma", 0) < 1 for values in seen)


def test_a_population_trains_and_resumes(tmp_path):
    folder, sweep, console = tmp_path / "sweep", small(), Console(file=io.StringIO(), width=200)
    with jax.debug_key_reuse(False):
        command.prepare(sweep, folder)
        command.run(command.read(folder), folder, here(), console)
    (exchange,) = population.read_exchanges(folder)
    (copy,) = exchange.copies
    assert f"exchange 1: 4 from {copy.parent}" in console.file.getvalue()
    found = table.read(folder)
    steps = {setting: sorted(own["step"]) for setting, own in found.groupby("setting")}
    (replaced,) = set(range(5)) - set(exchange.alive)
    assert steps == {n: [256] if n == 4 else [128] if n == replaced else [128, 256] for n in range(5)}
    row = found[found["setting"] == 4].iloc[0]
    assert row["rules.penalty"] == pytest.approx(copy.values["rules.penalty"])
    # It begins from where its parent was at the exchange.
    tasks = [work.read_task(item) for item in (folder / rungs.ITEMS).glob("rung1-*")]
    starts = {entry.setting: source for task in tasks for entry, source in zip(task.entries, task.sources, strict=True)}
    assert starts[4] == starts[copy.parent]
    # A kill after the decision, before its settings were written: nothing is trained again.
    settings = work.read_settings(folder)
    work.write_settings(folder, settings[:4])
    with jax.debug_key_reuse(False):
        command.run(command.read(folder), folder, here(), console)
    assert work.read_settings(folder) == settings
    pd.testing.assert_frame_equal(table.read(folder), found)
    assert population.read_exchanges(folder) == [Exchange(exchange.alive, [Copy(*copy)])]
