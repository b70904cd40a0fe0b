"""The point-in-time join and the feature tables' SQL in Spark's dialect.

Spark has no ASOF JOIN: the spine and the feature rows are put into one relation, and the last feature row before each
spine row, in the order (time, created time, file, row), is what a window carries forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import sqlglot

from furrow.stores.timestamps import LIMIT, NS, US

if TYPE_CHECKING:
    from datetime import timedelta

    from furrow.stores.view import View

__all__ = ["BOTTOM", "spark_ticks", "to_spark", "view_sql"]

BOTTOM = "-9223372036854775807L"


def to_spark(sql: str) -> str:
    """A feature table's SQL, written for DuckDB, in Spark's dialect."""
    return str(sqlglot.transpile(sql, read="duckdb", write="spark")[0])


def view_sql(view: View, unit: str, spine_unit: str, *, rows: str, spine: str, known_only: bool) -> str:
    """The SQL that finds a view's values for each spine row.

    Args:
        view: The view.
        unit: The unit to compare times in.
        spine_unit: The unit of the spine's t.
        rows: The relation of the source's rows, with Spark's column _metadata.
        spine: The relation of the spine: row, k0, k1, ..., t.
        known_only: Count a value only from its created time on.

    Returns:
        A query whose columns are row, v0, v1, ...
    """
    keys = [f"k{i}" for i in range(len(view.keys))]
    values = [f"v{i}" for i in range(len(view.features))]
    known_only = known_only and view.created is not None
    held = ", ".join([*keys, "seen", "0 AS side", "t", "c", "file", "place", "CAST(NULL AS BIGINT) AS row"])
    payload = ", ".join(f"'{name}', {name}" for name in ["t", *values])
    at = _convert("t", spine_unit, unit)
    empty = "CAST(NULL AS BIGINT) AS {}"
    asked = ", ".join(
        [*keys, f"{at} AS seen", "1 AS side", f"{at} AS t", empty.format("c"), "CAST(NULL AS STRING) AS file"]
    )
    order = "seen, side, t, c, file, place"
    carried = f"last_value(version) IGNORE NULLS OVER ({_partition(keys)}ORDER BY {order} ROWS UNBOUNDED PRECEDING)"
    chosen = ", ".join(f"{_fresh(view.ttl, unit, name)} AS {name}" for name in values)
    features = _features(view, unit, rows, known_only=known_only)
    return (
        f"WITH features AS ({features}), both AS ("  # noqa: S608 - names are quoted
        f"SELECT {held}, named_struct({payload}) AS version FROM features UNION ALL "
        f"SELECT {asked}, CAST(NULL AS BIGINT) AS place, row, NULL AS version FROM {spine}), "
        f"carried AS (SELECT row, side, t, {carried} AS version FROM both) "
        f"SELECT row, {chosen} FROM carried WHERE side = 1"
    )


def spark_ticks(column: str, type_: pa.DataType, unit: str) -> str:
    """Spark SQL for a source's time column as a BIGINT; nanoseconds are read as whole numbers."""
    name = _quoted(column)
    if pa.types.is_timestamp(type_) and type_.unit == NS:
        return name if unit == NS else f"floor({name} / 1000)"
    return _convert(f"unix_micros(CAST({name} AS TIMESTAMP))", US, unit)


def _features(view: View, unit: str, rows: str, *, known_only: bool) -> str:
    columns = [f"{_quoted(key.column)} AS k{i}" for i, key in enumerate(view.keys)]
    columns += [f"{_quoted(feature.column)} AS v{i}" for i, feature in enumerate(view.features)]
    columns.append(f"{spark_ticks(view.timestamp, view.type_of(view.timestamp), unit)} AS t")
    created = spark_ticks(view.created, view.type_of(view.created), unit) if view.created else "NULL"
    columns.append(f"coalesce({created}, {BOTTOM}) AS c")
    columns += ["_metadata.file_path AS file", "_metadata.row_index AS place"]
    where = [f"{_quoted(view.timestamp)} IS NOT NULL"]
    where += [f"{_quoted(key.column)} IS NOT NULL" for key in view.keys]
    if known_only and view.created:
        where.append(f"{_quoted(view.created)} IS NOT NULL")
    found = f"SELECT {', '.join(columns)} FROM {rows} WHERE {' AND '.join(where)}"  # noqa: S608 - names are quoted
    if not known_only:
        return f"SELECT *, t AS seen FROM ({found})"  # noqa: S608 - names are quoted
    version = "struct(t, c, file, place)"
    partition = _partition([f"k{i}" for i in range(len(view.keys))])
    newest = f"max({version}) OVER ({partition}ORDER BY seen, t, c, file, place ROWS UNBOUNDED PRECEDING)"
    seen = f"SELECT *, greatest(t, c) AS seen FROM ({found})"  # noqa: S608 - names are quoted
    return f"SELECT * FROM (SELECT *, {newest} AS newest FROM ({seen})) WHERE {version} = newest"  # noqa: S608 - names are quoted


def _partition(keys: list[str]) -> str:
    return f"PARTITION BY {', '.join(keys)} " if keys else ""


def _convert(expression: str, held: str, unit: str) -> str:
    if held == unit:
        return expression
    return f"(least(greatest({expression}, {-LIMIT}L), {LIMIT}L) * 1000)"


def _fresh(ttl: timedelta | None, unit: str, name: str) -> str:
    if not ttl:
        return f"version.{name}"
    micros = ttl.days * 86_400_000_000 + ttl.seconds * 1_000_000 + ttl.microseconds
    ticks = f"CAST({micros * (1000 if unit == NS else 1)} AS DECIMAL(38, 0))"
    return f"CASE WHEN version.t >= CAST(t AS DECIMAL(38, 0)) - {ticks} THEN version.{name} END"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
