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
from furrow.stores.pack import arrow_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["TEXTS", "parquet_of"]

TEXTS = {".csv": ",", ".tsv": "\t"}
"""Endings of text files, and what divides their columns."""


@contextmanager
def parquet_of(rows: Path, beside: Path, types: Mapping[str, str], moment: str) -> Iterator[Path]:
    """A file of rows as Parquet: itself, or while it is needed a copy of a text file.

    Args:
        rows: Parquet, or CSV or TSV in UTF-8 with a header.
        beside: The result, beside which the copy lies.
        types: Feast's types of the fields that the model needs; other columns are as they look.
        moment: The column of moments: without a zone, they are UTC.

    Raises:
        FurrowError: The text can't be read; the line and column are named.
    """
    if rows.suffix.lower() not in TEXTS:
        yield rows
        return
    kinds = {name: arrow_type(dtype) or pa.string() for name, dtype in types.items()}
    options = pacsv.ConvertOptions(
        column_types={**kinds, moment: pa.timestamp("us", "UTC")}, strings_can_be_null=True
    )
    divided = pacsv.ParseOptions(delimiter=TEXTS[rows.suffix.lower()], newlines_in_values=True)
    copy = beside.with_name(f".{beside.name}.rows.parquet")
    try:
        with pacsv.open_csv(rows, parse_options=divided, convert_options=options) as text:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with pq.ParquetWriter(copy, text.schema) as writer:
                for batch in text:
                    writer.write_batch(batch)
        yield copy
    except (OSError, pa.ArrowException) as exc:
        said = _named(" ".join(str(exc).split()), rows, TEXTS[rows.suffix.lower()])
        raise FurrowError(f"{rows} can't be read: {said}", hint="mend it, or give Parquet") from exc
    finally:
        copy.unlink(missing_ok=True)


def _named(said: str, rows: Path, divider: str) -> str:
    """What is wrong with the text, the column by its name."""
    found = re.search(r"In CSV column #(\d+)", said)
    if found is None or not rows.is_file():
        return said
    with rows.open(encoding="utf-8", errors="replace", newline="") as text:
        names = next(csv.reader([text.readline(1 << 16)], delimiter=divider), [])
    place = int(found[1])
    return said.replace(found[0], f"column {names[place]}") if place < len(names) else said
