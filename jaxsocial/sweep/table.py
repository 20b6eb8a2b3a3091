"""The sweep's table: one row per setting, seed, learner and log point, with every field of the config as a column.

The table is a folder of Parquet files. A file is written atomically and never changed, and any Parquet reader takes the
folder for one table. An item that resumes from a checkpoint first drops the rows that it wrote after it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

TABLE, WHOLE = "table", "results.parquet"
KEYS = ("setting", "seed", "learner", "step")
PART = re.compile(r"(?P<item>[^.]+)\.batch-(?P<first>\d+)-(?P<last>\d+)\.(?P<step>\d+)\.parquet")


def write_part(sweep: Path, writer: str, step: int, rows: Sequence[dict]) -> None:
    """Adds rows, as one file.

    Args:
      sweep: the sweep's folder.
      writer: the name of a batch; no other writer uses it.
      step: the learner step of the rows.
      rows: dicts with the keys of the table, config fields and metrics.
    """
    path = sweep / TABLE / f"{writer}.{step:015d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    pd.DataFrame(rows).to_parquet(new, index=False)
    new.replace(path)


def cut(sweep: Path, writer: str, step: int) -> None:
    """Drops the rows of a writer after a learner step.

    Args:
      sweep: the sweep's folder.
      writer: see `write_part`.
      step: the last learner step to keep.
    """
    for path in (sweep / TABLE).glob(f"{writer}.*.parquet"):
        if int(path.name.split(".")[-2]) > step:
            path.unlink()


def steps_done(sweep: Path, items: Sequence[str]) -> int:
    """Returns the learner steps of all members of these items, from the names of the files that they have written."""
    newest: dict[tuple[str, int, int], int] = {}
    for path in (sweep / TABLE).glob("*.parquet"):
        part = PART.fullmatch(path.name)
        if part and part["item"] in items:
            batch = part["item"], int(part["first"]), int(part["last"])
            newest[batch] = max(newest.get(batch, 0), int(part["step"]))
    return sum(step * (last - first) for (_, first, last), step in newest.items())


def read(sweep: Path) -> pd.DataFrame:
    """Reads the table so far, sorted by its keys.

    Raises:
      ValueError: the folder has no table yet.
    """
    whole = sweep / WHOLE
    parts = [whole] if whole.is_file() else sorted((sweep / TABLE).glob("*.parquet"))
    if not parts:
        raise ValueError(f"{sweep} has no table yet: start it with `jaxsocial sweep`, or let it run for longer")
    return in_order(pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True))


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows sorted by setting, seed, learner and step."""
    return table.sort_values(list(KEYS), ignore_index=True)


def write_whole(sweep: Path) -> None:
    """Writes the finished table as one file."""
    new = sweep / f"{WHOLE}.new"
    (sweep / WHOLE).unlink(missing_ok=True)
    read(sweep).to_parquet(new, index=False)
    new.replace(sweep / WHOLE)
