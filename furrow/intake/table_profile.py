"""What landed tables look like, as far as guesses need it.

Nulls, distinct values, ranges, keys, references.
"""

# ruff: noqa: S608 - names are quoted, and DuckDB reads these files only

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from furrow.intake.quiet_db import quiet_db

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from furrow.intake.landed import Landed

__all__ = [
    "ColumnProfile",
    "Reference",
    "TableProfile",
    "counted",
    "profile_tables",
    "quoted",
    "readable",
    "references",
    "relation",
]

FEW = 300  # different values that are counted exactly
_MISREAD = {
    "alter", "connect_by_root", "current_catalog", "current_date", "current_time", "current_timestamp", "current_user",
    "drop", "force", "grant", "if", "insert", "install", "localtime", "localtimestamp", "partitioned_by", "regexp",
    "revoke", "rlike", "rollback", "session_user", "uncache", "xor",
}  # fmt: skip
"""Words that DuckDB takes for names, and that SQLGlot reads as statements, operators or functions."""

INCLUDED = (
    0.95  # the share of a column's values that a key must hold for the one to refer to the other
)


@dataclass(frozen=True)
class ColumnProfile:
    """A column.

    Attributes:
        name: Its name.
        kind: Its type, as the data contract has it.
        rows: Rows of the table.
        nulls: How many of them hold nothing.
        distinct: How many different values there are: exact up to some thousands, near beyond.
        least: The least value.
        most: The greatest value.
        midnight: Of moments: whether all of them are midnights, that is, dates.
    """

    name: str
    kind: str
    rows: int
    nulls: int
    distinct: int
    least: Any
    most: Any
    midnight: bool = False

    @property
    def held(self) -> int:
        """How many rows hold a value."""
        return self.rows - self.nulls


@dataclass(frozen=True)
class TableProfile:
    """A table.

    Attributes:
        name: Its name.
        path: Its Parquet file.
        rows: How many rows.
        columns: By name, in order.
        keys: Columns that hold a value in each row, and none twice.
    """

    name: str
    path: Path
    rows: int
    columns: Mapping[str, ColumnProfile]
    keys: tuple[str, ...]

    @property
    def times(self) -> tuple[str, ...]:
        """Columns of moments, the fullest first."""
        held = [
            column for column in self.columns.values() if column.kind == "timestamp" and column.held
        ]
        return tuple(column.name for column in sorted(held, key=lambda column: column.nulls))


@dataclass(frozen=True)
class Reference:
    """A column whose values are found in the key of another table.

    `missing` is the share of rows whose are not.
    """

    table: str
    column: str
    to: str
    key: str
    missing: float = field(default=0.0, compare=False)


def profile_tables(landed: Sequence[Landed], *, timezone: str = "UTC") -> dict[str, TableProfile]:
    """Profile tables.

    Args:
        landed: What was landed.
        timezone: On whose clocks a moment is a midnight.

    Returns:
        By name, in the order given.
    """
    with quiet_db() as db:
        return {one.name: _profile(db, one, timezone) for one in landed}


def counted(table: TableProfile, column: str) -> TableProfile:
    """A table's profile with a first column that counts its rows."""
    count = ColumnProfile(column, "int64", table.rows, 0, table.rows, 1, table.rows)
    return replace(table, columns={column: count, **table.columns}, keys=(column, *table.keys))


def relation(path: Path) -> str:
    """SQL for a landed table."""
    return f"read_parquet('{os.fspath(path).replace(chr(39), chr(39) * 2)}')"


def quoted(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def readable(name: str) -> str:
    """A name as a person writes it in SQL: with quotes only where it needs them."""
    word = re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None
    plain = word and name not in _MISREAD and name not in _keywords()
    return name if plain else quoted(name)


@cache
def _keywords() -> frozenset[str]:
    with quiet_db() as db:
        rows = db.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        ).fetchall()
    return frozenset(word for (word,) in rows)


