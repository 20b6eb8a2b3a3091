"""A sweep's report: the ranking, the pictures, and a page that needs no other file."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from jaxsocial.sweep.report import drawing, margins, parallel, ranking
from jaxsocial.sweep.report import page as page_module
from jaxsocial.sweep.report.colours import palette
from jaxsocial.sweep.report.fields import fields, groups, labels, number_labels, shortened
from jaxsocial.sweep.report.page import best_table, write
from jaxsocial.sweep.report.ranking import About
from tests.sweep import made_up

ABOUT = About("a test", ("rate",), "return")
ABOUT_DRAWN = About("drawn", ("coefficients.learning_rate", "network.channels"), "return")


def ranked(values, about=ABOUT, **changes):
    """Ranks settings with these last returns by seed."""
    seeds = len(values[0])
    table = made_up.table([{"rate": float(number)} for number in range(len(values))], lambda *_: 0.0, seeds)
    for number, own in enumerate(values):
        for seed, value in enumerate(own):
            rows = (table["setting"] == number) & (table["seed"] == seed) & (table["step"] == 2000)
            table.loc[rows, "return"] = value
    return ranking.rank(table.assign(**changes), about)


def field(values):
    return fields(pd.DataFrame({"setting": range(len(values)), "it": values}), ["it"])[0]


def outcomes(values):
    """Returns the outcomes of one seed per setting."""
    return pd.DataFrame({"setting": range(len(values)), "seed": 0, "value": np.array(values, float)})


class TestRanking:
    def test_the_middle_two_of_four_seeds_count_and_the_middle_three_of_five(self):
        assert ranked([[-9, 1, 2, 70]]).settings["interquartile_mean"].tolist() == [1.5]
        assert ranked([[-9, 1, 2, 6, 70]]).settings["interquartile_mean"].tolist() == [3]

    def test_the_best_comes_first(self):
        found = ranked([[1, 1], [3, 3], [2, 2]]).settings
        assert found["setting"].tolist() == [1, 2, 0]
        assert found["rank"].tolist() == [1, 2, 3]
        assert found["rate"].tolist() == [1, 2, 0]
        smaller = About("a test", ("rate",), "return", larger_is_better=False)
        assert ranked([[1, 1], [3, 3], [2, 2]], smaller).settings["setting"].tolist() == [0, 2, 1]

    @pytest.mark.parametrize("larger", [True, False])
    def test_settings_without_a_known_value_are_last(self, larger):
        about = About("a test", ("rate",), "return", larger)
        table = made_up.table([{"rate": 1.0}, {"rate": 2.0}], lambda number, *_: [np.nan, 5][number])
        found = ranking.rank(table, about).settings
        assert found["setting"].tolist() == [1, 0]
        assert found.loc[1, ["interquartile_mean", "low", "high"]].isna().all()

    def test_dropped_settings_follow_those_that_trained_for_longer(self):
        steps = [2000, 500, 1000, 2000]
        table = made_up.table([{"rate": 1.0}] * 4, lambda number, *_: [1, 9, 8, 2][number], 2, (500, 1000, 2000))
        table = table[table["step"] <= table["setting"].map(dict(enumerate(steps)))]
        found = ranking.rank(table, ABOUT)
        assert found.settings["setting"].tolist() == [3, 0, 2, 1]
        assert found.settings["steps"].tolist() == [2000, 2000, 1000, 500]
        assert found.dropped[[0, 1, 2, 3]].tolist() == [False, True, True, False]

    def test_the_last_known_value_of_each_learner_counts(self):
        table = made_up.table([{"rate": 1.0}], lambda *_: np.nan, 1, (1000, 2000, 3000))
        table = pd.concat(
            [
                table.assign(learner=0, **{"return": [9.0, 2.0, np.nan]}),
                table.assign(learner=1, **{"return": [7.0, np.inf, np.nan]}),
            ]
        )
        assert ranking.rank(table.iloc[::-1], ABOUT).settings["interquartile_mean"].tolist() == [4.5]

    def test_unhealthy_seeds_are_reported_and_still_count(self):
        table = made_up.table([{"rate": 1.0}], lambda _, seed, step: [6.0, 6.0, 0.0, 6.0][seed], 4)
        table.loc[(table["seed"] == 2) & (table["step"] == 2000), "healthy"] = 0.0
        (found,) = ranking.rank(table, ABOUT).settings.to_dict("records")
        assert (found["healthy_seeds"], found["seeds"]) == (3, 4)
        assert found["low"] < found["interquartile_mean"] == 6
        # A row has the share of its iterations that were finite.
        broken = table.assign(healthy=np.where((table["seed"] < 3) & (table["step"] == table["step"].max()), 0.9, 1.0))
        assert ranking.rank(broken, ABOUT).settings["healthy_seeds"].tolist() == [1]
        table.loc[table["step"] == 1000, "healthy"] = 0.0  # a seed stays unhealthy
        assert ranking.rank(table, ABOUT).settings["healthy_seeds"].tolist() == [0]
        assert ranking.rank(table.drop(columns="healthy"), ABOUT).settings["healthy_seeds"].tolist() == [4]

    def test_the_interval_of_one_seed_is_its_value(self):
        (found,) = ranked([[2.5]]).settings.to_dict("records")
        assert found["low"] == found["interquartile_mean"] == found["high"] == 2.5

    def test_curves_are_means_over_seeds_of_known_values(self):
        table = made_up.table([{"rate": 1.0}], lambda _, seed, step: seed * step if step > 1 else np.nan, 3, (1, 2, 3))
        table.loc[(table["seed"] == 2) & (table["step"] == 3), "return"] = np.nan
        means = ranking.curves(table, "return")
        assert means.columns.tolist() == [2, 3]
        assert means.loc[0].tolist() == [2, 1.5]


class TestMargins:
    def test_cells_are_interquartile_means_over_all_other_fields(self):
        across, down = field([1, 1, 1, 1, 1, 2]), field(["a", "a", "a", "a", "b", "a"])
        found = outcomes([-9, 1, 2, 70, 4, np.nan])
        cells = margins.two_way(found, groups(across), groups(down))
        np.testing.assert_array_equal(cells.to_numpy(), [[1.5, np.nan], [4, np.nan]])
        assert margins.one_way(found, groups(down)).tolist() == [1.5, 4]

    def test_seeds_of_all_settings_have_equal_weight(self):
        found = pd.DataFrame({"setting": [0, 0, 0, 1], "seed": [0, 1, 2, 0], "value": [0.0, 1, 2, 30]})
        assert margins.one_way(found, groups(field([5, 5]))).tolist() == [1.5]

    def test_drawn_numbers_are_binned_and_grid_values_are_not(self):
        drawn = groups(field(np.arange(1000.0)))
        assert drawn.binned
        assert len(drawn.positions) == 12
        assert drawn.codes.value_counts().between(82, 85).all()
        assert drawn.codes[0] == 0
        assert drawn.codes[999] == 11
        assert np.all(np.diff(drawn.codes) >= 0)
        few = groups(field(np.arange(64.0)), sides=4)
        assert few.labels == ["0", "16", "32", "48", "63"]
        assert few.codes.value_counts(sort=False).tolist() == [16, 16, 16, 16]
        assert groups(field(np.repeat(np.arange(16.0), 2))).positions.tolist() == list(range(16))
        assert not groups(field(np.arange(16.0)), alone=True).binned
        assert groups(field(np.arange(16.0))).binned

    def test_no_bin_is_empty_if_most_values_are_equal(self):
        found = groups(field([0.0] * 50 + list(range(1, 40))))
        assert set(found.codes) == set(range(len(found.positions)))
        assert len(found.labels) == len(found.positions) + 1

    def test_settings_without_a_value_are_in_no_group(self):
        assert groups(field([1.0, np.nan, 3.0])).codes.tolist() == [0, -1, 1]
        assert margins.one_way(outcomes([1, 50, 3]), groups(field([1.0, np.nan, 3.0]))).tolist() == [1, 3]

    def test_importance_is_high_for_a_decisive_field_and_low_for_an_idle_one(self):
        rng = np.random.default_rng(0)
        decides, idle = rng.random(200), rng.random(200)
        values = pd.Series(5 * decides + 0.1 * rng.random(200))
        assert margins.importance(values, groups(field(decides))) > 0.9
        assert margins.importance(values, groups(field(idle))) < 0.1
        assert margins.importance(pd.Series([1.0, 3, 1, 3]), groups(field([1, 2, 1, 2]))) == 1
        assert margins.importance(pd.Series([2.0, 2, 2]), groups(field([1, 2, 1]))) == 0

    def test_exploded_values_do_not_make_a_field_important(self):
        decides, idle = field([1.0, 1, 1, 2, 2, 2] * 4), field(["a", "b"] * 12)
        values = decides.values.copy()
        values[0] = -1e9
        shares = margins.importances(values, [idle._replace(name="idle"), decides], larger_is_better=True)
        assert list(shares) == ["it", "idle"]
        assert shares["it"] > 0.9

    def test_with_many_fields_only_pairs_of_the_most_important_are_drawn(self):
        five = fields(pd.DataFrame([{"setting": 0} | dict.fromkeys("abcde", 1.0)]), list("abcde"))
        shares = {"e": 0.9, "a": 0.5, "c": 0.3, "b": 0.2, "d": 0.0}
        drawn = ["".join(one.name for one in pair) for pair in margins.pairs(five, shares)]
        assert drawn == ["ab", "ac", "ae", "bc", "be", "ce"]
        assert len(margins.pairs(five[:4], shares)) == 6

    def test_exploded_bad_values_are_left_out_of_pictures_and_good_ones_never(self):
        assert margins.limits(np.array([1.0, 2, 3, 4]), True) == (1, 4)
        assert margins.limits(np.array([-1e9, 1, 2, 3, 4]), True) == (1, 4)
        assert margins.limits(np.array([1e9, 1, 2, 3, 4]), True) == (1, 1e9)
        assert margins.limits(np.array([1e9, 1, 2, 3, 4]), False) == (1, 4)
        assert margins.limits(np.array([np.nan, np.inf]), True) == (0, 1)


class TestFields:
    def test_labels_are_as_short_as_unique_names_allow(self):
        names = ["coefficients.learning_rate", "rules.penalty", "world.penalty", "seed"]
        assert labels(names) == ["learning rate", "rules penalty", "world penalty", "seed"]

    def test_values_that_are_no_numbers_are_categories_in_natural_order(self):
        assert field(["16, 32", "8", "16"]).categories == ["8", "16", "16, 32"]
        assert field([True, False, True]).categories == ["false", "true"]
        assert field([None, "b", "a"]).categories == ["a", "b", "none"]
        assert len(field([str(number) for number in range(100)]).categories) == 24
        assert field([1, 2, 3]).categories == []

    def test_long_names_are_cut_in_their_middle_but_stay_unique(self):
        runs = [f"run:runs/reproduce/laptop/expert-0123456789@{steps}" for steps in (1000, 2000)]
        assert shortened(["expert", *runs])[runs[1]] == "run:runs/…56789@2000"
        alike = ["a" * 30 + one + "a" * 30 for one in "bc"]
        assert list(shortened(alike).values()) == alike
        assert field(["expert", ""]).categories == ['""', "expert"]

    def test_axes_of_wide_ranges_are_logarithmic_unless_draws_are_uniform(self):
        assert field([1e-4, 1e-3, 1e-2]).logarithmic
        assert not field(np.linspace(0.01, 2, 50)).logarithmic
        assert not field([0.0, 1e-3, 1e-2]).logarithmic
        assert not field([1.0, 4, 16]).logarithmic

    def test_labels_of_different_numbers_differ(self):
        assert number_labels([1e-5, 3.98e-5, 0.25, 1e6], 3) == ["1e-5", "3.98e-5", "0.25", "1e6"]
        assert number_labels([1.0001, 1.0002], 3) == ["1.0001", "1.0002"]

    def test_cells_have_as_many_digits_as_the_range_needs(self):
        cells = np.array([[-0.04, np.nan], [-8.25, 3.14]])
        assert drawing.cell_texts(cells, -8.25, 3.14).tolist() == [["0.0", ""], ["-8.2", "3.1"]]
        assert drawing.cell_texts(np.array([101.11, 101.42]), 101.11, 101.42).tolist() == ["101.11", "101.42"]
        assert drawing.cell_texts(np.array([-9.12e7, 3.0]), 1.0, 4.0).tolist() == ["-9.1e7", "3.0"]
        assert drawing.cell_texts(np.array([1e-6, 2e-6]), 1e-6, 2e-6).tolist() == ["1e-6", "2e-6"]

    def test_parallel_axes_are_marked_at_few_values_or_at_the_ends(self):
        assert parallel.marks(field([1.0, 3.0, 2.0])) == ([0, 0.5, 1], ["1", "2", "3"])
        assert parallel.marks(field(np.linspace(0, 8, 40))) == ([0, 0.5, 1], ["0", "4", "8"])
        assert parallel.marks(field(np.geomspace(1e-4, 1, 40)))[1] == ["1e-4", "0.01", "1"]
        assert parallel.marks(field(["b", "a"])) == ([0, 1], ["a", "b"])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Writes a report of 60 settings of three fields, half of them dropped, with names and values to escape."""
    folder = tmp_path_factory.mktemp("report")
    table = made_up.drawn(points=4).rename(columns={"rules.penalty": "rules.<b>$x_{"})
    table["network.channels"] = table["network.channels"].replace("8", "<script>alert(1)</script>")
    varied = ("coefficients.learning_rate", "network.channels", "rules.<b>$x_{")
    facts = {"command": "jaxsocial sweep <script>", "date": "2026-01-01"}
    (folder / "one-way-of-before.png").touch()
    return folder, write(table, About("<script>a & b", varied, "return", facts=facts), folder)


