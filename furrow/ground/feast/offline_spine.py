"""Entity rows in all the forms that a user may give them, as a checked spine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast.errors import RequestDataNotFoundInEntityDfException

from furrow.stores.engine import identifier
from furrow.stores.keys import compare_as
from furrow.stores.sources import list_files
from furrow.stores.spine import Spine, SpineError, check_times, time_column
from furrow.stores.ticks import between, micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feast.on_demand_feature_view import OnDemandFeatureView

    from furrow.stores.join import View

__all__ = ["check_requests", "load_spine"]


def load_spine(
    connection: duckdb.DuckDBPyConnection,
    entities: Any,
    views: Sequence[View],
    *,
    root: Path,
    start: datetime | None,
    end: datetime | None,
    now: datetime | None,
) -> Spine:
    """Read and check the entity rows.

    Raises:
        SpineError: They have no time, lack a join key, or hold one of the wrong type.
    """
    table = (
        _entities_between(connection, views, start, end)
        if entities is None
        else entity_table(connection, entities, root)
    )
    timestamp = time_column(table.schema)
    spine = Spine(table, timestamp, _key_types(table, views))
    check_times(spine, now=now if entities is not None else None)
    return spine


def entity_table(connection: duckdb.DuckDBPyConnection, entities: Any, root: Path) -> pa.Table:
    """Entity rows as an Arrow table.

    Raises:
        SpineError: They are of no known form, or SQL that fails.
    """
    if isinstance(entities, pd.DataFrame):
        try:
            return pa.Table.from_pandas(entities, preserve_index=False).replace_schema_metadata(None)
        except pa.ArrowException as exc:
            raise SpineError(f"the entity rows hold mixed types: {exc}", hint="give each column one type") from exc
    if isinstance(entities, pa.Table):
        return entities
    if isinstance(entities, pa.RecordBatch):
        return pa.Table.from_batches([entities])
    if isinstance(entities, Path) or (isinstance(entities, str) and _is_path(entities)):
        return pa.concat_tables([pq.read_table(file) for file in list_files(str(entities), root)])
    if isinstance(entities, str):
        try:
            return connection.sql(entities).to_arrow_table()
        except duckdb.Error as exc:
            raise SpineError(f"the SQL of the entity rows failed: {exc}", hint="correct the query") from exc
    kind = type(entities).__name__
    raise SpineError(
        f"entity rows can't be a {kind}", hint="give a pandas or Arrow table, a Parquet path, SQL, or nothing"
    )


def check_requests(spine: Spine, on_demand: Sequence[OnDemandFeatureView]) -> None:
    """See that the entity rows hold what on-demand views take from the request.

    Raises:
        RequestDataNotFoundInEntityDfException: Feast's own error for it.
    """
    for view in on_demand:
        for name in view.get_request_data_schema():
            if name not in spine.table.column_names:
                raise RequestDataNotFoundInEntityDfException(feature_name=name, feature_view_name=view.name)


def _is_path(text: str) -> bool:
    return "\n" not in text and " " not in text.strip() and (text.endswith(".parquet") or "/" in text)


def _key_types(table: pa.Table, views: Sequence[View]) -> dict[str, pa.DataType]:
    found: dict[str, pa.DataType] = {}
    for view in views:
        for key in view.keys:
            if key.spine not in table.column_names:
                there = ", ".join(table.column_names)
                raise SpineError(
                    f"the entity rows have no column {key.spine!r}, the join key of {view.name}; they have: {there}",
                    column=key.spine,
                    hint=f"add {key.spine} to the entity rows",
                )
            type_ = compare_as(table[key.spine], view.source.schema.field(key.column).type, key.spine, view.name)
            if type_ is not None:
                found[key.spine] = type_
    return found


def _entities_between(
    connection: duckdb.DuckDBPyConnection, views: Sequence[View], start: datetime | None, end: datetime | None
) -> pa.Table:
    """The distinct entities that had an event between two moments, at the later one."""
    last = _aware(end) if end is not None else datetime.now(UTC)
    ages = [view.ttl for view in views if view.ttl]
    first = _aware(start) if start is not None else last - max(ages, default=timedelta(days=30))
    names = list(dict.fromkeys(key.spine for view in views for key in view.keys))
    parts = []
    for view in views:
        held = {key.spine: identifier(key.column) for key in view.keys}
        if not held:
            continue
        columns = ", ".join(f"{held.get(name, 'NULL')} AS {identifier(name)}" for name in names)
        type_ = view.source.schema.field(view.timestamp).type
        where = " AND ".join(between(view.timestamp, type_, micros(first), micros(last)))
        parts.append(f"SELECT DISTINCT {columns} FROM {view.source.relation} WHERE {where}")  # noqa: S608 - quoted
    if parts:
        order = ", ".join(map(identifier, names))
        table = connection.sql(f"SELECT * FROM ({' UNION '.join(parts)}) ORDER BY {order}").to_arrow_table()  # noqa: S608
    else:
        table = pa.table({"event_timestamp": pa.nulls(1)}).select([])
    rows = table.num_rows if parts else 1
    return table.append_column("event_timestamp", pa.array([last] * rows, pa.timestamp("us", "UTC")))


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
