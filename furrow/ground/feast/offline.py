"""Feast's offline store on DuckDB: point-in-time joins that keep every row.

In feature_store.yaml:

    offline_store:
        type: furrow.ground.feast.offline.FurrowOfflineStore
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from furrow.ground.feast.declared_transformation import declared_view
from furrow.ground.feast.offline_job import FurrowRetrievalJob, Metadata
from furrow.ground.feast.offline_plan import Plan
from furrow.ground.feast.offline_pull import Pull
from furrow.ground.feast.offline_views import wanted_features
from furrow.ground.feast.offline_write import append_batch, write_logs
from furrow.stores.engine import Settings
from furrow.stores.join import joiner

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from feast.data_source import DataSource
    from feast.feature_logging import LoggingConfig, LoggingSource
    from feast.feature_view import FeatureView
    from feast.infra.registry.base_registry import BaseRegistry

    from furrow.stores.spine import Spine

__all__ = ["FurrowOfflineStore", "FurrowOfflineStoreConfig", "Limits"]


class Limits(FeastConfigBaseModel):  # type: ignore[misc]
    """The settings that Furrow's offline stores have in common."""

    threads: int | None = None
    """How many threads a query uses; by default one a core."""

    memory_limit: str | None = None
    """A size such as 2GB, beyond which queries spill to disk; by default 80 % of the memory."""

    temp_directory: str | None = None
    """Where queries spill; by default the system's temporary folder. Relative to the Feast repository."""

    future_timestamps: Literal["error", "allow"] = "error"
    """Whether entity rows may lie in the future."""


class FurrowOfflineStoreConfig(Limits):
    """The settings under `offline_store:` in feature_store.yaml."""

    type: Literal["furrow.ground.feast.offline.FurrowOfflineStore"] = (
        "furrow.ground.feast.offline.FurrowOfflineStore"
    )
    """Feast's name for this store."""


class FurrowOfflineStore(OfflineStore):  # type: ignore[misc]
    """Parquet in, point-in-time joins by DuckDB's ASOF JOIN, Arrow out."""

    supports_filter_by_created_timestamp: bool = True

    @staticmethod
    def _joiner(config: RepoConfig) -> Callable[..., Callable[[Spine], pa.Table]]:
        """What makes a join of views to spines."""
        del config
        return joiner

    @classmethod
    def get_historical_features(  # noqa: PLR0917 - Feast's signature
        cls,
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        *,
        filter_by_created_timestamp: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        **_: Any,
    ) -> RetrievalJob:
        """Join features to entity rows as they were known at each row's time.

        Args:
            config: Feast's configuration.
            feature_views: The views to join.
            feature_refs: The features wanted, as view:feature.
            entity_df: pandas, Arrow, the path of a Parquet file, an SQL query, or None for the
                entities that had an event between start_date and end_date, as of end_date.
            registry: Feast's registry.
            project: Feast's project.
            full_feature_names: Name features view__feature.
            filter_by_created_timestamp: Count a value only from its created time on.
            start_date: See entity_df.
            end_date: See entity_df.

        Returns:
            A job with exactly one row for each entity row, in their order.

        Raises:
            FurrowError: The entity rows or a source can't be used.
        """
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        plan = Plan(
            settings=_settings(config),
            root=_root(config),
            wanted=wanted_features(feature_refs, feature_views, on_demand),
            on_demand=tuple(on_demand),
            entities=entity_df,
            full_feature_names=full_feature_names,
            known_only=filter_by_created_timestamp,
            start=start_date,
            end=end_date,
            now=datetime.now(UTC) if config.offline_store.future_timestamps == "error" else None,
            joiner=cls._joiner(config),
        )
        metadata = Metadata(feature_refs, plan.check(), plan.time_range)
        return FurrowRetrievalJob(
            plan,
            [declared_view(view) for view in on_demand],
            metadata,
            full_feature_names=full_feature_names,
        )

    @staticmethod
    def pull_latest_from_table_or_query(  # noqa: PLR0917 - Feast's signature
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """The newest row of each entity within a time range, both ends included.

        See Feast's OfflineStore.
        """
        return FurrowRetrievalJob(
            Pull(
                settings=_settings(config),
                root=_root(config),
                data_source=data_source,
                columns=(*join_key_columns, *feature_name_columns),
                timestamp=timestamp_field,
                created=created_timestamp_column or None,
                start=start_date,
                end=end_date,
                newest_of=tuple(key for key in join_key_columns if key != DUMMY_ENTITY_ID),
                dummy=not join_key_columns,
                by_feast=_feast_materializes(config),
            )
        )

    @staticmethod
    def pull_all_from_table_or_query(  # noqa: PLR0917 - Feast's signature
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """All rows within a time range, both ends included; see Feast's OfflineStore."""
        return FurrowRetrievalJob(
            Pull(
                settings=_settings(config),
                root=_root(config),
                data_source=data_source,
                columns=(*join_key_columns, *feature_name_columns),
                timestamp=timestamp_field,
                created=created_timestamp_column or None,
                start=start_date,
                end=end_date,
                dummy=not join_key_columns
                and not any(name.startswith("__") for name in feature_name_columns),
                by_feast=_feast_materializes(config),  # its engine reads all rows of the time range
            )
        )

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Append logged features to their destination; see Feast's OfflineStore."""
        del source, registry
        write_logs(data, logging_config.destination, _root(config))

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Append rows to a feature view's source; see Feast's OfflineStore."""
        append_batch(feature_view, table, _root(config))
        if progress is not None:
            progress(table.num_rows)


def _root(config: RepoConfig) -> Path:
    return Path(config.repo_path) if config.repo_path is not None else Path.cwd()


def _feast_materializes(config: RepoConfig) -> bool:
    """Whether the engine that takes rows to an online store is Feast's own."""
    engine = config.batch_engine_config
    return (engine.get("type") if isinstance(engine, dict) else engine) in {None, "local"}


def _settings(config: RepoConfig) -> Settings:
    store = config.offline_store
    folder = _root(config) / store.temp_directory if store.temp_directory else None
    return Settings(
        threads=store.threads,
        memory_limit=store.memory_limit,
        temp_directory=folder,
        search_path=_root(config),
    )
