"""A historical retrieval: checked when it is made, run when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feast.errors import RequestDataNotFoundInEntityDfException

from furrow.ground.feast.offline_spine import Entities, entities_between, entity_rows
from furrow.ground.feast.offline_views import Wanted, join_view
from furrow.stores.engine import Settings, connect
from furrow.stores.spine import Spine, check_columns, check_times, time_column
from furrow.stores.timestamps import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from feast.on_demand_feature_view import OnDemandFeatureView

    from furrow.stores.view import View

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """One historical retrieval.

    Args:
        settings: The engine's limits.
        root: The Feast repository.
        wanted: The features of each view.
        on_demand: The on-demand views that will be computed on the result.
        entities: The entity rows as the user gave them; None: those of a time range.
        full_feature_names: Whether features are named view__feature.
        known_only: Whether a value counts only from its created time on.
        start: The start of the time range.
        end: Its end.
        now: The present, beyond which entity rows are refused; None: they may lie in the future.
        joiner: What makes a join of views to spines, given a connection to DuckDB.
    """

    settings: Settings
    root: Path
    wanted: Wanted
    on_demand: tuple[OnDemandFeatureView, ...]
    entities: Any
    full_feature_names: bool
    known_only: bool
    start: datetime | None
    end: datetime | None
    now: datetime | None
    joiner: Callable[..., Callable[[Spine], pa.Table]]

    def check(self) -> list[str]:
        """Check the columns of the entity rows and of the sources.

        Returns:
            The entity rows' columns but for the time.

        Raises:
            FurrowError: They don't fit.
        """
        with connect(self.settings) as connection:
            views = self._views()
            if self.entities is None:
                return list(dict.fromkeys(key.spine for view in views for key in view.keys))
            schema = entity_rows(connection, self.entities, self.root).schema
        timestamp = time_column(schema)
        check_columns(schema, views)
        for view in self.on_demand:
            for name in view.get_request_data_schema():
                if name not in schema.names:
                    raise RequestDataNotFoundInEntityDfException(
                        feature_name=name, feature_view_name=view.name
                    )
        return [name for name in schema.names if name != timestamp]

    def chunks(self, rows: int | None) -> Generator[pa.Table]:
        """Run the join for so many entity rows at a time; None: for all at once.

        Raises:
            FurrowError: The entity rows or a source can't be used.
        """
        with connect(self.settings) as connection:
            views = self._views()
            join = self.joiner(connection, views, known_only=self.known_only)
            entities = self._entities(connection, views)
            timestamp = time_column(entities.schema)
            done = 0
            for chunk in entities.chunks(rows):
                spine = Spine(chunk, timestamp)
                check_times(spine, now=self.now if self.entities is not None else None, offset=done)
                yield join(spine)
                done += spine.rows

    def time_range(self) -> tuple[datetime | None, datetime | None]:
        """The first and last time of the entity rows."""
        ends: list[int] = []
        with connect(self.settings) as connection:
            entities = self._entities(connection, self._views())
            timestamp = time_column(entities.schema)
            for chunk in entities.chunks(1_000_000):
                spine = Spine(chunk.select([timestamp]), timestamp)
                ends += [end for end in (spine.first, spine.last) if end is not None]
        return (moment(min(ends)), moment(max(ends))) if ends else (None, None)

    def _views(self) -> list[View]:
        full = self.full_feature_names
        return [join_view(view, names, self.root, full=full) for view, names in self.wanted]

    def _entities(self, connection: duckdb.DuckDBPyConnection, views: list[View]) -> Entities:
        if self.entities is None:
            return entities_between(connection, views, self.start, self.end)
        return entity_rows(connection, self.entities, self.root)
