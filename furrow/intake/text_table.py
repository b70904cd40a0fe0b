"""A table written as text, read in pieces.

Rows of typed columns, and what was found wrong on the way.
"""

# ruff: noqa: S608 - names and paths are quoted, and DuckDB reads this one file

from __future__ import annotations

import codecs
import csv
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from furrow.intake.column_reading import Reading
from furrow.intake.column_types import read_as, sql_held, sql_value
from furrow.intake.dialect import Dialect, IntakeError, detect
from furrow.intake.missing_words import MOST_MISSING, are_missing, said_missing
from furrow.intake.open_quotes import check_quotes
from furrow.intake.quiet_db import quiet_db

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["TextTable", "open_text"]

SAMPLE_ROWS = 5_000  # rows on which types are found; all rows are held against them afterwards
BATCH_ROWS = 50_000
MISFITS = 0.01  # the share of values that may not fit a type, and of rows that may be ragged
_AT_ONCE = 50  # columns that are checked in one pass
_WIDE = 200  # columns that are read in one pass
_CELLS = 2_000_000  # that a wider table is read by
_PIECE = 1 << 20


@dataclass(frozen=True)
class TextTable:
    """A table written as text, and how it is read.

    Attributes:
        path: The file as it was given.
        dialect: Delimiter, header, encoding.
        readings: How each column is read, by name.
        rows: How many rows there are.
        notes: What a person should know: ragged rows, values that do not fit, dates that can be
            read in two ways.
    """

    path: Path
    dialect: Dialect
    readings: Mapping[str, Reading]
    rows: int
    notes: tuple[str, ...]
    _db: duckdb.DuckDBPyConnection
    _relation: str
    _timezone: str

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows in the file's order, in pieces of bounded size, each column of its type.

        Moments are UTC.
        """
        columns = [
            f"{sql_value(_place(at), reading, timezone=self._timezone)} AS {_quoted(name)}"
            for at, (name, reading) in enumerate(self.readings.items())
        ]
        if len(columns) > _WIDE:
            yield from self._wide(columns, min(rows, max(_CELLS // len(columns), 1)))
            return
        query = f"SELECT {', '.join(columns)} FROM {self._relation}"
        yield from self._db.sql(query).to_arrow_reader(rows)

    def _wide(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The same of many columns, some at a time: reading them all at once takes a megabyte each."""
        with quiet_db() as db:
            for piece in self._db.sql(f"SELECT * FROM {self._relation}").to_arrow_reader(rows):
                db.register("piece", pa.Table.from_batches([piece]))
                found: list[pa.ChunkedArray] = []
                for start in range(0, len(columns), _AT_ONCE):
                    part = ", ".join(columns[start : start + _AT_ONCE])
                    found += db.sql(f"SELECT {part} FROM piece").to_arrow_table().columns
                db.unregister("piece")
                table = pa.table(dict(zip(self.readings, found, strict=True)))
                yield from table.combine_chunks().to_batches()


@contextmanager
def open_text(
    path: Path, *, kinds: Mapping[str, str] | None = None, timezone: str = "UTC"
) -> Iterator[TextTable]:
    """Open a table written as text (CSV, TSV or alike, in any usual encoding).

    Args:
        path: The file. It may be larger than memory.
        kinds: Types that are known, by column, such as a data contract declares; the others are
            found.
        timezone: Of moments that name no zone.

    Yields:
        The table. Its rows can be read until the context ends.

    Raises:
        IntakeError: The file can't be read as a table, or too much of it does not fit.
    """
    dialect = detect(path)
    within = check_quotes(path, dialect)
    with tempfile.TemporaryDirectory(prefix="furrow-intake-") as scratch:
        plain, dropped = _as_utf8(path, dialect, Path(scratch))
        with quiet_db(scratch) as db:
            db.execute("SET preserve_insertion_order = true")
            relation = _relation(plain, dialect)
            rows, ragged = _count(db, relation, path)
            readings, told = _types(db, relation, dialect, kinds or {}, timezone)
            notes = [*dialect.notes, *dropped, *within, *ragged, *told]
            yield TextTable(path, dialect, readings, rows, tuple(notes), db, relation, timezone)


