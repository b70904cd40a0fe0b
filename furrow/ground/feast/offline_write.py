"""Writing to sources: saved datasets, pushed rows, logged features."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileLoggingDestination, SavedDatasetFileStorage

from furrow.stores.sources import SourceError, list_files

if TYPE_CHECKING:
    from feast.feature_logging import LoggingDestination
    from feast.feature_view import FeatureView

__all__ = ["append_batch", "write_dataset", "write_logs"]


def write_dataset(table: pa.Table, storage: SavedDatasetFileStorage, root: Path, *, overwrite: bool) -> None:
    """Write a table as a Parquet file, whole or not at all.

    Raises:
        SavedDatasetLocationAlreadyExists: Something is there and `overwrite` is false.
    """
    path = root / storage.file_options.uri
    if path.exists() and not overwrite:
        raise SavedDatasetLocationAlreadyExists(location=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".parquet":
        path.mkdir(exist_ok=True)
        path = path / "part-0.parquet"
    _replace(table, path)


def append_batch(view: FeatureView, table: pa.Table, root: Path) -> None:
    """Append rows to a view's source.

    Raises:
        SourceError: The columns are not the source's.
    """
    uri = view.batch_source.path
    files = list_files(uri, root)
    schema = pq.read_schema(files[0])
    if schema.names != table.column_names:
        raise SourceError(
            f"rows for {view.name} have the columns {', '.join(table.column_names)}; {uri} has {', '.join(schema.names)}",
            path=uri,
            hint="give the rows the source's columns, in its order",
        )
    rows = table.cast(schema.remove_metadata())
    if len(files) == 1 and not (root / uri).is_dir():
        held = pq.read_table(files[0])
        _replace(pa.concat_tables([held.cast(rows.schema), rows]), files[0])
    else:
        _replace(rows, files[-1].parent / f"zz-{uuid.uuid4().hex}.parquet")


def write_logs(data: pa.Table | Path, destination: LoggingDestination, root: Path) -> None:
    """Append logged features to a folder of Parquet files.

    Raises:
        SourceError: The destination is no folder of files.
    """
    if not isinstance(destination, FileLoggingDestination):
        kind = type(destination).__name__
        raise SourceError(f"can't log to a {kind}", path=kind, hint="use FileLoggingDestination")
    table = pq.read_table(data) if isinstance(data, Path) else data
    ds.write_dataset(
        table,
        base_dir=root / destination.path,
        basename_template=f"{uuid.uuid4().hex}-{{i}}.parquet",
        partitioning=destination.partition_by,
        partitioning_flavor="hive" if destination.partition_by else None,
        format="parquet",
        existing_data_behavior="overwrite_or_ignore",
    )


def _replace(table: pa.Table, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