def test_the_folder_holds_every_file_and_none_of_an_earlier_report(report):
    rate, channels, odd = "coefficients.learning_rate", "network.channels", "rules.-b-x_-"
    pictures = ["curves.png", "parallel.png", *(f"one-way-{one}.png" for one in (rate, channels, odd))]
    pictures += [f"two-way-{first}-{second}.png" for first, second in ((rate, channels), (rate, odd), (channels, odd))]
    assert {path.name for path in report[0].iterdir()} == {"ranking.csv", "report.html", *pictures}


def test_the_ranking_has_all_settings_and_the_page_the_best(report):
    folder, found = report
    pd.testing.assert_frame_equal(pd.read_csv(folder / "ranking.csv"), found.settings, check_dtype=False)
    page = (folder / "report.html").read_text()
    assert len(found.settings) == 60
    assert page.count("<tr") == 1 + 60
    assert "The same is in ranking.csv" in page
    assert "3 of 3 seeds" in page
    assert "30 settings trained for fewer steps" in page


def test_the_page_has_the_best_of_many(monkeypatch):
    monkeypatch.setattr(page_module, "BEST", 50)
    table = made_up.drawn(points=4)
    text = page_module.page(table, ranking.rank(table, ABOUT_DRAWN), ABOUT_DRAWN, [])
    assert text.count("<tr") == 1 + 50
    assert "The other 10 settings are in ranking.csv" in text


