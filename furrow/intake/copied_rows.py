"""Databases, workbooks and addresses: their tables' names, and their rows copied out as CSV, piece by piece."""

from __future__ import annotations

import codecs
import csv
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

from furrow.errors import FurrowError, MissingExtraError
from furrow.intake.dialect import IntakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "GivenError",
    "copied",
    "duckdb_tables",
    "excel_rows",
    "excel_sheets",
    "postgres_rows",
    "postgres_tables",
    "s3_object",
    "sqlite_rows",
    "sqlite_tables",
]


class GivenError(FurrowError):
    """Nothing can be read where somebody pointed to."""


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
    query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
    try:
        with _sqlite_open(path) as db:
            return [name for (name,) in db.execute(query)]
    except sqlite3.DatabaseError as exc:
        raise IntakeError(
            f"{path} is no SQLite file: {exc}", path=path, hint="name a DuckDB file *.duckdb"
        ) from exc


@contextmanager
def _sqlite_open(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        yield db
    finally:
        db.close()


def sqlite_rows(path: Path, table: str, handle: TextIO) -> None:
    """Write a table's rows, with a header; bytes as hexadecimal text."""
    quoted = '"' + table.replace('"', '""') + '"'
    with _sqlite_open(path) as db:
        rows = db.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted
        write = csv.writer(handle)
        write.writerow([column[0] for column in rows.description])
        for row in rows:
            write.writerow(["" if value is None else _cell(value) for value in row])


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
        for row in book[sheet].iter_rows(values_only=True):
            cells = ["" if value is None else str(value) for value in row]
            if any(cells):
                write.writerow(cells)


def postgres_tables(address: str) -> list[str]:
    """The tables and views on the search path."""
    query = (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = ANY (current_schemas(false)) ORDER BY 1"
    )
    with _postgres_open(address) as db:
        return [name for (name,) in db.execute(query).fetchall()]


@contextmanager
def _postgres_open(address: str) -> Iterator[Any]:
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtraError("postgres", "reading PostgreSQL") from exc
    try:
        with psycopg.connect(address, connect_timeout=10) as db:
            yield db
    except psycopg.Error as exc:
        where = urlsplit(address).hostname or "the server"
        raise GivenError(
            f"PostgreSQL at {where}: {str(exc).strip()}", hint="check address and rights"
        ) from exc


def postgres_rows(address: str, table: str, handle: TextIO) -> None:
    """Write a table's rows, with a header."""
    quoted = '"' + table.replace('"', '""') + '"'
    query = f"COPY (SELECT * FROM {quoted}) TO STDOUT WITH (FORMAT csv, HEADER true)"  # noqa: S608 - quoted
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _postgres_open(address) as db, db.cursor() as cursor, cursor.copy(query) as rows:
        handle.writelines(decoder.decode(bytes(piece)) for piece in rows)


@contextmanager
def s3_object(address: str) -> Iterator[Path]:
    """An object of S3 in a temporary file."""
    try:
        import s3fs  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtraError("s3", "reading S3") from exc
    with tempfile.TemporaryDirectory(prefix="furrow-intake-") as scratch:
        path = Path(scratch) / Path(urlsplit(address).path).name
        try:
            s3fs.S3FileSystem().get_file(address, str(path))
        except (OSError, ValueError) as exc:
            raise GivenError(
                f"{address} can't be read: {exc}", hint="check the address and credentials"
            ) from exc
        yield path
