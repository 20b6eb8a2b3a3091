"""A sweep's table becomes a folder: the ranking, pictures, and a page that holds all of it."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from jaxsocial.sweep.report import drawing, margins
from jaxsocial.sweep.report.fields import Field, fields
from jaxsocial.sweep.report.page import Picture, page
from jaxsocial.sweep.report.parallel import AXES, parallel
from jaxsocial.sweep.report.ranking import About, Ranking, check, curves, rank

RANKING, PAGE = "ranking.csv", "report.html"
PICTURES = ("curves.png", "one-way-*.png", "two-way-*.png", "parallel.png")
DOTS_AN_INCH = 150


def write(table: pd.DataFrame, about: About, out: Path) -> Ranking:
    """Leaves ranking.csv, report.html and its pictures in a folder, in place of an earlier report's.

    Args:
      table: one row for each setting, seed, learner and log point: the columns setting, seed, learner, step, each
        varied field by its dotted name, measured numbers (NaN where not measured), and perhaps healthy (0 where the
        seed's numbers went bad).
      about: what the table is of.
      out: the folder; it is made.

    Raises:
      ValueError: the table has no rows or lacks a column.
    """
    check(table, about)
    ranking = rank(table, about)
    pictures = list(_pictures(table, ranking, about))
    out.mkdir(parents=True, exist_ok=True)
    for old in (path for pattern in PICTURES for path in out.glob(pattern)):
        old.unlink()  # it would pass for one of these
    for picture in pictures:
        (out / picture.file).write_bytes(picture.png)
    ranking.settings.to_csv(out / RANKING, index=False)
    (out / PAGE).write_text(page(ranking, about, pictures), encoding="utf-8")
    return ranking


def _pictures(table: pd.DataFrame, ranking: Ranking, about: About) -> Iterator[Picture]:
    varied = fields(ranking.settings, about.varied)
    values = ranking.settings.set_index("setting").interquartile_mean
    shares = margins.importances(values, varied, about.larger_is_better)
    means = curves(table, about.measure)
    panels = margins.most_important(varied, shares, drawing.PANELS)
    caption = "Each line is a setting, the mean over its seeds and learners; the best stand out."
    yield _picture("Training", caption, "curves", drawing.curves(means, ranking, panels, about))
    for field in sorted(varied, key=lambda one: -shares[one.name]):
        caption = f"{field.name}: alone it explains {shares[field.name]:.0%} of the variance among settings."
        name = f"one-way-{_file_part(field)}"
        yield _picture("One field", caption, name, drawing.one_way_picture(ranking, field, about))
    yield from _of_several(ranking, varied, shares, about)


def _of_several(ranking: Ranking, varied: Sequence[Field], shares: dict[str, float], about: About) -> Iterator[Picture]:
    for first, second in margins.pairs(varied, shares):
        caption = f"{first.name} and {second.name}: the interquartile mean over all other fields and seeds."
        name = f"two-way-{_file_part(first)}-{_file_part(second)}"
        yield _picture("Two fields", caption, name, drawing.two_way_picture(ranking, first, second, about))
    if varied:
        caption = (
            "Each line is a setting, through its value in each field to what it came to; the best are the darkest."
        )
        drawn = parallel(ranking, margins.most_important(varied, shares, AXES), about)
        yield _picture("All fields", caption, "parallel", drawn)


def _file_part(field: Field) -> str:
    return re.sub(r"[^\w.]+", "-", field.name)


def _picture(section: str, caption: str, name: str, figure: Figure) -> Picture:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_AN_INCH)
    return Picture(section, caption, f"{name}.png", png.getvalue(), figure.get_figwidth())
