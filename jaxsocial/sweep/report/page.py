"""A sweep's table becomes a folder: the ranking, pictures, and one HTML page that needs no other file."""

import base64
import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jaxsocial.evaluate.statistics import Score
from jaxsocial.sweep.report import drawing, margins
from jaxsocial.sweep.report.fields import Field, fields, groups, labels, number, number_labels, plain
from jaxsocial.sweep.report.parallel import AXES, parallel
from jaxsocial.sweep.report.ranking import About, Ranking, check, curves, rank
from jaxsocial.training.tables import Table, counted
from jaxsocial.viewer.template import assets, filled, script_data

RANKING, REPORT = "ranking.csv", "report.html"
PICTURES = ("curves.png", "one-way-*.png", "two-way-*.png", "parallel.png")
DOTS_PER_INCH = 150
LEAST_SPARE = 10
"""Settings beyond one for each group, from which a share of variance is stated."""
BEST = 200
"""Settings in the page's table and plots."""
MOST_POINTS = 100
"""Points of a line in the page's plots."""


class Picture(NamedTuple):
    """A picture on the page."""

    section: str
    caption: str
    file: str
    png: bytes
    inches: float
    """The width of the figure."""


def write(table: pd.DataFrame, about: About, out: Path) -> Ranking:
    """Writes ranking.csv, report.html and its pictures into a folder, and removes those of an earlier report.

    Args:
      table: one row per setting, seed, learner and log point, with the columns setting, seed, learner, step, each
        varied field by its dotted name, metrics (NaN where not measured), and optionally healthy (0 from the point at
        which the seed's numbers were not finite).
      about: what the table is about.
      out: the folder, which is made.

    Raises:
      ValueError: the table has no rows or lacks a column.
    """
    check(table, about)
    ranking = rank(table, about)
    drawn = list(pictures(table, ranking, about))
    out.mkdir(parents=True, exist_ok=True)
    for old in (path for pattern in PICTURES for path in out.glob(pattern)):
        old.unlink()  # it could be mistaken for one of this report
    for picture in drawn:
        (out / picture.file).write_bytes(picture.png)
    ranking.settings.to_csv(out / RANKING, index=False)
    (out / REPORT).write_text(page(table, ranking, about, drawn), encoding="utf-8")
    return ranking


def pictures(table: pd.DataFrame, ranking: Ranking, about: About) -> Iterator[Picture]:
    """Draws all pictures of a report.

    Args:
      table: see `write`.
      ranking: its settings, ranked.
      about: what the table is about.
    """
    varied = fields(ranking.settings, about.varied)
    values = ranking.settings.set_index("setting").interquartile_mean
    shares = margins.importances(values, varied, about.larger_is_better)
    means = curves(table, about.measure)
    panels = margins.most_important(varied, shares, drawing.PANELS)
    caption = "Each line is a setting, averaged over its seeds and learners; the best are emphasized."
    yield _picture("Training", caption, "curves", drawing.curves(means, ranking, panels, about))
    for field in sorted(varied, key=lambda one: -shares[one.name]):
        caption = f"{field.name}: {_explained(shares[field.name], margins.spare(values, groups(field)))}"
        if together := margins.changing_with(field, varied):
            names = ", ".join(other.name for other in together)
            caption += f" It changes only together with {names}: their effects cannot be told apart."
        name = f"one-way-{_file_part(field)}"
        yield _picture("One field", caption, name, drawing.one_way_picture(ranking, field, about))
    for first, second in margins.pairs(varied, shares):
        caption = f"{first.name} and {second.name}: the interquartile mean over all other fields and seeds."
        name = f"two-way-{_file_part(first)}-{_file_part(second)}"
        yield _picture("Two fields", caption, name, drawing.two_way_picture(ranking, first, second, about))
    if varied:
        caption = "Each line is a setting, through its value of each field to its result; the best are the darkest."
        drawn = parallel(ranking, margins.most_important(varied, shares, AXES), about)
        yield _picture("All fields", caption, "parallel", drawn)


