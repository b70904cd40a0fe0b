"""Feast's online store on LMDB: packed records, the newest event wins, ttl enforced at read."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from feast import Entity, FeatureView, RepoConfig, utils
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel
from google.protobuf.timestamp_pb2 import Timestamp

# pydantic reads them when the class is made
from pydantic import StrictInt, StrictStr  # noqa: TC002

from furrow.ground.feast.online_values import from_value, key_values, to_value, view_schema
from furrow.ground.feast.proto_floats import settle_floats
from furrow.stores.lmdb_env import DEFAULT_LIMIT
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.pack import pack_rows
from furrow.stores.packed_values import as_moment, micros_of
from furrow.stores.record import Layout, RecordError
from furrow.stores.store_api import OnlineStore as RecordStore
from furrow.stores.store_api import ViewMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from feast.online_response import OnlineResponse

__all__ = ["FurrowOnlineStore", "FurrowOnlineStoreConfig", "RecordOnlineStore"]

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
ReadRow = tuple[datetime | None, dict[str, Value] | None]


class FurrowOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Options of the store, under `online_store` in feature_store.yaml."""

    type: Literal["furrow.ground.feast.online.FurrowOnlineStore"] = (
        "furrow.ground.feast.online.FurrowOnlineStore"
    )
    path: StrictStr = "../build/online"
    """The store's folder, relative to the Feast repository."""
    limit: StrictInt = DEFAULT_LIMIT
    """Largest size in bytes; the file is as large as its data."""


