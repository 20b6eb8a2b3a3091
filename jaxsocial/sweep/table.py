"""The sweep's table: one row per setting, seed, learner and log point, with every field of the config as a column.

The table is a folder of Parquet files. A file is written atomically and never changed, except where an extension of the
sweep changes its columns (`conform`). Any Parquet reader takes the folder for one table: all files have the same
columns. A file's name ends in the digest of its content. An item that resumes from a checkpoint first drops the rows
that it wrote after it.
"""

import functools
import hashlib
import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from jaxsocial.config.config import Config
from jaxsocial.config.fields import digest, flat
from jaxsocial.sweep.spec import measures
from jaxsocial.training.folder import write_at_once

TABLE, WHOLE, DIGEST, COLUMNS = "table", "results.parquet", "results.sha256", "columns.json"
KEYS = ("setting", "seed", "learner", "step")
"""Columns that a sweep's table has at least."""
PART = re.compile(
    r"(?P<item>[^.]+)\.batch-(?P<first>\d+)-(?P<last>\d+)\.(?P<step>\d+)(\.(?P<digest>[0-9a-f]{12}))?\.parquet"
)
"""The name of a file; earlier versions wrote no digest."""


def schema_of(settings: Sequence[Config]) -> pa.Schema:
    """Returns the columns of a sweep's table and their types, the same in all of its files."""
    # Of all settings at once: a field may be absent in some of them.
    fields = pa.Table.from_pylist([flat(config) for config in settings]).schema
    keys = [pa.field(name, pa.int64()) for name in KEYS]
    return pa.schema([*keys, *fields, *(pa.field(name, pa.float64()) for name in measures(settings))])


def write_part(sweep: Path, writer: str, step: int, rows: Sequence[dict], schema: pa.Schema | None = None) -> Path:
    """Adds rows, as one file, and returns its path.

    Args:
      sweep: the sweep's folder.
      writer: the name of a batch; no other writer uses it.
      step: the learner step of the rows.
      rows: dicts with the keys of the table, config fields and metrics.
      schema: `schema_of` the sweep's settings; what follows from the rows if None.
    """
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows), schema), file)
    # Padded, so that the order of names is the order of steps.
    path = sweep / TABLE / f"{writer}.{step:015d}.{_digest(file.getvalue())}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    # A kill leaves the old name or the new one, and readers look for .parquet only.
    new = path.with_suffix(".new")
    new.write_bytes(file.getvalue())
    return new.replace(path)  # atomic, and the pattern of readers matches no ".new"


def conform(sweep: Path, settings: Sequence[Config]) -> None:
    """Gives all files the columns and the fields of these settings, after an extension of the sweep changed them.

    After a kill the next call completes it: a file that was rewritten already has the same name again.

    Args:
      sweep: the sweep's folder.
      settings: its settings now. Those that it had before come first.
    """
    schema, path = schema_of(settings), sweep / COLUMNS
    fields = [flat(config) for config in settings]
    columns, rows = [f"{column.name}: {column.type}" for column in schema], list(map(digest, fields))
    before = json.loads(path.read_text()) if path.is_file() else {"columns": [], "rows": []}
    if before["columns"] != columns or before["rows"] != rows[: len(before["rows"])]:
        for old in sorted((sweep / TABLE).glob("*.parquet")):
            item, batch, step = old.name.split(".")[:3]
            known = [row | fields[row["setting"]] for row in _read_part(sweep, old).to_pylist()]
            if write_part(sweep, f"{item}.{batch}", int(step), known, schema) != old:
                old.unlink()
    write_at_once(path, json.dumps({"columns": columns, "rows": rows}) + "\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def cut(sweep: Path, writer: str, step: int) -> None:
    """Drops the later rows of a writer.

    Args:
      sweep: the sweep's folder.
      writer: the name of a batch.
      step: the last learner step that stays.
    """
    for path in (sweep / TABLE).glob(f"{writer}.*.parquet"):
        part = PART.fullmatch(path.name)
        if part and int(part["step"]) > step:
            path.unlink()


class Newest(NamedTuple):
    """The newest file that a batch has written."""

    step: int
    """Learner steps of each member."""
    members: int
    path: Path


def newest_parts(sweep: Path, items: Sequence[str]) -> list[Newest]:
    """Returns the newest file of each batch of these items."""
    newest: dict[tuple[str, str, str], Newest] = {}
    for path in sorted((sweep / TABLE).glob("*.parquet")):  # the order of names is the order of steps
        part = PART.fullmatch(path.name)
        if part and part["item"] in items:
            batch = part["item"], part["first"], part["last"]
            newest[batch] = Newest(int(part["step"]), int(part["last"]) - int(part["first"]), path)
    return list(newest.values())


@functools.lru_cache(maxsize=4096)
def latest_returns(path: Path) -> tuple[float, ...]:
    """Returns each learner's mean return, where an episode ended; none if the file is gone or damaged."""
    try:
        rows = parquet.read_table(path, columns=["return"])["return"].to_pylist()
    except (OSError, KeyError, pa.ArrowException):  # progress never stops a sweep; `read` names the remedy
        return ()
    return tuple(value for value in rows if value is not None and not math.isnan(value))


def read(sweep: Path) -> pd.DataFrame:
    """Reads the table so far, sorted by its keys.

    Raises:
      ValueError: the folder has no table yet, or a file is damaged.
    """
    # One file is read faster than thousands.
    whole, known = sweep / WHOLE, sweep / DIGEST
    if whole.is_file():
        again = f"delete it, and it is made again from {sweep / TABLE}"
        return in_order(_read(whole, known.read_text().strip() if known.is_file() else None, again).to_pandas())
    parts = sorted((sweep / TABLE).glob("*.parquet"))
    if not parts:
        raise ValueError(f"{sweep} has no table yet: start it with `jaxsocial sweep`, or let it run for longer")
    return in_order(pd.concat([_read_part(sweep, path).to_pandas() for path in parts], ignore_index=True))


def _read_part(sweep: Path, path: Path) -> pa.Table:
    part = PART.fullmatch(path.name)
    item = part["item"] if part else "of this batch"
    again = f"delete table/{item}.* and items/{item}, then jaxsocial sweep --resume {sweep} trains it again"
    return _read(path, part["digest"] if part else None, again)


def _read(path: Path, digest: str | None, remedy: str) -> pa.Table:
    content = path.read_bytes()
    if digest not in (None, _digest(content)):
        raise ValueError(f"{path} is damaged: {remedy}")
    try:
        return parquet.read_table(io.BytesIO(content))
    except (OSError, pa.ArrowException) as error:  # without a digest
        raise ValueError(f"{path} is damaged ({error}): {remedy}") from None


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows sorted by setting, seed, learner and step."""
    return table.sort_values(list(KEYS), ignore_index=True)


def write_whole(sweep: Path) -> None:
    """Writes the finished table as one file."""
    new = sweep / f"{WHOLE}.new"
    (sweep / WHOLE).unlink(missing_ok=True)  # otherwise `read` returns it
    read(sweep).to_parquet(new, index=False)
    (sweep / DIGEST).write_text(_digest(new.read_bytes()) + "\n")
    new.replace(sweep / WHOLE)