def _explained(share: float, spare: int) -> str:
    """Returns what is said of the share of the variance that a field explains."""
    if spare < LEAST_SPARE:
        return "there are too few settings to say how much of the variance among them it explains."
    # Never all of it: there are few settings.
    return f"alone it explains {min(share, 0.99):.0%} of the variance among settings."


def _file_part(field: Field) -> str:
    return re.sub(r"[^\w.]+", "-", field.name)


def _picture(section: str, caption: str, name: str, figure: Figure) -> Picture:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_PER_INCH)
    return Picture(section, caption, f"{name}.png", png.getvalue(), figure.get_figwidth())


def page(table: pd.DataFrame, ranking: Ranking, about: About, pictures: Sequence[Picture]) -> str:
    """Returns the whole page. Every text is escaped.

    Args:
      table: see `write`.
      ranking: the ranked settings.
      about: what they are about.
      pictures: see `pictures`.
    """
    sections: dict[str, list[str]] = {}
    for picture in pictures:
        data, caption = base64.b64encode(picture.png).decode(), html.escape(picture.caption)
        image = f'<img alt="{caption}" width="{picture.inches * 80:.0f}" src="data:image/png;base64,{data}">'
        figure = f"<figure>\n{image}\n<figcaption>{caption}</figcaption>\n</figure>"
        sections.setdefault(f"<h2>{html.escape(picture.section)}</h2>", []).append(figure)
    left = len(ranking.settings) - BEST
    rest = f"The other {counted(left, 'setting')} are in ranking.csv." if left > 0 else "The same is in ranking.csv."
    template, style, script = assets("jaxsocial.sweep.report", "report.html", "report.css", "report.js")
    parts = {
        "<!-- name -->": html.escape(about.name),
        "<!-- summary -->": html.escape(summary(ranking, about)),
        "<!-- facts -->": "\n".join(
            f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in about.facts.items()
        ),
        "<!-- how -->": html.escape(_how(ranking, about)),
        "<!-- table -->": _table(ranking, about),
        "<!-- rest -->": html.escape(rest),
        "<!-- sections -->": "\n".join("\n".join([title, *figures]) for title, figures in sections.items()),
        "/* style */": style,
        "/* data */": script_data(plotted(table, ranking, about)),
        "/* script */": script,
    }
    return filled(template, parts)