def _as_utf8(path: Path, dialect: Dialect, scratch: Path) -> tuple[Path, list[str]]:
    """The rows alone in UTF-8, each ending in a line feed.

    Without what precedes them, or the header standing again.

    A file that needs nothing of this is read where it is. DuckDB must be told how lines end, and
    only a line feed lets a quoted value hold any other end of line.
    """
    repeated = bool(dialect.header) and _stands_again(path, dialect)
    returns = dialect.escape != '"' or _holds(path, b"\r")
    plainly = dialect.encoding == "utf-8" and not dialect.damaged and not dialect.skip
    if plainly and not repeated and not returns:
        return path, []
    plain, again = scratch / "rows.csv", 0
    with (
        path.open("r", encoding=dialect.encoding, errors="replace", newline="") as source,
        plain.open("w", encoding="utf-8", newline="") as target,
    ):
        _after_header(source, dialect)
        if not repeated and not returns:
            while piece := source.read(_PIECE):
                target.write(piece)
        else:
            write = csv.writer(target, delimiter=dialect.delimiter, lineterminator="\n")
            for record in csv.reader(source, **dialect.reading()):
                if repeated and tuple(record) == dialect.header:
                    again += 1
                else:
                    write.writerow(record)
    return plain, (
        [f"the header stands {again} times more among the rows: left out"] if again else []
    )


def _holds(path: Path, byte: bytes) -> bool:
    with path.open("rb") as handle:
        return any(byte in piece for piece in iter(lambda: handle.read(_PIECE), b""))


def _after_header(source: object, dialect: Dialect) -> None:
    """Read past the records before the first row; a quoted one can be longer than a line."""
    left = dialect.skip
    lines = iter(source.readline, "")  # type: ignore[attr-defined]
    reader = csv.reader(lines, **dialect.reading())
    while left:
        if next(reader, None):
            left -= 1


def _stands_again(path: Path, dialect: Dialect) -> bool:
    """Whether the header's text occurs once more in the file, as where files were put one behind the other."""
    begin = dialect.delimiter.join(dialect.header).encode(
        dialect.encoding.removesuffix("-sig"), "replace"
    )
    begin = begin.removeprefix(codecs.BOM_UTF16_LE)
    seen, held = 0, b""
    with path.open("rb") as handle:
        while piece := handle.read(_PIECE):
            text = held + piece
            seen += text.count(begin)
            held = text[-len(begin) + 1 :] if len(begin) > 1 else b""
            if seen > 1:
                return True
    return False


def _relation(plain: Path, dialect: Dialect) -> str:
    columns = ", ".join(f"'{_place(at)}': 'VARCHAR'" for at in range(len(dialect.names)))
    return (
        f"read_csv({_text(os.fspath(plain))}, auto_detect = false, header = false, delim ="
        f" {_text(dialect.delimiter)}, new_line = '\\n', quote = '\"', escape = '\"', columns ="
        f" {{{columns}}}, strict_mode = true, null_padding = false, ignore_errors = true,"
        " store_rejects = true, rejects_limit = 0, max_line_size = 16777216, parallel = false,"
        " hive_partitioning = false)"
    )


def _count(db: duckdb.DuckDBPyConnection, relation: str, path: Path) -> tuple[int, list[str]]:
    """How many rows have the table's width; those that have not are told of.

    Raises:
        IntakeError: Too many have not.
    """
    try:
        # All rows are fetched: DuckDB keeps what it rejected once a query has come to its end.
        ((rows,),) = db.execute(f"SELECT count(*) FROM {relation}").fetchall()
    except duckdb.Error as exc:
        said = str(exc).splitlines()[0]
        raise IntakeError(
            f"{path} can't be read: {said}", path=path, hint="see whether its quotes are closed"
        ) from exc
    found = db.execute(
        "SELECT line, any_value(error_type), any_value(csv_line) FROM reject_errors GROUP BY line"
        " ORDER BY line"
    ).fetchall()
    db.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    if not found:
        return rows, []
    shown = "; ".join(f"row {line}: {(text or '')[:60]!r}" for line, _, text in found[:3])
    told = f"{len(found):,} rows have more or fewer cells than the header: left out ({shown})"
    if len(found) > MISFITS * (rows + len(found)) and len(found) > 3:
        raise IntakeError(
            f"{path}: {told}", path=path, hint="mend the file, or say how it is delimited"
        )
    return rows, [told]


