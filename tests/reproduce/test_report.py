"""What is said of findings: the table, and pictures."""

import dataclasses

import imageio.v3 as imageio
import numpy as np
import pytest
from matplotlib.figure import Figure as Picture

from jaxsocial.config import presets
from jaxsocial.reproduce import plots, report
from jaxsocial.reproduce.claims import at_most, more_than
from jaxsocial.reproduce.command import FIGURES, load
from jaxsocial.reproduce.figures import Condition, Figure, Row
from jaxsocial.reproduce.scales import SCALES, make_scale
from tests.reproduce import made_up

CONDITION = Condition("it", presets.preset("quickstart"))
ROWS = (
    Row("solo", CONDITION, "stays in the local optimum", at_most(1.5)),
    Row("SociAPL", CONDITION, "escapes it", more_than("solo"), episode=True),
)


def draw(found, picture):
    axes = picture.subplots()
    plots.curves(axes, found, ["solo"], levels=["SociAPL"])
    plots.legend(axes)


FIGURE = Figure("figure0", "Figure 0: a test", ROWS, draw, notes="Made up.")


def lines_of(found):
    return {
        line.split(" | ")[0].strip("| "): line for line in report.markdown(FIGURE, found).splitlines() if "|" in line
    }


def test_what_holds_and_what_does_not():
    lines = lines_of(made_up.findings({"solo": [1, 1, 1.2, 1], "SociAPL": [1, 1, 1, 0.9]}))
    assert lines["solo"].endswith("| at most 1.5 | holds (> 99 %) |")
    assert lines["SociAPL"].endswith("| escapes it | more than solo | **does not hold** (< 1 %) |")
    lines = lines_of(made_up.findings({"solo": [1.6, 1.6, 1.7, 5], "SociAPL": [9, 8, 9, 9]}))
    assert lines["solo"].endswith("**does not hold** (< 1 %) |")
    assert lines["SociAPL"].endswith("| holds (> 99 %) |")


def test_a_verdict_has_the_share_of_resamples():
    lines = lines_of(made_up.findings({"solo": [1, 1, 1], "SociAPL": [0, 3, 3]}))
    # Of three the mean is that of all: above 1 where more than one 3 is drawn, with 20 of 27 chances, and here with 7.
    assert lines["SociAPL"].endswith("| holds (74 %) |")
    lines = lines_of(made_up.findings({"solo": [1, 1, 1], "SociAPL": [0, 0, 3]}))
    assert lines["SociAPL"].endswith("| **does not hold** (26 %) |")


def test_claims_of_all_figures_stand_in_one_table():
    found = made_up.findings({"solo": [1, 1, 1.2, 1], "SociAPL": [1, 1, 1, 0.9], "experts": [3]})
    other = Figure("figure9", "Figure 9", (ROWS[0], Row("experts", CONDITION)), draw)
    third = dataclasses.replace(FIGURE, name="figure10")
    *lines, empty, missing = report.claims(
        [(FIGURE, found), (other, found), (third, made_up.findings({}))]
    ).splitlines()
    assert (empty, missing) == ("", "Not yet measured: solo (figure10), SociAPL (figure10).")
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        ["| [figure0](figure0/results.md)", "solo"],
        ["| [figure0](figure0/results.md)", "SociAPL"],
        ["| [figure9](figure9/results.md)", "solo"],
    ]
    assert lines[3].endswith("| 4 | more than solo | **does not hold** (< 1 %) |")


def test_every_seed_is_in_the_table():
    line = lines_of(made_up.findings({"solo": [1.04, None, -3, 2, 1], "SociAPL": [9]}))["solo"]
    assert "| 1.0 - -3.0 2.0 1.0 |" in line
    assert "| 1.02 [" in line  # of the middle two of four


def test_a_missing_row_is_named_and_has_no_verdict():
    text = report.markdown(FIGURE, made_up.findings({"SociAPL": [9]}))
    assert "Not yet measured: solo." in text
    assert "| more than solo | not yet known |" in text


