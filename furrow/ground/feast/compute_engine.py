"""Feast's materialization with every value as it is.

Feast's own engine brings rows to the online store through protobuf values, which know no null in a
list and no part of a second, and through floats where an integer column holds a null. In
feature_store.yaml:

    batch_engine:
        type: furrow.ground.feast.compute_engine.FurrowComputeEngine
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

import pyarrow.compute as pc
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.common.materialization_job import MaterializationJobStatus
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.repo_config import FeastConfigBaseModel
from feast.utils import _get_column_names

from furrow.ground.feast.offline_job import FurrowRetrievalJob
from furrow.ground.feast.online import RecordOnlineStore
from furrow.stores.pack import microseconds

if TYPE_CHECKING:
    import pyarrow as pa
    from feast.feature_view import FeatureView
    from feast.infra.common.materialization_job import MaterializationTask
    from feast.infra.registry.base_registry import BaseRegistry

__all__ = ["FurrowComputeEngine", "FurrowComputeEngineConfig"]

_ROWS = 500_000


class FurrowComputeEngineConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """The settings under `batch_engine:` in feature_store.yaml."""

    type: Literal["furrow.ground.feast.compute_engine.FurrowComputeEngine"] = (
        "furrow.ground.feast.compute_engine.FurrowComputeEngine"
    )
    """Feast's name for this engine."""


class FurrowComputeEngine(LocalComputeEngine):  # type: ignore[misc]
    """From Furrow's offline store to Furrow's online store in Arrow.

    Everything else as Feast does it.
    """

    def __init__(self, **options: Any) -> None:
        options.pop("type", None)
        super().__init__(**options)

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **options: Any
    ) -> LocalMaterializationJob:
        view = task.feature_view
        derived = getattr(view, "feature_transformation", None) or getattr(
            view, "aggregations", None
        )
        if derived or not isinstance(self.online_store, RecordOnlineStore):
            return super()._materialize_one(registry, task, **options)
        name = f"{view.name}-{task.start_time}-{task.end_time}"
        try:
            self._bring(registry, task)
        except Exception as exc:  # noqa: BLE001 - Feast raises it where it asks for the outcome
            return LocalMaterializationJob(name, MaterializationJobStatus.ERROR, exc)
        return LocalMaterializationJob(name, MaterializationJobStatus.SUCCEEDED)

    def _bring(self, registry: BaseRegistry, task: MaterializationTask) -> None:
        """Write each entity's newest row of the time range."""
        view = task.feature_view
        entities = [registry.get_entity(name, task.project) for name in view.entities]
        keys, features, time, created = _get_column_names(view, entities)
        job = self.offline_store.pull_latest_from_table_or_query(
            config=self.repo_config,
            data_source=view.batch_source,
            join_key_columns=keys,
            feature_name_columns=features,
            timestamp_field=time,
            created_timestamp_column=created,
            start_date=task.start_time,
            end_date=task.end_time,
        )
        progress = task.tqdm_builder(0)
        if not isinstance(job, FurrowRetrievalJob):
            self._write(view, job.to_arrow(), keys, time, created)
            return
        with closing(job.tables(_ROWS)) as tables:
            for table in tables:
                self._write(view, table, keys, time, created)
                progress.update(table.num_rows)
        progress.close()

    def _write(
        self, view: FeatureView, table: pa.Table, keys: list[str], time: str, created: str | None
    ) -> None:
        """Write rows in the source's names.

        One with a null key can never be asked for, and is left out.
        """
        for key in keys:
            table = table.filter(pc.is_valid(table.column(key)))
        times = microseconds(table.column(time))
        made = microseconds(table.column(created)) if created else None
        mapping = view.batch_source.field_mapping or {}
        named = table.rename_columns([mapping.get(name, name) for name in table.column_names])
        if DUMMY_ENTITY_ID in named.column_names:
            named = named.drop_columns([DUMMY_ENTITY_ID])
        self.online_store.write_table(self.repo_config, view, named, times, made)