def test_the_script_has_results_values_and_curves():
    table = made_up.drawn(points=4)
    found = ranking.rank(table, ABOUT_DRAWN)
    drawn = page_module.plotted(table, found, ABOUT_DRAWN)
    best, row = drawn["settings"][0], found.settings.iloc[0]
    assert (best["setting"], best["rank"]) == (row["setting"], 1)
    assert best["mean"] == pytest.approx(row["interquartile_mean"], rel=1e-5)
    rate, channels = drawn["fields"]
    assert (rate["label"], rate["logarithmic"], rate["categories"]) == ("learning rate", True, [])
    assert channels["categories"][int(best["positions"][1])] == best["values"][1] == row["network.channels"]
    means = ranking.curves(table, "return").loc[row["setting"]]
    assert drawn["steps"] == means.index.tolist() == [250_000, 500_000, 750_000, 1_000_000]
    np.testing.assert_allclose(best["curve"], means, rtol=1e-5)
    # Half of the settings were dropped after half of the steps.
    assert drawn["settings"][-1]["curve"][2:] == [None, None]


def test_the_page_holds_every_picture_and_needs_no_other_file(report):
    folder, _ = report
    page = (folder / "report.html").read_text()
    sources = re.findall(r'src="([^"]*)"', page)
    held = {base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources}
    assert held == {path.read_bytes() for path in folder.glob("*.png")}
    without = re.sub(r'src="data:[^"]*"', "", page)
    addresses = set(re.findall(r"[a-z]+://[^\"'\s<>]*", without))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a format, which is never loaded"
    assert "default-src 'none'" in page
    assert not re.search(r"""@import|url\(|(src|href)=["'](?!data:|#)""", without)


