"""Writing Parquet: saved datasets, pushed rows, logged features; each whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileLoggingDestination, SavedDatasetFileStorage
from pyarrow import fs

from furrow.stores.float_columns import canonical_table
from furrow.stores.remote import is_remote, storage
from furrow.stores.sources import SourceError, list_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feast.feature_logging import LoggingDestination
    from feast.feature_view import FeatureView

__all__ = ["append_batch", "write_dataset", "write_logs"]


def write_dataset(
    tables: Iterable[pa.Table], target: SavedDatasetFileStorage, root: Path, *, overwrite: bool
) -> None:
    """Write tables one after the other as one Parquet file, or as a folder with one file.

    Args:
        tables: The tables, of which one is held at a time.
        target: Where to.
        root: Where a relative path starts from.
        overwrite: Whether what is there may be replaced.

    Raises:
        SavedDatasetLocationAlreadyExists: Something is there.
        SourceError: The place can't be written; what was there is untouched.
    """
    uri = target.file_options.uri
    system, inner = _place(uri, target.file_options.s3_endpoint_override, root)
    if not overwrite and _occupied(system, inner):
        raise SavedDatasetLocationAlreadyExists(location=uri)
    file = inner if inner.endswith(".parquet") else f"{inner}/part-0.parquet"
    folder, _, name = file.rpartition("/")
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex}"
    try:
        system.create_dir(folder, recursive=True)
        _write(tables, temporary, system)
        if file != inner:
            _empty(system, folder, temporary)
        system.move(temporary, file)
    except (OSError, pa.ArrowException) as exc:
        hint = "free some space or check the permissions, then run again"
        raise SourceError(f"cannot write {uri}: {exc}", path=uri, hint=hint) from exc
    finally:
        if system.get_file_info(temporary).type == fs.FileType.File:
            system.delete_file(temporary)


def append_batch(view: FeatureView, table: pa.Table, root: Path) -> None:
    """Append rows to a view's source: a file is rewritten, a folder gets one more file.

    Raises:
        SourceError: The columns are not the source's, or it can't be written.
    """
    options = view.batch_source.file_options
    uri = options.uri
    system, inner = _place(uri, options.s3_endpoint_override, root)
    single = system.get_file_info(inner).type == fs.FileType.File
    if single:
        files = [inner]
    elif is_remote(uri):
        found = system.get_file_info(fs.FileSelector(inner, recursive=True))
        files = sorted(item.path for item in found if item.path.endswith(".parquet"))
    else:
        files = [str(file) for file in list_files(uri, root)]
    schema = pq.read_schema(files[-1], filesystem=system).remove_metadata()
    held = {new: old for old, new in view.batch_source.field_mapping.items() if old in schema.names}
    table = table.rename_columns([held.get(name, name) for name in table.column_names])
    if set(schema.names) != set(table.column_names):
        given, wanted = ", ".join(table.column_names), ", ".join(schema.names)
        message = f"rows for {view.name} have the columns {given}; {uri} has {wanted}"
        raise SourceError(message, path=uri, hint="give the rows exactly the source's columns")
    try:
        rows = table.select(schema.names).cast(schema)
    except pa.ArrowException as exc:
        message = f"rows for {view.name} don't fit the types of {uri}: {exc}"
        raise SourceError(message, path=uri, hint="convert the columns") from exc
    target = inner if single else f"{files[-1].rpartition('/')[0]}/zz-{uuid.uuid4().hex}.parquet"
    before = [pq.read_table(inner, filesystem=system).cast(schema)] if single else []
    temporary = f"{target.rpartition('/')[0]}/.{uuid.uuid4().hex}"
    try:
        _write([*before, rows], temporary, system)
        system.move(temporary, target)
    except (OSError, pa.ArrowException) as exc:
        hint = "free some space or check the permissions, then run again"
        raise SourceError(f"cannot write {uri}: {exc}", path=uri, hint=hint) from exc
    finally:
        if system.get_file_info(temporary).type == fs.FileType.File:
            system.delete_file(temporary)


def write_logs(data: pa.Table | Path, destination: LoggingDestination, root: Path) -> None:
    """Append logged features to a folder of Parquet files.

    Raises:
        SourceError: The destination is no folder of files.
    """
    if not isinstance(destination, FileLoggingDestination):
        kind = type(destination).__name__
        raise SourceError(f"can't log to a {kind}", path=kind, hint="use FileLoggingDestination")
    system, inner = _place(destination.path, destination.s3_endpoint_override, root)
    ds.write_dataset(
        canonical_table(pq.read_table(data) if isinstance(data, Path) else data),
        base_dir=inner,
        filesystem=system,
        basename_template=f"{uuid.uuid4().hex}-{{i}}.parquet",
        partitioning=destination.partition_by,
        partitioning_flavor="hive" if destination.partition_by else None,
        format="parquet",
        existing_data_behavior="overwrite_or_ignore",
    )


def _place(uri: str, endpoint: str | None, root: Path) -> tuple[fs.FileSystem, str]:
    if is_remote(uri):
        return storage(uri, endpoint or None)
    return fs.LocalFileSystem(), str(root / uri.removeprefix("file://")).rstrip("/")


def _occupied(system: fs.FileSystem, inner: str) -> bool:
    info = system.get_file_info(inner)
    if info.type == fs.FileType.Directory:
        return bool(system.get_file_info(fs.FileSelector(inner)))
    return bool(info.type != fs.FileType.NotFound)


def _empty(system: fs.FileSystem, folder: str, keep: str) -> None:
    """Remove the Parquet files of an earlier dataset."""
    for info in system.get_file_info(fs.FileSelector(folder, recursive=True)):
        if info.type == fs.FileType.File and info.path != keep and info.path.endswith(".parquet"):
            system.delete_file(info.path)


def _write(tables: Iterable[pa.Table], path: str, system: fs.FileSystem) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, filesystem=system, compression="zstd")
            writer.write_table(canonical_table(table.cast(writer.schema)), row_group_size=122_880)
    finally:
        if writer is not None:
            writer.close()
