"""Moments of a batch of text, in any way of writing that landing reads."""

# ruff: noqa: S608 - names are DuckDB's own, and it reads no file

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from furrow.errors import FurrowError
from furrow.intake.column_reading import NULLS, Reading
from furrow.intake.column_types import read_as, sql_held, sql_value
from furrow.intake.quiet_db import quiet_db

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SAMPLE", "as_moments", "moment_readings"]

SAMPLE = 5_000
"""Rows on which is found how moments are written; all rows are held against it."""

_MOMENT = pa.timestamp("us", "UTC")
_ANOTHER_DAY = "20000101"
_WRITE = "write it as 2024-03-01T12:00Z"


def moment_readings(rows: Path, sample: pa.Table) -> dict[str, Reading]:
    """How each column of moments is written.

    Args:
        rows: The file, for messages.
        sample: Its first rows, the columns of moments alone, as text.

    Raises:
        FurrowError: A column holds no moments, or such as could be read in two ways: the few rows
            of a batch do not tell day from month, as the many that landed may have.
    """
    found = {}
    for name in sample.column_names:
        held = [value or "" for value in sample[name].to_pylist()]
        reading = _reading(held)
        if two := [note for note in reading.notes if "change places" in note]:
            raise FurrowError(f"{rows}: {name}: {two[0].partition(':')[0]}", hint=_WRITE)
        if reading.kind != "timestamp":
            odd = next((value for value in held if _reading([value]).kind != "timestamp"), held[0])
            raise FurrowError(
                f"{rows} can't be read: {name} {odd[:60]!r} is no moment", hint=_WRITE
            )
        found[name] = reading
    return found


def _reading(held: list[str]) -> Reading:
    """How texts are written that are moments, whatever they look like; as ISO 8601 where none says anything."""
    if all(value.strip().lower() in NULLS for value in held):
        return Reading("timestamp", "iso")
    found = read_as(held, name="event_timestamp")
    if found.kind != "timestamp":  # one day in all rows: alone, eight digits may be any number
        found = read_as([*held, _ANOTHER_DAY], name="event_timestamp")
    return found


def as_moments(
    rows: Path, batch: pa.RecordBatch, readings: Mapping[str, Reading], before: int
) -> pa.Table:
    """A piece of a batch with its texts of moments as moments; those that name no zone are UTC.

    Args:
        rows: The file, for messages.
        batch: The piece.
        readings: How each column of moments is written.
        before: How many rows precede it.

    Raises:
        FurrowError: A text is no moment; the row is named.
    """
    table = pa.Table.from_batches([batch])
    for name, reading in readings.items():
        column = table[name].combine_chunks()
        quick = _iso_moments(column) if reading.style == "iso" else None
        read = _read(rows, name, column, reading, before) if quick is None else quick
        table = table.set_column(table.column_names.index(name), name, read)
    return table


def _iso_moments(texts: pa.Array) -> pa.Array | None:
    """Moments in the ways of ISO 8601 that Arrow knows, a twentieth of the time; None where it fails."""
    for kind in (_MOMENT, pa.timestamp("us")):  # all with a zone, or none
        try:
            return texts.cast(kind).cast(_MOMENT)
        except pa.ArrowInvalid:
            continue
    return None


def _read(rows: Path, name: str, texts: pa.Array, reading: Reading, before: int) -> pa.ChunkedArray:
    """Moments as landing reads them."""
    with quiet_db() as db:
        db.register("texts", pa.table({"place": range(len(texts)), "said": texts}))
        query = f"SELECT place, said, {sql_value('said', reading)} AS moment FROM texts"
        wrong = f"SELECT place, said FROM ({query}) WHERE moment IS NULL AND {sql_held('said')}"
        if odd := db.execute(f"{wrong} ORDER BY place LIMIT 1").fetchall():
            said = f"row {before + odd[0][0] + 1:,}: {name} {odd[0][1][:60]!r} is no moment"
            raise FurrowError(f"{rows} can't be read: {said}", hint=_WRITE)
        read = db.sql(f"SELECT moment FROM ({query}) ORDER BY place").to_arrow_table()
    return read["moment"].cast(_MOMENT)
