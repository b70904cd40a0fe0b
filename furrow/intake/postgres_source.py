"""Tables of a PostgreSQL server, read through libpq.

With the types that the server declares, and no password kept.
"""

# ruff: noqa: S608 - names are quoted, and come from the server's own catalog

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import MissingExtraError
from furrow.intake.given_error import GivenError
from furrow.intake.postgres_address import host_of, name_parts, plain_or_quoted, quoted_name
from furrow.intake.postgres_bounds import asked_rows, keep_room, login, within
from furrow.intake.typed_table import TypedTable, open_typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["open_postgres", "postgres_tables"]

_LISTING, _COPYING = 60.0, 3600.0
"""Seconds that a server has for its catalog, and for a table."""
_PIECE = 64 << 20
_SAID = 500
_TABLES = """
    SELECT n.nspname, c.relname, pg_table_is_visible(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""
_COLUMNS = """
    SELECT a.attname, coalesce(base.typname, t.typname), coalesce(base.typcategory, t.typcategory),
           CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_type base ON base.oid = t.typbasetype
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_FIND = """
    SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %s AND CASE WHEN %s = '' THEN pg_table_is_visible(c.oid) ELSE n.nspname = %s END
"""
_KEY = """
    SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = %s AND i.indisprimary ORDER BY a.attnum
"""


def postgres_tables(address: str, password: str = "", *, only: str = "") -> list[tuple[str, str]]:
    """The tables and views that may be read: their names, and how SQL tells them from all others.

    Args:
        address: Without a password.
        password: That stood in it; libpq finds one itself (PGPASSWORD, a password file) where
            empty.
        only: A table, or a schema of which all are meant; those on the search path where empty.

    Raises:
        GivenError: The server is not there, does not let this user in, or has no such table.
    """
    with _connected(address, password, _LISTING) as db:
        found = asked_rows(db, _TABLES, [], (str, str, bool))
    held = [
        (name, _known_as(schema, name, visible))
        for schema, name, visible in found
        if (_meant(only, schema, name, visible) if only else visible)
    ]
    if not held:
        schemas = sorted({schema for schema, *_ in found})
        hint = (
            f"put one behind a # at the end: a schema ({', '.join(schemas[:5])}), or SCHEMA.TABLE"
            if schemas
            else "see that the user may read some"
        )
        what = f"no table {only}" if only else "no table on the search path"
        raise GivenError(f"PostgreSQL at {host_of(address)} has {what}", hint=hint)
    return held


@contextmanager
def open_postgres(
    address: str, table: str, *, password: str = "", timezone: str = "UTC"
) -> Iterator[TypedTable]:
    """Open a table: its rows by primary key, or by all columns, as they are in one moment.

    Args:
        address: Without a password.
        table: As `postgres_tables` names it.
        password: That stood in the address.
        timezone: Of moments that name no zone.

    Raises:
        GivenError: The server or the table is not there, or not to be read.
    """
    with tempfile.TemporaryDirectory(prefix="furrow-intake-") as scratch:
        path = Path(scratch) / "rows.csv"
        types, notes = _copy(address, password, table, path)
        with open_typed(path, columns=types, timezone=timezone) as opened:
            said = f"{host_of(address)}/{table}"
            yield replace(opened, path=Path(said), notes=(*opened.notes, *notes))