def test_names_and_values_are_escaped(report):
    page = (report[0] / "report.html").read_text()
    assert page.count("<script") == page.count("</script") == 2, "its data and its program"
    assert "<b>" not in page
    assert "<h1>&lt;script&gt;a &amp; b</h1>" in page
    assert "<dd>jaxsocial sweep &lt;script&gt;</dd>" in page
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in page


@pytest.mark.parametrize(
    ("settings", "seeds", "known", "pictures"),
    [
        ([{}], 1, True, 1),
        ([{"rate": 1.0}], 3, True, 3),
        ([{"rate": 1.0}], 3, False, 3),
        ([{"rate": rate} for rate in (1e-4, 1e-3, 1e-2)], 1, True, 3),
        ([{"on": on, "sizes": sizes} for on in (True, False) for sizes in ("8", "8, 16", None)], 2, True, 5),
        ([{"on": on, "rate": rate} for on in (True, False) for rate in (0.1, np.nan)], 2, False, 5),
    ],
)
def test_small_and_unusual_sweeps_have_reports(settings, seeds, known, pictures, tmp_path):
    about = About("odd", tuple(settings[0]), "return")
    table = made_up.table(settings, lambda number, seed, _: number + seed if known else np.nan, seeds, (1000,))
    found = write(table, about, tmp_path / "new")
    assert len(found.settings) == len(settings)
    assert len(list((tmp_path / "new").glob("*.png"))) == pictures
    page = (tmp_path / "new" / "report.html").read_text()
    assert ("Nothing is known of return yet" in page) != known