def _profile(db: duckdb.DuckDBPyConnection, one: Landed, timezone: str) -> TableProfile:
    columns: dict[str, ColumnProfile] = {}
    names = list(one.columns)
    for part in _parts(names, 100):
        asked = []
        for name in part:
            column = quoted(name)
            local = f"timezone('{timezone}', {column})"
            midnight = f"count(*) FILTER ({local} <> date_trunc('day', {local}))"
            asked += [
                f"count({column})",
                f"approx_count_distinct({column})",
                f"min({column})",
                f"max({column})",
            ]
            asked.append(midnight if one.columns[name] == "timestamp" else "1")
        row = db.execute(f"SELECT {', '.join(asked)} FROM {relation(one.path)}").fetchall()[0]
        for at, name in enumerate(part):
            held, distinct, least, most, off = row[5 * at : 5 * at + 5]
            kind = one.columns[name]
            columns[name] = ColumnProfile(
                name, kind, one.rows, one.rows - held, distinct, least, most, off == 0
            )
        few = [name for name in part if columns[name].distinct <= FEW]
        if few:
            counts = ", ".join(f"count(DISTINCT {quoted(name)})" for name in few)
            exact = db.execute(f"SELECT {counts} FROM {relation(one.path)}").fetchall()[0]
            columns |= {
                name: replace(columns[name], distinct=count)
                for name, count in zip(few, exact, strict=True)
            }
    keys = [
        name for name, column in columns.items() if _may_be_key(column) and _unique(db, one, column)
    ]
    return TableProfile(one.name, one.path, one.rows, columns, tuple(keys))


def _parts(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _may_be_key(column: ColumnProfile) -> bool:
    """Whether it is worth while to count exactly."""
    whole = column.kind in {"string", "int64", "int32"}
    return whole and column.rows > 0 and not column.nulls and column.distinct >= 0.8 * column.rows


def _unique(db: duckdb.DuckDBPyConnection, one: Landed, column: ColumnProfile) -> bool:
    if column.distinct <= FEW:  # counted exactly before
        return column.distinct == one.rows
    count = f"SELECT count(DISTINCT {quoted(column.name)}) FROM {relation(one.path)}"
    return bool(db.execute(count).fetchall()[0][0] == one.rows)


def references(tables: Mapping[str, TableProfile]) -> list[Reference]:
    """Which columns refer to which tables' keys.

    By name (`customer_id`, `customer`), and by their values.

    Returns:
        The references; of several keys that a column might refer to, the one with the nearest name.
    """
    found = []
    with quiet_db() as db:
        for child in tables.values():
            for column in child.columns.values():
                parents = [
                    (parent, key)
                    for parent in tables.values()
                    for key in parent.keys
                    if parent.name != child.name and _alike(column, parent, key)
                ]
                parents.sort(key=lambda pair: (pair[1] != column.name, pair[0].rows))
                for parent, key in parents:
                    missing = _missing(db, child, column.name, parent, key)
                    if missing is not None:
                        found.append(Reference(child.name, column.name, parent.name, key, missing))
                        break
    return found


def _alike(column: ColumnProfile, parent: TableProfile, key: str) -> bool:
    """Whether a column may refer to a key: of its type, and of its name or the table's."""
    if (
        column.kind != parent.columns[key].kind
        or column.kind not in {"string", "int64", "int32"}
        or not column.held
    ):
        return False
    if column.name == key:
        return True
    stem = (
        column.name.removesuffix("_id")
        .removesuffix("_key")
        .removesuffix("_no")
        .removesuffix("_number")
    )
    single = parent.name.removesuffix("s")
    return key in {"id", "key", "code", "number", f"{stem}_id", stem} and stem in {
        single,
        parent.name,
    }


def _missing(
    db: duckdb.DuckDBPyConnection, child: TableProfile, column: str, parent: TableProfile, key: str
) -> float | None:
    """The share of rows whose value is not among the keys; None where too few of the values are."""
    rows = (
        f"SELECT {quoted(column)}, count(*) FROM {relation(child.path)} WHERE {quoted(column)} IS"
        f" NOT NULL GROUP BY {quoted(column)}"
    )
    there = f"held.v IN (SELECT {quoted(key)} FROM {relation(parent.path)})"
    share = (
        f"SELECT count(*), count(*) FILTER ({there}), sum(n), sum(n) FILTER (NOT {there}) FROM"
        f" ({rows}) AS held(v, n)"
    )
    ((values, included, held, lost),) = db.execute(share).fetchall()
    return float(lost or 0) / float(held) if values and included >= INCLUDED * values else None
