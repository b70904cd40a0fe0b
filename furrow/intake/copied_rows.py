"""Databases and workbooks.

Their tables' names, and their rows copied out as CSV, piece by piece.
"""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from furrow.errors import MissingExtraError
from furrow.intake.dialect import IntakeError
from furrow.intake.foreign_sqlite import open_foreign
from furrow.intake.workbook_bounds import bounded_cells, check_workbook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "copied",
    "duckdb_tables",
    "excel_rows",
    "excel_sheets",
    "sqlite_rows",
    "sqlite_tables",
]


@contextmanager
def copied(fill: Callable[[TextIO], None]) -> Iterator[Path]:
    """A temporary CSV file that a function fills."""
    with tempfile.TemporaryDirectory(prefix="furrow-intake-") as scratch:
        path = Path(scratch) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            fill(handle)
        yield path


def sqlite_tables(path: Path) -> list[str]:
    """The tables and views of an SQLite file."""
    query = (
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE"
        " 'sqlite_%' ORDER BY name"
    )
    try:
        with _sqlite_open(path) as db:
            return [name for (name,) in db.execute(query)]
    except sqlite3.DatabaseError as exc:
        raise IntakeError(
            f"{path} is no SQLite file: {exc}", path=path, hint="name a DuckDB file *.duckdb"
        ) from exc


@contextmanager
def _sqlite_open(path: Path) -> Iterator[sqlite3.Connection]:
    db = open_foreign(path)
    try:
        yield db
    finally:
        db.close()


def sqlite_rows(path: Path, table: str, handle: TextIO) -> None:
    """Write a table's rows, with a header; bytes as hexadecimal text."""
    quoted = '"' + table.replace('"', '""') + '"'
    with _sqlite_open(path) as db:
        write = csv.writer(handle)
        try:
            rows = db.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted
            write.writerow([column[0] for column in rows.description])
            for row in rows:
                write.writerow(["" if value is None else _cell(value) for value in row])
        except sqlite3.Error as exc:
            raise IntakeError(f"{path}: {table} can't be read: {exc}", path=path) from exc


def _cell(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def duckdb_tables(path: Path) -> list[str]:
    """The tables of a DuckDB file; those of another schema as SCHEMA.TABLE."""
    import duckdb  # noqa: PLC0415 - only for this kind of file

    try:
        with duckdb.connect(str(path), read_only=True) as db:
            rows = db.execute(
                "SELECT schema_name || '.' || table_name FROM duckdb_tables() ORDER BY 1"
            ).fetchall()
    except duckdb.Error as exc:
        raise IntakeError(f"{path} is no DuckDB file that can be read: {exc}", path=path) from exc
    return [name.removeprefix("main.") for (name,) in rows]


def excel_sheets(path: Path) -> list[str]:
    """The sheets of a workbook that hold anything."""
    with _workbook(path) as book:
        return [sheet.title for sheet in book.worksheets if sheet.max_row and sheet.max_column]


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    try:
        import openpyxl  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtraError("excel", "reading a workbook") from exc
    check_workbook(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as exc:
        raise IntakeError(f"{path} is no workbook that can be read: {exc}", path=path) from exc
    try:
        yield book
    finally:
        book.close()


def excel_rows(path: Path, sheet: str, handle: TextIO) -> None:
    """Write a sheet's rows; empty ones are left out."""
    with _workbook(path) as book:
        write = csv.writer(handle)
        rows = book[sheet].iter_rows(values_only=True)
        for row in bounded_cells(path, sheet, rows):
            cells = ["" if value is None else str(value) for value in row]
            if any(cells):
                write.writerow(cells)