def test_statements_need_enough_settings(tmp_path):
    """A grid of six would say that a field explains everything."""
    grid = [{"rate": float(rate), "memory": memory} for rate in (1, 2, 3) for memory in (8, 16)]
    for settings, said in ((grid, "too few settings to say"), (grid * 3, "alone it explains 99% of the variance")):
        table = made_up.table(settings, lambda number, *_: 1.0 + number % 6 // 2)
        table["evaluation.return"] = table["return"]
        write(table, About("a test", ("rate", "memory"), "evaluation.return"), tmp_path)
        page = (tmp_path / "report.html").read_text()
        assert said in page
        assert "Best is setting 4 (rate = 3; memory = 8): evaluation return 3." in page


def test_fields_that_change_only_together_are_said_to(tmp_path):
    """Those of one `[[list]]`: each alone explains what both do."""
    sizes = [{"network.memory": memory, "network.dense": 2 * memory} for memory in (16, 32, 64)]
    settings = [one | {"rules.penalty": penalty} for one in sizes for penalty in (0.0, 0.5, 1.0, 1.5, 2.0)]
    write(
        made_up.table(settings, lambda number, *_: float(number // 5)),
        About("list", tuple(settings[0]), "return"),
        tmp_path,
    )
    text = (tmp_path / "report.html").read_text()
    assert text.count("It changes only together with") == 2 * 2  # captions are the pictures' descriptions too
    for name, other in (("memory", "dense"), ("dense", "memory")):
        said = f"network.{name}: alone it explains 99% of the variance among settings. It changes only together with "
        assert f"{said}network.{other}: their effects cannot be told apart." in text


def test_drawn_fields_are_not_said_to_change_together():
    drawn = fields(pd.DataFrame({"setting": range(9), "a": np.random.rand(9), "b": np.random.rand(9)}), ["a", "b"])
    assert margins.changing_with(drawn[0], drawn) == []


def test_the_best_table_is_readable_at_80_columns(tmp_path):
    settings = [{"coefficients.learning_rate": 10.0**-n, "network.channels": "16, 32, 64"} for n in range(3)]
    about = About("[/x]", tuple(settings[0]), "return")
    ranking = write(made_up.table(settings, lambda number, *_: float(number)), about, tmp_path)
    output = io.StringIO()
    Console(file=output, width=80).print(best_table(ranking, about))
    title, *headings, first, _, _ = output.getvalue().splitlines()
    assert title == "[/x]: best by return, interquartile mean over seeds"
    assert " ".join(first.split()) == "2 0.01 16, 32, 64 2.00 [2.00, 2.00] 3 of 3 2,000"
    assert " ".join(" ".join(headings).split()) == "learning healthy setting rate channels return [95 %] seeds steps"


def test_a_setting_without_a_known_value_is_at_the_end_of_the_table(tmp_path):
    table = made_up.table([{"rate": 1.0}, {"rate": 2.0}], lambda number, *_: [np.nan, 5.0][number])
    write(table, ABOUT, tmp_path)
    rows = (tmp_path / "report.html").read_text().split("<tr")
    assert '<td data-value="5">5 [5, 5]</td>' in rows[-2]
    assert "not known" in rows[-1]


def test_a_table_without_a_column_or_rows_is_refused(tmp_path):
    table = made_up.table([{"rate": 1.0}], lambda *_: 1.0)
    with pytest.raises(ValueError, match="no column lag: it has setting, seed"):
        write(table, About("a test", ("rate",), "lag"), tmp_path)
    with pytest.raises(ValueError, match="no rows: let the sweep run"):
        write(table[:0], ABOUT, tmp_path)


@pytest.mark.parametrize(("values", "ticks"), [([1, 3, 3], ["1", "3"]), ([0.001, 0.01, 0.1], ["0.001", "0.01", "0.1"])])
def test_a_colour_bar_shows_the_values_of_a_field_if_there_are_few(values, ticks):
    axes = Figure().subplots()
    palette(field([float(value) for value in values])).explain(axes)
    (bar,) = (other for other in axes.figure.axes if other is not axes)
    assert [label.get_text() for label in bar.get_yticklabels()] == ticks
    # Values too near to each other would overlap.
    palette(field([1.0, 1.01, 9.0])).explain(axes)
    assert "1.01" not in [label.get_text() for label in axes.figure.axes[-1].get_yticklabels()]


def test_the_ten_best_curves_are_emphasized():
    table = made_up.table([{"rate": float(number)} for number in range(30)], lambda number, _, step: number * step)
    found = ranking.rank(table, ABOUT)
    axes = drawing.curves(ranking.curves(table, "return"), found, fields(found.settings, ["rate"]), ABOUT).axes[0]
    assert sorted(line.get_ydata()[-1] for line in axes.lines) == [2000 * number for number in range(20, 30)]
    assert len(axes.collections[0].get_segments()) == 20
    assert axes.lines[0].get_linewidth() > axes.collections[0].get_linewidth()[0]
