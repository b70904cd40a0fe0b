"""What a retrieval will do: Feast's words turned into Furrow's join, without reading more than schemas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from feast.data_format import DeltaFormat
from feast.feature_view import DUMMY_ENTITY_ID, FeatureView
from feast.infra.offline_stores.file_source import FileSource
from feast.utils import _get_requested_feature_views_to_features_dict

from furrow.ground.feast.offline_spine import check_requests, load_spine
from furrow.stores.engine import Settings, connect, identifier
from furrow.stores.join import Feature, Key, View, join
from furrow.stores.sources import Source, SourceError, open_source
from furrow.stores.spine import Spine, SpineError
from furrow.stores.ticks import between, is_time, micros, moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from feast.data_source import DataSource
    from feast.on_demand_feature_view import OnDemandFeatureView

__all__ = ["Description", "Plan", "PullPlan", "feature_map", "pull_plan"]

Views = tuple[tuple[FeatureView, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Description:
    """What is known of the entity rows before the join."""

    columns: tuple[str, ...]
    timestamp: str
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class Plan:
    """One historical retrieval."""

    settings: Settings
    root: Path
    views: Views
    on_demand: tuple[OnDemandFeatureView, ...]
    entities: Any
    full_feature_names: bool
    known_only: bool
    start: datetime | None
    end: datetime | None
    now: datetime | None

    def describe(self) -> Description:
        """Check the entity rows and tell what they are."""
        with connect(self.settings) as connection:
            spine, _ = self._prepare(connection)
        return Description(
            tuple(spine.table.column_names),
            spine.timestamp,
            *(None if end is None else moment(end) for end in (spine.first, spine.last)),
        )

    def table(self) -> pa.Table:
        """Run the join in memory."""
        with connect(self.settings) as connection:
            spine, views = self._prepare(connection)
            return join(connection, spine, views, known_only=self.known_only)

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> tuple[Spine, list[View]]:
        views = [join_view(connection, fv, names, self.root, full=self.full_feature_names) for fv, names in self.views]
        spine = load_spine(
            connection, self.entities, views, root=self.root, start=self.start, end=self.end, now=self.now
        )
        check_requests(spine, self.on_demand)
        _check_names(spine, views)
        return spine, views


@dataclass(frozen=True)
class PullPlan:
    """One reading of a source."""

    settings: Settings
    root: Path
    data_source: DataSource
    columns: tuple[str, ...]
    timestamp: str
    created: str | None
    keys: tuple[str, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None

    def within(self, start: datetime | None, end: datetime | None) -> PullPlan:
        """The rows between two moments, both included."""
        return replace(self, start=start, end=end)

    def latest(self, keys: Sequence[str]) -> PullPlan:
        """The newest row of each entity."""
        return replace(self, keys=tuple(key for key in keys if key != DUMMY_ENTITY_ID))

    def table(self) -> pa.Table:
        """Run the query in memory."""
        with connect(self.settings) as connection:
            return connection.sql(self._sql(connection)).to_arrow_table()

    def _sql(self, connection: duckdb.DuckDBPyConnection) -> str:
        source = open_feast_source(connection, self.data_source, self.root)
        names = list(dict.fromkeys(name for name in self.columns if name != DUMMY_ENTITY_ID))
        for name in names:
            source.require(name, "asked for")
        for name in (self.timestamp, self.created):
            if name:
                source.require(name, "a timestamp")
                names = [*names, name] if name not in names else names
        time = identifier(self.timestamp)
        start, end = (micros(moment) if moment is not None else None for moment in (self.start, self.end))
        where = [f"{time} IS NOT NULL"]
        where += between(self.timestamp, source.schema.field(self.timestamp).type, start, end)
        chosen = ", ".join(identifier(name) for name in names)
        dummy = f", '' AS {identifier(DUMMY_ENTITY_ID)}" if self.keys == () or DUMMY_ENTITY_ID in self.columns else ""
        order = [f"{time} DESC", *([f"{identifier(self.created)} DESC NULLS LAST"] if self.created else [])]
        order.append(f"{source.ordinal} DESC")
        last = ""
        if self.keys is not None:
            partition = f"PARTITION BY {', '.join(map(identifier, self.keys))} " if self.keys else ""
            last = f" QUALIFY row_number() OVER ({partition}ORDER BY {', '.join(order)}) = 1"
        return f"SELECT {chosen}{dummy} FROM {source.relation} WHERE {' AND '.join(where)}{last}"  # noqa: S608 - quoted


def pull_plan(
    settings: Settings, root: Path, data_source: DataSource, columns: Sequence[str], timestamp: str, created: str | None
) -> PullPlan:
    """A reading of the columns of a source."""
    return PullPlan(settings, root, data_source, tuple(columns), timestamp, created or None)


def feature_map(refs: list[str], views: list[FeatureView], on_demand: list[OnDemandFeatureView]) -> Views:
    """The wanted features of each view, in the order of the references."""
    grouped, _ = _get_requested_feature_views_to_features_dict(refs, views, on_demand)
    return tuple((view, tuple(dict.fromkeys(names))) for view, names in grouped.items())


def open_feast_source(connection: duckdb.DuckDBPyConnection, data_source: DataSource, root: Path) -> Source:
    """Open the files of a Feast source.

    Raises:
        SourceError: It is no file source, or can't be read.
    """
    if not isinstance(data_source, FileSource):
        kind = type(data_source).__name__
        raise SourceError(f"{kind} is not a FileSource", path=kind, hint="give the view a FileSource as batch source")
    if isinstance(data_source.file_format, DeltaFormat):
        raise SourceError(
            f"{data_source.path} is a Delta table", path=data_source.path, hint="sources are Parquet files"
        )
    return open_source(connection, data_source.path, root=root)


def join_view(
    connection: duckdb.DuckDBPyConnection, view: FeatureView, names: Sequence[str], root: Path, *, full: bool
) -> View:
    """One Feast view, with its projection's alias and join keys, as the join sees it.

    Raises:
        SourceError: Its source can't be read or lacks a column.
    """
    if view.batch_source is None:
        raise SourceError(f"the feature view {view.name} has no batch source", path=view.name, hint="give it one")
    held = {new: old for old, new in view.batch_source.field_mapping.items()}
    projection = view.projection
    source = open_feast_source(connection, view.batch_source, root)
    keys = tuple(
        Key(held.get(column.name, column.name), projection.join_key_map.get(column.name, column.name))
        for column in view.entity_columns
        if column.name != DUMMY_ENTITY_ID
    )
    prefix = f"{projection.name_alias or view.name}__" if full else ""
    features = tuple(Feature(held.get(name, name), prefix + name) for name in names)
    timestamp = held.get(view.batch_source.timestamp_field, view.batch_source.timestamp_field)
    created = view.batch_source.created_timestamp_column or None
    created = held.get(created, created) if created else None
    for key in keys:
        source.require(key.column, f"join key of {view.name}")
    for feature in features:
        source.require(feature.column, f"feature of {view.name}")
    for name in (timestamp, created):
        if name and not is_time(source.require(name, f"timestamp of {view.name}")):
            raise SourceError(
                f"{source.path}: {name} is of type {source.schema.field(name).type}, not a timestamp",
                path=source.path,
                column=name,
                hint="write it as a timestamp",
            )
    ttl = view.ttl if isinstance(view.ttl, timedelta) and view.ttl else None
    return View(view.name, source, keys, features, timestamp, created, ttl)


def _check_names(spine: Spine, views: Sequence[View]) -> None:
    taken = dict.fromkeys(spine.table.column_names, "the entity rows")
    for view in views:
        for feature in view.features:
            if feature.output in taken:
                raise SpineError(
                    f"{feature.output} of {view.name} is also a column of {taken[feature.output]}",
                    column=feature.output,
                    hint="ask with full_feature_names=True, or rename the column",
                )
            taken[feature.output] = view.name
