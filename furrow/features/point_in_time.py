"""A service's features as of a moment past, from the offline tables.

What the manifest says, without Feast.

`furrow features verify` holds the online store to it, and a test holds it to what Feast's SDK joins
for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.features.offline_rows import find
from furrow.features.read_plan import make_plan
from furrow.stores.engine import Settings, connect
from furrow.stores.join import join
from furrow.stores.pack import arrow_type, plain_values
from furrow.stores.spine import Spine
from furrow.stores.timestamps import US, arrow_ticks, in_utc
from furrow.stores.view import Feature, Key
from furrow.stores.view import View as JoinView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.features.read_plan import Part, Plan
    from furrow.features.schema import Manifest
    from furrow.stores.sources import Source, Wanted

__all__ = ["Joined", "join_service", "service_at"]


@dataclass(frozen=True)
class Joined:
    """What was joined.

    Attributes:
        values: Of each feature, a value a row.
        events: For each part of the plan each row's event time in microseconds; None where no
            event is young enough.
        ever: The same of events of any age: None where there is none at all; empty where it was
            not asked for.
    """

    values: dict[str, list[Any]]
    events: list[list[int | None]]
    ever: list[list[int | None]]

    def status(self, plan: Plan) -> dict[str, list[str]]:
        """Each value's status, in the words of `Batch.status`."""
        found = {}
        for name, part, _, _ in plan.outputs:
            values = self.values[name]
            if part < 0:
                found[name] = ["null" if value is None else "present" for value in values]
                continue
            rows = zip(values, self.events[part], self.ever[part], strict=True)
            found[name] = [
                (
                    "present"
                    if value is not None
                    else "null"
                    if event is not None
                    else "missing"
                    if ever is None
                    else "expired"
                )
                for value, event, ever in rows
            ]
        return found


def service_at(
    manifest: Manifest, folder: Path, service: str, rows: Sequence[Mapping[str, Any]], at: datetime
) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
    """A service's features as of a moment.

    Args:
        manifest: The definitions, whose code may run.
        folder: The features folder.
        service: The service.
        rows: Join keys and request fields.
        at: The moment, aware.

    Returns:
        Values and statuses, by feature.

    Raises:
        UnknownServiceError: There is no such service.
        SourceError: An offline table can't be read.
        RequestError: A row lacks a field.
    """
    plan = make_plan(manifest, service, run_code=True, full_names=None)
    joined = join_service(manifest, plan, folder, rows, at, ever=True)
    return joined.values, joined.status(plan)


def join_service(
    manifest: Manifest,
    plan: Plan,
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    moment: datetime | Sequence[datetime],
    *,
    ever: bool = False,
) -> Joined:
    """A service's features by the point-in-time join, with the times of the events that they come from.

    Args:
        manifest: The definitions.
        plan: How the service is answered.
        folder: The features folder.
        rows: Join keys and request fields.
        moment: As of when; one for all rows, or one for each.
        ever: Whether events that are too old are looked for, too.

    Raises:
        SourceError: An offline table can't be read.
    """
    fields = {name: dtype for spec in plan.specs for name, _, dtype in spec.fields}
    columns = {
        name: pa.array([in_utc(row[name]) for row in rows], type=arrow_type(dtype))
        for name, dtype in fields.items()
    }
    moments = [moment] * len(rows) if isinstance(moment, datetime) else list(moment)
    times = pa.array(in_utc(moments), type=pa.timestamp("us", tz="UTC"))
    spine = Spine(pa.table({**columns, "event_timestamp": times}), "event_timestamp")
    views = [
        each
        for index, part in enumerate(plan.parts)
        for each in _views(manifest, plan, folder, index, part)[: 2 if ever else 1]
    ]
    with connect(Settings()) as connection:
        found = join(connection, spine, views)
    cache: dict[tuple[int, int], list[Any]] = {}

    def column(part: int, position: int) -> list[Any]:
        if (part, position) not in cache:
            dtype = plan.parts[part].layout.schema.features[position][1]
            values = found.column(f"{part}.{position}").combine_chunks()
            cache[part, position] = plain_values(values, dtype)
        return cache[part, position]

    def ticks(name: str) -> list[list[int | None]]:
        return [
            arrow_ticks(found.column(f"{index}.{name}"), US, up=True).to_pylist()
            for index in range(len(plan.parts))
        ]

    computed = plan.compute(column, plan.request_values(rows), len(rows))
    values = {
        name: computed[-1 - part][where] if part < 0 else column(part, where)
        for name, part, where, _ in plan.outputs
    }
    return Joined(values, ticks("event"), ticks("ever") if ever else [])


def _views(
    manifest: Manifest, plan: Plan, folder: Path, index: int, part: Part
) -> tuple[JoinView, JoinView]:
    """A part's features, and the time of its newest event whatever its age."""
    view = manifest.views[part.view]
    source = find(folder, view)
    wanted = source.wanted
    time = wanted[view.timestamp_field]
    moments = _moments(source.parquet, time)
    fields = plan.specs[part.spec].fields
    keys = tuple(Key(wanted[key].column, name, wanted[key].type) for name, key, _ in fields)
    created = (
        wanted[view.created_timestamp_column].column if view.created_timestamp_column else None
    )
    features = tuple(
        Feature(wanted[column.name].column, f"{index}.{at}", wanted[column.name].type)
        for at, column in enumerate(view.features)
    )
    event, ever = (Feature(time.column, f"{index}.{name}", moments) for name in ("event", "ever"))
    ttl = timedelta(seconds=view.ttl_seconds) if view.ttl_seconds else None
    return (
        JoinView(view.name, source.parquet, keys, (event, *features), time.column, created, ttl),
        JoinView(view.name, source.parquet, keys, (ever,), time.column, created),
    )


def _moments(source: Source, time: Wanted) -> pa.DataType | None:
    """The type to read event times in.

    As they are where all files agree (a date stays one), else what holds them all.

    A partition's text is a time by declaration alone.
    """
    held = {
        file.schema.field(time.column).type
        for file in source.files
        if time.column not in file.place.partitions
    }
    inside = any(time.column in file.place.partitions for file in source.files)
    return source.type_of(time) if inside or len(held) > 1 else None
