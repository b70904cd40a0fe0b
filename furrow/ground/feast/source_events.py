"""The events behind a feature service.

What its sources hold, by view, in the names of the rows that are joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.ground.feast.offline_pull import Pull
from furrow.ground.feast.offline_views import join_view
from furrow.ground.feast.retrieve import RetrievalError, applied_repository
from furrow.stores.engine import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from feast import FeatureStore, FeatureView

    from furrow.stores.view import View

__all__ = ["ViewEvents", "source_events"]

_OURS = {"type": "furrow.ground.feast.offline.FurrowOfflineStore"}


@dataclass(frozen=True)
class ViewEvents:
    """The events of a feature view.

    Attributes:
        view: Its name, or that which the service gives it.
        keys: The columns that rows and events are joined by, in the rows' names.
        features: The features that the service takes, in the names of the result.
        ttl: How old a value may be; None for any age.
        created: Whether events say when they were written.
        zoned: Whether the source's times name a zone.
        events: Keys, features, `event_timestamp`, `created` if there is one; in the order of the
            files.
    """

    view: str
    keys: tuple[str, ...]
    features: tuple[str, ...]
    ttl: timedelta | None
    created: bool
    zoned: bool
    events: pa.Table


def source_events(repo_dir: Path, service: str, *, asked: bool = False) -> list[ViewEvents]:
    """Read the sources of a service's views.

    Args:
        repo_dir: The Feast repository.
        service: The service's name; empty for all views.
        asked: Whether rows are to be made of them: then nothing else may be asked for.

    Raises:
        RetrievalError: There is no such service, or rows for it can't be made up: some on-demand
            view asks for more than keys.
        SourceError: A source can't be read.
    """
    with applied_repository(repo_dir, service, _OURS) as (store, taken):
        names = [field.name for one in taken.feature_view_projections for field in one.features]
        full = len(set(names)) < len(names)
        on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
        found = []
        for projection in taken.feature_view_projections:
            if projection.name in on_demand:
                if asked:
                    _no_request(on_demand[projection.name])
                continue
            view: FeatureView = store.get_feature_view(projection.name)
            found.append(_events(store, view.with_projection(projection), full=full))
        return found


def _no_request(view: Any) -> None:
    asked = [field.name for one in view.source_request_sources.values() for field in one.schema]
    if asked:
        raise RetrievalError(
            f"the on-demand view {view.name} asks for {', '.join(asked)}, which no source holds",
            hint="give rows of your own: keys, event_timestamp and what it asks for",
        )


def _events(store: FeatureStore, view: FeatureView, *, full: bool) -> ViewEvents:
    names = [field.name for field in view.projection.features]
    root = Path(store.config.repo_path)
    joined = join_view(view, names, root, full=full)
    columns = (*(key.column for key in joined.keys), *(one.column for one in joined.features))
    pull = Pull(
        settings=Settings(),
        root=root,
        data_source=view.batch_source,
        columns=tuple(dict.fromkeys(columns)),
        timestamp=joined.timestamp,
        created=joined.created,
        start=None,
        end=None,
    )
    table = pa.concat_tables(pull.chunks(None))
    return ViewEvents(
        view.projection.name_to_use(),
        tuple(key.spine for key in joined.keys),
        tuple(one.output for one in joined.features),
        joined.ttl,
        joined.created is not None,
        _zoned(joined),
        pa.table(_renamed(joined, table)),
    )


def _renamed(view: View, table: pa.Table) -> Mapping[str, pa.ChunkedArray]:
    columns = {key.spine: table[key.column] for key in view.keys}
    columns |= {one.output: table[one.column] for one in view.features}
    columns["event_timestamp"] = table[view.timestamp]
    return columns | ({"created": table[view.created]} if view.created else {})


def _zoned(view: View) -> bool:
    types = [
        file.schema.field(view.timestamp).type
        for file in view.source.files
        if view.timestamp in file.schema.names
    ]
    return all(pa.types.is_timestamp(one) and one.tz is not None for one in types)
