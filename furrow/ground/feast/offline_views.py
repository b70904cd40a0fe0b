"""Feast's feature views and sources in the words of the join."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from feast.data_format import DeltaFormat
from feast.feature_view import DUMMY_ENTITY_ID, FeatureView
from feast.infra.offline_stores.file_source import FileSource
from feast.utils import _get_requested_feature_views_to_features_dict

from furrow.stores.pack import arrow_type
from furrow.stores.sources import Source, SourceError, find_source
from furrow.stores.view import Feature, Key, View, check_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from feast.data_source import DataSource
    from feast.on_demand_feature_view import OnDemandFeatureView

__all__ = ["Wanted", "join_view", "open_feast_source", "wanted_features"]

Wanted = tuple[tuple[FeatureView, tuple[str, ...]], ...]


def wanted_features(
    refs: list[str], views: list[FeatureView], on_demand: list[OnDemandFeatureView]
) -> Wanted:
    """The wanted features of each view, in the order of the references."""
    grouped, _ = _get_requested_feature_views_to_features_dict(refs, views, on_demand)
    return tuple((view, tuple(dict.fromkeys(names))) for view, names in grouped.items())


def open_feast_source(data_source: DataSource, root: Path) -> Source:
    """Open the files of a Feast source.

    Raises:
        SourceError: It is no file source, or can't be read.
    """
    if not isinstance(data_source, FileSource):
        kind = type(data_source).__name__
        raise SourceError(
            f"{kind} is not a FileSource",
            path=kind,
            hint="give the view a FileSource as batch source",
        )
    path = data_source.path
    if isinstance(data_source.file_format, DeltaFormat):
        raise SourceError(f"{path} is a Delta table", path=path, hint="sources are Parquet files")
    return find_source(path, root=root, endpoint=data_source.s3_endpoint_override or None)


def join_view(view: FeatureView, names: Sequence[str], root: Path, *, full: bool) -> View:
    """One Feast view, with its projection's alias and join keys.

    Raises:
        SourceError: Its source can't be read or lacks a column.
    """
    batch = view.batch_source
    if batch is None:
        raise SourceError(
            f"the feature view {view.name} has no batch source", path=view.name, hint="give it one"
        )
    source, mapping = open_feast_source(batch, root), batch.field_mapping
    projection = view.projection
    keys = tuple(
        Key(
            source.named(column.name, mapping),
            projection.join_key_map.get(column.name, column.name),
            arrow_type(str(column.dtype)),
        )
        for column in view.entity_columns
        if column.name != DUMMY_ENTITY_ID
    )
    types = {column.name: arrow_type(str(column.dtype)) for column in view.features}
    prefix = f"{projection.name_alias or view.name}__" if full else ""
    created = batch.created_timestamp_column
    return check_view(
        View(
            name=view.name,
            source=source,
            keys=keys,
            features=tuple(
                Feature(source.named(name, mapping), prefix + name, types.get(name))
                for name in names
            ),
            timestamp=source.named(batch.timestamp_field, mapping),
            created=source.named(created, mapping) if created else None,
            ttl=view.ttl if isinstance(view.ttl, timedelta) and view.ttl else None,
        )
    )
