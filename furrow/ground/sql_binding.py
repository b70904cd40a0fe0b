"""Whether SQL can run at all: its names and types against tables that hold no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.tables import engine_error, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["bind"]

_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "timestamp": "TIMESTAMPTZ",
    "bool": "BOOLEAN",
}


def bind(
    files: Iterable[Path], columns: Mapping[str, Mapping[str, str]]
) -> dict[Path, tuple[str, ...]]:
    """Bind each file's SELECT to empty tables, as DuckDB does before it runs one.

    Args:
        files: SQL files, one SELECT each.
        columns: Columns and their types, as a data contract writes them, by raw table.

    Returns:
        The columns that each SELECT gives, in its order, by file.

    Raises:
        TableError: A SELECT names a column or a function that is not there, or gives a function
            types that it does not take; with the file's line where the engine says it.
    """
    import duckdb  # noqa: PLC0415 - for who compiles something that changed

    connection = open_engine(threads=1)
    given = {}
    try:
        connection.execute("SET enable_external_access = false")
        for table, declared in columns.items():
            parts = ", ".join(f"{_quoted(name)} {_TYPES[kind]}" for name, kind in declared.items())
            connection.execute(f"CREATE TABLE {_quoted(table)} ({parts})")
        for path in files:
            sql = path.read_text(encoding="utf-8")
            try:
                connection.execute(f"EXPLAIN {sql}")
                told = connection.execute(f"DESCRIBE {sql}").fetchall()
            except duckdb.Error as exc:
                raise engine_error(exc, sql, path) from exc
            given[path] = tuple(str(row[0]) for row in told)
    finally:
        connection.close()
    return given


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