def test_a_half_trained_row_says_so():
    half = made_up.finding([1.0], steps=500_000)
    text = report.markdown(FIGURE, made_up.findings({"SociAPL": half, "solo": [0.0]}))
    assert "| SociAPL (0.5 M of 1.0 M steps) |" in text
    assert "| more than solo | not yet known |" in text
    text = report.markdown(FIGURE, made_up.findings({"SociAPL": [1.0], "solo": half}))
    assert "| more than solo | not yet known |" in text, "what it is compared with is half trained"
    assert "of 1.0 M steps" not in report.markdown(FIGURE, made_up.findings({"SociAPL": [1.0]}))


def test_the_text_below_says_how_it_was_made():
    text = report.markdown(FIGURE, made_up.findings({"solo": [1, 1], "SociAPL": [1, 1]}))
    assert "2 seeds, 1.0 M learner steps each, 100 evaluation episodes a seed" in text
    assert "trained in 1.0 h of computing time, some runs side by side, on cpu:0, jax 0" in text
    assert "`jaxsocial reproduce figure0 --scale laptop --out FOLDER`" in text
    assert "Made up." in text
    assert "an episode" not in text
    text = report.markdown(FIGURE, made_up.findings({"SociAPL": [1, 1]}), {"sociapl.gif", "solo.gif"})
    assert text.endswith("\n![SociAPL: an episode](sociapl.gif)\n")
    assert text.count("an episode") == 1


def test_seeds_that_died_are_named():
    bad = made_up.finding([1, 2], last_good_steps={1: 250_000})
    text = report.markdown(FIGURE, made_up.findings({"SociAPL": bad, "solo": [1]}))
    assert "Learned no more, since a number was not finite: it seed 1 after 0.2 M steps." in text
    assert "Learned no more" not in report.markdown(FIGURE, made_up.findings({"solo": [1]}))


def test_table_and_pictures_are_written(tmp_path):
    found = made_up.findings({"solo": [1, 2], "SociAPL": [3, 4]}, {"solo": made_up.curve([1, 2, 3])})
    report.write(FIGURE, found, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"results.md", "figure0.png", "figure0.pdf"}
    drawn = imageio.imread(tmp_path / "figure0.png")
    report.write(FIGURE, made_up.findings({"SociAPL": [3, 4]}), tmp_path)  # a level, which is grey
    empty = imageio.imread(tmp_path / "figure0.png")
    assert drawn.shape == empty.shape
    assert _coloured(drawn).sum() > 100 > _coloured(empty).sum()


def _coloured(picture):
    """Where it is neither black, white nor grey: axes and letters are."""
    return np.ptp(picture[..., :3].astype(int), axis=-1) > 50


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two rows have the same name"):
        Figure("figure0", "", (ROWS[0], ROWS[0]), draw)


def test_curves_show_every_seed_and_their_interquartile_mean():
    axes = Picture().subplots()
    found = made_up.findings({"SociAPL": [3.0, 3.0]}, {"it": made_up.curve([8, 8, 8])})
    plots.curves(axes, found, ["it"], levels=["SociAPL"])
    heights = [set(np.asarray(line.get_ydata()).tolist()) for line in axes.lines]
    assert heights == [{8}, {4}, {6}, {3}]
    assert axes.lines[2].get_linewidth() > axes.lines[0].get_linewidth()
    assert axes.get_legend_handles_labels()[1] == ["it (2 seeds)", "SociAPL (3.0)"]
    points = [{"step": 1, "seed": seed, "penalty": 1.5, "return": value} for seed, value in enumerate([0, 1, 1, 9])]
    axes = Picture().subplots()
    plots.curves(axes, made_up.findings({}, {"it": points}), ["it"])
    assert axes.lines[4].get_ydata().tolist() == [1], "the interquartile mean, as in tables"


def test_dots_are_seeds():
    axes = Picture().subplots()
    alone = made_up.finding([5], alone=True)
    plots.dots(axes, made_up.findings({"one": [1, 2, None], "other": alone}), ["one", "other"])
    assert axes.lines[0].get_ydata()[:2].tolist() == [1, 2]
    assert axes.lines[3].get_ydata().tolist() == [5]
    assert [axes.lines[line].get_markerfacecolor() == "none" for line in (0, 3)] == [False, True], "tested alone"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one\nn = 2", "other\nn = 1"]