def _types(
    db: duckdb.DuckDBPyConnection,
    relation: str,
    dialect: Dialect,
    kinds: Mapping[str, str],
    timezone: str,
) -> tuple[dict[str, Reading], list[str]]:
    """How each column is read: found on the first rows, then held against all of them."""
    sample = _rows(db, f"SELECT * FROM {relation} LIMIT {SAMPLE_ROWS}")
    readings, told = {}, []
    for at, name in enumerate(dialect.names):
        values = [row[at] or "" for row in sample]
        reading = read_as(values, allow=MISFITS, name=name, comma=dialect.delimiter == ";")
        if kinds.get(name) == "string":
            reading = Reading("string")
        readings[name] = reading
    misfits = _misfits(db, relation, readings, timezone)
    for name, (bad, held, example) in misfits.items():
        said = (
            f"{name}: {bad:,} of {held:,} values are no {_WORDS[readings[name].kind]} (such as"
            f" {example!r})"
        )
        words = _words(db, relation, dialect.names.index(name), readings[name], bad / held)
        if words:
            told.append(f"{name}: {said_missing(words)}")
        elif bad > MISFITS * held:
            readings[name] = _again(db, relation, dialect.names.index(name), readings[name])
            told.append(f"{said}: kept as {readings[name].kind}")
        else:
            told.append(f"{said}: taken as missing")
    told += [f"{name}: {note}" for name, reading in readings.items() for note in reading.notes]
    return readings, told


_WORDS = {
    "int64": "whole numbers",
    "float64": "numbers",
    "timestamp": "moments",
    "bool": "yes or no",
}


def _words(
    db: duckdb.DuckDBPyConnection, relation: str, at: int, reading: Reading, share: float
) -> dict[str, int]:
    """The words among numbers that stand for nothing, and how often; empty where others are no numbers."""
    if reading.kind not in {"int64", "float64"} or share > MOST_MISSING:
        return {}
    column = _place(at)
    value = sql_value(column, reading)
    odd = f"{column} IS NOT NULL AND ({value}) IS NULL AND {sql_held(column)}"
    query = f"SELECT trim({column}) AS w, count(*) AS n FROM {relation} WHERE {odd} GROUP BY w"
    found = dict(_rows(db, f"{query} ORDER BY n DESC, w LIMIT 20"))
    ((values,),) = _rows(db, f"SELECT approx_count_distinct({value}) FROM {relation}")
    return found if are_missing(found, values) else {}


def _again(db: duckdb.DuckDBPyConnection, relation: str, at: int, failed: Reading) -> Reading:
    """A wider reading for a column whose later rows contradict the first ones.

    Numbers for whole numbers, else text.
    """
    if failed.kind == "int64":
        wider = replace(failed, kind="float64")
        column = _place(at)
        fits, held = f"count({sql_value(column, wider)})", f"count(*) FILTER ({sql_held(column)})"
        ((fitting, those),) = _rows(db, f"SELECT {fits}, {held} FROM {relation}")
        if those - fitting <= MISFITS * those:
            return wider
    return Reading("string")


def _misfits(
    db: duckdb.DuckDBPyConnection, relation: str, readings: Mapping[str, Reading], timezone: str
) -> dict[str, tuple[int, int, str]]:
    """By column: how many values do not fit its type, how many there are, and one that does not."""
    misfit = {
        name: (
            f"{_place(at)} IS NOT NULL AND ({sql_value(_place(at), reading, timezone=timezone)}) IS"
            f" NULL AND {sql_held(_place(at))}"
        )
        for at, (name, reading) in enumerate(readings.items())
        if reading.kind != "string"
    }
    counts = _figures(
        db, relation, {name: f"count(*) FILTER ({test})" for name, test in misfit.items()}
    )
    bad = {name: count for name, count in counts.items() if count}
    places = {name: _place(at) for at, name in enumerate(readings)}
    held = _figures(
        db, relation, {name: f"count(*) FILTER ({sql_held(places[name])})" for name in bad}
    )
    shown = _figures(
        db, relation, {name: f"min({places[name]}) FILTER ({misfit[name]})" for name in bad}
    )
    return {name: (count, held[name], str(shown[name])) for name, count in bad.items()}


def _figures(
    db: duckdb.DuckDBPyConnection, relation: str, asked: Mapping[str, str]
) -> dict[str, Any]:
    """Aggregates over all rows, by name; many columns are taken in several passes."""
    found: dict[str, Any] = {}
    names = list(asked)
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        (row,) = _rows(db, f"SELECT {', '.join(asked[name] for name in part)} FROM {relation}")
        found |= dict(zip(part, row, strict=True))
    return found


def _rows(db: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query; what DuckDB writes down of ragged rows each time is dropped."""
    found: list[tuple[Any, ...]] = db.execute(query).fetchall()
    db.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    return found


def _place(at: int) -> str:
    return f"c{at}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
