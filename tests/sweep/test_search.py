"""Searches: batches follow from the results before, whatever a kill leaves, and failures are learned from."""

import io
import math

import jax
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from jaxsocial.config.fields import flat
from jaxsocial.sweep import command, rungs, table, trials, work
from jaxsocial.sweep.backends.items import Finished
from jaxsocial.sweep.executor import Executor
from jaxsocial.sweep.extension import extended
from jaxsocial.sweep.search import Search, suggested
from jaxsocial.sweep.spec import make_sweep
from jaxsocial.training.stopping import Stopped
from tests.sweep.tiny import FILE, TINY, here

pytest.importorskip("optuna")

RATE = {"coefficients.learning_rate": {"log_uniform": [1e-5, 1e-1]}}
BASE = {name: value for name, value in FILE.items() if name != "grid"}


def searching(fields=RATE, trials=12, batch=4, seed=0, **changes):
    """Returns the tiny sweep with a search in place of its grid."""
    search = {"trials": trials, "batch": batch, "seed": seed, "fields": fields}
    return make_sweep(BASE | {"search": search} | changes)


def rate_of(config) -> float:
    return config.coefficients.learning_rate


def made_up(score) -> Executor:
    """Returns an executor that trains nothing: a setting's return is ``score`` of it; NaN means not healthy."""

    def run_items(folders, what):
        for folder in folders:
            task, settings = work.read_task(folder), work.read_settings(folder.parents[1])
            rows = []
            for setting, seed in task.entries:
                value = score(settings[setting])
                row = {"setting": setting, "seed": seed, "learner": 0, "step": 512, **flat(settings[setting])}
                rows.append(row | {"evaluation.return": value, "healthy": float(not math.isnan(value))})
            name = f"batch-0-{len(rows)}"
            table.write_part(folder.parents[1], f"{folder.name}.{name}", 512, rows, table.schema_of(settings))
            done = [(*entry, f"{folder.name}/{name}", index) for index, entry in enumerate(task.entries)]
            work.write_plain(folder / work.DONE, done)
            yield Finished(folder, None)

    return Executor(run_items)


def run(folder, sweep, executor):
    if not folder.exists():
        command.prepare(sweep, folder)
    command.run(command.read(folder), folder, executor, Console(file=io.StringIO(), width=200))
    return command.read(folder)


def near_a_thousandth(config) -> float:
    return -abs(math.log10(rate_of(config)) + 3)


@pytest.mark.parametrize("larger_is_better", [True, False])
def test_suggestions_come_nearer_to_the_best_and_keep_away_from_failures(larger_is_better):
    search = Search(
        "tpe", 80, 16, 0, {"x": {"uniform": [0, 1]}, "y": {"integers": [1, 9]}, "z": {"choice": [[1], [2]]}}
    )
    told, batches = [], []
    for _ in range(5):
        batches.append(suggested(search, told, 16, larger_is_better))
        assert batches[-1] == suggested(search, told, 16, larger_is_better)
        for one in batches[-1]:
            error = abs(one["x"] - 0.3) + abs(one["y"] - 4) + one["z"]
            told.append((one, None if one["x"] > 0.6 else -error if larger_is_better else error))
    far = [np.mean([abs(one["x"] - 0.3) + abs(one["y"] - 4) + one["z"] for one in batch]) for batch in batches]
    assert far[-1] < far[0] / 2
    failed = [sum(one["x"] > 0.6 for one in batch) for batch in batches]
    assert failed[-1] < failed[0]
    assert len({tuple(one.items()) for batch in batches for one in batch}) > 60


def test_a_search_trains_batches_that_follow_from_each_other(tmp_path):
    sweep = run(tmp_path / "sweep", searching(trials=15, batch=6), made_up(near_a_thousandth))
    assert len(sweep.settings) == 15
    names = sorted(item.name for item in (tmp_path / "sweep" / rungs.ITEMS).iterdir())
    assert names == [f"rung{number}-group0-part0" for number in range(3)]
    rows = pd.read_parquet(tmp_path / "sweep" / table.WHOLE)
    assert rows.groupby("setting")["coefficients.learning_rate"].first().tolist() == [*map(rate_of, sweep.settings)]
    assert [one.setting for one in trials.read_trials(tmp_path / "sweep")] == list(range(15))


@pytest.mark.parametrize("where", ["write_settings", "write_plain", "items"])
def test_a_kill_at_any_moment_changes_no_suggestion(tmp_path, monkeypatch, where):
    sweep, executor = searching(trials=6, batch=2), made_up(near_a_thousandth)
    whole = run(tmp_path / "whole", sweep, executor)
    calls = []

    def killed(real):
        def now_and_then(*arguments):
            calls.append(arguments)
            if len(calls) % 2:
                raise KeyboardInterrupt
            return real(*arguments)

        return now_and_then

    if where == "items":
        executor = executor._replace(run_items=killed(executor.run_items))
    else:
        monkeypatch.setattr(trials, where, killed(getattr(trials, where)))
    for _ in range(20):
        try:
            found = run(tmp_path / "killed", sweep, executor)
            break
        except (KeyboardInterrupt, Stopped):
            continue
    assert len(calls) >= 6
    assert found.settings == whole.settings
    assert trials.read_trials(tmp_path / "killed") == trials.read_trials(tmp_path / "whole")
    pd.testing.assert_frame_equal(table.read(tmp_path / "killed"), table.read(tmp_path / "whole"))