def test_a_condition_has_one_colour_in_all_pictures():
    row = made_up.finding([1], condition="SociAPL")
    found = made_up.findings({"it, elsewhere": row}, {"SociAPL": made_up.curve([1, 2])})
    colours = set()
    for draw_it in (
        lambda axes: plots.curves(axes, found, ["it", "SociAPL"]),
        lambda axes: plots.dots(axes, found, ["it, elsewhere"]),
        lambda axes: plots.lines(axes, found, {"anything": {0.0: "it, elsewhere"}}, "penalty"),
    ):
        axes = Picture().subplots()
        draw_it(axes)
        colours.add(axes.lines[0].get_color())
    assert colours == {plots.COLOURS["SociAPL"]}
    assert len(set(plots.COLOURS.values())) == len(plots.COLOURS)
    assert plots.colour_of(dataclasses.replace(row, of_partners=True)) == plots.PARTNERS


@pytest.mark.parametrize("name", FIGURES)
def test_every_condition_of_a_figure_has_a_colour_of_its_own(name):
    for scale in map(make_scale, SCALES):
        for condition in load(name, scale).conditions():
            assert plots.colour_of(condition.name) != plots.UNKNOWN


def test_lines_show_seeds_means_and_intervals():
    axes = Picture().subplots()
    found = made_up.findings({"at 0": [1, 1, 4], "at 1": [5, 5, 5], "other at 0": [2], "other at 1": [3, 3]})
    rows = {"it": {0.0: "at 0", 1.0: "at 1", 2.0: "at 2"}, "other": {0.0: "other at 0", 1.0: "other at 1"}}
    plots.lines(axes, found, rows | {"missing": {0.0: "nothing"}}, "penalty")
    first, second, means, *_ = axes.lines
    assert (first.get_ydata().tolist(), second.get_ydata().tolist()) == ([1, 1, 4], [5, 5, 5])
    assert means.get_ydata().tolist() == [2, 5]
    assert axes.get_legend_handles_labels()[1] == ["it (3 seeds)", "other (1 or 2 seeds)"]
    assert first.get_xdata()[0] < axes.lines[3].get_xdata()[0], "one covers the other"


def test_a_line_goes_through_the_points_that_it_has():
    axes = Picture().subplots()
    found = made_up.findings({"at 0": [1.0], "at 1": [5.0], "other at 1": [3.0]})
    plots.lines(axes, found, {"it": {0.0: "at 0", 1.0: "at 1"}, "other": {0.0: "no", 1.0: "other at 1"}}, "penalty")
    assert axes.lines[2].get_ydata().tolist() == [1, 5]
    assert [y for y in axes.lines[4].get_ydata().tolist() if not np.isnan(y)] == [3]
    assert axes.get_xticks().tolist() == [0, 1]


def test_no_line_states_a_value_that_another_line_has_and_it_has_not():
    axes = Picture().subplots()
    found = made_up.findings({"it 0": [1], "it 1": [2], "it 2": [3], "other 0": [6.6], "other 2": [1.0]})
    rows = {kind: {float(x): f"{kind} {x}" for x in (0, 1, 2)} for kind in ("it", "other")}
    plots.lines(axes, found, rows, "penalty")
    assert axes.lines[3].get_ydata().tolist() == [1, 2, 3]
    np.testing.assert_array_equal(axes.lines[6].get_ydata(), [6.6, np.nan, 1.0])


def test_the_mean_over_seeds_goes_as_far_as_the_longest_of_them():
    points = [
        {"step": s, "seed": seed, "penalty": 1, "return": seed} for seed in (0, 2) for s in range(1, 3 + 2 * seed)
    ]
    points += [{"step": 1, "seed": 9, "penalty": 1, "return": None}]
    axes = Picture().subplots()
    plots.curves(axes, made_up.findings({}, {"it": points, "unknown": points[-1:]}), ["it", "unknown"])
    assert axes.lines[2].get_ydata() == pytest.approx([1, 4 / 3, 5 / 3, 2, 2, 2])  # smoothed
    assert axes.get_legend_handles_labels()[1] == ["it (2 seeds)"]
