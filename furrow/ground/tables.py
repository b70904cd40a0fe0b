"""Feature tables: one SQL file over raw Parquet files, written as one sorted Parquet file, the same bytes each time."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.files import FileError
from furrow.plurals import number_of
from furrow.stores.float_columns import canonical_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "RawFiles",
    "TableError",
    "TableReport",
    "build_table",
    "engine_error",
    "open_engine",
    "run_sql",
    "write_parquet",
]

_ROW_GROUP = 65_536
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


class TableError(FurrowError):
    """A feature table can't be built: its SQL, its raw data or what came out is at fault.

    Args:
        message: What failed.
        path: The SQL file, or the raw file.
        line: The line of the SQL file, from 1, where the engine names it.
        hint: The next step.
    """

    def __init__(
        self, message: str, *, path: Path, line: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line


@dataclass(frozen=True)
class RawFiles:
    """The raw tables that SQL may read.

    Attributes:
        folder: That they lie in, for messages.
        files: By table, its Parquet files in order; none where it has not landed.
        patterns: By table, where its files belong, as the contract writes it.
        land: The command that lands data, for hints; may be empty.
    """

    folder: Path
    files: Mapping[str, Sequence[Path]]
    patterns: Mapping[str, str] = field(default_factory=dict)
    land: str = ""


@dataclass(frozen=True)
class TableReport:
    """What was written: rows, columns in order, bytes."""

    rows: int
    columns: tuple[str, ...]
    size: int


def build_table(
    sql_file: Path, raw: RawFiles, out: Path, *, threads: int | None = None
) -> TableReport:
    """Run one SQL file over the raw data and write its rows to a Parquet file.

    The SQL sees the raw tables as relations, in UTC. The bytes written depend on the rows alone:
    not on the number of threads, the folder or the time.

    Args:
        sql_file: One SELECT in DuckDB's dialect that ends on an ORDER BY over its keys and
            event_timestamp.
        raw: The raw tables.
        out: The Parquet file to replace, whole or not at all.
        threads: Threads to use; all of the machine's by default.

    Returns:
        What was written.

    Raises:
        TableError: The SQL is missing, wrong, or gives rows that no feature table may have; or raw
            data is unreadable.
    """
    try:
        sql = sql_file.read_text(encoding="utf-8")
    except OSError as exc:
        known = ", ".join(sorted(path.stem for path in sql_file.parent.glob("*.sql"))) or "none"
        hint = f"the feature tables of {sql_file.parent} are: {known}"
        raise TableError(
            f"there is no feature table {sql_file.stem}: {sql_file}", path=sql_file, hint=hint
        ) from exc
    table = run_sql(sql, raw, sql_file=sql_file, threads=threads)
    _check(table, sql_file)
    write_parquet(table, out)
    return TableReport(table.num_rows, tuple(table.column_names), out.stat().st_size)


def run_sql(sql: str, raw: RawFiles, *, sql_file: Path, threads: int | None = None) -> pa.Table:
    """Run a SELECT over the raw data.

    Args:
        sql: The SELECT.
        raw: The raw tables.
        sql_file: The file that the SELECT is from, for messages.
        threads: Threads to use; all of the machine's by default.

    Returns:
        The rows, in the order of the SQL.

    Raises:
        TableError: The engine refused the SQL or could not read the data.
    """
    connection = open_engine(threads=threads)
    try:
        for name, files in raw.files.items():
            if not files:
                continue
            paths = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
            connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{paths}])')  # noqa: S608 - quoted
        # Explained first: only then do errors of names and types say their line.
        connection.execute(f"EXPLAIN {sql}")
        return connection.sql(sql).to_arrow_table()
    except duckdb.Error as exc:
        raise _translate(exc, sql, sql_file, raw) from exc
    finally:
        connection.close()


def open_engine(*, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, in UTC, as every SQL file meets it.

    Args:
        threads: Threads to use; all of the machine's by default.
    """
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    return connection


