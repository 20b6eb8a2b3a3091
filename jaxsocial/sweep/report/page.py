"""A report as one HTML page that needs nothing else: pictures are in it, scripts are not."""

import base64
import html
from collections.abc import Sequence
from string import Template
from typing import NamedTuple

import pandas as pd

from jaxsocial.sweep.report.fields import labels, number, number_labels, plain
from jaxsocial.sweep.report.ranking import About, Ranking

BEST = 50
"""Settings that the page's table holds."""
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$name</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0.1rem 1rem; color: #444; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #eee; }
th { border-bottom: 1px solid #888; }
tbody tr:hover { background: #f4f6f8; }
figure { display: inline-block; margin: 1rem 1rem 1rem 0; vertical-align: top; max-width: 100%; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #444; font-size: 0.9rem; max-width: 40rem; }
.note { color: #444; }
</style>
</head>
<body>
<h1>$name</h1>
<p>$summary</p>
<dl>
$facts
</dl>
<h2>Ranking</h2>
<p class="note">$how</p>
<div class="wide">
$table
</div>
<p class="note">$rest</p>
$sections
</body>
</html>
""")


class Picture(NamedTuple):
    """A picture on the page."""

    section: str
    caption: str
    file: str
    png: bytes
    inches: float
    """How wide it was drawn."""


def page(ranking: Ranking, about: About, pictures: Sequence[Picture]) -> str:
    """The whole page. All that comes from outside is escaped."""
    return PAGE.substitute(
        name=html.escape(about.name),
        summary=html.escape(summary(ranking, about)),
        facts="\n".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in about.facts.items()),
        how=html.escape(_how(ranking, about)),
        table=_table(ranking, about),
        rest=html.escape(_rest(ranking)),
        sections="\n".join(_section(title, pictures) for title in dict.fromkeys(one.section for one in pictures)),
    )


def summary(ranking: Ranking, about: About) -> str:
    """What was swept, and what came first, in a sentence or two."""
    settings, measure = ranking.settings, plain(about.measure)
    seeds = int(ranking.settings.seeds.max())
    text = f"{_many(len(settings), 'setting')} of {', '.join(labels(about.varied)) or 'nothing that differs'}, "
    text += f"{_many(seeds, 'seed')} each."
    best = settings.iloc[0]
    if pd.isna(best["interquartile_mean"]):
        return f"{text} Nothing is known of {measure} yet."
    values = zip(labels(about.varied), (best[name] for name in about.varied), strict=True)
    at = "; ".join(f"{label} = {_number(value) if isinstance(value, float) else value}" for label, value in values)
    mean = _number(best["interquartile_mean"])
    return f"{text} Best is setting {best['setting']}{f' ({at})' if at else ''} with a {measure} of {mean}."


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("s" if count != 1 else "")


def _how(ranking: Ranking, about: About) -> str:
    better = "larger is better" if about.larger_is_better else "smaller is better"
    text = (
        f"By {plain(about.measure)} ({better}): of each seed the last that is known, the mean over its learners; of "
        "these the interquartile mean over seeds and its 95 % interval (bootstrap over seeds)."
    )
    dropped = int(ranking.dropped.sum())
    if dropped:
        text += (
            f" {_many(dropped, 'setting')} trained for fewer steps than the others and come after them; pictures show "
            "them by what they had come to."
        )
    return text


def _rest(ranking: Ranking) -> str:
    left = len(ranking.settings) - BEST
    return (
        f"The other {_many(left, 'setting')} stand in ranking.csv." if left > 0 else "The same stands in ranking.csv."
    )


def _table(ranking: Ranking, about: About) -> str:
    best = ranking.settings.head(BEST)
    mean, low, high = (best[name].map(_number) for name in ("interquartile_mean", "low", "high"))
    shown = {"rank": best["rank"], "setting": best["setting"]}
    shown |= {
        label: _column(pd.Series(best[name])) for label, name in zip(labels(about.varied), about.varied, strict=True)
    }
    shown |= {
        f"{plain(about.measure)} [95 %]": (mean + " [" + low + ", " + high + "]").where(
            best["low"].notna(), "not known"
        )
    }
    counts = zip(best["healthy_seeds"], best["seeds"], strict=True)
    shown |= {"healthy": [f"{healthy} of {_many(seeds, 'seed')}" for healthy, seeds in counts]}
    shown |= {"learner steps": best["steps"].map("{:,}".format)}
    return pd.DataFrame(shown).to_html(index=False, escape=True, border=0)


def _number(value: float) -> str:
    return number(value, 4)


def _column(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values):
        return pd.Series(number_labels(values.to_numpy(), 3), values.index)
    return values.astype(str)


def _section(title: str, pictures: Sequence[Picture]) -> str:
    figures = "\n".join(_figure(one) for one in pictures if one.section == title)
    return f"<h2>{html.escape(title)}</h2>\n{figures}"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    caption = html.escape(picture.caption)
    image = f'<img alt="{caption}" width="{picture.inches * 80:.0f}" src="data:image/png;base64,{data}">'
    return f"<figure>\n{image}\n<figcaption>{caption}</figcaption>\n</figure>"