def _copy(
    address: str, password: str, table: str, path: Path
) -> tuple[list[tuple[str, str]], list[str]]:
    """Write a table's rows as CSV.

    Its columns, with DuckDB's types, and what a person should know.
    """
    schema, name = name_parts(table)
    with _connected(address, password, _COPYING) as db:
        found = asked_rows(db, _FIND, [name, schema, schema], (int, str, str))
        if not found:
            hint = "put what takes its place into pipelines/ingest.py, or see who may read it"
            raise GivenError(f"PostgreSQL at {host_of(address)} has no table {table}", hint=hint)
        oid, *names = found[0]
        columns = [(name, *_typed(kind, group, mod), kind, group)
                   for name, kind, group, mod in asked_rows(db, _COLUMNS, [oid], (str, str, str, int))]  # fmt: skip
        key = [name for (name,) in asked_rows(db, _KEY, [oid], (str,))]
        values = [
            f"{value.format(quoted_name(name))} AS {quoted_name(name)}"
            for name, _, value, *_ in columns
        ]
        order = ", ".join(map(quoted_name, key)) or _all_of(len(values))
        rows = f"SELECT {', '.join(values)} FROM {'.'.join(map(quoted_name, names))}"
        rows += f" ORDER BY {order}"
        written = f"COPY ({rows}) TO STDOUT WITH (FORMAT csv, ENCODING 'UTF8')"
        with path.open("wb") as out, db.cursor() as cursor, cursor.copy(written) as data:
            since = 0
            for piece in data:
                since += out.write(bytes(piece))
                if since > _PIECE:
                    keep_room(db, path, host_of(address))
                    since = 0
    notes = [f"{name}: {kind.removeprefix('_')}{'[]' if group == 'A' else ''} is kept as text"
             for name, _, _, kind, group in columns if group == "A" or kind in _ODD]  # fmt: skip
    return [(name, type_) for name, type_, *_ in columns], notes


_ODD = {"json", "jsonb", "xml", "interval", "time", "timetz", "bytea", "point", "hstore"}
_MOMENT = (  # no infinity
    "CASE WHEN {0} >= '0001-01-01'::date AND {0} < '10000-01-01'::date THEN {0} END"
)
_NUMBER = "CASE WHEN {0}::text NOT IN ('NaN', 'Infinity', '-Infinity') THEN {0} END"


def _typed(kind: str, group: str, mod: int) -> tuple[str, str]:
    """DuckDB's type for a column, and SQL for its value."""
    if kind in {"int2", "int4", "int8"}:
        return "BIGINT", "{0}"
    if kind == "numeric":
        scale, digits = (mod - 4) & 0x7FF, (mod - 4) >> 16
        whole = mod >= 4 and scale == 0 and digits <= 18
        return ("BIGINT", "{0}") if whole else ("DOUBLE", _NUMBER)
    if kind in {"float4", "float8"}:
        return "DOUBLE", _NUMBER
    if kind == "money":
        return "DOUBLE", "{0}::numeric"
    if kind == "bool":
        return "BOOLEAN", "{0}"
    if group == "D" and kind in {"timestamptz", "timestamp", "date"}:
        return {"timestamptz": "TIMESTAMPTZ"}.get(kind, "TIMESTAMP"), _MOMENT
    return "VARCHAR", "{0}::text"


def _all_of(count: int) -> str:
    return ", ".join(str(at + 1) for at in range(count))


@contextmanager
def _connected(address: str, password: str, seconds: float) -> Iterator[Any]:
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtraError("postgres", "reading PostgreSQL") from exc
    options, host = login(address, password, psycopg.pq.version()), host_of(address)
    try:
        with (
            psycopg.connect(address, connect_timeout=10, **options) as db,
            within(db, seconds, host),
        ):
            db.read_only, db.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
            db.execute(
                "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'"
            )
            db.execute(
                "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'"
            )
            yield db
    except (psycopg.Error, ValueError, TypeError, OverflowError) as exc:
        said = " ".join(str(exc).split())[:_SAID]
        hint = "check address and rights; a password is read from PGPASSWORD or a password file"
        if "!password" in said:
            hint = "it asks for the password in clear: if it may, put ?sslmode=require behind the address"
        raise GivenError(f"PostgreSQL at {host}: {said}", hint=hint) from exc


def _meant(only: str, schema: str, name: str, visible: bool) -> bool:
    before, last = name_parts(only)
    return (before, last) in {("", schema), (schema, name)} or (
        visible and not before and last == name
    )


def _known_as(schema: str, name: str, visible: bool) -> str:
    held: Sequence[str] = (name,) if visible else (schema, name)
    return ".".join(map(plain_or_quoted, held))