class RecordOnlineStore(OnlineStore):  # type: ignore[misc]
    """Feast's online store over any store of packed records."""

    _versioned_read_supported = True

    def __init__(self) -> None:
        self._opening = threading.Lock()
        self._opened: dict[str, RecordStore] = {}
        self._layouts: dict[Any, Layout] = {}

    def _open(self, config: RepoConfig, *, create: bool) -> RecordStore:
        """The store of packed records that a configuration names."""
        raise NotImplementedError

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows where they are newer than what is held; naive times are UTC.

        Feast's materialization, whose rows are in the offline store, comes with a progress; what
        comes without one is a push or a write of somebody's own, and marked so that Furrow's
        materialization can keep it.
        """
        store = self._open(config, create=True)
        name = _name(config, table)
        held = store.define(name, view_schema(table))
        layout = self._layout(held.schema)
        store.write(name, _packed(layout, data, online=progress is None))
        if progress:
            progress(len(data))

    def write_table(
        self,
        config: RepoConfig,
        table: FeatureView,
        rows: pa.Table,
        events: pa.Array,
        created: pa.Array | None,
    ) -> None:
        """Write rows of the offline store where they are newer than what is held.

        Args:
            config: Feast's configuration.
            table: The view.
            rows: Columns named as its join keys and features; no null keys.
            events: Event times in microseconds, no nulls.
            created: Created times in microseconds, or None.
        """
        store = self._open(config, create=True)
        name = _name(config, table)
        layout = self._layout(store.define(name, view_schema(table)).schema)
        store.write(name, pack_rows(layout, rows, events, created))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[ReadRow]:
        """Event time and values for each entity.

        No values where the record is missing, nulls where it has expired.
        """
        wanted = requested_features or [field.name for field in table.features]
        found = self._read(config, table, entity_keys, wanted)
        return [
            (None, None) if event is None else (as_moment(event), values)
            for event, _, values in found
        ]

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reading and writing can be awaited."""
        return SupportedAsyncMethods(read=True, write=True)

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[ReadRow]:
        """`online_read`, in a thread."""
        read = self.online_read
        return await asyncio.to_thread(read, config, table, entity_keys, requested_features)

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """`online_write_batch`, in a thread."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def update(  # noqa: PLR0917 - Feast's signature
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make room for the views to keep and forget those to delete."""
        del entities_to_delete, entities_to_keep, partial
        store = self._open(config, create=True)
        for table in tables_to_keep:
            if hasattr(table, "entity_columns") and _name(config, table) not in store.held():
                store.define(_name(config, table), view_schema(table))
        gone = [_name(config, table) for table in tables_to_delete]
        if gone:
            store.drop(gone)

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Forget the given views of this project, and nothing else."""
        del entities
        self._open(config, create=True).drop([_name(config, table) for table in tables])

    def _read(
        self,
        config: RepoConfig,
        table: FeatureView,
        keys: Sequence[EntityKey],
        wanted: Sequence[str],
    ) -> list[tuple[int | None, int, dict[str, Value] | None]]:
        """(event time, status of a value that isn't null, values) for each entity."""
        store = self._open(config, create=True)
        name = _name(config, table)
        held = store.held().get(name)
        if held is None:
            return [(None, FieldStatus.NOT_FOUND, None)] * len(keys)
        layout = self._layout(held.schema)
        places = {name: at for at, (name, _) in enumerate(held.schema.features)}
        makers = [
            (feature, places[feature], to_value(held.schema.features[places[feature]][1]))
            for feature in wanted
            if feature in places
        ]
        oldest = _oldest(table)
        encoded = []
        for key in keys:
            values = key_values(key)
            encoded.append(layout.key([values.get(name) for name, _ in layout.keys]))
        answer: list[tuple[int | None, int, dict[str, Value] | None]] = []
        null = Value()
        try:
            _, [records] = store.read([(name, encoded)])
        except ViewMissingError:  # dropped since
            records = [None] * len(keys)
        for packed in records:
            if packed is None:
                answer.append((None, FieldStatus.NOT_FOUND, None))
                continue
            record = layout.unpack(packed)
            if record.event < oldest:
                answer.append(
                    (
                        record.event,
                        FieldStatus.OUTSIDE_MAX_AGE,
                        {feature: null for feature, _, _ in makers},
                    )
                )
                continue
            row = record.values
            filled = {
                feature: null if row[at] is None else make(row[at]) for feature, at, make in makers
            }
            answer.append((record.event, FieldStatus.PRESENT, filled))
        return answer

    def get_online_features(self, *arguments: Any, **options: Any) -> OnlineResponse:
        """Feast's answer to a request, in which what on-demand views computed has the form that training saw."""
        response = super().get_online_features(*arguments, **options)
        settle_floats(response.proto)
        return response

    async def get_online_features_async(self, *arguments: Any, **options: Any) -> OnlineResponse:
        """`get_online_features`, awaited."""
        response = await super().get_online_features_async(*arguments, **options)
        settle_floats(response.proto)
        return response

    async def _read_features_per_fv_async(self, *arguments: Any) -> None:
        """Feast's read of an awaited request: that of one that waits, in a thread."""
        await asyncio.to_thread(self._read_features_per_fv, *arguments)

    def _read_features_per_fv(  # noqa: PLR0917 - Feast's signature
        self,
        config: RepoConfig,
        grouped_refs: list[Any],
        join_key_values: dict[str, Any],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: Any,
        full_feature_names: bool,
        include_feature_view_version_metadata: bool,
    ) -> None:
        """Feast's read of a request.

        The same answers as `online_read`, with each value's own status.
        """
        for table, requested in grouped_refs:
            unique, places, length = _unique(table, join_key_values, entity_name_to_join_key_map)
            protos = utils._get_entity_key_protos(unique)
            found = self._read(config, table, protos, requested)
            prefix = f"{table.projection.name_to_use()}__" if full_feature_names else ""
            online_features_response.metadata.feature_names.val.extend(
                prefix + name for name in requested
            )
            if include_feature_view_version_metadata:
                _add_version(online_features_response, table)
            online_features_response.results.extend(_vectors(requested, found, places, length))

    def _layout(self, schema: Any) -> Layout:
        found = self._layouts.get(schema)
        if found is None:
            found = self._layouts[schema] = Layout(schema)
        return found


class FurrowOnlineStore(RecordOnlineStore):
    """Feast's online store in an LMDB folder."""

    def _open(self, config: RepoConfig, *, create: bool) -> RecordStore:
        options = config.online_store
        path = Path(options.path)
        if not path.is_absolute() and config.repo_path:
            path = Path(config.repo_path) / path
        place = str(path.resolve())
        found = self._opened.get(place)
        if found is None:
            with self._opening:
                found = self._opened.get(place)
                if found is None:
                    found = self._opened[place] = LmdbStore(
                        Path(place), create=create, limit=options.limit
                    )
        return found


def _packed(layout: Layout, data: Sequence[Row], *, online: bool) -> Iterator[tuple[bytes, bytes]]:
    """Rows as (key, record); a row with a null key can never be asked for, and is left out."""
    readers = [(name, from_value(dtype)) for name, dtype in layout.schema.features]
    for key, values, event, created in data:
        keys = key_values(key)
        encoded = layout.key([keys.get(name) for name, _ in layout.keys])
        if encoded is None:
            continue
        row = [read(values[name]) if name in values else None for name, read in readers]
        made = None if created is None else micros_of(created)
        yield encoded, layout.pack(row, micros_of(event), made, online=online)


def _unique(
    table: FeatureView, join_key_values: dict[str, Any], join_keys: dict[str, str]
) -> tuple[Any, Any, int]:
    """The entities of a request, each once, and where each stands in it.

    Raises:
        RecordError: A row has no value for a join key.
    """
    try:
        found: tuple[Any, Any, int] = utils._get_unique_entities(table, join_key_values, join_keys)
    except TypeError as exc:  # Feast sorts the keys, and can't sort a null
        names = [entity.name for entity in table.entity_columns]
        empty = [
            name
            for name in names
            if any(value.WhichOneof("val") is None for value in join_key_values.get(name, ()))
        ]
        raise RecordError(
            f"{table.name}: a row has no value for its join key {', '.join(empty or names)}",
            hint="give each entity row a value for each join key",
        ) from exc
    return found


def _vectors(
    requested: Sequence[str],
    found: Sequence[tuple[int | None, int, dict[str, Value] | None]],
    places: Sequence[Sequence[int]],
    length: int,
) -> Iterator[Any]:
    """One vector a feature, each with value, status and event time a row."""
    null, never = Value(), Timestamp()
    times = [never] * length
    rows: list[tuple[int, dict[str, Value]] | None] = [None] * length
    for (event, status, values), where in zip(found, places, strict=True):
        if event is None or values is None:
            continue
        moment = Timestamp(seconds=event // 1_000_000, nanos=event % 1_000_000 * 1000)
        for at in where:
            times[at] = moment
            rows[at] = (status, values)
    for name in requested:
        values_out: list[Value] = []
        statuses: list[Any] = []
        for row in rows:
            value = None if row is None else row[1].get(name)
            if row is None or value is None:
                values_out.append(null)
                statuses.append(FieldStatus.NOT_FOUND)
            else:
                values_out.append(value)
                is_null = row[0] == FieldStatus.PRESENT and value.WhichOneof("val") is None
                statuses.append(FieldStatus.NULL_VALUE if is_null else row[0])
        yield GetOnlineFeaturesResponse.FeatureVector(
            values=values_out, statuses=statuses, event_timestamps=times
        )


def _add_version(response: Any, table: FeatureView) -> None:
    """Say the view's version in the response, once."""
    name = table.projection.name_alias or table.projection.name
    if name not in [entry.name for entry in response.metadata.feature_view_metadata]:
        entry = response.metadata.feature_view_metadata.add()
        entry.name = name
        entry.version = getattr(table, "current_version_number", 0) or 0


def _oldest(table: FeatureView) -> int:
    """The earliest event time, in microseconds, that the view's ttl lets through now."""
    ttl = getattr(table, "ttl", None)
    if not ttl:
        return -(2**63)
    seconds: int = ttl.days * 86_400 + ttl.seconds
    micro: int = ttl.microseconds
    return time.time_ns() // 1000 - seconds * 1_000_000 - micro


def _name(config: RepoConfig, table: FeatureView) -> str:
    """A view's name in the store: the project's views apart from those of others."""
    versioned = compute_versioned_name(table, config.registry.enable_online_feature_view_versioning)
    return f"{config.project}/{versioned}"
