"""The point-in-time join: for each row of a spine, the newest feature values known at its time.

Each view is joined by one ASOF JOIN that carries no more than a row number, the keys and the time on the left, and
only the needed columns on the right. The order key of the right side is (time, created time, place in the file),
so that ties are decided in the join itself, and the same way each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from furrow.stores.engine import identifier
from furrow.stores.ticks import NS, US, between, source_ticks, spine_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from furrow.stores.sources import Source
    from furrow.stores.spine import Spine

__all__ = ["Feature", "Key", "View", "join", "view_query"]

_TOP = "9223372036854775807::BIGINT"
_BOTTOM = "(-9223372036854775807)::BIGINT"


@dataclass(frozen=True)
class Key:
    """A column of the source and the column of the spine that it must equal."""

    column: str
    spine: str


@dataclass(frozen=True)
class Feature:
    """A column of the source and its name in the result."""

    column: str
    output: str


@dataclass(frozen=True)
class View:
    """One feature view as the join sees it.

    Args:
        name: For messages.
        source: Where its rows are.
        keys: What to join on; none: one row for all.
        features: What to bring.
        timestamp: The column of the event time.
        created: The column of the created time, which decides ties; None: the later row of the file wins.
        ttl: How old a value may be; None or zero: any age.
    """

    name: str
    source: Source
    keys: tuple[Key, ...]
    features: tuple[Feature, ...]
    timestamp: str
    created: str | None = None
    ttl: timedelta | None = None


def join(
    connection: duckdb.DuckDBPyConnection, spine: Spine, views: Sequence[View], *, known_only: bool = False
) -> pa.Table:
    """Join views to a spine in memory.

    Args:
        connection: The engine.
        spine: The rows; they come back unchanged, each once, in their order.
        views: What to join.
        known_only: Count a value only from its created time on, so that backfills can't leak.

    Returns:
        The spine's columns followed by the features, view by view.
    """
    result = spine.table
    for view in views:
        if not view.features:
            continue
        connection.register("spine", spine.narrow([key.spine for key in view.keys]))
        found = connection.sql(view_query(view, spine, known_only=known_only)).to_arrow_table()
        connection.unregister("spine")
        place = np.empty(spine.rows, dtype=np.int64)
        place[found["row"].to_numpy()] = np.arange(spine.rows)
        indices = pa.array(place)
        for feature in view.features:
            result = result.append_column(feature.output, found[feature.output].combine_chunks().take(indices))
    return result


def view_query(view: View, spine: Spine, *, known_only: bool = False, relation: str = "spine") -> str:
    """The SQL that finds a view's values for each spine row.

    Args:
        view: The view.
        spine: The rows, registered as `relation` with the columns row, k0, k1, ... and t.
        known_only: See `join`.
        relation: The name under which the narrow spine is known.

    Returns:
        A query whose columns are row and the features, in no particular order.
    """
    unit = NS if NS in (spine.unit, _unit(view)) else US
    right = _right(view, spine, unit, known_only=known_only and view.created is not None)
    on = [f"s.k{i} = f.k{i}" for i in range(len(view.keys))]
    filler = ", ".join([_TOP] * (3 if known_only and view.created else 2 if view.created else 1))
    left = ", ".join(["row", *(f"k{i}" for i in range(len(view.keys))), f"{spine_ticks('t', spine.unit, unit)} AS t"])
    on.append("s.o >= f.o")
    values = ", ".join(
        f"{_fresh(view.ttl, unit, f'f.v{i}')} AS {identifier(feature.output)}"
        for i, feature in enumerate(view.features)
    )
    return (
        f"SELECT s.row, {values} FROM (SELECT *, row(t, {filler}) AS o FROM (SELECT {left} FROM {relation})) s "  # noqa: S608 - names are quoted
        f"ASOF LEFT JOIN ({right}) f ON {' AND '.join(on)}"
    )


def _unit(view: View) -> str:
    types = [view.source.schema.field(name).type for name in (view.timestamp, view.created) if name]
    return NS if any(pa.types.is_timestamp(type_) and type_.unit == NS for type_ in types) else US


def _fresh(ttl: timedelta | None, unit: str, value: str) -> str:
    if not ttl:
        return value
    ticks = ttl // timedelta(microseconds=1) * (1000 if unit == NS else 1)
    if ticks > 2**60:
        return f"CASE WHEN f.t::HUGEINT >= s.t::HUGEINT - {ticks}::HUGEINT THEN {value} END"
    return f"CASE WHEN f.t >= s.t - {ticks} THEN {value} END"


def _right(view: View, spine: Spine, unit: str, *, known_only: bool) -> str:
    """The source's rows that could matter, with keys k0.., values v0.., time t and the order key o."""
    schema = view.source.schema
    columns = [f"{identifier(key.column)} AS k{i}" for i, key in enumerate(view.keys)]
    columns += [f"{identifier(feature.column)} AS v{i}" for i, feature in enumerate(view.features)]
    columns.append(f"{source_ticks(view.timestamp, schema.field(view.timestamp).type, unit)} AS t")
    columns.append(f"{view.source.ordinal} AS n")
    where = [f"{identifier(view.timestamp)} IS NOT NULL", *_window(view, spine)]
    where += [f"{identifier(key.column)} IS NOT NULL" for key in view.keys]
    if view.created is not None:
        created = source_ticks(view.created, schema.field(view.created).type, unit)
        columns.append(f"coalesce({created}, {_BOTTOM}) AS c")
        if known_only:
            where.append(f"{identifier(view.created)} IS NOT NULL")
    rows = f"SELECT {', '.join(columns)} FROM {view.source.relation} WHERE {' AND '.join(where)}"  # noqa: S608 - quoted
    if known_only:
        return _known(rows, len(view.keys))
    order = "row(t, c, n)" if view.created is not None else "row(t, n)"
    return f"SELECT *, {order} AS o FROM ({rows})"  # noqa: S608 - quoted


def _known(rows: str, keys: int) -> str:
    """The log of the newest known row: those rows that, once visible, are newer than all visible before."""
    partition = f"PARTITION BY {', '.join(f'k{i}' for i in range(keys))} " if keys else ""
    window = f"({partition}ORDER BY seen, t, c, n ROWS UNBOUNDED PRECEDING)"
    return (
        f"SELECT *, row(seen, t, c, n) AS o FROM (SELECT *, greatest(t, c) AS seen FROM ({rows})) "  # noqa: S608 - quoted
        f"QUALIFY row(t, c, n) = max(row(t, c, n)) OVER {window}"
    )


def _window(view: View, spine: Spine) -> list[str]:
    """Conditions on the raw time column that let Parquet skip row groups; the join itself is exact."""
    if spine.first is None or spine.last is None:
        return []
    low = spine.first - view.ttl // timedelta(microseconds=1) - 1 if view.ttl else None
    return between(view.timestamp, view.source.schema.field(view.timestamp).type, low, spine.last + 1)
