"""The point-in-time join and the feature tables' SQL in Spark's dialect.

Spark has no ASOF JOIN: the spine and the feature rows are put into one relation, and the last
feature row before each spine row, in the order (time, created time, place), is what a window
carries forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import sqlglot

from furrow.stores.joined_columns import travelling
from furrow.stores.source_rows import ORDINAL
from furrow.stores.timestamps import LIMIT, MOMENT, NS, US

if TYPE_CHECKING:
    from datetime import timedelta

    from furrow.stores.view import View

__all__ = ["BOTTOM", "spark_holds", "to_spark", "view_sql"]

BOTTOM = "-9223372036854775807L"


def to_spark(sql: str) -> str:
    """A feature table's SQL, written for DuckDB, in Spark's dialect."""
    return str(sqlglot.transpile(sql, read="duckdb", write="spark")[0])


def view_sql(
    view: View, unit: str, spine_unit: str, *, rows: str, spine: str, known_only: bool
) -> str:
    """The SQL that finds a view's values for each spine row.

    Args:
        view: The view.
        unit: The unit to compare times in.
        spine_unit: The unit of the spine's t.
        rows: The relation of the source's rows: c0, c1, ... as `carried` gives them, times as
            ticks, and n, the place.
        spine: The relation of the spine: row, k0, k1, ..., t.
        known_only: Count a value only from its created time on.

    Returns:
        A query whose columns are row, v0, v1, ... and n.
    """
    keys = [f"k{i}" for i in range(len(view.keys))]
    values = [*(f"v{i}" for i in range(len(travelling(view, spark_holds)))), ORDINAL]
    known_only = known_only and view.created is not None
    held = ", ".join(
        [*keys, "seen", "0 AS side", "t", "c", f"{ORDINAL} AS place", "CAST(NULL AS BIGINT) AS row"]
    )
    payload = ", ".join(f"'{name}', {name}" for name in ["t", *values])
    at = _convert("t", spine_unit, unit)
    empty = "CAST(NULL AS BIGINT) AS {}"
    asked = ", ".join(
        [
            *keys,
            f"{at} AS seen",
            "1 AS side",
            f"{at} AS t",
            empty.format("c"),
            empty.format("place"),
        ]
    )
    order = "seen, side, t, c, place"
    carried = (
        f"last_value(version) IGNORE NULLS OVER ({_partition(keys)}ORDER BY {order} ROWS UNBOUNDED"
        " PRECEDING)"
    )
    chosen = ", ".join(f"{_fresh(view.ttl, unit, name)} AS {name}" for name in values)
    features = _features(view, rows, values, known_only=known_only)
    return (
        f"WITH features AS ({features}), both AS ("  # noqa: S608 - names are our own
        f"SELECT {held}, named_struct({payload}) AS version FROM features UNION ALL "
        f"SELECT {asked}, row, NULL AS version FROM {spine}), "
        f"carried AS (SELECT row, side, t, {carried} AS version FROM both) "
        f"SELECT row, {chosen} FROM carried WHERE side = 1"
    )


def spark_holds(type_: pa.DataType) -> bool:
    """Whether Spark takes values of an Arrow type and gives them back as they were."""
    is_ = pa.types
    if is_.is_list(type_):
        return spark_holds(type_.value_type)
    if is_.is_timestamp(type_):
        return bool(type_ == MOMENT[US])
    numbers = (
        is_.is_signed_integer(type_)
        or is_.is_float32(type_)
        or is_.is_float64(type_)
        or is_.is_decimal128(type_)
    )
    plain = (
        is_.is_boolean(type_)
        or is_.is_string(type_)
        or is_.is_binary(type_)
        or is_.is_date32(type_)
    )
    return bool(numbers or plain)


def _features(view: View, rows: str, values: list[str], *, known_only: bool) -> str:
    keys = len(view.keys)
    time = keys + len(values) - 1
    columns = [f"c{i} AS k{i}" for i in range(keys)]
    columns += [f"c{i} AS v{i - keys}" for i in range(keys, time)]
    created = f"c{time + 1}" if view.created else "CAST(NULL AS BIGINT)"
    columns += [f"c{time} AS t", f"coalesce({created}, {BOTTOM}) AS c", ORDINAL]
    where = [f"c{i} IS NOT NULL" for i in [time, *range(keys)]]
    if known_only:
        where.append(f"c{time + 1} IS NOT NULL")
    # names are our own
    found = f"SELECT {', '.join(columns)} FROM {rows} WHERE {' AND '.join(where)}"  # noqa: S608
    if not known_only:
        return f"SELECT *, t AS seen FROM ({found})"  # noqa: S608 - names are our own
    version = f"struct(t, c, {ORDINAL})"
    partition = _partition([f"k{i}" for i in range(keys)])
    newest = (
        f"max({version}) OVER ({partition}ORDER BY seen, t, c, {ORDINAL} ROWS UNBOUNDED PRECEDING)"
    )
    seen = f"SELECT *, greatest(t, c) AS seen FROM ({found})"  # noqa: S608 - names are our own
    return f"SELECT * FROM (SELECT *, {newest} AS newest FROM ({seen})) WHERE {version} = newest"  # noqa: S608


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
