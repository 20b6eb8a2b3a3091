"""Findings as a table in Markdown and as a picture."""

from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Picture

from jaxsocial.reproduce.figures import Figure, Row
from jaxsocial.reproduce.findings import Finding, Findings
from jaxsocial.reproduce.store import slug

HOLDS, FAILS, UNKNOWN = "holds", "**does not hold**", "not yet known"
LAST = "does it hold? (in resamples)"
COLUMNS = ("condition", "interquartile mean [95 %]", "each seed", "the paper", "expected", LAST)
CLAIMS = ("figure", "who", "the paper", "here: interquartile mean [95 %]", "seeds", "expected", LAST)


def write(figure: Figure, found: Findings, folder: Path) -> list[Path]:
    """The table and the picture; returns what was written."""
    table = folder / "results.md"
    table.write_text(markdown(figure, found, {path.name for path in folder.glob("*.gif")}))
    picture = Picture(figsize=figure.size, layout="constrained")
    figure.draw(found, picture)
    written = [table]
    for kind in ("png", "pdf"):
        written.append(folder / f"{figure.name}.{kind}")
        picture.savefig(written[-1], dpi=150, metadata=None if kind == "png" else {"CreationDate": None})
    return written


def markdown(figure: Figure, found: Findings, episodes: Container[str] = ()) -> str:
    """The table, and below it how it was made, and those episodes that there are, by the names of their files."""
    lines = [f"# {figure.title}", "", f"![{figure.title}]({figure.name}.png)", ""]
    lines += [_line(COLUMNS), "| --- | ---: | --- | --- | --- | --- |"]
    lines += [_line(_cells(row, found)) for row in figure.rows if row.name in found.rows]
    missing = [row.name for row in figure.rows if row.name not in found.rows]
    lines += ["", f"Not yet measured: {', '.join(missing)}."] if missing else []
    lines += ["", _how(found), ""]
    lines += [figure.notes, ""] if figure.notes else []
    shown = [row for row in figure.rows if row.episode and episode_name(row) in episodes]
    lines += [f"![{row.name}: an episode]({episode_name(row)})" for row in shown]
    return "\n".join(lines).rstrip() + "\n"


def claims(made: Iterable[tuple[Figure, Findings | None]]) -> str:
    """A table of everything that the paper says and that has been measured, of several figures; the rest below it."""
    lines = [_line(CLAIMS), "| --- | --- | --- | ---: | ---: | --- | --- |"]
    missing = []
    for figure, found in made:
        claimed = [row for row in figure.rows if row.expectation]
        there = [row for row in claimed if found and row.name in found.rows]
        lines += [_line(_claim(figure, row, found)) for row in there if found]
        missing += [f"{row.name} ({figure.name})" for row in claimed if row not in there]
    lines += ["", f"Not yet measured: {', '.join(missing)}."] if missing else []
    return "\n".join(lines) + "\n"


def _claim(figure: Figure, row: Row, found: Findings) -> list[str]:
    name, score, _, paper, expected, verdict_of_it = _cells(row, found)
    link = f"[{figure.name}]({figure.name}/results.md)"
    return [link, name, paper, score, str(len(found.rows[row.name].seeds)), expected, verdict_of_it]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def episode_name(row: Row) -> str:
    """The file of a row's typical episode."""
    return f"{slug(row.name)}.gif"


def _cells(row: Row, found: Findings) -> list[str]:
    finding = found.rows[row.name]
    values = finding.values(finding.measure, finding.of_partners)
    digits = 1 if np.nanmax(np.abs(values), initial=0.0) >= 1 else 2
    each = " ".join("-" if np.isnan(value) else f"{value:.{digits}f}" for value in values)
    measure = row.measure.replace("_", " ")
    what = "" if measure == "return" or any(word in row.name for word in measure.split()) else f", {measure}"
    part = "" if _is_whole(finding) else f" ({_steps(finding.steps)} of {_steps(finding.planned_steps)} steps)"
    expected = row.expectation.text if row.expectation else ""
    return [row.name + what + part, str(found.score(row.name)), each, row.paper, expected, verdict(row, found)]


def _is_whole(finding: Finding) -> bool:
    return finding.steps >= finding.planned_steps


def _steps(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 100_000 else f"{number:,}"


def verdict(row: Row, found: Findings) -> str:
    """Whether what the row should show is so, and in how many resamples of the seeds it is; empty where nothing is
    expected, open while it, or what it is compared with, is still trained."""
    if row.expectation is None:
        return ""
    needed = (row.name, *row.expectation.others)
    if not all(name in found.rows and _is_whole(found.rows[name]) for name in needed):
        return UNKNOWN
    said, share = HOLDS if row.expectation.holds(row.name, found) else FAILS, row.expectation.how_often(row.name, found)
    return said if share is None else f"{said} ({_percent(share)})"


def _percent(share: float) -> str:
    """Never none or all of them: resamples are not all there could be."""
    return "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _how(found: Findings) -> str:
    rows = found.rows.values()
    facts, begun = found.provenance, list(found.trained.values())
    steps = [_steps(number) for number in sorted({finding.steps for finding in rows})]
    seeds = sorted({len(finding.seeds) for finding in rows})
    devices, versions = _all(run["devices"] for run in begun), _all([run["versions"]["jax"]] for run in begun)
    pythons = _all([run["python"]] for run in begun)
    more = f" --seeds {seeds[-1]}" if len(found.trained) > len({finding.condition for finding in rows}) else ""
    return (
        f"Scale `{found.scale}`: {' or '.join(str(number) for number in seeds)} seeds, "
        f"{' and '.join(steps)} learner steps each, {max(r.episodes for r in rows)} evaluation episodes a seed; "
        f"trained in {sum(found.seconds.values()) / 3600:.1f} h of programs' time, some of them side by side, "
        f"on {devices}, jax {versions}, Python {pythons}; "
        f"evaluated {facts['date'][:10]}, commit {_short(facts['git'])}. Intervals: bootstrap over seeds; behind a "
        f"verdict, the share of such resamples in which it holds, which few seeds make look surer than it is. "
        f"Again, elsewhere: `jaxsocial reproduce {found.figure} --scale {found.scale}{more} --out FOLDER`."
    )


def _short(commit: str | None) -> str:
    number, *dirty = (commit or "unknown").split("-")
    return "-".join((number[:10], *dirty))


def _all(names: Iterable[Iterable[str]]) -> str:
    return " and ".join(dict.fromkeys(name for each in names for name in each))
