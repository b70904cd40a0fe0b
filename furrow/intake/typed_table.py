"""A table whose columns have types already: Parquet, JSON lines, a table of a DuckDB file."""

# ruff: noqa: S608 - names and paths are quoted, and DuckDB reads this one file

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.intake.column_reading import Reading
from furrow.intake.dialect import IntakeError, unique_names
from furrow.intake.landed import column_name
from furrow.intake.missing_words import MOST_MISSING, are_missing, said_missing
from furrow.intake.moment_texts import epoch_reading, sql_moment
from furrow.intake.quiet_db import quiet_db

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["TypedTable", "open_typed", "parquet_names"]

BATCH_ROWS = 50_000
DEPTH = 3
MOST_COLUMNS = 1_000
"""Objects within objects that become columns, and columns at the most; the rest is kept as text."""

_JSON = {".json", ".jsonl", ".ndjson"}
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_SCALARS = {*_WHOLE, "FLOAT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
_NUMBERS = {"FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT"}


@dataclass(frozen=True)
class TypedTable:
    """A table whose columns have types.

    Attributes:
        path: The file.
        readings: The type of each column, by name, as the data contract has it.
        rows: How many rows there are.
        notes: What a person should know: columns turned into text, columns with one name.
    """

    path: Path
    readings: Mapping[str, Reading]
    rows: int
    notes: tuple[str, ...]
    _db: duckdb.DuckDBPyConnection
    _query: str

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows in the file's order, in pieces of bounded size; moments are UTC."""
        try:
            yield from self._db.sql(self._query).to_arrow_reader(rows)
        except OSError as exc:  # Arrow's word for more than 2 GB of text in so many rows
            said = str(exc).splitlines()[0]
            hint = (
                "see whether the file is whole"
                if "Failed to read" in said
                else f"{rows:,} rows at a time are held: take out what is so long"
            )
            raise IntakeError(
                f"{self.path} can't be read: {said}", path=self.path, hint=hint
            ) from exc


@contextmanager
def open_typed(
    path: Path,
    *,
    table: str = "",
    timezone: str = "UTC",
    columns: Sequence[tuple[str, str]] = (),
    kinds: Mapping[str, str] | None = None,
) -> Iterator[TypedTable]:
    """Open a table whose columns have types.

    Args:
        path: A Parquet file, JSON lines (or an array of objects), or a DuckDB file.
        table: The table of a DuckDB file.
        timezone: Of moments that name no zone.
        columns: Names and DuckDB's types of a CSV file of bare rows, as a server gave them.
        kinds: Types that are known, by column: an object that is "string" stays whole, and a whole
            number that is "int64" counts no seconds.

    Yields:
        The table. Its rows can be read until the context ends.

    Raises:
        IntakeError: The file can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="furrow-intake-") as scratch:
        try:
            with quiet_db(scratch) as db:
                relation = _bare_rows(path, columns) if columns else _relation(db, path, table)
                parts = _parts(db, relation, kinds or {})
                if path.suffix.lower() in _JSON:
                    parts = [_numbered(db, relation, one, kinds or {}) for one in parts]
                    parts = [_counted(db, relation, one, kinds or {}) for one in parts]
                query, readings, notes = _select(parts, timezone, kinds or {})
                ((rows,),) = db.execute(f"SELECT count(*) FROM {relation}").fetchall()
                yield TypedTable(path, readings, rows, notes, db, f"{query} FROM {relation}")
        except duckdb.Error as exc:
            said = str(exc).splitlines()[0]
            hint = "see whether the file is whole"
            raise IntakeError(f"{path} can't be read: {said}", path=path, hint=hint) from exc


def _relation(db: duckdb.DuckDBPyConnection, path: Path, table: str) -> str:
    place = _text(os.fspath(path))
    if table:
        db.execute(f"ATTACH {place} AS given (READ_ONLY)")
        # What the file's author calls a table may name a view of his that reads other files.
        db.execute("SET enable_external_access = false")
        db.execute("SET lock_configuration = true")
        return "given." + ".".join(_quoted(part) for part in table.split("."))
    if path.suffix.lower() in {".parquet", ".pq"}:
        return f"read_parquet({place}, hive_partitioning = false)"
    return (
        f"read_json({place}, sample_size = -1, maximum_depth = {DEPTH + 1},"
        " convert_strings_to_integers ="
        " false, hive_partitioning = false)"
    )


def parquet_names(path: Path) -> list[str]:
    """The columns of a Parquet file, in order; none where it can't be read."""
    try:
        return list(pq.read_schema(path).names)
    except (OSError, pa.ArrowException):
        return []


def _bare_rows(path: Path, columns: Sequence[tuple[str, str]]) -> str:
    place, types = (_text(os.fspath(path)), ", ".join(f"{_text(n)}: '{t}'" for n, t in columns))
    return (
        f"read_csv({place}, auto_detect = false, header = false, delim = ',', quote = '\"', escape"
        f" = '\"', new_line = '\\n', columns = {{{types}}}, strict_mode = true, null_padding ="
        " false, max_line_size = 16777216, parallel = false)"
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True)
class _Part:
    """A column: its name, SQL for it, DuckDB's type, and in what it counts since 1970, if it does.

    And what a person should know of it.
    """

    name: str
    sql: str
    type_: str
    epoch: Reading | None = None
    told: str = ""


def _parts(db: duckdb.DuckDBPyConnection, relation: str, kinds: Mapping[str, str]) -> list[_Part]:
    """The columns, those of an object in the place of the object: device.os as device_os."""
    described = db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    held = [(_Part(name, _quoted(name), type_), 1) for name, type_, *_ in reversed(described)]
    found: list[_Part] = []
    while held:
        one, depth = held.pop()
        whole = not one.type_.startswith("STRUCT(") or one.type_.endswith("]")
        if whole or depth > DEPTH or _declared(one, kinds) == "string":
            found.append(one)
            continue
        inner = db.execute(f"DESCRIBE SELECT UNNEST({one.sql}) FROM {relation}").fetchall()
        if len(found) + len(held) + len(inner) > MOST_COLUMNS:
            found.append(one)
            continue
        held += [
            (
                _Part(f"{one.name}_{name}", f"struct_extract({one.sql}, {_text(name)})", type_),
                depth + 1,
            )
            for name, type_, *_ in reversed(inner)
        ]
    return found


def _declared(one: _Part, kinds: Mapping[str, str]) -> str | None:
    """The type that is known of a column, by its name in the file or as it lands."""
    return kinds.get(one.name, kinds.get(column_name(one.name, set())))


def _numbered(
    db: duckdb.DuckDBPyConnection, relation: str, one: _Part, kinds: Mapping[str, str]
) -> _Part:
    """A column of JSON values, as numbers where all are but for a few words that stand for nothing."""
    if one.type_ != "JSON" or _declared(one, kinds) == "string":
        return one
    text, kind = f"({one.sql} ->> '$')", f"json_type({one.sql})"
    number = f"{kind} IN ('BIGINT', 'UBIGINT', 'DOUBLE')"
    held = f"{one.sql} IS NOT NULL AND {kind} <> 'NULL' AND {text} <> ''"
    other = f"count(*) FILTER ({held} AND NOT ({number}) AND {kind} <> 'VARCHAR')"
    whole = f"count(*) FILTER ({kind} = 'DOUBLE'), approx_count_distinct({text})"
    asked = (
        f"SELECT count(*) FILTER ({number}), count(*) FILTER ({held}), {other}, {whole} FROM"
        f" {relation}"
    )
    ((numbers, values, others, broken, distinct),) = db.execute(asked).fetchall()
    if not values or others or numbers < (1 - MOST_MISSING) * values:
        return one
    odd = f"{held} AND NOT ({number})"
    query = f"SELECT {text} AS w, count(*) AS n FROM {relation} WHERE {odd} GROUP BY 1"
    words = dict(db.execute(f"{query} ORDER BY n DESC, w LIMIT 20").fetchall())
    if not are_missing(words, distinct):
        return one
    type_ = "DOUBLE" if broken else "BIGINT"
    sql = f"CASE WHEN {number} THEN TRY_CAST({text} AS {type_}) END"
    return replace(one, sql=sql, type_=type_, told=said_missing(words) if words else "")


def _counted(
    db: duckdb.DuckDBPyConnection, relation: str, one: _Part, kinds: Mapping[str, str]
) -> _Part:
    """A column, whose whole numbers count seconds since 1970 where its name and all values say so."""
    if one.type_ not in _WHOLE or _declared(one, kinds) == "int64":
        return one
    ends = db.execute(f"SELECT min({one.sql}), max({one.sql}) FROM {relation}").fetchall()[0]
    held = [str(end) for end in ends if end is not None]
    found = epoch_reading(held, Reading("int64"), one.name) if held else None
    return replace(one, epoch=found) if found is not None and found.style != "serial" else one


def _select(
    columns: Sequence[_Part], timezone: str, kinds: Mapping[str, str]
) -> tuple[str, dict[str, Reading], tuple[str, ...]]:
    """The query that gives every column a type of the data contract."""
    names, notes = unique_names([one.name for one in columns])
    zone = timezone.replace("'", "''")
    readings, parts, told = {}, [], list(notes)
    for one, name in zip(columns, names, strict=True):
        column, type_ = one.sql, one.type_
        told += [f"{name}: {one.told}"] if one.told else []
        if _declared(one, kinds) == "string" and type_ in _SCALARS:
            reading, value = Reading("string"), f"{column}::VARCHAR"
        elif one.epoch is not None:
            reading, value = one.epoch, sql_moment(column, one.epoch, timezone)
            told += [f"{name}: {note}" for note in one.epoch.notes]
        elif type_ in _WHOLE:
            reading, value = Reading("int64"), f"{column}::BIGINT"
        elif type_ in _NUMBERS or type_.startswith("DECIMAL"):
            # Not nullif: a comparison with NaN is decided by the statistics of a Parquet file,
            # which leave NaN out.
            reading, value = (
                Reading("float64"),
                f"CASE WHEN isnan({column}::DOUBLE) THEN NULL ELSE {column}::DOUBLE END",
            )
        elif type_ == "BOOLEAN":
            reading, value = Reading("bool"), column
        elif type_ == "TIMESTAMP WITH TIME ZONE":
            reading, value = Reading("timestamp"), column
        elif type_ == "DATE" or type_.startswith("TIMESTAMP"):
            reading, value = Reading("timestamp"), f"timezone('{zone}', {column}::TIMESTAMP)"
        else:
            plain = type_ in {"VARCHAR", "UUID", "TIME"} or type_.startswith("ENUM")
            text = f"{column}::VARCHAR" if plain else f"to_json({column})::VARCHAR"
            reading, value = Reading("string"), f"nullif({text}, '')"
            told += [] if plain else [f"{name}: {type_} is kept as text"]
        readings[name] = reading
        parts.append(f"{value} AS {_quoted(name)}")
    return f"SELECT {', '.join(parts)}", readings, tuple(told)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
