"""A figure as a view of records: its findings, its table in Markdown and its picture."""

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from jaxsocial.reproduce.claims import Finding
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Figure, Findings, Row
from jaxsocial.reproduce.store import Measurement, Record, needs_of, slug
from jaxsocial.training.progress import short_count

HOLDS, FAILS, UNKNOWN = "holds", "**does not hold**", "not yet known"
LAST = "does it hold? (in resamples)"
COLUMNS = ("condition", "interquartile mean [95 %]", "each seed", "the paper", "expected", LAST)
CLAIMS = ("figure", "who", "the paper", "here: interquartile mean [95 %]", "seeds", "expected", LAST)

Part = tuple[Record, Measurement]


def findings(figure: Figure, scale: Scale, rows: Iterable[Row], records: Mapping[str, Record]) -> Findings:
    """Returns what records say of a figure.

    Args:
      figure: the figure.
      scale: its scale.
      rows: its rows, of all seeds.
      records: the record of each run (`store.best_records`).
    """
    parts: dict[str, dict[str, Part]] = {}
    for run, keys in needs_of(rows, scale.episodes).items():
        for key, own in keys.items() if run in records else ():
            if measurement := records[run].measurement(key, own):
                for row in own:
                    parts.setdefault(row.name, {})[run] = records[run], measurement
    shown: dict[str, Finding] = {}
    curves: dict[str, list[dict[str, Any]]] = {}
    used: dict[str, Part] = {}
    for row in figure.rows:
        own = sorted(parts.get(row.name, {}).values(), key=lambda part: part[0].seeds)
        # Half-trained runs are left out beside whole ones.
        own = [part for part in own if part[0].is_whole] or own
        if own:
            shown[row.name] = _finding(row, scale.episodes, own)
        for part in own:
            record, points = part[0], curves.setdefault(row.condition.name, [])
            points += record.curve if record.run not in used else []
            if record.run not in used or part[1].provenance["date"] > used[record.run][1].provenance["date"]:
                used[record.run] = part
    return Findings(
        figure=figure.name,
        scale=scale.name,
        rows=shown,
        curves={name: sorted(of, key=lambda point: (point["step"], point["seed"])) for name, of in curves.items()},
        seconds={run: record.seconds or 0.0 for run, (record, _) in used.items()},
        trained={run: record.provenance for run, (record, _) in used.items()},
        evaluated=max((one.provenance for _, one in used.values()), key=lambda facts: facts["date"], default={}),
    )


def _finding(row: Row, episodes: int, parts: list[Part]) -> Finding:
    learner, partners = (
        [value for _, measurement in parts for value in measurement.values(row.measure, of_partners)]
        for of_partners in (False, True)
    )
    return Finding(
        condition=row.condition.name,
        runs=[record.run for record, _ in parts for _ in record.seeds],
        seeds=[seed for record, _ in parts for seed in record.seeds],
        steps=min(record.steps for record, _ in parts),
        planned_steps=max(record.planned_steps for record, _ in parts),
        episodes=episodes,
        learner=learner,
        partners=partners,
        of_partners=row.of_partners,
        alone=row.alone,
        last_good_steps={
            seed: good
            for record, _ in parts
            for seed, good in zip(record.seeds, record.last_good_steps or (), strict=False)
            if good < record.steps
        },
    )


