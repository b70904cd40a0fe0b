"""What changed between two states of the raw data, in words: rows by partition."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.data.file_periods import FILE_PERIODS, path_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["data_changes"]

_PERIOD = re.compile("|".join(f"(?:{path_pattern(f'{{{each}}}', each)})" for each in FILE_PERIODS))


def data_changes(
    old: Mapping[str, str],
    new: Mapping[str, str],
    *,
    before: Callable[[str], Path | None],
    now: Callable[[str], Path | None],
    folder: Path,
) -> list[str]:
    """Say what was added, removed and changed, such as "orders +28,889 rows 2013-10".

    Args:
        old: md5 by path of the files before.
        new: md5 by path of the files now.
        before: The file of an old content by its md5, if it is still held.
        now: The same of a new content, where the folder does not hold it.
        folder: The files now.
    """
    lines = []
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        here = folder / name
        rows = _rows(here if here.is_file() else now(new[name])) if name in new else 0
        earlier = _rows(before(old[name])) if name in old else 0
        lines.append(_line(name, earlier, rows, known=name in old, here=name in new))
    return lines


def _line(name: str, earlier: int | None, rows: int | None, *, known: bool, here: bool) -> str:
    stem, period = posixpath.dirname(name), _PERIOD.search(posixpath.basename(name))
    what = stem if stem and period else name
    when = f" {period.group()}" if stem and period else ""
    if earlier is None or rows is None:
        return f"{what}{when} {'changed' if known and here else 'added' if here else 'removed'}"
    if rows == earlier:
        return f"{what} {rows:,} rows{when} changed"
    return f"{what} {rows - earlier:+,} rows{when}"


def _rows(path: Path | None) -> int | None:
    """How many rows a Parquet file holds; None if it is none, or isn't there."""
    if path is None or path.suffix not in {".parquet", ".pq", ""}:
        return None
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return None
