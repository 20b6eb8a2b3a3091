"""The verb cross-play, and the option --against of evaluate."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from jaxsocial.api import Run
from jaxsocial.cli.options import CrossPlayOptions
from jaxsocial.evaluate import cross_play as cross
from jaxsocial.evaluate.cross_play import HELD_OUT, PartnerSet
from jaxsocial.training.folder import write_at_once
from jaxsocial.training.packaged import PRETRAINED
from jaxsocial.training.pretrained import FROZEN, Source, source_of
from jaxsocial.training.tables import Table

ALL_HELD_OUT = "held-out"
"""The name of the fixed sets of partners."""


def run_of(path: Path) -> tuple[Run, int | None]:
    """Returns a run and the learner steps of its checkpoint, from FOLDER, FOLDER@STEPS or pretrained:NAME."""
    source = Source(path) if path.is_dir() else source_of(str(path))
    if source.seed is not None:
        raise ValueError(f"{path}: all seeds of a run are read together, leave #{source.seed} out")
    return Run(source.folder), source.steps


def partner_sets(names: Sequence[str]) -> list[PartnerSet]:
    """Returns the sets of partners that options name."""
    return [one for name in names for one in (HELD_OUT if name == ALL_HELD_OUT else (PartnerSet(name, (name,)),))]


def cross_play(chosen: CrossPlayOptions, console: Console) -> int:
    """Plays each run's learners beside those of each; prints and writes the matrix. Returns the exit status.

    Raises:
      ValueError: fewer than two runs, or one that does not exist.
    """
    if len(chosen.runs) < 2:
        raise ValueError("name two runs or more: jaxsocial cross-play RUN OTHER")
    runs = [run_of(Path(text)) for text in chosen.runs]
    short = [run.folder.resolve().name for run, _ in runs]
    labels = short if len(set(short)) == len(short) else list(chosen.runs)
    players = [text if text.startswith(PRETRAINED) else FROZEN + text for text in chosen.runs]
    sets = [PartnerSet(label, (player,)) for label, player in zip(labels, players, strict=True)]
    found, returns = {}, []
    for label, (run, steps) in zip(labels, runs, strict=True):
        results, left_out = run.cross_play(sets, chosen.episodes, steps)
        for line in left_out:
            console.print(f"{label} is not played beside {line}", soft_wrap=True, highlight=False)
        found[label] = cross.plain(results)
        # The first learner, where there are several.
        of_partners = {one.partners: one.scores["return"].mean for one in reversed(results)}
        returns.append([of_partners.get(partners, float("nan")) for partners in labels])
    rows = [(label, *(f"{value:.2f}" for value in row)) for label, row in zip(labels, returns, strict=True)]
    console.print(Table("return of each learner (rows) beside partners (columns)", ("", *labels), rows))
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_at_once(chosen.out / "matrix.json", json.dumps(found, indent=2) + "\n")
    cross.draw_matrix(chosen.out / "matrix.png", labels, labels, returns)
    console.print(f"wrote {chosen.out / 'matrix.json'} and matrix.png", soft_wrap=True, highlight=False)
    return 0


def measured_against(run: Run, steps: int | None, names: Sequence[str], episodes: int, console: Console) -> None:
    """Prints the measures of a run's learners beside partners, and saves them in its folder. `evaluate` uses it.

    Args:
      run: the run.
      steps: learner steps of an earlier checkpoint; the last one if None.
      names: of partners, see `partner_sets`.
      episodes: of each seed.
      console: where to print.
    """
    results, left_out = run.cross_play(partner_sets(names), episodes, steps)
    console.print(cross.table(results, f"{run.folder.name}, {episodes} episodes of each of {run.config.seeds} seeds"))
    for line in left_out:
        console.print(f"left out: {line}", soft_wrap=True, highlight=False)
    if run.is_packaged:
        return
    path = run.folder / "cross_play.json"
    write_at_once(path, json.dumps(cross.plain(results), indent=2) + "\n")
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)
