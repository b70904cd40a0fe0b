"""Feast's retrieval job: to Arrow, to pandas, or piece by piece to Parquet."""

from __future__ import annotations

from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata

from furrow.ground.feast.offline_write import write_dataset
from furrow.stores.float_columns import canonical_table
from furrow.stores.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from feast.on_demand_feature_view import OnDemandFeatureView
    from feast.saved_dataset import SavedDatasetStorage

__all__ = ["FurrowRetrievalJob", "Metadata"]

_ROWS = 1_000_000


class Query(Protocol):
    """What a job runs."""

    @property
    def root(self) -> Path:
        """Where relative paths start from."""

    def chunks(self, rows: int | None) -> Generator[pa.Table]:
        """The result, so many rows at a time; None: all at once."""


class Metadata(RetrievalMetadata):  # type: ignore[misc]
    """What was asked for.

    The time range is read from the entity rows when somebody wants to know it.
    """

    def __init__(
        self,
        features: list[str],
        keys: list[str],
        time_range: Callable[[], tuple[datetime | None, datetime | None]],
    ) -> None:
        self.features = features
        self.keys = keys
        self._find = time_range

    @cached_property
    def _range(self) -> tuple[datetime | None, datetime | None]:
        return self._find()

    @property
    def min_event_timestamp(self) -> datetime | None:
        """The earliest time of the entity rows."""
        return self._range[0]

    @property
    def max_event_timestamp(self) -> datetime | None:
        """The latest time of the entity rows."""
        return self._range[1]


class FurrowRetrievalJob(RetrievalJob):  # type: ignore[misc]
    """A retrieval that has been checked and not yet run."""

    def __init__(
        self,
        query: Query,
        on_demand: Sequence[OnDemandFeatureView] = (),
        metadata: RetrievalMetadata | None = None,
        *,
        full_feature_names: bool = False,
    ) -> None:
        super().__init__()
        self._query = query
        self._on_demand = list(on_demand)
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
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        del timeout
        with closing(self._query.chunks(None)) as chunks:
            return canonical_table(next(chunks))  # before on-demand features are computed from it

    def to_arrow(self, *arguments: Any, **options: Any) -> pa.Table:
        """The result with on-demand features.

        Floats have the form that the online store serves them in.
        """
        return canonical_table(super().to_arrow(*arguments, **options))

    def to_tables(self, rows: int = _ROWS) -> Iterator[pa.Table]:
        """The result piece by piece, on-demand features included.

        For what is larger than the memory.

        Args:
            rows: The rows of a piece.
        """
        for chunk in self._query.chunks(rows):
            piece = FurrowRetrievalJob(
                _Piece(chunk, self._query.root),
                self._on_demand,
                self._metadata,
                full_feature_names=self._full_feature_names,
            )
            yield piece.to_arrow()

    def tables(self, rows: int = _ROWS) -> Generator[pa.Table]:
        """What was read, piece by piece, as it was read: without on-demand features.

        Args:
            rows: The rows of a piece.
        """
        return self._query.chunks(rows)

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Write the result to a Parquet file (a path that ends in .parquet) or folder, whole or not at all.

        Raises:
            SourceError: The storage is no file storage, or can't be written.
            SavedDatasetLocationAlreadyExists: Something is there and may not be replaced.
        """
        del timeout
        if not isinstance(storage, SavedDatasetFileStorage):
            kind = type(storage).__name__
            raise SourceError(
                f"can't persist to a {kind}", path=kind, hint="use SavedDatasetFileStorage"
            )
        write_dataset(self.to_tables(), storage, self._query.root, overwrite=allow_overwrite)


class _Piece:
    """A part of a result that is there already."""

    def __init__(self, table: pa.Table, root: Path) -> None:
        self._table = table
        self.root = root

    def chunks(self, rows: int | None) -> Generator[pa.Table]:
        del rows
        yield self._table
