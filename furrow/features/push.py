"""Pushing single events.

Appended to the view's offline source, then written to the online store.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.features.json_reader import ManifestError
from furrow.features.manifest import load
from furrow.features.materialize import features_folder
from furrow.features.offline_rows import find
from furrow.features.on_demand import RequestError, coerced
from furrow.features.open_store import open_store
from furrow.features.stored_views import schema_of, stored_name
from furrow.stores.float_columns import canonical_table
from furrow.stores.pack import arrow_column, microseconds, pack_rows
from furrow.stores.record import Layout
from furrow.stores.sources import SourceError
from furrow.stores.store_api import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.features.schema import View

__all__ = ["push"]

_SKEW = timedelta(minutes=5)


def push(
    repo_dir: Path, view: str, rows: Sequence[Mapping[str, Any]], *, now: datetime | None = None
) -> int:
    """Write events to a view, offline and online.

    Args:
        repo_dir: The features folder, or the repository above it.
        view: The feature view.
        rows: Each event's join keys, features and event time (ISO 8601 or a datetime; naive is
            UTC); a feature left out is null.
        now: The present; events may lie five minutes after it at most.

    Returns:
        How many of the events were newer than what the store held.

    Raises:
        ManifestError: There is no such view.
        RequestError: A row lacks a key or the time, has a column that the view doesn't know, or a
            wrong type.
        SourceError: The offline source can't be appended to.
        StoreError: The online store can't be written; the offline source has the events, and
            materializing brings them.
    """
    folder = features_folder(repo_dir)
    manifest = load(folder)
    if view not in manifest.views:
        known = ", ".join(sorted(manifest.views))
        raise ManifestError(
            f"there is no feature view {view} (there are {known})", field="views", hint=""
        )
    declared = manifest.views[view]
    moment = now or datetime.now(UTC)
    table = _table(declared, rows, moment)
    name, schema = stored_name(manifest, view), schema_of(declared)
    layout = Layout(schema)
    event = microseconds(table.column(declared.timestamp_field))
    created = declared.created_timestamp_column
    stamps = microseconds(table.column(created)) if created else None
    pairs = pack_rows(layout, table, event, stamps)
    with open_store(manifest, folder, create=True) as store:
        held = store.held().get(name)
        if held is not None and (
            held.schema.digest != schema.digest or held.digest not in {None, declared.digest}
        ):
            raise StoreError(
                f"{store.place} holds {view} by another definition",
                place=store.place,
                hint="bring it up to the manifest first: furrow features materialize",
            )
        _append(folder, declared, table)
        if held is None:
            store.define(name, schema, declared.digest)
        return store.write(name, pairs)


def _table(view: View, rows: Sequence[Mapping[str, Any]], now: datetime) -> pa.Table:
    """The events as a table with the view's columns, checked."""
    types = {column.name: column.dtype for column in (*view.join_keys, *view.features)}
    types[view.timestamp_field] = "UnixTimestamp"
    if view.created_timestamp_column:
        types[view.created_timestamp_column] = "UnixTimestamp"
    columns: dict[str, list[Any]] = {name: [] for name in types}
    needed = [*(column.name for column in view.join_keys), view.timestamp_field]
    for at, row in enumerate(rows):
        unknown = [name for name in row if name not in types]
        if unknown:
            raise RequestError(
                f"row {at}: {view.name} has no column {unknown[0]}",
                field=unknown[0],
                hint=f"it has {', '.join(types)}",
            )
        for name in needed:
            if row.get(name) is None:
                raise RequestError(
                    f"row {at} lacks {name}",
                    field=name,
                    hint=f"{view.name} needs {', '.join(needed)}",
                )
        for name, dtype in types.items():
            value = row.get(name)
            if value is None and name == view.created_timestamp_column:
                value = now
            columns[name].append(coerced(name, dtype, value))
        event = columns[view.timestamp_field][-1]
        if event > now + _SKEW:
            raise RequestError(
                f"row {at}: {view.timestamp_field} {event.isoformat()} lies in the future",
                field=view.timestamp_field,
                hint="send events when they have happened",
            )
    return pa.table({name: arrow_column(columns[name], dtype) for name, dtype in types.items()})


def _append(folder: Path, view: View, table: pa.Table) -> None:
    """Append events to the source.

    To a single file by replacing it whole, to a folder as a file of its own.

    Raises:
        SourceError: The source has a column that the events can't fill, or isn't on this machine.
    """
    source = find(folder, view)
    if "://" in view.source:
        raise SourceError(
            f"can't append to {view.source}",
            path=view.source,
            hint="push where the source is a local file",
        )
    given = {new: old for old, new in view.field_mapping.items()}
    last = Path(source.files[-1].path)
    schema = pq.read_schema(last).remove_metadata()
    renamed = {
        given[name] if given.get(name) in schema.names else name: name
        for name in table.column_names
    }
    columns = [
        (
            table.column(renamed[field.name]).cast(field.type)
            if field.name in renamed
            else pa.nulls(len(table), field.type)
        )
        for field in schema
    ]
    rows = pa.table(columns, schema=schema)
    if (folder / view.source).is_dir():
        _replace(rows, last.parent / f"zz-{time.time_ns():020d}-{uuid.uuid4().hex}.parquet")
    else:
        _replace(pa.concat_tables([pq.read_table(last).cast(schema), rows]), last)


def _replace(table: pa.Table, path: Path) -> None:
    """Write a Parquet file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(canonical_table(table), temporary, compression="zstd")
        temporary.replace(path)
    except OSError as exc:
        raise SourceError(
            f"cannot write {path}: {exc.strerror}", path=str(path), hint="free some space"
        ) from exc
    finally:
        temporary.unlink(missing_ok=True)
