"""The point-in-time join: for each row of a spine, the newest feature values known at its time.

Each view is joined by one ASOF JOIN that carries no more than a row number, the keys and the time on the left, and
only the needed columns and rows on the right. The order key of the right side is (time, created time, place in the
files), so that ties are decided in the join itself, and the same way each time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from furrow.stores.engine import identifier
from furrow.stores.sources import local
from furrow.stores.timestamps import NS, US, between, source_ticks, spine_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from furrow.stores.spine import Spine
    from furrow.stores.view import View

__all__ = ["join", "localized", "time_unit", "view_query"]

_TOP = "9223372036854775807"
_SHIFT = "9223372036854775808::HUGEINT"  # 2 ** 63: the place in the files stands below the time
_LARGE = 2**60
_SPARSE = 40  # a spine of so many times fewer rows can't hold all keys: the others are dropped before the sort


def join(
    connection: duckdb.DuckDBPyConnection, spine: Spine, views: Sequence[View], *, known_only: bool = False
) -> pa.Table:
    """Join views to a spine in memory.

    Args:
        connection: The engine.
        spine: The rows; they come back unchanged, each once, in their order.
        views: What to join, of local sources.
        known_only: Count a value only from its created time on, so that backfills can't leak.

    Returns:
        The spine's columns followed by the features, view by view.
    """
    columns = dict(zip(spine.table.column_names, spine.table.columns, strict=True))
    for view in views:
        if not view.features:
            continue
        connection.register("spine", spine.narrow(view))
        found = connection.sql(view_query(view, spine, known_only=known_only)).to_arrow_table()
        connection.unregister("spine")
        place = np.empty(spine.rows, dtype=np.int64)
        place[found["row"].to_numpy()] = np.arange(spine.rows)
        indices = pa.array(place)
        for feature in view.features:
            columns[feature.output] = found[feature.output].take(indices)
    return pa.table(columns).replace_schema_metadata(spine.table.schema.metadata)


def localized(connection: duckdb.DuckDBPyConnection, views: Sequence[View]) -> list[View]:
    """The views with their remote sources copied here, the needed columns alone.

    Raises:
        SourceError: The storage failed.
    """
    return [
        replace(view, source=local(connection, view.source, view.columns, f"remote_{i}"))
        for i, view in enumerate(views)
    ]


def view_query(view: View, spine: Spine, *, known_only: bool = False) -> str:
    """The SQL that finds a view's values for each row of the relation `spine` (row, k0, k1, ..., t).

    Args:
        view: The view.
        spine: The rows.
        known_only: See `join`.

    Returns:
        A query whose columns are row and the features, in no particular order.
    """
    known_only = known_only and view.created is not None
    unit = time_unit(view, spine)
    keys = [f"k{i}" for i in range(len(view.keys))]
    shorts = _short_keys(view)
    lefts = [f"TRY_CAST({key} AS INTEGER) AS {key}" if short else key for key, short in zip(keys, shorts, strict=True)]
    left = ", ".join(["row", *lefts, f"{spine_ticks('t', spine.unit, unit)} AS t"])
    if known_only:
        reach = f"row(t, {_TOP}, {_TOP}, {_TOP})"
    elif view.created is not None:
        reach = f"row(t, {_TOP}, {_TOP})"
    else:
        reach = f"t::HUGEINT * {_SHIFT} + {_TOP}::HUGEINT"
    values = ", ".join(
        f"{_fresh(view.ttl, unit, f'f.v{i}')} AS {identifier(feature.output)}"
        for i, feature in enumerate(view.features)
    )
    on = " AND ".join([*(f"s.{key} = f.{key}" for key in keys), "s.o >= f.o"])
    return (
        f"SELECT s.row, {values} FROM (SELECT *, {reach} AS o FROM (SELECT {left} FROM spine)) s "  # noqa: S608 - names are quoted
        f"ASOF LEFT JOIN ({_right(view, spine, unit, known_only=known_only)}) f ON {on}"
    )


def _short_keys(view: View) -> list[bool]:
    """Which keys to compare as 32-bit integers: the sort behind an ASOF JOIN is a quarter faster on shorter keys."""
    return [view.source.fits_int32(key.column) for key in view.keys]


def time_unit(view: View, spine: Spine) -> str:
    """The unit to compare times in: nanoseconds only where the view or the spine has them."""
    types = [view.type_of(name) for name in (view.timestamp, view.created) if name]
    nanos = spine.unit == NS or any(pa.types.is_timestamp(type_) and type_.unit == NS for type_ in types)
    return NS if nanos else US


def _fresh(ttl: timedelta | None, unit: str, value: str) -> str:
    """A value, or null when it is older than the ttl."""
    if not ttl:
        return value
    ticks = ttl // timedelta(microseconds=1) * (1000 if unit == NS else 1)
    if ticks > _LARGE:
        return f"CASE WHEN f.t::HUGEINT >= s.t::HUGEINT - {ticks}::HUGEINT THEN {value} END"
    return f"CASE WHEN f.t >= s.t - {ticks} THEN {value} END"


def _right(view: View, spine: Spine, unit: str, *, known_only: bool) -> str:
    """The source's rows that could matter, with keys k0.., values v0.., time t and the order key o."""
    columns = [
        f"{identifier(key.column)}{'::INTEGER' if short else ''} AS k{i}"
        for i, (key, short) in enumerate(zip(view.keys, _short_keys(view), strict=True))
    ]
    columns += [f"{identifier(feature.column)} AS v{i}" for i, feature in enumerate(view.features)]
    columns.append(f"{source_ticks(view.timestamp, view.type_of(view.timestamp), unit)} AS t")
    columns.append(f"{view.source.ordinal} AS n")
    where = [f"{identifier(view.timestamp)} IS NOT NULL", *_window(view, spine)]
    where += [f"{identifier(key.column)} IS NOT NULL" for key in view.keys]
    if view.created is not None:
        created = source_ticks(view.created, view.type_of(view.created), unit)
        columns.append(f"coalesce({created}, -{_TOP}) AS c")
        if known_only:
            where.append(f"{identifier(view.created)} IS NOT NULL")
    rows = f"SELECT {', '.join(columns)} FROM {view.source.relation} WHERE {' AND '.join(where)}"  # noqa: S608 - quoted
    if view.keys and spine.rows * _SPARSE <= (view.source.rows() or 0):
        same = " AND ".join(f"r.k{i} = p.k{i}" for i in range(len(view.keys)))
        rows = f"SELECT r.* FROM ({rows}) r SEMI JOIN spine p ON {same}"  # noqa: S608 - quoted
    if known_only:
        return _known(rows, len(view.keys))
    order = "row(t, c, n)" if view.created is not None else f"t::HUGEINT * {_SHIFT} + n::HUGEINT"
    return f"SELECT *, {order} AS o FROM ({rows})"  # noqa: S608 - quoted


def _known(rows: str, keys: int) -> str:
    """The log of the newest known row: those rows that, once visible, are newer than all visible before."""
    partition = f"PARTITION BY {', '.join(f'k{i}' for i in range(keys))} " if keys else ""
    window = f"({partition}ORDER BY seen, t, c, n ROWS UNBOUNDED PRECEDING)"
    seen = f"SELECT *, greatest(t, c) AS seen, row(t, c, n) AS version FROM ({rows})"  # noqa: S608 - quoted
    newest = f"SELECT *, max(version) OVER {window} AS newest FROM ({seen})"  # noqa: S608 - quoted
    return f"SELECT *, row(seen, t, c, n) AS o FROM ({newest}) WHERE version = newest"  # noqa: S608 - quoted


def _window(view: View, spine: Spine) -> list[str]:
    """Conditions on the raw time column that let Parquet skip row groups; the join itself is exact."""
    if spine.first is None or spine.last is None:
        return []
    low = spine.first - view.ttl // timedelta(microseconds=1) - 1 if view.ttl else None
    return between(view.timestamp, view.type_of(view.timestamp), low, spine.last + 1)
