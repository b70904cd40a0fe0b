"""Rows of a text file as Parquet, so that a batch may be what a spreadsheet or a database wrote."""

from __future__ import annotations

import csv
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.serving.batch_moments import SAMPLE, as_moments, moment_readings
from furrow.stores.pack import arrow_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from furrow.intake.column_reading import Reading

__all__ = ["TEXTS", "parquet_of"]

TEXTS = {".csv": ",", ".tsv": "\t"}
"""Endings of text files, and what divides their columns."""


@contextmanager
def parquet_of(rows: Path, beside: Path, types: Mapping[str, str], moment: str) -> Iterator[Path]:
    """A file of rows as Parquet: itself, or while it is needed a copy of a text file.

    Args:
        rows: Parquet, or CSV (of commas or semicolons) or TSV in UTF-8 with a header.
        beside: The result, beside which the copy lies.
        types: Feast's types of the fields that the model needs; other columns are as they look.
        moment: The column of moments, in any way of writing that landing reads; without a zone,
            they are UTC.

    Raises:
        FurrowError: The text can't be read; the line and column are named.
    """
    if rows.suffix.lower() not in TEXTS:
        yield rows
        return
    kinds = {name: arrow_type(dtype) or pa.string() for name, dtype in types.items()}
    divider = _divider(rows)
    timed = [moment, *(name for name, kind in kinds.items() if pa.types.is_timestamp(kind))]
    copy = beside.with_name(f".{beside.name}.rows.parquet")
    try:
        timed = [name for name in dict.fromkeys(timed) if name in _header(rows, divider)]
        readings = moment_readings(rows, _sample(rows, divider, timed)) if timed else {}
        options = pacsv.ConvertOptions(
            column_types={**kinds, **dict.fromkeys(timed, pa.string())}, strings_can_be_null=True
        )
        with pacsv.open_csv(rows, parse_options=_divided(divider), convert_options=options) as text:
            copy.parent.mkdir(parents=True, exist_ok=True)
            _write(rows, text, copy, readings)
        yield copy
    except (OSError, pa.ArrowException) as exc:
        said = _named(" ".join(str(exc).split()), rows, divider)
        raise FurrowError(f"{rows} can't be read: {said}", hint="mend it, or give Parquet") from exc
    finally:
        copy.unlink(missing_ok=True)


def _divider(rows: Path) -> str:
    """What divides the columns: as the ending says, or a semicolon where the header has more."""
    usual = TEXTS[rows.suffix.lower()]
    try:
        return max((usual, ";"), key=lambda divider: len(_header(rows, divider)))
    except (OSError, csv.Error):
        return usual  # whoever reads it says what is wrong


def _divided(divider: str) -> pacsv.ParseOptions:
    return pacsv.ParseOptions(delimiter=divider, newlines_in_values=True)


def _sample(rows: Path, divider: str, timed: list[str]) -> pa.Table:
    """The first rows of the columns of moments, as text."""
    options = pacsv.ConvertOptions(
        column_types=dict.fromkeys(timed, pa.string()), include_columns=timed
    )
    with pacsv.open_csv(rows, parse_options=_divided(divider), convert_options=options) as text:
        return pa.Table.from_batches([text.read_next_batch()]).slice(0, SAMPLE)


def _write(
    rows: Path, text: pacsv.CSVStreamingReader, copy: Path, readings: Mapping[str, Reading]
) -> None:
    """Rows of text as Parquet, piece by piece."""
    kinds = {name: pa.timestamp("us", "UTC") for name in readings}
    schema = pa.schema([pa.field(one.name, kinds.get(one.name, one.type)) for one in text.schema])
    done = 0
    with pq.ParquetWriter(copy, schema) as writer:
        for batch in text:
            writer.write_table(as_moments(rows, batch, readings, done).cast(schema))
            done += batch.num_rows


def _header(rows: Path, divider: str) -> list[str]:
    with rows.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        return next(csv.reader([text.readline(1 << 16)], delimiter=divider), [])


def _named(said: str, rows: Path, divider: str) -> str:
    """What is wrong with the text, the column by its name."""
    found = re.search(r"In CSV column #(\d+)", said)
    if found is None or not rows.is_file():
        return said
    names = _header(rows, divider)
    place = int(found[1])
    return said.replace(found[0], f"column {names[place]}") if place < len(names) else said
