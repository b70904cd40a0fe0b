"""The point-in-time join: for each row of a spine, the newest feature values known at its time.

Each view is joined by one ASOF JOIN that carries no more than a row number, the keys and the time
on the left, and only the needed columns and rows on the right. The order key of the right side is
(time, created time, place in the files), so that ties are decided in the join itself, and the same
way each time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from furrow.stores.joined_columns import carried, feature_columns, travelling
from furrow.stores.relation import holds, make_relation
from furrow.stores.source_rows import ORDINAL
from furrow.stores.timestamps import NS, US, between, source_ticks, spine_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb

    from furrow.stores.spine import Spine
    from furrow.stores.view import View

__all__ = ["join", "joiner", "time_unit", "view_query"]

_TOP = "9223372036854775807"
_SHIFT = "9223372036854775808::HUGEINT"  # 2 ** 63: the place in the files stands below the time
_LARGE = 2**60
# a spine of so many times fewer rows can't hold all keys: the others are dropped before the sort
_SPARSE = 40


def join(
    connection: duckdb.DuckDBPyConnection,
    spine: Spine,
    views: Sequence[View],
    *,
    known_only: bool = False,
) -> pa.Table:
    """Join views to a spine in memory.

    Args:
        connection: The engine.
        spine: The rows; they come back unchanged, each once, in their order.
        views: What to join.
        known_only: Count a value only from its created time on, so that backfills can't leak.

    Returns:
        The spine's columns followed by the features, view by view.

    Raises:
        SourceError: A source can't be read, or a value can't be taken for its declared type.
    """
    columns = [*spine.table.columns]
    names = [*spine.table.column_names]
    for view in _prepared(connection, views):
        if not view.features:
            continue
        connection.register("spine", spine.narrow(view))
        found = connection.sql(view_query(view, spine, known_only=known_only)).to_arrow_table()
        connection.unregister("spine")
        columns += feature_columns(view, found, spine.rows, holds)
        names += [feature.output for feature in view.features]
    return pa.table(columns, names=names).replace_schema_metadata(spine.table.schema.metadata)


def joiner(
    connection: duckdb.DuckDBPyConnection, views: Sequence[View], *, known_only: bool
) -> Callable[[Spine], pa.Table]:
    """`join` for who has several spines: the views' rows are made ready once.

    Raises:
        SourceError: A source can't be read, or a value can't be taken for its declared type.
    """
    ready = _prepared(connection, views)
    return lambda spine: join(connection, spine, ready, known_only=known_only)


def _prepared(connection: duckdb.DuckDBPyConnection, views: Sequence[View]) -> list[View]:
    """The views with their rows ready to query."""
    ready = []
    for number, view in enumerate(views):
        relation = view.relation or make_relation(
            connection, view.source, carried(view, holds), f"rows_{number}"
        )
        ready.append(replace(view, relation=relation))
    return ready


def view_query(view: View, spine: Spine, *, known_only: bool = False) -> str:
    """The SQL that finds a view's values for each row of the relation `spine` (row, k0, k1, ..., t).

    Args:
        view: The view.
        spine: The rows.
        known_only: See `join`.

    Returns:
        A query whose columns are row, v0, v1, ... and n, the place of the row found; rows in no
        particular order.
    """
    assert view.relation is not None
    known_only = known_only and view.created is not None
    unit = time_unit(view, spine)
    keys = [f"k{i}" for i in range(len(view.keys))]
    shorts = view.relation.short[: len(keys)]
    lefts = [
        f"TRY_CAST({key} AS INTEGER) AS {key}" if short else key
        for key, short in zip(keys, shorts, strict=True)
    ]
    left = ", ".join(["row", *lefts, f"{spine_ticks('t', spine.unit, unit)} AS t"])
    if known_only:
        reach = f"row(t, {_TOP}, {_TOP}, {_TOP})"
    elif view.created is not None:
        reach = f"row(t, {_TOP}, {_TOP})"
    else:
        reach = f"t::HUGEINT * {_SHIFT} + {_TOP}::HUGEINT"
    values = [f"v{number}" for number in range(len(travelling(view, holds)))]
    chosen = ", ".join(
        f"{_fresh(view.ttl, unit, f'f.{name}')} AS {name}" for name in [*values, ORDINAL]
    )
    on = " AND ".join([*(f"s.{key} = f.{key}" for key in keys), "s.o >= f.o"])
    return (
        f"SELECT s.row, {chosen} FROM (SELECT *, {reach} AS o FROM (SELECT {left} FROM spine)) s "  # noqa: S608
        f"ASOF LEFT JOIN ({_right(view, spine, unit, known_only=known_only)}) f ON {on}"
    )


def time_unit(view: View, spine: Spine) -> str:
    """The unit to compare times in: nanoseconds only where the view or the spine has them."""
    nanos = spine.unit == NS or any(type_.unit == NS for type_ in view.types[view.time_place :])
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
    """The source's rows that could matter, with keys k0.., values v0.., time t, place n and the order key o."""
    assert view.relation is not None
    keys = len(view.keys)
    time = keys + len(travelling(view, holds))
    types = view.relation.types
    shorts = view.relation.short
    columns = [f"c{i}{'::INTEGER' if shorts[i] else ''} AS k{i}" for i in range(keys)]
    columns += [f"c{i} AS v{i - keys}" for i in range(keys, time)]
    columns += [f"{source_ticks(f'c{time}', types[time], unit)} AS t", ORDINAL]
    where = [f"c{time} IS NOT NULL", *_window(view, f"c{time}", types[time], spine)]
    where += [f"c{i} IS NOT NULL" for i in range(keys)]
    if view.created is not None:
        columns.append(
            f"coalesce({source_ticks(f'c{time + 1}', types[time + 1], unit)}, -{_TOP}) AS c"
        )
        if known_only:
            where.append(f"c{time + 1} IS NOT NULL")
    rows = f"SELECT {', '.join(columns)} FROM {view.relation.sql} WHERE {' AND '.join(where)}"  # noqa: S608 - quoted
    if view.keys and spine.rows * _SPARSE <= view.relation.rows:
        same = " AND ".join(f"r.k{i} = p.k{i}" for i in range(keys))
        rows = f"SELECT r.* FROM ({rows}) r SEMI JOIN spine p ON {same}"  # noqa: S608 - quoted
    if known_only:
        return _known(rows, keys)
    order = "row(t, c, n)" if view.created is not None else f"t::HUGEINT * {_SHIFT} + n::HUGEINT"
    return f"SELECT *, {order} AS o FROM ({rows})"  # noqa: S608 - quoted


def _known(rows: str, keys: int) -> str:
    """The log of the newest known row.

    Those rows that, once visible, are newer than all visible before.
    """
    partition = f"PARTITION BY {', '.join(f'k{i}' for i in range(keys))} " if keys else ""
    window = f"({partition}ORDER BY seen, t, c, n ROWS UNBOUNDED PRECEDING)"
    seen = f"SELECT *, greatest(t, c) AS seen, row(t, c, n) AS version FROM ({rows})"  # noqa: S608 - quoted
    newest = f"SELECT *, max(version) OVER {window} AS newest FROM ({seen})"  # noqa: S608 - quoted
    return f"SELECT *, row(seen, t, c, n) AS o FROM ({newest}) WHERE version = newest"  # noqa: S608 - quoted


def _window(view: View, column: str, type_: pa.DataType, spine: Spine) -> list[str]:
    """Conditions on the raw time column that let Parquet skip row groups.

    The join itself is exact.
    """
    if spine.first is None or spine.last is None:
        return []
    low = spine.first - view.ttl // timedelta(microseconds=1) - 1 if view.ttl else None
    return between(column, type_, low, spine.last + 1)
