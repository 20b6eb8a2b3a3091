"""The sweep's table: one row a setting, seed, learner and log point, with every field of its config as a column.

It grows as a folder of Parquet files, each written at once or not at all, none ever changed; any reader of Parquet
takes the folder for one table. What an item has written beyond its checkpoint is dropped when it goes on from there.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

TABLE, WHOLE = "table", "results.parquet"
KEYS = ("setting", "seed", "learner", "step")


def write_part(sweep: Path, writer: str, step: int, rows: Sequence[dict]) -> None:
    """Adds rows, as one of the files that a writer has written up to a learner step.

    Args:
      sweep: the sweep's folder.
      writer: the only one that uses this name.
      step: learner steps up to which the rows go.
      rows: with the keys of the table, fields and measured numbers.
    """
    folder = sweep / TABLE
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(writer, step)
    new = path.with_suffix(".new")
    pd.DataFrame(rows).to_parquet(new, index=False)
    new.replace(path)


def cut(sweep: Path, writer: str, step: int) -> None:
    """Drops what a writer has written beyond a learner step."""
    for path in (sweep / TABLE).glob(f"{writer}.*.parquet"):
        if _step_of(path) > step:
            path.unlink()


def read(sweep: Path) -> pd.DataFrame:
    """The whole table so far, in the order of its keys.

    Raises:
      ValueError: the folder has no table yet.
    """
    whole = sweep / WHOLE
    parts = [whole] if whole.is_file() else sorted((sweep / TABLE).glob("*.parquet"))
    if not parts:
        raise ValueError(f"{sweep} has no table yet: start it with `jaxsocial sweep`, or let it run for longer")
    return in_order(pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True))


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by setting, seed, learner and step."""
    return table.sort_values(list(KEYS), ignore_index=True)


def write_whole(sweep: Path) -> None:
    """The finished table as one file."""
    new = sweep / f"{WHOLE}.new"
    (sweep / WHOLE).unlink(missing_ok=True)
    read(sweep).to_parquet(new, index=False)
    new.replace(sweep / WHOLE)


def _name(writer: str, step: int) -> str:
    return f"{writer}.{step:015d}.parquet"


def _step_of(path: Path) -> int:
    found = re.search(r"\.(\d+)\.parquet$", path.name)
    return int(found[1]) if found else 0
