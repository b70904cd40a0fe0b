"""What the data look like: columns, values, partitions; the same for the same data."""

# ruff: noqa: S608 - names are quoted, the shares are SQL by design, and DuckDB is shut off from the machine

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from furrow.data.plausible import implausible
from furrow.data.raw_tables import FILE, Raw, read_tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.data.contract import Column, Contract, Table

__all__ = ["ColumnProfile", "Histogram", "Profile", "TableProfile", "profile"]

_BINS, _TOP = 24, 8
_FEW = 40  # a number with no more distinct values than this has its most frequent ones told


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width.

    The first and the last also hold the outermost half per cent of the values.

    Attributes:
        below: How many values lie below `low`: the lower tail.
        above: How many lie above `high`: the upper tail.
    """

    low: str
    high: str
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0


@dataclass(frozen=True)
class ColumnProfile:
    """One column: how full, how varied, how large; `least`, `median` and `most` as text.

    Attributes:
        unit: What it is counted in, as the contract says.
        description: What it is, as the contract says.
        doubted: How many values are hard to believe.
    """

    name: str
    type: str
    nulls: int
    null_share: float
    distinct: int
    least: str
    median: str
    most: str
    top: tuple[tuple[str, float], ...]
    histogram: Histogram | None
    unit: str = ""
    description: str = ""
    doubted: int = 0


@dataclass(frozen=True)
class TableProfile:
    """One table; the figures of partitions are in the order of `partitions`, each a `period`."""

    name: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    period: str | None
    partitions: tuple[str, ...]
    rows_by_partition: tuple[int, ...]
    null_share_by_partition: dict[str, tuple[float, ...]] = field(hash=False)
    share_by_partition: dict[str, tuple[float, ...]] = field(hash=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """All tables, in the contract's order."""

    tables: tuple[TableProfile, ...]

    def to_json(self) -> dict[str, Any]:
        """The profile as values that JSON can hold."""
        return {"format": 3, **asdict(self)}


def profile(data_dir: Path, contract: Contract) -> Profile:
    """Look at every table of a contract.

    What can't be read is left out and told in the table's notes.

    Raises:
        furrow.data.raw_tables.NoDataError: The folder holds none of the contract's files.
    """
    raw = read_tables(data_dir, contract)
    doubts = implausible(raw, contract)
    config = {"enable_external_access": "false", "threads": "2"}
    with duckdb.connect(":memory:", config=config) as db:
        db.execute("SET TimeZone = 'UTC'")
        for name, table in raw.items():
            db.register(name, table.rows)
        return Profile(
            tuple(
                _table(
                    db,
                    name,
                    table,
                    raw[name],
                    {one.column: one.count for one in doubts if one.table == name},
                )
                for name, table in contract.tables.items()
            )
        )


def _table(
    db: duckdb.DuckDBPyConnection, name: str, table: Table, raw: Raw, doubts: Mapping[str, int]
) -> TableProfile:
    columns = [column for column in table.columns if column in raw.good]
    notes = tuple(
        f"{', '.join(v.files)}: {f'{v.column}: ' if v.column else ''}{v.message}"
        for v in raw.violations
    )
    total = raw.rows.num_rows
    seen = (
        tuple(
            replace(
                _column(db, name, column, table.columns[column], total),
                unit=table.columns[column].unit,
                description=table.columns[column].description,
                doubted=doubts.get(column, 0),
            )
            for column in columns
        )
        if total
        else ()
    )
    parts = tuple(sorted(raw.counts)) if table.period else ()
    shares = (
        {label: share.of for label, share in table.by_partition.share.items()}
        if not raw.broken
        else {}
    )
    return TableProfile(
        name,
        total,
        seen,
        table.period,
        parts,
        tuple(raw.counts[part] for part in parts),
        {
            c: _by_file(db, name, f"{_q(c)} IS NULL")
            for c in columns
            if parts and table.columns[c].nullable
        },
        {label: _by_file(db, name, sql) for label, sql in shares.items() if parts},
        notes,
    )


def _by_file(db: duckdb.DuckDBPyConnection, name: str, condition: str) -> tuple[float, ...]:
    """The share of rows that a condition holds for, by file in their order."""
    sql = (
        f"SELECT count(*) FILTER ({condition}) / count(*) FROM {_q(name)} GROUP BY {FILE} ORDER BY"
        f" {FILE}"
    )
    return tuple(float(share) for (share,) in db.execute(sql).fetchall())


def _column(
    db: duckdb.DuckDBPyConnection, name: str, column: str, spec: Column, total: int
) -> ColumnProfile:
    quoted = f"epoch({_q(column)})" if spec.type == "timestamp" else _q(column)
    numeric = spec.type not in {"string", "bool"}
    median = f"quantile_disc({quoted}, 0.5)" if numeric else "NULL"
    ((count, distinct, least, middle, most),) = db.execute(
        f"SELECT count({quoted}), count(DISTINCT {quoted}), min({quoted}), {median}, max({quoted})"
        f" FROM {_q(name)}"
    ).fetchall()
    telling = distinct < count and (
        not numeric or distinct <= _FEW
    )  # values that all differ have none
    top = _top(db, name, column, total, few=not numeric or distinct <= _TOP) if telling else ()
    return ColumnProfile(
        name=column,
        type=spec.type,
        nulls=total - count,
        null_share=(total - count) / total,
        distinct=distinct,
        least=_text(least, spec.type),
        median=_text(middle, spec.type),
        most=_text(most, spec.type),
        top=top,
        histogram=_histogram(db, name, quoted, spec.type) if numeric and count else None,
    )


def _top(
    db: duckdb.DuckDBPyConnection, name: str, column: str, total: int, *, few: bool
) -> tuple[tuple[str, float], ...]:
    """The most frequent values; of many numbers, those that at least one row in two hundred has."""
    rows = db.execute(
        f"SELECT {_q(column)}, count(*) FROM {_q(name)} WHERE {_q(column)} IS NOT NULL "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_TOP}"
    ).fetchall()
    return tuple(
        (_text(value, ""), count / total) for value, count in rows if few or count * 200 >= total
    )


def _histogram(db: duckdb.DuckDBPyConnection, name: str, quoted: str, kind: str) -> Histogram:
    ((low, high),) = db.execute(
        f"SELECT quantile_disc({quoted}, 0.005), quantile_disc({quoted}, 0.995) FROM {_q(name)}"
    ).fetchall()
    width = (float(high) - float(low)) / _BINS or 1.0
    place = f"least({_BINS - 1}, greatest(0, floor(({quoted} - {float(low)}) / {width})))::INTEGER"
    counts = [0] * _BINS
    for bin_, count in db.execute(
        f"SELECT {place}, count(*) FROM {_q(name)} WHERE {quoted} IS NOT NULL GROUP BY 1"
    ).fetchall():
        counts[bin_] = count
    ((below, above),) = db.execute(
        f"SELECT count(*) FILTER ({quoted} < {float(low)}), count(*) FILTER ({quoted} >"
        f" {float(high)}) FROM {_q(name)}"
    ).fetchall()
    return Histogram(_text(low, kind), _text(high, kind), tuple(counts), below, above)


def _text(value: Any, kind: str) -> str:
    """A value as a person reads it; times to the minute."""
    if value is None:
        return ""
    if kind == "timestamp":
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