def write_parquet(table: pa.Table, out: Path) -> None:
    """Write a Parquet file whole or not at all, with settings that give equal bytes for equal rows.

    Floats are written in their one form: the sign of a zero and the bits of a NaN are the
    processor's, not the data's.

    Raises:
        FileError: The folder can't be written or the disk is full; the old file is untouched.
    """
    temporary = ""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=out.parent, prefix=f".{out.name}.", delete=False
        ) as handle:
            temporary = handle.name
            said = {
                name: text
                for name, text in (table.schema.metadata or {}).items()
                if name.startswith(b"furrow.")
            }
            plain = canonical_table(table).replace_schema_metadata(said or None).combine_chunks()
            pq.write_table(
                plain, handle, compression="zstd", row_group_size=_ROW_GROUP, store_schema=True
            )
            handle.flush()
            os.fsync(handle.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(out)
    except OSError as exc:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        hint = "free some space or check the permissions, then run again"
        raise FileError(f"cannot write {out}: {exc.strerror or exc}", path=out, hint=hint) from exc


def _translate(exc: duckdb.Error, sql: str, sql_file: Path, raw: RawFiles) -> TableError:
    """Say which file and line an error of the engine is about."""
    text = str(exc)
    first = text.splitlines()[0]
    if isinstance(exc, duckdb.IOException | duckdb.InvalidInputException) and ".parquet" in text:
        hint = f"land the data again: {raw.land}" if raw.land else "land the data again"
        return TableError(
            f"cannot read raw data for {sql_file}: {first}", path=raw.folder, hint=hint
        )
    missing = next((n for n in raw.files if f"Table with name {n} does not exist" in text), "")
    if missing:
        where = raw.folder / raw.patterns.get(missing, missing)
        hint = f"land the data first: {raw.land}" if raw.land else "land the data first"
        return TableError(
            f"{sql_file} reads {missing}, and there is no {where}", path=raw.folder, hint=hint
        )
    return engine_error(exc, sql, sql_file)


def engine_error(exc: duckdb.Error, sql: str, sql_file: Path) -> TableError:
    """What the engine says of a SELECT: the line, and what it suggests as the hint."""
    text = str(exc)
    match = _LINE.search(text)
    line = min(int(match.group(1)), len(sql.splitlines())) if match else None
    suggestion = next(
        (part for part in text.splitlines() if part.startswith(("Did you mean", "Candidate"))), ""
    )
    return TableError(
        f"{sql_file}{f':{line}' if line else ''}: {text.splitlines()[0]}",
        path=sql_file,
        line=line,
        hint=suggestion or "correct the SQL, then run it again",
    )


def _check(table: pa.Table, sql_file: Path) -> None:
    """Refuse rows that a point-in-time join can't use: no event time, a null or a repeated key."""
    if "event_timestamp" not in table.column_names:
        hint = "select the time when the row could be known as event_timestamp"
        raise TableError(f"{sql_file} gives no column event_timestamp", path=sql_file, hint=hint)
    stamp = table.schema.field("event_timestamp").type
    if stamp != pa.timestamp("us", tz="UTC"):
        raise TableError(
            f"{sql_file}: event_timestamp is {stamp}, not timestamp[us, tz=UTC]",
            path=sql_file,
            hint="select a TIMESTAMPTZ",
        )
    keys = table.column_names[: table.column_names.index("event_timestamp") + 1]
    if len(keys) == 1:
        hint = "select the join keys first, then event_timestamp, then the values"
        raise TableError(
            f"{sql_file} gives no join key before event_timestamp", path=sql_file, hint=hint
        )
    for name in keys:
        if table[name].null_count:
            raise TableError(
                f"{sql_file}: {table[name].null_count} rows have a null {name}",
                path=sql_file,
                hint="leave rows without a key or an event time out (WHERE ... IS NOT NULL)",
            )
    if _ascending(table, keys):
        return
    repeated = table.num_rows - table.select(keys).group_by(keys).aggregate([]).num_rows
    if repeated:
        raise TableError(
            f"{sql_file}: a key and event_timestamp come again in {number_of(repeated, 'row')} ({', '.join(keys)})",
            path=sql_file,
            hint="give one row per key and event time",
        )
    order = [(name, "ascending") for name in keys]
    if not table.select(keys).equals(table.select(keys).sort_by(order)):
        raise TableError(
            f"{sql_file}: rows are not sorted by {', '.join(keys)}",
            path=sql_file,
            hint=f"end the SQL on ORDER BY {', '.join(keys)}",
        )


def _ascending(table: pa.Table, keys: Sequence[str]) -> bool:
    """Whether each row's keys come after those of the row before: in order, and none twice.

    One pass, where sorting to see what is wrong takes many; of keys that do not compare it is not
    said.
    """
    if table.num_rows < 2:
        return True
    less, same = pa.scalar(False), pa.scalar(True)
    try:
        for name in keys:
            before, after = table[name].slice(0, table.num_rows - 1), table[name].slice(1)
            less = pc.or_(less, pc.and_(same, pc.less(before, after)))
            same = pc.and_(same, pc.equal(before, after))
    except pa.ArrowNotImplementedError:
        return False
    return bool(pc.all(less).as_py())
