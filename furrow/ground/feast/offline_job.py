"""Feast's retrieval job over a plan: to Arrow, to pandas, or persisted as Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata

from furrow.ground.feast.offline_write import write_dataset
from furrow.stores.sources import SourceError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from feast.on_demand_feature_view import OnDemandFeatureView
    from feast.saved_dataset import SavedDatasetStorage

__all__ = ["FurrowRetrievalJob"]


class _Runnable(Protocol):
    @property
    def root(self) -> Any: ...

    def table(self) -> pa.Table: ...


class FurrowRetrievalJob(RetrievalJob):  # type: ignore[misc]
    """A retrieval that has been checked and not yet run."""

    def __init__(
        self,
        plan: _Runnable,
        on_demand: list[OnDemandFeatureView] | None = None,
        metadata: RetrievalMetadata | None = None,
        *,
        full_feature_names: bool = False,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._on_demand = on_demand or []
        self._metadata = metadata
        self._full_feature_names = full_feature_names

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named view__feature."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views to compute on the result."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        del timeout
        return self._plan.table()

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Write the result to a Parquet file (a path that ends in .parquet) or folder.

        Raises:
            SourceError: The storage is no file storage.
        """
        if not isinstance(storage, SavedDatasetFileStorage):
            kind = type(storage).__name__
            raise SourceError(f"can't persist to a {kind}", path=kind, hint="use SavedDatasetFileStorage")
        write_dataset(self.to_arrow(timeout=timeout), storage, self._plan.root, overwrite=allow_overwrite)
