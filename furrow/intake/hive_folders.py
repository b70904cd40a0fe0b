"""Folders that hold one table in parts, named as KEY=VALUE: readings/month=2024-01/part-0.parquet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from furrow.intake.column_reading import Reading
from furrow.intake.column_types import sql_value
from furrow.intake.quiet_db import quiet_db

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from furrow.intake.given import OpenTable

__all__ = ["PartOfTable", "before_parts", "part_keys", "with_parts"]

_PART = re.compile(r"([A-Za-z_]\w*)=([^/]+)")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_OF_TIME = {"year", "quarter", "month", "week", "day", "hour", "date", "dt", "ds", "ym", "ymd"}
"""Keys that only say again what a column of moments says."""

_TYPES = {"int64": pa.int64(), "string": pa.string(), "timestamp": pa.timestamp("us", "UTC")}


@dataclass(frozen=True)
class PartOfTable:
    """A file of a table in parts: its own columns, and those that its folders name.

    Attributes:
        readings: How each column is read, by name.
        rows: How many rows there are.
        notes: What a person should know.
    """

    readings: Mapping[str, Reading]
    rows: int
    notes: tuple[str, ...]
    _table: OpenTable
    _values: Mapping[str, pa.Scalar] = field(default_factory=dict)

    def batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """The file's rows in pieces, each with the values of its folders behind it."""
        for batch in self._table.batches(rows):
            added = [pa.repeat(value, batch.num_rows) for value in self._values.values()]
            names = [*batch.schema.names, *self._values]
            yield pa.RecordBatch.from_arrays([*batch.columns, *added], names=names)


def part_keys(place: str) -> dict[str, str]:
    """What the folders of a file say, by key, in their order; empty where they are no parts.

    Args:
        place: A file or an address.
    """
    parts = place[len(before_parts(place)) :].strip("/").split("/")[:-1]
    return {key: unquote(value) for key, _, value in (one.partition("=") for one in parts)}


def before_parts(place: str) -> str:
    """A file's folder, or the one above the parts that the file is in.

    Args:
        place: A file or an address.
    """
    names = place.split("/")[:-1]
    while names and _PART.fullmatch(names[-1]):
        names.pop()
    return "/".join(names)


def with_parts(table: OpenTable, place: str, kinds: Mapping[str, str], timezone: str) -> OpenTable:
    """A file with the columns that its folders name and it has not.

    Keys of a time (year, month, dt ...) are left out where the file has a column of moments.

    Args:
        table: The file, open.
        place: Where it is.
        kinds: Types that are known, by column.
        timezone: Of moments that name no zone.
    """
    own = {name.casefold() for name in table.readings}
    timed = any(reading.kind == "timestamp" for reading in table.readings.values())
    keys = {
        key: value
        for key, value in part_keys(place).items()
        if key.casefold() not in own and not (timed and key.casefold() in _OF_TIME)
    }
    if not keys:
        return table
    readings, values = dict(table.readings), {}
    for key, value in keys.items():
        reading = Reading("string") if kinds.get(key) == "string" else _reading(value)
        readings[key] = reading
        values[key] = pa.scalar(_value(value, reading, timezone), _TYPES[reading.kind])
    return PartOfTable(readings, table.rows, table.notes, table, values)


def _reading(value: str) -> Reading:
    if re.fullmatch(r"0|-?[1-9]\d{0,17}", value):
        return Reading("int64")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return Reading("timestamp", "iso")
    return Reading("string")


def _value(value: str, reading: Reading, timezone: str) -> object:
    if value == _NULL:
        return None
    if reading.kind != "timestamp":
        return int(value) if reading.kind == "int64" else value
    with quiet_db() as db:
        # no name of the data
        query = f"SELECT {sql_value('place', reading, timezone=timezone)} FROM (SELECT ? AS place)"  # noqa: S608
        return db.execute(query, [value]).fetchall()[0][0]