def write(figure: Figure, found: Findings, folder: Path) -> None:
    """Writes the table and the picture of a figure.

    Args:
      figure: the figure.
      found: its findings.
      folder: where the files go; it is made if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(markdown(figure, found, {path.name for path in folder.glob("*.gif")}))
    picture = Picture(figsize=figure.size, layout="constrained")
    figure.draw(found, picture)
    for kind in ("png", "pdf"):
        # Without the date: an unchanged figure is an unchanged file.
        metadata = None if kind == "png" else {"CreationDate": None}
        picture.savefig(folder / f"{figure.name}.{kind}", dpi=150, metadata=metadata)


def markdown(figure: Figure, found: Findings, episodes: Container[str] = ()) -> str:
    """Returns a figure's table, how it was made, and links to episodes.

    Args:
      figure: the figure.
      found: its findings.
      episodes: the names of the files of episodes that exist.
    """
    lines = [f"# {figure.title}", "", f"![{figure.title}]({figure.name}.png)", ""]
    lines += [figure.summary(found), ""] if figure.summary else []
    lines += [_line(COLUMNS), "| --- | ---: | --- | --- | --- | --- |"]
    lines += [_line(_cells(row, found)) for row in figure.rows if row.name in found.rows]
    missing = [row.name for row in figure.rows if row.name not in found.rows]
    lines += ["", f"Not yet measured: {', '.join(missing)}."] if missing else []
    bad = {
        f"{finding.condition} seed {seed} after {short_count(good)} steps"
        for finding in found.rows.values()
        for seed, good in finding.last_good_steps.items()
    }
    lines += ["", f"Learned no more, since a number was not finite: {', '.join(sorted(bad))}."] if bad else []
    lines += ["", _how(figure, found), ""]
    lines += [figure.notes, ""] if figure.notes else []
    shown = [row for row in figure.rows if row.episode and episode_name(row) in episodes]
    lines += [f"![{row.name}: an episode]({episode_name(row)})" for row in shown]
    return "\n".join(lines).rstrip() + "\n"


def claims(made: Iterable[tuple[Figure, Findings]]) -> str:
    """Returns one table of all claims of several figures that are measured, and below it the others."""
    lines = [_line(CLAIMS), "| --- | --- | --- | ---: | ---: | --- | --- |"]
    missing = []
    for figure, found in made:
        for row in figure.rows:
            if row.expectation and row.name in found.rows:
                name, score, _, paper, expected, verdict_of_it = _cells(row, found)
                link, seeds = f"[{figure.name}]({figure.name}/results.md)", str(len(found.rows[row.name].seeds))
                lines.append(_line([link, name, paper, score, seeds, expected, verdict_of_it]))
            elif row.expectation:
                missing.append(f"{row.name} ({figure.name})")
    lines += ["", f"Not yet measured: {', '.join(missing)}."] if missing else []
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def episode_name(row: Row) -> str:
    """Returns the file name of a row's typical episode."""
    return f"{slug(row.name)}.gif"


def _cells(row: Row, found: Findings) -> list[str]:
    finding = found.rows[row.name]
    values = finding.values
    digits = 1 if np.nanmax(np.abs(values), initial=0.0) >= 1 else 2
    each = " ".join("-" if np.isnan(value) else f"{value:.{digits}f}" for value in values)
    measure = row.measure.replace("_", " ")
    what = "" if measure == "return" or any(word in row.name for word in measure.split()) else f", {measure}"
    part = "" if finding.is_whole else f" ({short_count(finding.steps)} of {short_count(finding.planned_steps)} steps)"
    expected = row.expectation.text if row.expectation else ""
    return [row.name + what + part, str(finding.score), each, row.paper, expected, verdict(row, found)]


def verdict(row: Row, found: Findings) -> str:
    """Returns whether a row's claim holds, and in what share of resamples of the seeds.

    Returns:
      "" if the row has no claim; "not yet known" if it, or a row that it is compared with, is not trained to the end.
    """
    if row.expectation is None:
        return ""
    needed = (row.name, *row.expectation.others)
    if not all(name in found.rows and found.rows[name].is_whole for name in needed):
        return UNKNOWN
    said = HOLDS if row.expectation.holds(row.name, found.rows) else FAILS
    share = row.expectation.how_often(row.name, found.rows)
    if share is None:
        return said
    # Never 0 % or 100 %: these resamples are not all that are possible.
    percent = "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"
    return f"{said} ({percent})"


def _how(figure: Figure, found: Findings) -> str:
    rows, trained = found.rows.values(), list(found.trained.values())
    steps = [short_count(number) for number in sorted({finding.steps for finding in rows})]
    seeds = sorted({len(finding.seeds) for finding in rows})
    devices, versions = _all(run["devices"] for run in trained), _all([run["versions"]["jax"]] for run in trained)
    pythons = _all([run["python"]] for run in trained)
    more = f" --seeds {seeds[-1]}" if len(found.trained) > len({finding.condition for finding in rows}) else ""
    again = figure.command or f"jaxsocial reproduce {found.figure} --scale {found.scale}{more} --out FOLDER"
    number, *dirty = (found.evaluated["git"] or "unknown").split("-")
    return (
        f"Scale `{found.scale}`: {' or '.join(str(number) for number in seeds)} seeds, "
        f"{' and '.join(steps)} learner steps each, {max(r.episodes for r in rows)} evaluation episodes a seed; "
        f"trained in {sum(found.seconds.values()) / 3600:.1f} h of computing time, some runs side by side, "
        f"on {devices}, jax {versions}, Python {pythons}; "
        f"evaluated {found.evaluated['date'][:10]}, commit {'-'.join((number[:10], *dirty))}. Intervals: bootstrap "
        f"over seeds; behind a verdict, the share of such resamples in which it holds, too sure with few seeds. "
        f"To repeat it elsewhere: `{again}`."
    )


def _all(names: Iterable[Iterable[str]]) -> str:
    return " and ".join(dict.fromkeys(name for each in names for name in each))