def test_settings_that_break_and_suggestions_that_cannot_be_built_are_told_as_failures(tmp_path, monkeypatch):
    real = trials.built

    def built(base, values):
        if values["coefficients.learning_rate"] < 1e-4:
            raise ValueError("cannot be built")
        return real(base, values)

    def breaks(config):
        return math.nan if rate_of(config) > 1e-2 else near_a_thousandth(config)

    monkeypatch.setattr(trials, "built", built)
    told = []
    monkeypatch.setattr(trials, "suggested", lambda *arguments: told.append(arguments[1]) or suggested(*arguments))
    sweep = run(tmp_path / "sweep", searching(trials=20, batch=10), made_up(breaks))
    for suggestion, result in told[-1]:
        rate = suggestion["coefficients.learning_rate"]
        assert (result is None) == (rate > 1e-2 or rate < 1e-4)
    made = trials.read_trials(tmp_path / "sweep")
    refused = [one.suggestion["coefficients.learning_rate"] < 1e-4 for one in made]
    assert any(refused)
    assert [one.setting is None for one in made] == refused
    assert all(rate_of(config) >= 1e-4 for config in sweep.settings[10:])


def test_equal_suggestions_are_one_setting_and_the_search_still_ends(tmp_path):
    fields = {"sizes.refresh_interval": {"integers": [1, 2]}, "network.heads": {"choice": [[8], [8, 8]]}}
    sweep = run(tmp_path / "sweep", searching(fields, trials=12, batch=4), made_up(lambda config: 1.0))
    assert len(sweep.settings) == len(set(sweep.settings)) <= 4
    made = trials.read_trials(tmp_path / "sweep")
    assert len(made) == 12
    for one in made:
        assert sweep.settings[one.setting].sizes.refresh_interval == one.suggestion["sizes.refresh_interval"]
        assert sweep.settings[one.setting].network.heads == ((8,), (8, 8))[one.suggestion["network.heads"]]


@pytest.mark.parametrize(
    ("search", "remedy"),
    [
        ({"method": "random"}, "search.method='random': choose from tpe"),
        ({"trials": 0}, "search has nothing to try: give search.trials"),
        ({"fields": {}}, "search has nothing to try"),
        ({"batch": 0}, "search.batch=0: choose"),
        ({"trial": 3}, "search.trial is unknown here"),
        ({"fields": {"rules.penalti": {"uniform": [0, 1]}}}, "perhaps you meant rules.penalty"),
        ({"fields": {"rules.penalty": [0, 1]}}, "search.fields.rules.penalty=.*: give uniform"),
        ({"fields": {"total_steps": {"integers": [100, 200]}}}, "search.fields.total_steps: .*leave it out"),
        ({"fields": {"rules.penalty": {"uniform": [-2, -1]}}}, "cannot be built"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(search, remedy):
    with pytest.raises(ValueError, match=remedy) as refused:
        make_sweep(BASE | {"search": {"trials": 8, "fields": RATE} | search})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("other", [{"grid": {"rules.penalty": [1]}}, {"halving": {"steps": [256]}}])
def test_a_search_excludes_other_ways_to_choose_settings(other):
    with pytest.raises(ValueError, match=r"both search and .*: leave one of them out"):
        searching(**other)


def test_a_search_is_extended_by_trials_seeds_and_steps(tmp_path):
    held = run(tmp_path / "sweep", searching(trials=8), made_up(near_a_thousandth))
    both = extended(held, searching(trials=12, seeds=3, fixed=TINY | {"total_steps": 1024}))
    assert [rate_of(config) for config in both.settings] == [rate_of(config) for config in held.settings]
    assert {(config.seeds, config.total_steps) for config in both.settings} == {(3, 1024)}
    assert both.search.trials == 12
    small = run(tmp_path / "small", searching(trials=3), made_up(near_a_thousandth))
    assert extended(small, searching(trials=12)).settings == small.settings
    for declared, remedy in (
        (searching(trials=4), "search.trials=4: choose 8 or more"),
        (searching(trials=8, seed=1), "change search.trials only"),
        (searching(trials=8, fixed=TINY | {"sizes.worlds": 16}), "the nearest has another .*sizes.worlds"),
        (make_sweep(BASE), "search has changed"),
    ):
        with pytest.raises(ValueError, match=remedy):
            extended(held, declared)


@pytest.mark.slow
def test_a_search_trains_for_real_and_resumes_exactly(tmp_path):
    """Numbers and sizes: two groups in some batches."""

    def one_item_a_call(folders, what):
        yield from here().run_items(folders[:1], what)
        raise KeyboardInterrupt

    fields = RATE | {"network.memory": {"choice": [8, 16]}}
    sweep = searching(fields, trials=6, batch=3, seeds=1, fixed=TINY | {"total_steps": 128})
    with jax.debug_key_reuse(False):
        whole = run(tmp_path / "whole", sweep, here())
        for _ in range(12):
            try:
                found = run(tmp_path / "killed", sweep, Executor(one_item_a_call))
                break
            except Stopped:
                continue
    assert found.settings == whole.settings
    assert len(whole.settings) == 6
    assert {config.network.memory for config in whole.settings} == {8, 16}
    rows = table.read(tmp_path / "whole")
    assert rows["evaluation.return"].notna().all()
    assert rows["setting"].tolist() == list(range(6))
    pd.testing.assert_frame_equal(table.read(tmp_path / "killed"), rows)