def plotted(table: pd.DataFrame, ranking: Ranking, about: About) -> dict[str, Any]:
    """Returns what the page's script draws: fields, and of the best settings results, values and curves.

    Args:
      table: see `write`.
      ranking: the ranked settings.
      about: what they are about.
    """
    best = ranking.settings.head(BEST)
    varied = fields(best, about.varied)
    means = curves(table, about.measure)
    steps = means.columns[:: max(1, -(-means.shape[1] // MOST_POINTS))]
    shown, places = _shown(best, about), [field.positions.reindex(best["setting"]).to_numpy(float) for field in varied]
    settings = [
        {
            "setting": int(row["setting"]),
            "rank": int(row["rank"]),
            "mean": _known(row["interquartile_mean"]),
            "low": _known(row["low"]),
            "high": _known(row["high"]),
            "positions": [_known(positions[index]) for positions in places],
            "values": [shown[field.label].iloc[index] for field in varied],
            "curve": [_known(value) for value in means[steps].reindex([row["setting"]]).to_numpy(float)[0].tolist()],
        }
        for index, row in enumerate(best.to_dict("records"))
    ]
    drawn = [{"label": f.label, "categories": f.categories, "logarithmic": f.logarithmic} for f in varied]
    ends = margins.limits(best["interquartile_mean"].to_numpy(float), about.larger_is_better)
    measure = plain(about.measure)
    return {"measure": measure, "limits": ends, "fields": drawn, "steps": steps.tolist(), "settings": settings}


def _known(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def summary(ranking: Ranking, about: About) -> str:
    """Returns what was swept and the best setting, in a sentence or two."""
    settings, measure = ranking.settings, plain(about.measure)
    text = f"{counted(len(settings), 'setting')} of {', '.join(labels(about.varied)) or 'nothing that differs'}, "
    text += f"{counted(int(settings.seeds.max()), 'seed')} each."
    best = settings.iloc[0]
    if pd.isna(best["interquartile_mean"]):
        return f"{text} Nothing is known of {measure} yet."
    values = zip(labels(about.varied), (best[name] for name in about.varied), strict=True)
    at = "; ".join(f"{label} = {number(value, 4) if isinstance(value, float) else value}" for label, value in values)
    mean = number(best["interquartile_mean"], 4)
    return f"{text} Best is setting {best['setting']:.0f}{f' ({at})' if at else ''}: {measure} {mean}."


def _how(ranking: Ranking, about: About) -> str:
    """Returns how settings are ranked, in words."""
    better = "larger is better" if about.larger_is_better else "smaller is better"
    text = (
        f"By {plain(about.measure)} ({better}): the last known value of each seed, averaged over its learners; "
        "of these the interquartile mean over seeds and its 95 % interval (bootstrap over seeds)."
    )
    dropped = int(ranking.dropped.sum())
    if dropped:
        text += (
            f" {counted(dropped, 'setting')} trained for fewer steps than the others and follow them; pictures show "
            "them at their last value."
        )
    return text


def _shown(best: pd.DataFrame, about: About) -> dict[str, pd.Series]:
    """Returns the values of each varied field as texts, by the field's label."""
    found = {}
    for label, name in zip(labels(about.varied), about.varied, strict=True):
        values = pd.Series(best[name])
        is_float = pd.api.types.is_float_dtype(values)
        found[label] = pd.Series(number_labels(values.to_numpy(), 3), values.index) if is_float else values.astype(str)
    return found


def _table(ranking: Ranking, about: About) -> str:
    """Returns the best settings as an HTML table. Cells hold their numbers too, by which the page's script sorts."""
    best = ranking.settings.head(BEST)
    mean, low, high = (best[name].map(lambda value: number(value, 4)) for name in ("interquartile_mean", "low", "high"))
    interval = (mean + " [" + low + ", " + high + "]").where(best["low"].notna(), "not known")
    counts = zip(best["healthy_seeds"], best["seeds"], strict=True)
    columns: dict[str, tuple[Iterable[Any], Iterable[Any]]] = {
        "rank": (best["rank"], best["rank"]),
        "setting": (best["setting"], best["setting"]),
    }
    names = zip(_shown(best, about).items(), about.varied, strict=True)
    columns |= {label: (texts, best[name]) for (label, texts), name in names}
    columns |= {
        f"{plain(about.measure)} [95 %]": (interval, best["interquartile_mean"]),
        "healthy": ([f"{healthy} of {counted(seeds, 'seed')}" for healthy, seeds in counts], best["healthy_seeds"]),
        "learner steps": (best["steps"].map("{:,}".format), best["steps"]),
    }
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    cells = [[_cell(text, value) for text, value in zip(*pair, strict=True)] for pair in columns.values()]
    rows = [
        f'<tr data-setting="{setting}">{"".join(row)}</tr>'
        for setting, row in zip(best["setting"], zip(*cells, strict=True), strict=True)
    ]
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"


def _cell(text: Any, value: Any) -> str:
    # pandas counts booleans as numbers.
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and np.isfinite(value)
    attribute = f' data-value="{float(value):.10g}"' if is_number else ""
    return f"<td{attribute}>{html.escape(str(text))}</td>"


def best_table(ranking: Ranking, about: About, most: int = 10) -> Table:
    """Returns the best settings.

    Args:
      ranking: the ranked settings.
      about: what they are about.
      most: the largest number of settings.
    """
    rows = []
    for row in ranking.settings.head(most).to_dict("records"):
        values = [f"{row[name]:.4g}" if isinstance(row[name], float) else str(row[name]) for name in about.varied]
        measured = str(Score(row["interquartile_mean"], row["low"], row["high"]))
        healthy = f"{row['healthy_seeds']:.0f} of {row['seeds']}"
        rows.append((str(row["setting"]), *values, measured, healthy, f"{row['steps']:,}"))
    headings = ("setting", *labels(about.varied), f"{plain(about.measure)} [95 %]", "healthy seeds", "steps")
    return Table(f"{about.name}: best by {about.measure}, interquartile mean over seeds", headings, rows, 0)
