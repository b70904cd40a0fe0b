"""Which records of a prediction log are about a key.

The columns that name it are read, no record is made.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.serving.log_files import live_segments, sealed_files, sealed_segments
from furrow.serving.log_frames import FrameError
from furrow.serving.log_seal import segment_records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["records_about", "rows_about", "same_value"]

_PARTS = ("keys", "request")


def records_about(
    folder: Path, key: Mapping[str, str]
) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Count the records that name all parts of a key, among join keys or fields of the request.

    Args:
        folder: The log's folder.
        key: Values as text, by name.

    Returns:
        Records by (segment, version), and the files that can't be read, by name.
    """
    found: Counter[tuple[str, str]] = Counter()
    unread: list[str] = []
    sealed_names = set()
    for sealed in sealed_segments(folder):
        sealed_names.add(sealed.name)
        where = sealed.relative_to(folder).as_posix()
        for path in sealed_files(sealed):
            try:
                for version, count in _of_file(path, key).items():
                    found[where, version] += count
            except (OSError, pa.ArrowException):
                unread.append(str(path.relative_to(folder)))
    for path in live_segments(folder):
        if path.stem in sealed_names:
            continue
        where = path.relative_to(folder).as_posix()
        try:
            with path.open("rb") as file:
                for one in segment_records(file):
                    if all(
                        _names(name, value, one.keys, one.request) for name, value in key.items()
                    ):
                        found[where, one.version] += 1
        except (OSError, FrameError):
            unread.append(path.name)
    return dict(sorted(found.items())), unread


def _names(name: str, value: str, *parts: Mapping[str, Any]) -> bool:
    return any(str(part[name]) == value for part in parts if part.get(name) is not None)


def _of_file(path: Path, key: Mapping[str, str]) -> dict[str, int]:
    with pq.ParquetFile(path) as file:
        there = set(file.schema_arrow.names)
        table = file.read(columns=["version", *(part for part in _PARTS if part in there)])
    rows = rows_about(table, key)
    counted = table.filter(rows).column("version").value_counts() if rows is not None else ()
    return {one["values"].as_py(): one["counts"].as_py() for one in counted}


def rows_about(table: pa.Table, key: Mapping[str, str]) -> Any:
    """Which rows of a sealed file name all parts of a key; None where it has no column of a part.

    Args:
        table: With `keys` and `request`, where the file has them.
        key: Values as text, by name.
    """
    rows: Any = None
    for name, value in key.items():
        told: Any = None
        for part in _PARTS:
            if (
                part not in table.column_names
                or table.schema.field(part).type.get_field_index(name) < 0
            ):
                continue
            same = same_value(pc.struct_field(table.column(part), name), value)
            told = same if told is None else pc.or_(told, same)
        if told is None:
            return None
        rows = told if rows is None else pc.and_(rows, told)
    return rows


def same_value(column: Any, text: str) -> Any:
    """Which values of a column are what a text says, as the column's type has it; a null is not.

    Args:
        column: Of Arrow.
        text: Such as "42" or "2013-09-30".
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind):
        return pa.chunked_array([pa.nulls(len(column), pa.bool_()).fill_null(value=False)])
    values = column.cast(kind) if kind != column.type else column
    try:
        wanted = pa.scalar(text).cast(kind)
    except (pa.ArrowException, NotImplementedError):
        return pc.and_(pc.is_valid(values), pa.scalar(value=False))
    same = pc.equal(values, wanted)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        same = pc.or_(same, pc.equal(values, json.dumps(text)))  # of values without a common type
    return pc.fill_null(same, fill_value=False)
